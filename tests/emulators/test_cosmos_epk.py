# SPDX-License-Identifier: MIT
"""Effective partition keys, against values of the official JavaScript client and of MurmurHash3 itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulators.cosmos_epk import (
    HIGHEST,
    UNDEFINED,
    boundaries,
    epk,
    murmur3_32,
    murmur3_128,
)

V1 = {"paths": ["/a"], "kind": "Hash"}
V2 = {"paths": ["/a"], "kind": "Hash", "version": 2}
LEVELS = {"paths": ["/a", "/b", "/c"], "kind": "MultiHash", "version": 2}


@pytest.mark.parametrize(
    ("data", "short", "long"),
    [
        (b"", 0, "00000000000000000000000000000000"),
        (b"hello", 0x248BFA47, "029bbd41b3a7d8cb191dae486a901e5b"),
    ],
)
def test_murmur(data: bytes, short: int, long: str) -> None:
    assert murmur3_32(data) == short
    assert murmur3_128(data).hex() == long


@pytest.mark.parametrize(("values", "definition", "wanted"), [
    ([""], V1, "05C1CF33970FF80800"),
    ([""], V2, "32E9366E637A71B4E710384B2F4970A0"),
    (["tenant-1"], V1, "05C1EF779995400875666F626F752E3200"),
    (["tenant-1"], V2, "1B6E36CBA1839DF91310617831CA7FAC"),
    (["größe 日本 😀"], V1, "05C1E99361CF64086873C4B7C4A06621E798A6E79DAD21F1A0998100"),
    (["größe 日本 😀"], V2, "0FD19A97F94942495342ECF71EB29062"),
    (["x" * 101], V1, "05C1DD45A3938C08797979797979797979797979"
     "79797979797979797979797979797979797979797979797979797979797979797979797979797979"
     "79797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797900"),
    (["x" * 101], V2, "300C91B3A88EBBFFE4DB4541EA0875FC"),
    ([0], V1, "05C1BF6DA115600580"),
    ([0], V2, "155B95BEDAC4B1E9EC1CDC9BB0DDDE58"),
    ([1], V1, "05C1ED172B6B2605BFF0"),
    ([1], V2, "20CD98B339BA78A5D0CF6953B87070B0"),
    ([-1.5], V1, "05C1E901090F44054008"),
    ([-1.5], V2, "151793206780805FF6E1DCAE6C787B6A"),
    ([9007199254740992], V1, "05C1E53167392405C340"),
    ([9007199254740992], V2, "15335910D01122E3D99DA5DE569B065D"),
    ([True], V1, "05C1D7C5A903D803"),
    ([True], V2, "0E711127C5B5A8E4726AC6DD306A3E59"),
    ([False], V1, "05C1DB857D857C02"),
    ([False], V2, "2FE1BE91E90A3439635E0E9E37361EF2"),
    ([None], V1, "05C1ED45D7475601"),
    ([None], V2, "378867E4430E67857ACE5C908374FE16"),
    ([UNDEFINED], V1, "05C1D529E345DC00"),
    ([UNDEFINED], V2, "11622DAA78F835834610ABE56EFF5CB5"),
    (["contoso"], LEVELS,
     "0A4BA22644167DA7161C260336FB5423"),
    (["contoso", 1, "alice"], LEVELS,
     "0A4BA22644167DA7161C260336FB542320CD98B339BA78A5D0CF6953B87070B0"
     "35EAEE8D6020FFCABDE75797DFE27C34"),
    ([None, UNDEFINED, True], LEVELS,
     "378867E4430E67857ACE5C908374FE1611622DAA78F835834610ABE56EFF5CB5"
     "0E711127C5B5A8E4726AC6DD306A3E59"),
])
def test_effective_keys(values: list[Any], definition: dict[str, Any], wanted: str) -> None:
    assert epk(values, definition) == wanted


def test_equal_numbers_lie_together_and_types_apart() -> None:
    assert epk([1], V2) == epk([1.0], V2)
    assert len({epk([v], V2) for v in (1, "1", True, None, UNDEFINED)}) == 5


def test_a_hierarchical_prefix_begins_the_key() -> None:
    whole, prefix = epk(["a", 1, None], LEVELS), epk(["a", 1], LEVELS)
    assert len(whole) == 96 and whole.startswith(prefix)
    assert prefix <= whole < prefix + HIGHEST


def test_half_a_surrogate_pair_is_hashed_as_the_replacement_character() -> None:
    assert epk(["a\ud800b"], V2) == epk(["a�b"], V2)


@pytest.mark.parametrize("definition", [V1, V2, LEVELS])
def test_boundaries_share_the_keys(definition: dict[str, Any]) -> None:
    bounds = boundaries(4, definition)
    assert bounds == sorted(bounds) and len(bounds) == 3
    keys = [epk([f"key {i}"], definition) for i in range(400)]
    shares = [sum(low <= k < high for k in keys)
              for low, high in zip(["", *bounds], [*bounds, HIGHEST])]
    assert sum(shares) == 400 and min(shares) > 60
