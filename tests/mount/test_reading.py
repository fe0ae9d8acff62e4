# SPDX-License-Identifier: MIT
"""Reads of every kind return the plaintext, whole or not at all."""
import concurrent.futures
import mmap
import os
import random
import threading

import pytest

from tests.support import ranges, seal
from tests.support.mount import errno_of

MIB = 1 << 20
# (region length, plaintext length): a last region that is short, and more than one span where there is room.
SHAPES = [(16, 20_011), (1000, 999_500), (64 << 10, 9 * MIB + 77), (4 * MIB, 17 * MIB + 1), (16 * MIB, 35 * MIB + 5)]
IDS = ["16B", "1000B", "64KiB", "4MiB", "16MiB"]
OPERATIONS = 20_000


def plain_of(region):
    return seal.random_plaintext(region, dict(SHAPES)[region])


@pytest.fixture(scope="module")
def shapes(module_local):
    for region, _ in SHAPES:
        module_local.put(f"r{region}", plain_of(region), region)
    module_local.put("empty", b"")
    module_local.put("one", b"1")
    return module_local


@pytest.fixture(scope="module")
def m(shapes):
    return shapes.mount()


@pytest.fixture(scope="module")
def small(shapes):
    """As little memory as a mount takes: spans are thrown away all the time."""
    return shapes.mount("memory=64M")


each_shape = pytest.mark.parametrize(("region", "length"), SHAPES, ids=IDS)


