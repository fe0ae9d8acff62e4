# SPDX-License-Identifier: MIT
"""A handle reads one version of a blob or fails; the next open sees what is there now."""
import concurrent.futures
import mmap
import os
import signal
import time

import pytest

from tests.support import seal
from tests.support.mount import errno_of
from tests.support.process import SLOW

MIB = 1 << 20
OLD = seal.random_plaintext("old", 40 * MIB)  # ten spans; a stream's first reads fetch a few of them only
NEW = seal.random_plaintext("new", 40 * MIB)
FAR = 30 * MIB


def drop_pages(fd):
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.fixture(params=["dir", "azurite"])
def world(request):
    """A store of each kind, with put, remove and mount."""
    if request.param == "dir":
        local = request.getfixturevalue("local")
        local.remove = local.store.remove
        return local
    cloud = request.getfixturevalue("cloud")
    cloud.remove = cloud.delete
    return cloud


def test_a_replaced_blob_stays_what_it_was_for_who_has_it_open(world):
    """Bytes at hand are the old ones, others are ESTALE, and fstat answers as before."""
    world.put("x", OLD)
    m = world.mount()
    with m.open("x") as f:
        assert f.range(0, 4096) == OLD[:4096]
        before = os.fstat(f.fd)
        world.put("x", NEW[: 39 * MIB])
        assert f.range(0, 4096) == OLD[:4096]
        drop_pages(f.fd)
        assert f.range(0, 4096) == OLD[:4096], "from the span cache"
        assert errno_of(os.pread, f.fd, 4096, FAR) == "ESTALE"
        time.sleep(1.1)
        assert os.fstat(f.fd) == before
        assert m.path("x").stat().st_size == 39 * MIB
        assert os.fstat(f.fd).st_size == 40 * MIB
        assert f.range(0, 4096) == OLD[:4096]
        with m.open("x") as again:
            assert again.size == 39 * MIB
            assert again.range(FAR, 4096) == NEW[FAR : FAR + 4096]
        assert f.range(0, 4096) == OLD[:4096], "after another open of the name"


def test_a_replaced_blob_has_new_bytes_for_the_next_open(world):
    world.put("x", OLD[:1000])
    m = world.mount("attr_timeout=3600")
    for size in (1000, 1000, 2000, 10, 5 * MIB, 5 * MIB, 1, 0, 1):
        plain = seal.random_plaintext(f"{size}{time.monotonic()}", size)
        world.put("x", plain)
        assert m.read("x") == plain
        assert m.path("x").stat().st_size == size


def test_a_replacement_of_the_same_size_is_noticed(world):
    """Same size and, with second resolution, the same time: only the ETag tells."""
    world.put("x", b"first")
    m = world.mount()
    assert m.read("x") == b"first"
    world.put("x", b"other")
    assert m.read("x") == b"other"


def test_a_blob_that_is_replaced_between_stat_and_open(world):
    world.put("x", b"short")
    m = world.mount("attr_timeout=3600")
    assert m.path("x").stat().st_size == 5
    world.put("x", b"much longer than before")
    with m.open("x") as f:
        assert f.size == 23
        assert f.range(0, 100) == b"much longer than before"
    assert m.path("x").stat().st_size == 23


def test_a_blob_that_grows_beyond_one_span_between_stat_and_open(world):
    world.put("x", b"small")
    m = world.mount("attr_timeout=3600")
    m.path("x").stat()
    world.put("x", OLD)
    assert m.read("x") == OLD
    world.put("x", b"small again")
    assert m.read("x") == b"small again"


def test_a_deleted_blob_stays_readable_as_far_as_it_is_cached(world):
    world.put("x", OLD)
    m = world.mount()
    with m.open("x") as f:
        assert f.range(0, 4096) == OLD[:4096]
        world.remove("x")
        time.sleep(1.1)
        drop_pages(f.fd)
        assert f.range(0, 4096) == OLD[:4096]
        assert errno_of(os.pread, f.fd, 4096, FAR) == "ESTALE"
        assert os.fstat(f.fd).st_size == len(OLD)
        assert errno_of(m.read, "x") == "ENOENT"
        assert m.list() == []


def test_a_blob_that_is_deleted_between_stat_and_open(world):
    world.put("small", b"x")
    world.put("large", OLD)
    m = world.mount("attr_timeout=3600")
    for name in ("small", "large"):
        m.path(name).stat()
        world.remove(name)
        assert errno_of(m.read, name) == "ENOENT"


def test_a_blob_that_comes_back_is_another_version(world):
    world.put("x", b"first")
    m = world.mount("negative_timeout=0")
    with m.open("x") as f:
        assert f.range(0, 10) == b"first"
        world.remove("x")
        assert errno_of(m.read, "x") == "ENOENT"
        world.put("x", b"later")
        assert m.read("x") == b"later"
        assert f.range(0, 10) == b"first"


def test_two_handles_of_two_versions_do_not_mix(world):
    versions = [seal.random_plaintext(i, 100_000 + i) for i in range(5)]
    world.put("x", versions[0])
    m = world.mount()
    handles = []
    for plain in versions:
        world.put("x", plain)
        handles.append(m.open("x"))
    for f, plain in zip(handles, versions):
        drop_pages(f.fd)
        assert f.size == len(plain)
        assert f.range(0, len(plain)) == plain
        os.close(f.fd)


def test_a_second_read_costs_no_request(cloud):
    """Pages stay after close; the open that follows asks once whether they are still right."""
    cloud.put("large", OLD)
    cloud.put("small", b"x" * 10_000)
    m = cloud.mount()
    for name, size in (("large", len(OLD)), ("small", 10_000)):
        with m.open(name) as f:
            f.range(0, size)
            cloud.forget()
            f.range(0, size)
            assert cloud.requests() == []
        with m.open(name) as f:
            f.range(0, size)
        asked = cloud.requests(path=f"/{name}")
        assert len(asked) == 1 and asked[0]["status"] == 304, asked


def test_pages_stay_for_the_next_open(local):
    """The daemon is stopped: only the kernel can answer."""
    local.put("x", OLD[:200_000])
    m = local.mount()
    assert m.read("x") == OLD[:200_000]
    with m.open("x") as f, concurrent.futures.ThreadPoolExecutor(1) as pool:
        m.daemon.send_signal(signal.SIGSTOP)
        try:
            reading = pool.submit(os.pread, f.fd, 200_000, 0)
            assert reading.result(5 * SLOW) == OLD[:200_000]
        finally:
            m.daemon.send_signal(signal.SIGCONT)


def test_a_reader_that_maps_a_file_keeps_its_version(world):
    world.put("x", OLD[:100_000])
    m = world.mount()
    with m.open("x") as f, mmap.mmap(f.fd, 0, prot=mmap.PROT_READ) as mapped:
        assert mapped[:] == OLD[:100_000]
        world.put("x", NEW[:100_000])
        assert m.read("x") == NEW[:100_000]
        assert mapped[:] == OLD[:100_000]
