# SPDX-License-Identifier: MIT
"""What documents cost: requests and request units, counted by the emulator.  docs/SEMANTICS.md, "What documents cost"."""
import concurrent.futures
import errno
import json
import os
import time

import pytest

from tests.support.docnames import value_name
from tests.support.expect import lines, unreadable
from tests.support.mount import errno_of

NAME = "items/p/x.json"


@pytest.fixture
def box(service):
    """A container with a few documents."""
    made = service.container("c", {"note": ("a", True)}, ranges=2)
    for key in ("p", "q"):
        for id in ("x", "y", "z"):
            made.put({"id": id, "pk": key, "note": f"{key}{id}"})
    return made


@pytest.fixture
def mounted(service, box):
    """mounted(option...): what it takes to know the container has been asked, and is not counted."""

    def start(*options):
        m = service.mount(box, *options)
        m.list()
        m.list("parts")
        service.forget()
        return m

    return start


def texts(service):
    return [e["body"]["query"] for e in service.requests("query")]


def sizes(service, kind):
    return [e["headers"]["x-ms-max-item-count"] for e in service.requests(kind)]


# ---- listings


def test_reading_what_was_listed_costs_no_request(service, mounted):
    m = mounted("attr_timeout=60")
    assert m.list("items/p") == ["x.json", "y.json", "z.json"]
    assert service.kinds() == {"query": 1, "feed": 1} or service.kinds() == {"feed": 1, "query": 1}
    service.forget()
    with os.scandir(m.path("items/p")) as entries:
        found = {e.name: e.stat().st_size for e in entries}
    assert service.kinds() in ({}, {"feed": 1})
    service.forget()
    for name, size in found.items():
        text = m.read(f"items/p/{name}")
        assert len(text) == size and json.loads(text)["note"] == f"p{name[0]}"
        assert os.getxattr(m.path(f"items/p/{name}"), "user.azcrypt.integrity") == b"cells"
    assert service.requests() == []


def test_listing_keys_reads_keys_only(service):
    """No document crosses the wire; 3,000 rows come in pages, and each name once."""
    c = service.container("c", {"note": ("a", False)})
    c.fill({"id": f"{i}", "pk": f"{i % 7}", "note": "n", "pad": "x" * 2000} for i in range(3000))
    m = service.mount(c)
    service.forget()
    assert m.list("items") == [f"{i}" for i in range(7)]
    assert set(service.kinds()) <= {"query", "ranges"} and len(service.requests("query")) == 3
    assert set(texts(service)) == {'SELECT c["pk"] AS p0 FROM c'}
    service.forget()
    assert all(m.path(f"items/{i}").is_dir() for i in range(7))
    assert service.requests() == [], "what was listed is there"


def test_a_listing_goes_on_over_empty_pages(service, box):
    service.server.empty_page_every = 2
    m = service.mount(box)
    assert m.list("items") == ["p", "q"] and m.list("items/q") == ["x.json", "y.json", "z.json"]
    assert len(m.read("all.jsonl").splitlines()) == 6


# ---- one document


def test_a_document_without_a_listing_costs_one_point_read(service, mounted):
    m = mounted("attr_timeout=60")
    assert m.path("items/p").is_dir()
    assert service.kinds() == {"query": 1} and sizes(service, "query") == ["1"]
    service.forget()
    assert json.loads(m.read(NAME))["note"] == "px"
    assert service.kinds() == {"point": 1}
    service.forget()
    assert m.path(NAME).stat().st_size == len(m.read(NAME))
    assert service.requests() == []
    assert not m.path("items/p/missing.json").exists()
    assert service.kinds() == {"point": 1}


def test_many_who_open_one_document_at_once_share_what_comes(service, mounted):
    m = mounted("attr_timeout=60")
    m.list("items/p")
    service.forget()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert len(set(pool.map(lambda _: m.read(NAME), range(64)))) == 1
    assert service.requests() == []


