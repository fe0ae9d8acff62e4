# SPDX-License-Identifier: MIT
"""Ranges that find arithmetic mistakes: the edges of regions, spans and pages, and some at random."""
import random


def pick(length, region, count=200, seed=0):
    """count ranges (offset, length >= 1) within and across the end of a file of that length."""
    chosen = [r for r in _edges(length, region) if r[0] < max(length, 1)]
    dice = random.Random(f"{seed}/{length}/{region}")
    dice.shuffle(chosen)
    chosen = chosen[: count // 2]
    while len(chosen) < count:
        offset = dice.randrange(max(length, 1))
        scale = dice.choice((1, 16, 4096, region, 3 * region))
        chosen.append((offset, dice.randint(1, min(scale, max(length - offset, 0) + 2))))
    return chosen


def _edges(length, region):
    marks = {0, length, 16, 4096, 131072, length - length % region}
    marks |= {region * i for i in (1, 2, 3)}
    for mark in sorted(marks):
        for offset in (mark - 17, mark - 16, mark - 1, mark, mark + 1):
            for size in (1, 2, 16, 17, region - 1, region, region + 1):
                if 0 <= offset and 0 < size:
                    yield offset, min(size, 1 << 24)


def check(file, plain, ranges):
    """Every range of an OpenFile holds what the plaintext has there."""
    for offset, size in ranges:
        found = file.range(offset, size)
        wanted = plain[offset : offset + size]
        assert len(found) == len(wanted), f"{size} bytes at {offset}: {len(found)} came, not {len(wanted)}"
        assert found == wanted, f"{size} bytes at {offset} differ"
