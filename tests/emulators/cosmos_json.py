# SPDX-License-Identifier: MIT
"""JSON text that stays as it was sent.

A document is looked into, to find its id and partition key or to answer a query, but it is never
printed anew: values are spans of its text, and the members that the service owns are cut out and
appended as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from json.decoder import scanstring
from typing import Any, NamedTuple

#: What the service adds, in its order.
SYSTEM_MEMBERS = ("_rid", "_self", "_etag", "_attachments", "_ts")
_BLANKS = " \t\r\n"
_PLAIN_NAME = re.compile(r'"([^"\\\x00-\x1f]*)"[ \t\r\n]*:[ \t\r\n]*')
_BEHIND = re.compile(r"[ \t\r\n]*([,}])[ \t\r\n]*")


class BadJson(ValueError):
    """Text that is no JSON document."""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


class Member(NamedTuple):
    """One member of an object; `start` is its name's quote, `at` to `end` its value's text."""

    name: str
    value: Any
    start: int
    at: int
    end: int


def parse(text: str) -> Any:
    """The value of a whole text, or BadJson."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise BadJson(str(error) or "nested too deeply") from error


def reprint(text: str) -> str:
    """The same value as a service that parses and prints would have it: no blanks, escapes only where
    they must be, numbers in their shortest form."""
    def shortest(number: str) -> Any:
        value = float(number)
        return int(value) if value.is_integer() and abs(value) < 2**53 else value

    try:
        value = json.loads(text, parse_float=shortest, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadJson(str(error) or "nested too deeply") from error
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def document_text(body: bytes) -> str:
    """A body as text, without the blanks around it."""
    try:
        return body.decode("utf-8").strip(_BLANKS)
    except UnicodeDecodeError as error:
        raise BadJson(str(error)) from error


def _skip(text: str, at: int) -> int:
    while text[at] in _BLANKS:
        at += 1
    return at


def members(text: str, at: int = 0) -> list[Member]:
    """The members of the object that begins at `at`, in their order, doubles included."""
    return _object(text, at)[0]


def document(text: str) -> list[Member]:
    """The members of a text that is one object and nothing else."""
    found, end = _object(text, 0)
    if text[end:].strip(_BLANKS):
        raise BadJson("text behind the object")
    return found


def _object(text: str, at: int) -> tuple[list[Member], int]:
    try:
        return _members(text, at)
    except (IndexError, StopIteration, ValueError, RecursionError) as error:
        raise BadJson(str(error) or "not an object") from error


def _members(text: str, at: int) -> tuple[list[Member], int]:
    found: list[Member] = []
    at = _skip(text, at)
    if text[at] != "{":
        raise BadJson("not an object")
    at = _skip(text, at + 1)
    if text[at] == "}":
        return found, at + 1
    while True:
        start = at
        name, at = _name(text, at)
        value, end = _DECODER.scan_once(text, at)
        found.append(Member(name, value, start, at, end))
        behind = _BEHIND.match(text, end)
        if behind is None:
            raise BadJson(f"a comma is missing at {end}")
        at = behind.end()
        if behind[1] == "}":
            return found, behind.end(1)


def _name(text: str, at: int) -> tuple[str, int]:
    """The name of a member, and where its value begins."""
    if plain := _PLAIN_NAME.match(text, at):
        return plain[1], plain.end()
    if text[at] != '"':
        raise BadJson(f"a name is missing at {at}")
    name, at = scanstring(text, at + 1, True)
    at = _skip(text, at)
    if text[at] != ":":
        raise BadJson(f"a colon is missing at {at}")
    return name, _skip(text, at + 1)


def raw(text: str, path: Sequence[str | int]) -> str | None:
    """The text of the value at a path of names and indices; None where there is none."""
    at, end = 0, len(text)
    for step in path:
        at = _skip(text, at)
        if isinstance(step, int):
            found = _element(text, at, step) if text[at] == "[" else None
        elif text[at] == "{":
            found = next(((m.at, m.end) for m in reversed(members(text, at)) if m.name == step), None)
        else:
            found = None
        if found is None:
            return None
        at, end = found
    return text[at:end]


def _element(text: str, at: int, index: int) -> tuple[int, int] | None:
    at = _skip(text, at + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        if index == 0:
            return at, end
        index -= 1
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return None


def with_system_members(text: str, found: list[Member], told: str) -> bytes:
    """The text with the service's own members replaced by `told` (`"_rid":..., ...`) at its end."""
    last = text.rindex("}")
    if not any(m.name in SYSTEM_MEMBERS for m in found):
        at = found[-1].end if found else last
        return f"{text[:at]}{',' if found else ''}{told}{text[at:]}".encode()
    head = text[: found[0].start]
    kept = []
    for before, m in zip([None, *found], found):
        if m.name not in SYSTEM_MEMBERS:
            gap = text[before.end : m.start] if before and kept else ""
            kept.append(gap + text[m.start : m.end])
    tail = text[found[-1].end :]
    return f"{head}{''.join(kept)}{',' if kept else ''}{told}{tail}".encode()
