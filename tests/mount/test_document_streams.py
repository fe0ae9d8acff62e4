# SPDX-License-Identifier: MIT
"""all.jsonl and parts/: docs/SEMANTICS.md, "Streams"."""
import errno
import json
import os
import subprocess
import threading
import time

import pytest

from tests.support.expect import unreadable
from tests.support.mount import errno_of
from tests.support.process import SANITIZED
from tests.support.sealed import vm
from tests.support.sealeddocs import text_of

# A build that sanitizers or valgrind slow down is also one whose memory is mostly theirs.
COUNT, PAD = 2500, 6000  # more than two pages, more than what a stream keeps


@pytest.fixture(scope="module")
def crowd(module_documents):
    """Some 15 MB; one cell for all, since sealing would take long."""
    c = module_documents.container("crowd", {"note": ("a", False)})
    cell = module_documents.dek().seal("a note", False)
    for i in range(COUNT):
        c.put_raw(text_of({"id": f"{i}", "pk": f"{i % 7}", "note": cell, "pad": f"{i} " * (PAD // len(f"{i} "))}))
    return c


@pytest.fixture(scope="module")
def mounted(module_documents, crowd):
    return module_documents.mount(crowd)


@pytest.fixture(scope="module")
def whole(mounted):
    return mounted.read("all.jsonl")


def ids(text):
    return sorted(int(json.loads(line)["id"]) for line in text.splitlines())


# ---- what is in it


def test_all_jsonl_has_every_document_once(mounted, whole):
    assert ids(whole) == list(range(COUNT))
    assert all(json.loads(line)["note"] == "a note" for line in whole.splitlines())
    assert mounted.read("items/3/3.json") in whole
    assert mounted.read("all.jsonl") == whole


def test_parts_together_are_the_whole(mounted, whole):
    parts = mounted.list("parts")
    assert parts == ["0-FF.jsonl"]
    assert mounted.read("parts/0-FF.jsonl") == whole
    halves = mounted.read("parts/0-80.jsonl"), mounted.read("parts/80-FF.jsonl")
    assert ids(b"".join(halves)) == list(range(COUNT)) and all(halves)


@pytest.mark.parametrize("name", ["0-0.jsonl", "FF-0.jsonl", "80-10.jsonl", "0-ff.jsonl", "0-F.jsonl", "-FF.jsonl", "0-FF", "x.jsonl", "00-FF.json", "0-FF00.jsonl"])
def test_a_part_has_bounds_that_can_be(mounted, name):
    assert not mounted.path(f"parts/{name}").exists()


def test_an_empty_container_is_an_empty_stream(documents):
    m = documents.mount(documents.container("c", {"note": ("a", False)}))
    assert m.read("all.jsonl") == b"" and m.read("parts/0-FF.jsonl") == b""


# ---- how it is read


def test_a_stream_has_size_0_and_is_read_to_its_end(documents):
    c = documents.container("c", {"note": ("a", False)})
    c.put({"id": "1", "pk": "p", "note": "n"})
    m = documents.mount(c)
    assert m.path("all.jsonl").stat().st_size == m.path("parts/0-FF.jsonl").stat().st_size == 0
    first = m.read("all.jsonl")
    assert ids(first) == [1]
    assert subprocess.check_output(["cat", m.path("all.jsonl")]) == first
    c.put({"id": "2", "pk": "p", "note": "n"})
    assert ids(m.read("all.jsonl")) == [1, 2], "nothing is kept from the time before"
    with m.open("all.jsonl") as f:
        assert f.range(0, 1 << 20) == f.range(0, 1 << 20)
        assert f.range(10, 10) == f.range(0, 20)[10:]


def test_stream_size_scan_shows_the_exact_size(module_documents, crowd, whole):
    m = module_documents.mount(crowd, "stream_size=scan")
    assert m.path("all.jsonl").stat().st_size == len(whole)
    assert m.path("parts/0-FF.jsonl").stat().st_size == len(whole)
    low, high = (m.path(f"parts/{name}").stat().st_size for name in ("0-80.jsonl", "80-FF.jsonl"))
    assert low + high == len(whole) and low > 0
    assert m.read("all.jsonl") == whole


def test_a_stream_is_read_forward(mounted, whole):
    with mounted.open("all.jsonl") as f:
        assert f.range(0, 1000) == whole[:1000]
        assert f.range(5_000_000, 1000) == whole[5_000_000:5_001_000], "what is still to come is waited for"
        assert f.range(len(whole) - 500, 1000) == whole[-500:]
        with pytest.raises(OSError) as failed:
            os.pread(f.fd, 10, 1000)
        assert failed.value.errno == errno.ESPIPE
        assert os.pread(f.fd, 10, len(whole)) == b"" == os.pread(f.fd, 10, len(whole) + 100)


def test_many_readers_of_one_open_stream(mounted, whole):
    """The same file descriptor, read from threads that overtake each other a little."""
    found = {}
    with mounted.open("all.jsonl") as f:
        lock, at = threading.Lock(), iter(range(0, len(whole), 50_000))

        def work():
            while True:
                with lock:
                    here = next(at, None)
                if here is None:
                    return
                found[here] = f.range(here, 50_000)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert b"".join(found[k] for k in sorted(found)) == whole


def test_streams_do_not_disturb_each_other(mounted, whole):
    with mounted.open("all.jsonl") as a, mounted.open("all.jsonl") as b:
        assert b.range(0, 4096) == whole[:4096]
        assert a.range(0, len(whole) + 1) == whole
        assert b.range(4096, 4096) == whole[4096:8192]


def test_a_stream_that_nobody_reads_on_ends_with_its_file(mounted, whole):
    for _ in range(20):
        with mounted.open("all.jsonl") as f:
            assert f.range(0, 10) == whole[:10]


def test_a_damaged_document_ends_the_stream(documents):
    c = documents.container("c", {"note": ("a", False)})
    for i in range(40):
        c.put({"id": f"{i}", "pk": "p", "note": "n"})
    c.put_raw(text_of({"id": "bad", "pk": "p", "note": documents.dek("b").seal("n", False)}))
    m = documents.mount(c)
    unreadable(m, "all.jsonl", "EBADMSG", "integrity.cell", "'bad'", "/note")
    unreadable(m, "parts/0-FF.jsonl", "EBADMSG", "integrity.cell", "'bad'")
    before = b""
    with m.open("all.jsonl") as f, pytest.raises(OSError) as failed:
        while piece := os.pread(f.fd, 100, len(before)):
            before += piece
    assert failed.value.errno == errno.EBADMSG
    good = len(before.splitlines())
    with m.open("all.jsonl") as f:
        assert errno_of(lambda: os.pread(f.fd, 1 << 20, 0)) == "EBADMSG", "whole, or not at all"
    assert good < 41 and ids(before[: before.rfind(b"\n") + 1]) == sorted(ids(before[: before.rfind(b"\n") + 1]))
    assert errno_of(lambda: m.path("all.jsonl").stat()) is None


def test_stream_size_scan_fails_where_the_stream_would(documents):
    c = documents.container("c", {"note": ("a", False)})
    c.put_raw(text_of({"id": "bad", "pk": "p", "note": documents.dek("b").seal("n", False)}))
    m = documents.mount(c, "stream_size=scan")
    assert errno_of(lambda: m.path("all.jsonl").stat()) == "EBADMSG"
    assert m.list("items/p") == ["bad.json"]


@pytest.mark.slow
def test_a_stream_of_a_large_container_needs_little_memory(documents):
    c = documents.container("c", {"note": ("a", False)})
    cell, pad = documents.dek().seal("n", False), "x" * 60_000
    for i in range(4000):
        c.put_raw(text_of({"id": f"{i}", "pk": f"{i % 9}", "note": cell, "pad": pad}))
    m = documents.mount(c)
    m.list("items")
    before = vm(m.daemon.pid, "VmRSS")
    total = 0
    with m.open("all.jsonl") as f:
        while piece := os.pread(f.fd, 1 << 20, total):
            total += len(piece)
    assert total > 240_000_000
    grown = vm(m.daemon.pid, "VmHWM") - before
    print(f"{grown >> 20} MiB for {total >> 20} MiB")
    if not SANITIZED:
        assert grown < 64 << 20


def test_a_reader_that_sleeps_gets_the_rest(mounted, whole):
    with mounted.open("all.jsonl") as f:
        assert f.range(0, 100) == whole[:100]
        time.sleep(0.5)
        assert f.range(100, len(whole)) == whole[100:]


# ---- ranges of the service


def fill(service, ranges=2, count=6000):
    c = service.container("c", {"note": ("a", False)}, ranges=ranges)
    c.fill({"id": f"{i}", "pk": f"{i}", "note": "n", "pad": "x" * 2000} for i in range(count))
    return c


def test_parts_are_the_ranges_of_the_service(service):
    m = service.mount(fill(service, ranges=3, count=300))
    parts = m.list("parts")
    assert len(parts) == 3 and parts[0].startswith("0-") and any(p.endswith("-FF.jsonl") for p in parts)
    pieces = [m.read(f"parts/{name}") for name in parts]
    assert all(pieces) and ids(b"".join(pieces)) == list(range(300))
    assert sorted(m.read("all.jsonl").splitlines()) == sorted(b"".join(pieces).splitlines())


@pytest.mark.parametrize("name", ["all.jsonl", "the first part", "the last part"])
def test_a_split_loses_and_doubles_nothing(service, name):
    """A read that has begun goes on in the children; a name that was seen before stays good."""
    c = fill(service)
    m = service.mount(c)
    parts = m.list("parts")
    first = next(p for p in parts if p.startswith("0-"))
    path = {"all.jsonl": "all.jsonl", "the first part": f"parts/{first}"}.get(name, f"parts/{next(p for p in parts if p != first)}")
    wanted = ids(m.read(path))
    with m.open(path) as f:
        got = f.range(0, 10_000)
        for range_ in list(c.made.ranges):
            service.server.split(c.made, range_.id)
        while piece := os.pread(f.fd, 1 << 17, len(got)):
            got += piece
    assert ids(got) == wanted
    assert ids(m.read(path)) == wanted, "by the same name, after the split"
    time.sleep(1.2)
    now = m.list("parts")
    assert len(now) == 4
    assert ids(b"".join(m.read(f"parts/{p}") for p in now)) == list(range(6000))


def test_a_merge_loses_and_doubles_nothing(service):
    c = fill(service, ranges=4, count=2000)
    m = service.mount(c)
    parts = m.list("parts")
    with m.open("all.jsonl") as f:
        got = f.range(0, 10_000)
        service.server.merge(c.made, c.made.ranges[1].id, c.made.ranges[2].id)
        while piece := os.pread(f.fd, 1 << 17, len(got)):
            got += piece
    assert ids(got) == list(range(2000))
    assert ids(b"".join(m.read(f"parts/{p}") for p in parts)) == list(range(2000))


def test_a_listing_of_keys_survives_a_split(service):
    c = fill(service, count=3000)
    m = service.mount(c)
    with os.scandir(m.path("items")) as entries:
        found = [next(entries).name]
        for range_ in list(c.made.ranges):
            service.server.split(c.made, range_.id)
        found += [e.name for e in entries]
    assert sorted(found, key=int) == [f"{i}" for i in range(3000)]
