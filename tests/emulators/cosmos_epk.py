# SPDX-License-Identifier: MIT
"""Effective partition keys: where in a container a partition key lies.

A key is hashed as the service does it, so that the ranges which a client computes by itself
meet the documents here. Version 1: MurmurHash3 x86 32 bit of the tagged value, written as a
number, then the first 100 characters of the value itself. Version 2: MurmurHash3 x64 128 bit of
all tagged values, byte order reversed, the two top bits cleared. Hierarchical (MultiHash): the
version 2 hash of each level, one after the other, so a prefix of the key is a prefix of the text.
Texts compare as strings; "" is below and "FF" above all of them.
Judged by the JavaScript client's own hashes in tests/interop/test_cosmos_sdk.py.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

LOWEST, HIGHEST = "", "FF"
V1_CHARACTERS = 100
_MASK32, _MASK64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
_UNDEFINED, _NULL, _FALSE, _TRUE, _NUMBER, _STRING = b"\0", b"\1", b"\2", b"\3", b"\5", b"\x08"


class Undefined:
    """What a property that is not there has for a value."""

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED = Undefined()


def as_double(number: int | float) -> float:
    """A JSON number as the service keeps it."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def utf8(text: str) -> bytes:
    """A string as bytes; half a surrogate pair becomes U+FFFD, as every client's encoder has it."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def epk(values: Sequence[Any], definition: dict[str, Any]) -> str:
    """The effective key, or its beginning where hierarchical values are fewer than paths."""
    if definition.get("kind") == "MultiHash":
        return "".join(_hash_v2([value]) for value in values)
    return _hash_v2(values) if definition.get("version") == 2 else _hash_v1(values[0])


def boundaries(count: int, definition: dict[str, Any]) -> list[str]:
    """The count - 1 inner bounds of ranges that share the keys evenly."""
    if definition.get("kind") == "MultiHash" or definition.get("version") == 2:
        return [f"{(i << 126) // count:032X}" for i in range(1, count)]
    return [_number((i << 32) // count).hex().upper() for i in range(1, count)]


def _tagged(value: Any, end_of_string: bytes) -> bytes:
    if isinstance(value, str):
        return _STRING + utf8(value) + end_of_string
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, (int, float)):
        return _NUMBER + struct.pack("<d", as_double(value))
    return _NULL if value is None else _UNDEFINED


def _hash_v2(values: Sequence[Any]) -> str:
    hashed = bytearray(murmur3_128(b"".join(_tagged(v, b"\xff") for v in values))[::-1])
    hashed[0] &= 0x3F
    return hashed.hex().upper()


def _hash_v1(value: Any) -> str:
    if isinstance(value, str):
        value = value[:V1_CHARACTERS]
    hashed = murmur3_32(_tagged(value, b"\0"))
    if isinstance(value, str):
        encoded = _string(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        encoded = _number(value)
    else:
        encoded = _tagged(value, b"\0")
    return (_number(hashed) + encoded).hex().upper()


def _string(value: str) -> bytes:
    """Each byte one up, so that the zero at the end sorts first."""
    data = utf8(value)
    return _STRING + bytes(b + 1 if b < 0xFF else b for b in data) + b"\0"


def _number(value: int | float) -> bytes:
    """A double whose bytes sort as the numbers do: 8 bits, then 7 in each byte with a bit for "more"."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", as_double(value)))
    payload = bits ^ (1 << 63) if bits < 1 << 63 else (~bits + 1) & _MASK64
    out = bytearray((payload >> 56,))
    payload = (payload << 8) & _MASK64
    while payload:
        out.append(payload >> 56 | 1)
        payload = (payload << 7) & _MASK64
    if len(out) > 1:
        out[-1] &= 0xFE
    return _NUMBER + bytes(out)


def _rotl32(x: int, r: int) -> int:
    return ((x << r) | (x >> (32 - r))) & _MASK32


def murmur3_32(data: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0."""
    h = 0
    whole = len(data) & ~3
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        k = _rotl32(k * 0xCC9E2D51 & _MASK32, 15) * 0x1B873593 & _MASK32
        h = (_rotl32(h ^ k, 13) * 5 + 0xE6546B64) & _MASK32
    if tail := data[whole:]:
        k = int.from_bytes(tail, "little")
        h ^= _rotl32(k * 0xCC9E2D51 & _MASK32, 15) * 0x1B873593 & _MASK32
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & _MASK32
    h = (h ^ h >> 13) * 0xC2B2AE35 & _MASK32
    return h ^ h >> 16


def _rotl64(x: int, r: int) -> int:
    return ((x << r) | (x >> (64 - r))) & _MASK64


def _mix64(k: int) -> int:
    k = (k ^ k >> 33) * 0xFF51AFD7ED558CCD & _MASK64
    k = (k ^ k >> 33) * 0xC4CEB9FE1A85EC53 & _MASK64
    return k ^ k >> 33


def murmur3_128(data: bytes) -> bytes:
    """MurmurHash3_x64_128 with seed 0."""
    c1, c2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
    h1 = h2 = 0
    whole = len(data) & ~15
    for k1, k2 in struct.iter_unpack("<QQ", data[:whole]):
        h1 ^= _rotl64(k1 * c1 & _MASK64, 31) * c2 & _MASK64
        h1 = ((_rotl64(h1, 27) + h2) * 5 + 0x52DCE729) & _MASK64
        h2 ^= _rotl64(k2 * c2 & _MASK64, 33) * c1 & _MASK64
        h2 = ((_rotl64(h2, 31) + h1) * 5 + 0x38495AB5) & _MASK64
    tail = data[whole:]
    if len(tail) > 8:
        k2 = int.from_bytes(tail[8:], "little")
        h2 ^= _rotl64(k2 * c2 & _MASK64, 33) * c1 & _MASK64
    if tail:
        k1 = int.from_bytes(tail[:8], "little")
        h1 ^= _rotl64(k1 * c1 & _MASK64, 31) * c2 & _MASK64
    h1 ^= len(data)
    h2 ^= len(data)
    h1 = (h1 + h2) & _MASK64
    h2 = (h2 + h1) & _MASK64
    h1, h2 = _mix64(h1), _mix64(h2)
    h1 = (h1 + h2) & _MASK64
    h2 = (h2 + h1) & _MASK64
    return struct.pack("<QQ", h1, h2)