def open_again(fd):
    """What the file holds, opened once more without its name being looked up."""
    with open(f"/proc/self/fd/{fd}", "rb") as f:
        return f.read()


def test_an_open_asks_with_the_etag(service, box, mounted):
    m = mounted("attr_timeout=1")
    before = m.read(NAME)
    assert service.kinds() == {"point": 1}
    kept = os.open(m.path(NAME), os.O_PATH)
    try:
        time.sleep(1.3)
        service.forget()
        assert open_again(kept) == before
        (asked,) = service.requests()
        assert asked["status"] == 304 and asked["headers"]["if-none-match"].strip('"') == json.loads(before)["_etag"].strip('"')
        service.forget()
        assert open_again(kept) == before and service.requests() == []
        time.sleep(1.3)
        assert m.read(NAME) == before and service.kinds() == {"point": 1}
        box.put({"id": "x", "pk": "p", "note": "another"})
        time.sleep(1.3)
        with pytest.raises(OSError) as failed:
            open_again(kept)
        assert failed.value.errno == errno.ESTALE, "that version is not there any more"
    finally:
        os.close(kept)
    assert json.loads(m.read(NAME))["note"] == "another"


def test_by_is_one_query_with_the_cell(service, box, mounted):
    m = mounted("attr_timeout=60")
    assert json.loads(m.read("by/note/qz/q/z.json"))["id"] == "z"
    bodies = json.dumps([e["body"] for e in service.requests("query")])
    cell = service.dek().seal("qz", True)
    assert cell in bodies and "qz" not in bodies.replace(cell, ""), "the value itself never leaves this machine"
    assert set(service.kinds()) == {"query"} and len(service.requests("query")) <= 3


def test_a_stream_costs_its_pages(service):
    c = service.container("c", {"note": ("a", False)})
    c.fill({"id": f"{i}", "pk": f"{i % 7}", "note": "n"} for i in range(3500))
    m = service.mount(c)
    m.list("parts")
    service.forget()
    assert len(m.read("all.jsonl").splitlines()) == 3500
    assert service.kinds() == {"feed": 5}, "a first page of 100, so that the first line comes soon, then 1,000 each"


# ---- request units


def test_ru_paces_scans(service):
    c = service.container("c", {"note": ("a", False)})
    c.fill({"id": f"{i}", "pk": f"{i % 7}", "note": "n"} for i in range(4000))
    free, paced = service.mount(c), service.mount(c, "ru=20")
    for m in (free, paced):
        m.list("parts")
    started = time.monotonic()
    assert len(free.read("all.jsonl").splitlines()) == 4000
    unpaced = time.monotonic() - started
    service.server.charged = 0.0
    started = time.monotonic()
    assert len(paced.read("all.jsonl").splitlines()) == 4000
    took, charged = time.monotonic() - started, service.server.charged
    last = charged / 4
    assert took >= (charged - last) / 20 * 0.9 > unpaced, (took, unpaced, charged)
    started = time.monotonic()
    assert json.loads(paced.read("items/3/3.json"))["note"] == "n"
    assert time.monotonic() - started < 5, "what is no scan is not paced"


def test_what_was_charged_is_an_attribute(service, box):
    m = service.mount(box)
    m.list("items/p")
    charge = float(os.getxattr(m.path(NAME), "user.azcrypt.request_charge"))
    assert 0 < charge <= service.server.charged + 0.01
    m.read("all.jsonl")
    assert float(os.getxattr(m.path(NAME), "user.azcrypt.request_charge")) > charge


def test_throttling_is_waited_for(service, box):
    m = service.mount(box)
    service.server.throttle_for(1.5, 0.2)
    started = time.monotonic()
    assert json.loads(m.read(NAME))["note"] == "px"
    assert time.monotonic() - started > 1
    service.server.limit_units(20)
    assert len(m.read("all.jsonl").splitlines()) == 6
    service.server.limit_units(None)


def test_throttling_beyond_the_deadline_is_etimedout(service, box):
    m = service.mount(box, "timeout=2")
    service.server.throttle_for(60, 30)
    unreadable(m, NAME, "ETIMEDOUT", "net.deadline", "429")