class Direct:
    """A file without the page cache: what one READ gives is what the caller gets."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def pread(self, length, offset):
        return os.pread(self.fd, length, offset)


# ---- offsets and lengths


@each_shape
def test_a_file_comes_back_whole(m, region, length):
    assert m.read(f"r{region}") == plain_of(region)


@each_shape
def test_every_edge_of_a_file(m, region, length):
    with m.open(f"r{region}") as f:
        ranges.check(f, plain_of(region), ranges.pick(length, region, 400, seed="edges"))


@each_shape
def test_every_edge_of_a_file_without_the_page_cache(m, region, length):
    """One READ each: not a byte less than the file has there."""
    plain = plain_of(region)
    with Direct(m.path(f"r{region}")) as f:
        for offset, size in ranges.pick(length, region, 200, seed="direct"):
            size = min(size, MIB)
            assert f.pread(size, offset) == plain[offset : offset + size], f"{size} bytes at {offset}"


@each_shape
def test_reads_at_the_end_and_past_it(m, region, length):
    plain = plain_of(region)
    with m.open(f"r{region}") as f, Direct(m.path(f"r{region}")) as direct:
        for offset, size in ((length, 1), (length + 1, 10), (length + 64 * MIB, 4096), (1 << 40, 1)):
            assert os.pread(f.fd, size, offset) == direct.pread(size, offset) == b""
        for before in (1, 15, 4097):
            assert os.pread(f.fd, 1 << 16, length - before) == plain[-before:]
            assert direct.pread(1 << 16, length - before) == plain[-before:]


def test_files_of_no_byte_and_one(m):
    assert (m.read("empty"), m.read("one")) == (b"", b"1")
    with m.open("empty") as f:
        assert os.pread(f.fd, 10, 0) == os.pread(f.fd, 10, 5) == b""
    with Direct(m.path("empty")) as f:
        assert f.pread(10, 0) == b""


# ---- other calls


@each_shape
def test_mmap(m, region, length):
    plain = plain_of(region)
    with m.open(f"r{region}") as f, mmap.mmap(f.fd, 0, prot=mmap.PROT_READ) as mapped:
        assert mapped[length - 1] == plain[-1]
        assert mapped[length // 2 : length // 2 + 5000] == plain[length // 2 : length // 2 + 5000]
        assert mapped[:] == plain


@each_shape
def test_readv(m, region, length):
    plain = plain_of(region)
    sizes = (1, 4096, 3, 100_000, 17)
    buffers = [bytearray(n) for n in sizes]
    with m.open(f"r{region}") as f:
        for offset in (0, 1, length // 2, max(length - 50_000, 0)):
            count = os.preadv(f.fd, buffers, offset)
            assert count == min(sum(sizes), length - offset)
            assert b"".join(buffers)[:count] == plain[offset : offset + count]


def test_seek_to_the_end_knows_the_size(m):
    with m.open("r1000") as f:
        assert os.lseek(f.fd, 0, os.SEEK_END) == dict(SHAPES)[1000]


# ---- many readers


@each_shape
def test_two_streams_that_take_turns(small, region, length):
    plain = plain_of(region)
    halves = [0, length // 2]
    with small.open(f"r{region}") as f:
        while halves[0] < length // 2:
            for i, offset in enumerate(halves):
                assert os.pread(f.fd, 50_000, offset) == plain[offset : offset + 50_000]
                halves[i] += 50_000


@pytest.mark.parametrize("region", [64 << 10, 4 * MIB])
def test_many_threads_on_one_file(small, region):
    plain = plain_of(region)

    def work(seed):
        dice = random.Random(seed)
        with small.open(f"r{region}") as f:
            for _ in range(40):
                offset = dice.randrange(len(plain))
                assert f.range(offset, 30_000) == plain[offset : offset + 30_000]

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(work, range(32)))


def test_many_threads_start_together_on_a_fresh_mount(shapes):
    """All ask for the same spans at once; the page cache is out of the way."""
    m, plain, together = shapes.mount(), plain_of(4 * MIB), threading.Barrier(32)

    def work(seed):
        with Direct(m.path(f"r{4 * MIB}")) as f:
            together.wait()
            for offset in random.Random(seed).sample(range(0, len(plain), 100_000), 30):
                assert f.pread(100_000, offset) == plain[offset : offset + 100_000]

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(work, range(32)))


# ---- at random, against the plaintext


def random_operation(dice, f, direct, plain):
    """One read by any of the ways there are, sometimes after the kernel has dropped its pages."""
    length = len(plain)
    offset = dice.choice((dice.randrange(length), dice.randrange(length) & ~4095, max(length - dice.randrange(9000), 0)))
    size = dice.choice((1, 16, 512, 4096, 4097, dice.randrange(1, 20_000), dice.randrange(1, 200_000)))
    kind = dice.randrange(20)
    if kind == 0:
        os.posix_fadvise(f.fd, 0, 0, os.POSIX_FADV_DONTNEED)
    elif kind == 1:
        os.posix_fadvise(f.fd, offset, size, os.POSIX_FADV_WILLNEED)
    if kind < 12:
        found = os.pread(f.fd, size, offset)
    elif kind < 18:
        found = direct.pread(size, offset)
    else:
        buffers = [bytearray(size // 2 + 1), bytearray(size)]
        count = os.preadv(f.fd, buffers, offset)
        size, found = size // 2 + 1 + size, b"".join(buffers)[:count]
    assert found == plain[offset : offset + size], f"{size} bytes at {offset} by {kind}: {len(found)} came"


@pytest.mark.parametrize("region", [64 << 10, 1000, 4 * MIB], ids=["64KiB", "1000B", "4MiB"])
def test_random_reads_agree_with_the_plaintext(small, region):
    dice, plain = random.Random(region), plain_of(region)
    with small.open(f"r{region}") as f, Direct(small.path(f"r{region}")) as direct:
        for _ in range(OPERATIONS if region == 64 << 10 else OPERATIONS // 10):
            random_operation(dice, f, direct, plain)


# ---- damage


BAD = 7  # the damaged region


@pytest.fixture
def damaged(local):
    """damaged(region): a file of 20 regions and a bit, one of which does not verify."""

    def make(region):
        plain = seal.random_plaintext(f"damaged{region}", 20 * region + region // 3)
        local.put("x", plain, region)
        local.damage("x", BAD * (region + 28) + 12 + region // 2)
        return local.mount(), plain

    return make


@pytest.mark.parametrize("region", [16, 1000, 64 << 10, MIB])
def test_only_reads_that_touch_the_damaged_region_fail(damaged, region):
    """Each read is one request here, and is answered whole or not at all."""
    m, plain = damaged(region)
    begin, end = BAD * region, (BAD + 1) * region
    with Direct(m.path("x")) as f:
        for offset, size in (
            (0, 1), (0, begin), (begin - 1, 1), (begin - region, region), (end, 1), (end, region), (len(plain) - 1, 1)
        ):  # fmt: skip
            size = min(size, MIB)
            assert f.pread(size, offset) == plain[offset : offset + size], f"{size} bytes at {offset}"
        for offset, size in ((begin, 1), (begin - 1, 2), (end - 1, 1), (end - 1, 2), (begin + region // 2, 4), (begin - 5, 10)):
            assert errno_of(f.pread, size, offset) == "EBADMSG", f"{size} bytes at {offset}"


@pytest.mark.parametrize("region", [64 << 10, MIB])
def test_the_page_cache_keeps_the_rest_of_a_damaged_file_readable(damaged, region):
    m, plain = damaged(region)
    begin, end = BAD * region, (BAD + 1) * region
    with m.open("x") as f:
        assert f.range(0, begin) == plain[:begin]
        assert f.range(end, len(plain)) == plain[end:]
        for offset in (begin, begin + 4096, end - 1):
            assert errno_of(os.pread, f.fd, 100, offset) == "EBADMSG"
        assert f.range(begin - 100, 100) == plain[begin - 100 : begin]


@pytest.mark.parametrize("region", [16, 1000, 64 << 10])
def test_a_damaged_file_never_looks_shorter(damaged, region):
    """Read to the end in pieces of any size: right bytes, and then the error; never an early end."""
    m, plain = damaged(region)
    for piece in (1000, 4096, 1 << 17, 1 << 22):
        found = b""
        with m.open("x") as f:
            while errno_of(lambda: os.pread(f.fd, piece, len(found))) is None:
                came = os.pread(f.fd, piece, len(found))
                assert came, f"an end at {len(found)} of {len(plain)} bytes"
                found += came
            assert errno_of(os.pread, f.fd, piece, len(found)) == "EBADMSG"
        assert plain.startswith(found) and len(found) <= BAD * region
    assert errno_of(m.read, "x") == "EBADMSG"


def test_damage_is_logged_with_what_and_where(damaged):
    m, _ = damaged(1000)
    assert errno_of(m.read, "x") == "EBADMSG"
    level, event, text = m.events()[-1]
    assert "/x" in text and "local:a256kw" in text and f"region {BAD}" in text, f"{level} {event} {text}"
