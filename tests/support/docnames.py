# SPDX-License-Identifier: MIT
"""File names of documents and of partition keys, from docs/SEMANTICS.md alone ("Names of documents", "Names").

A second opinion on fs/valuenames.c: what is written there must not be looked up here.
"""
import decimal
import hashlib

LONGEST = 255  # bytes
TAIL = "%~"


def value_name(value, sealed=False, suffix="", prefix=""):
    """The name of a string, number, boolean, None, or ... (an absent value)."""
    if isinstance(value, str):
        return text_name(value.encode("utf-8", "surrogatepass"), suffix, prefix)
    words = {True: "=true", False: "=false", None: "=null", ...: "=undefined"}
    if value is None or value is ... or isinstance(value, bool):
        return words[value] + suffix
    return f"={number_text(value, sealed)}{suffix}"


def stored_name(text, suffix=""):
    """The name of a value that does not open."""
    return text_name(text.encode("utf-8", "surrogatepass"), suffix, "=sealed:")


def number_text(value, sealed):
    """A number in clear as JavaScript writes it; a sealed one keeps the difference of long and double."""
    if sealed:
        return str(value) if isinstance(value, int) else repr(value)
    _, digits, exponent = decimal.Decimal(repr(float(value))).normalize().as_tuple()
    digits = "".join(map(str, digits))
    point = len(digits) + exponent
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = f"{digits[0]}{'.' * (len(digits) > 1)}{digits[1:]}e{point - 1:+d}"
    return f"-{text}" if value < 0 else text


def text_name(raw, suffix, prefix):
    raw = raw.replace(b"\0", b"\xc0\x80")
    full = prefix + (escaped(raw) if raw else "%00")
    if len(full.encode()) + len(suffix) <= LONGEST:
        return full + suffix
    kept = cut(full, LONGEST - len(TAIL) - 32 - len(suffix))
    return kept + TAIL + hashlib.sha256(full.encode()).hexdigest()[:32] + suffix


def escaped(raw):
    if raw in (b".", b".."):
        return "%2E" * len(raw)
    out = []
    at = 0
    while at < len(raw):
        character = first_character(raw[at:])
        if character is None or must_be_escaped(raw, at):
            out.append(f"%{raw[at]:02X}")
            at += 1
        else:
            out.append(character)
            at += len(character.encode())
    return "".join(out)


def must_be_escaped(raw, at):
    byte = raw[at : at + 1]
    if byte == b"%":
        behind = raw[at + 1 : at + 3]
        return raw[at + 1 : at + 2] == b"~" or (len(behind) == 2 and all(c in b"0123456789ABCDEF" for c in behind))
    return byte < b" " or byte in b"\x7f/" or (byte == b"=" and at == 0)


def first_character(raw):
    """The valid character at the beginning, None: there is none."""
    for n in (1, 2, 3, 4):
        try:
            return raw[:n].decode()
        except UnicodeDecodeError:
            continue
    return None


def cut(text, most):
    """At most so many bytes, without a half of a character or of an escape."""
    raw = text.encode()[:most].decode(errors="ignore").encode()
    for back in (1, 2):
        if raw[-back : len(raw) - back + 1] == b"%":
            return raw[:-back].decode()
    return raw.decode()