# ---- changes


def test_a_recreated_container_in_the_service_is_read_again(service, box):
    m = service.mount(box, "attr_timeout=0")
    assert json.loads(m.read(NAME))["note"] == "px"
    box.made = service.server.recreate("db", "c")
    box.put({"id": "x", "pk": "p", "note": "new"})
    assert json.loads(m.read(NAME))["note"] == "new"
    assert m.list("items/p") == ["x.json"]
    assert errno_of(m.read, "items/q/x.json") == "ENOENT"


def test_a_stream_over_a_container_that_was_recreated_is_estale(service):
    c = service.container("c", {"note": ("a", False)})
    c.fill({"id": f"{i}", "pk": "p", "note": "n", "pad": "x" * 4000} for i in range(6000))
    m = service.mount(c)
    with m.open("all.jsonl") as f:
        at = len(os.pread(f.fd, 1000, 0))
        service.server.recreate("db", "c")
        with pytest.raises(OSError) as failed:
            while piece := os.pread(f.fd, 1 << 17, at):
                at += len(piece)
    assert failed.value.errno == errno.ESTALE
    assert m.read("all.jsonl") == b""


def test_a_read_that_finds_another_session_goes_on(service, box):
    m = service.mount(box, "attr_timeout=0")
    m.read(NAME)
    service.server.session_behind = 2
    assert json.loads(m.read(NAME))["note"] == "px"


# ---- text that nobody should have stored


def test_a_malformed_document_in_the_service_hides_no_other(service, box):
    """It cannot be in a page whose text is JSON as a whole, but it can be less strict than it must be."""
    box.put_raw('{"id":"bad","pk":"p","_etag":"\\"1\\"","_rid":"r","_ts":1,"a":1,"a":2}', key=["p"], document_id="bad")
    m = service.mount(box)
    assert m.list("items/p") == ["x.json", "y.json", "z.json"]
    assert lines(m, "integrity.document", "db/c")
    assert errno_of(m.read, "items/p/bad.json") == "EBADMSG"
    assert errno_of(m.read, "all.jsonl") == "EBADMSG"


ODD = ["a b", "é😀", "a%2Fb", "%41", "a;b", "a+b", "a&b=c", "'", '"', "~", "a:b@c", "..x", "\u202e", "a\tb", "x" * 250]


@pytest.mark.parametrize("sealed", [False, True])
def test_odd_ids_and_keys_are_found_in_the_service(service, sealed):
    policy = {"id": ("a", True), "pk": ("a", True)} if sealed else {"note": ("a", True)}
    c = service.container("c", policy, version=2)
    for text in ODD:
        c.put({"id": text, "pk": text})
        c.put({"id": text, "pk": "p"})
    m = service.mount(c)
    for text in ODD:
        key, name = value_name(text), value_name(text, suffix=".json")
        assert json.loads(m.read(f"items/{key}/{name}"))["id"] == text
    fresh = service.mount(c)
    assert fresh.list("items") == sorted([*map(value_name, ODD), "p"])
    assert fresh.list("items/p") == sorted(value_name(t, suffix=".json") for t in ODD)


KEYS = [1, "1", True, False, None, ..., 1.5, -2, 1e21, 1e-7, 123456789012345680000, "", 0.1, 1e20]


def test_keys_of_all_types_are_found_in_the_service(service):
    c = service.container("c", {"note": ("a", True)}, ranges=3)
    for i, key in enumerate(KEYS):
        c.put({"id": f"{i}", "note": "n"} | ({} if key is ... else {"pk": key}))
    m = service.mount(c)
    for i, key in enumerate(KEYS):
        assert m.list(f"items/{value_name(key)}") == [f"{i}.json"], key
        assert json.loads(m.read(f"items/{value_name(key)}/{i}.json"))["id"] == f"{i}"
    assert m.list("items") == sorted(map(value_name, KEYS))
