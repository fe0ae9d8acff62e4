# SPDX-License-Identifier: MIT
"""What a document's file holds and says: docs/SEMANTICS.md, "Content of documents" and "Values"."""
import errno
import json
import os
import random
import time

import pytest

from tests.support.docnames import value_name
from tests.support.docvectors import comparable
from tests.support.expect import lines, unreadable
from tests.support.mount import errno_of
from tests.support.sealeddocs import text_of

NAME = "items/p/x.json"


def same(text, wanted):
    return comparable(json.loads(text), exact=True) == comparable(wanted, exact=True)


def xattrs(m, name):
    prefix = "user.azcrypt."
    names = [n for n in os.listxattr(m.path(name)) if n.startswith(prefix)]
    return {n.removeprefix(prefix): os.getxattr(m.path(name), n).decode() for n in names}


# ---- bytes


def test_clear_bytes_are_those_of_the_service(documents):
    """Order, blanks, escapes and odd numbers; only the sealed value is another."""
    c = documents.container("c", {"note": ("a", False)})
    cell = documents.dek().seal("a \"quoted\"\nnote", False)
    parts = [
        '{ "b" :\t1.50 ,"id":"x",  "pk":"\\u0070", "note"   :  "', '" , "a":[ 1e5,\n\r\n-0 , {"z":"\\/\\u00e9é"} ],'
        '"_etag":"\\"1\\"","_ts":1795000000 ,"_rid":"r" }\n ',
    ]  # fmt: skip
    c.put_raw(cell.join(parts), {"id": "x", "pk": "p"})
    wanted = 'a \\"quoted\\"\\nnote'.join(parts).replace("\n", " ").replace("\r", " ").rstrip() + "\n"
    m = documents.mount(c)
    assert m.read(NAME).decode() == wanted
    assert m.read("all.jsonl").decode() == wanted


INTEGERS = [0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 10**18]
DOUBLES = {
    1.0: "1.0", -0.0: "-0.0", 0.1: "0.1", 1e16: "1e+16", 123456789012345680.0: "1.2345678901234568e+17", 5e-324: "5e-324", 1.5: "1.5",
    1.7976931348623157e308: "1.7976931348623157e+308", 2.0**63: "9.223372036854776e+18", 1e-5: "1e-05", 1e-4: "0.0001", 1e15: "1000000000000000.0",
}  # fmt: skip
CLEAR_NUMBERS = ["1.0", "-0", "1E400", "0.10", "1e-5", "123456789012345678901234567890", "18446744073709551615"]


def test_numbers_keep_every_bit(documents):
    c = documents.container("c", {"n": ("a", False)})
    stored = text_of({"id": "x", "pk": "p", "n": documents.dek().seal([*INTEGERS, *DOUBLES], False), "clear": 1})
    c.put_raw(stored.replace('"clear": 1', f'"clear": [{", ".join(CLEAR_NUMBERS)}]'), json.loads(stored))
    text = documents.mount(c).read(NAME).decode()
    assert f'"n": [{", ".join([*map(str, INTEGERS), *DOUBLES.values()])}]' in text
    assert f'"clear": [{", ".join(CLEAR_NUMBERS)}]' in text


# ---- attributes


SIZES = [0, 1, 15, 16, 17, 1000, 4096, 100_000, 700_000]


def test_sizes_of_documents_are_exact(documents):
    c = documents.container("c", {"note": ("a", False)})
    for n in SIZES:
        c.put({"id": f"{n}", "pk": "p", "note": "é" * n})
    m = documents.mount(c)
    with os.scandir(m.path("items/p")) as entries:
        listed = {e.name: e.stat().st_size for e in entries}
    assert listed == {f"{n}.json": len(m.read(f"items/p/{n}.json")) for n in SIZES}
    fresh = documents.mount(c)
    for name, size in listed.items():
        assert fresh.path(f"items/p/{name}").stat().st_size == size
        with fresh.open(f"items/p/{name}") as f:
            assert f.size == size
            assert len(f.range(0, size + 10)) == size and f.range(size, 10) == b""


def test_any_range_of_a_document(documents):
    c = documents.container("c", {"note": ("a", False)})
    c.put({"id": "x", "pk": "p", "note": "".join(map(str, range(200_000)))})
    m = documents.mount(c)
    whole = m.read(NAME)
    with m.open(NAME) as f:
        for at in (0, 1, 4095, 4096, 131071, 131072, len(whole) - 1, len(whole), len(whole) + 5):
            for length in (1, 4096, 200_000):
                assert f.range(at, length) == whole[at : at + length]


def test_times_come_from_ts(documents):
    c = documents.container("c", {"note": ("a", False)})
    for ts in (0, 1, 1795000123, 4102444800):
        c.put({"id": f"{ts}", "pk": "p", "note": "n"}, _ts=ts)
    m, fresh = documents.mount(c), documents.mount(c)
    m.list("items/p")
    for ts in (1, 1795000123, 4102444800):
        for way in (m, fresh):
            found = way.path(f"items/p/{ts}.json").stat()
            assert found.st_mtime == found.st_ctime == found.st_atime == ts


def test_a_damaged_document_is_listed_and_does_not_open(documents):
    c = documents.container("c", {"note": ("a", False)})
    c.put({"id": "sound", "pk": "p", "note": "n"})
    cell = documents.dek().seal("text", False)
    text = text_of({"id": "x", "pk": "p", "note": cell[:-8] + ("A" if cell[-8] != "A" else "B") + cell[-7:]})
    c.put_raw(text)
    m = documents.mount(c)
    assert m.list("items/p") == ["sound.json", "x.json"]
    assert m.path(NAME).stat().st_size == len(text), "what is stored, which is more than what it would open to"
    unreadable(m, NAME, "EBADMSG", "integrity.cell", "x.json", "/note")
    assert json.loads(m.read("items/p/sound.json"))["note"] == "n"
    c.put({"id": "x", "pk": "p", "note": "repaired"})
    time.sleep(1.1)
    assert json.loads(m.read(NAME))["note"] == "repaired"


def test_xattrs_of_a_document(documents):
    c = documents.container("c", {"note": ("a", False)})
    sealed = c.put({"id": "x", "pk": "p", "note": "n"})
    m = documents.mount(c)
    found = xattrs(m, NAME)
    assert found.pop("request_charge") == "0.00"
    assert found == {
        "etag": sealed["_etag"].strip('"'), "stored_size": str(len(json.dumps(sealed))), "protocol": "cosmos-policy-1",
        "algorithm": "AEAD_AES_256_CBC_HMAC_SHA256", "integrity": "cells", "key_id": documents.kek.kid,
    }  # fmt: skip


def test_xattrs_of_a_document_under_a_substitute(documents):
    other = documents.dek("b")
    c = documents.container("c", {"note": ("a", False), "fine": ("a", False)})
    documents.store.put_key(other)
    c.put_raw(text_of({"id": "x", "pk": "p", "note": other.seal("n", False), "fine": documents.dek().seal("f", False)}))
    m = documents.mount(c, "dek_fallback=same-kek")
    m.list("items/p")
    assert xattrs(m, NAME)["substituted"] == "note=b"
    assert json.loads(m.read(NAME))["note"] == "n"


# ---- what is not sealed


def test_values_in_clear_are_refused_unless_asked_for(documents):
    c = documents.container("c", {"a": ("a", False)})
    dek = documents.dek()
    c.put_raw(text_of({"id": "clear", "pk": "p", "a": "in clear"}))
    c.put_raw(text_of({"id": "java", "pk": "p", "a": [dek.seal({"x": 1}, False), 2, "three"]}))
    c.put_raw(text_of({"id": "null", "pk": "p", "a": None}))
    verdicts = {
        "deny": {"clear": "EACCES", "java": "EACCES", "null": None}, "java": {"clear": "EACCES", "java": None, "null": None},
        "show": {"clear": None, "java": None, "null": None},
    }  # fmt: skip
    for how, verdict in verdicts.items():
        m = documents.mount(c, f"clear_cells={how}")
        assert m.list("items/p") == ["clear.json", "java.json", "null.json"]
        assert {id: errno_of(m.read, f"items/p/{id}.json") for id in verdict} == verdict
        if how != "deny":
            assert json.loads(m.read("items/p/java.json"))["a"] == [{"x": 1}, 2, "three"]
        else:
            assert lines(m, "policy.clear_cell", "/a/1")


def test_a_container_without_policy_is_refused_unless_asked_for(documents):
    c = documents.container("c", policy=None)
    c.put_raw(text_of({"id": "x", "pk": "p", "note": "in clear"}))
    m = documents.mount()
    assert m.list("db") == ["c"]
    for name in ("items", "items/p", "by", "parts"):
        assert errno_of(m.list, f"db/c/{name}") == "EACCES"
    unreadable(m, f"db/c/{NAME}", "EACCES", "policy.unencrypted", "unencrypted=show")
    m = documents.mount(None, "unencrypted=show")
    assert json.loads(m.read(f"db/c/{NAME}"))["note"] == "in clear"
    assert xattrs(m, f"db/c/{NAME}")["integrity"] == "none"


def test_a_property_under_the_wrong_key(documents):
    other = documents.dek("b")
    c = documents.container("c", {"note": ("a", False)})
    documents.store.put_key(other)
    for id in ("x", "y"):
        c.put_raw(text_of({"id": id, "pk": "p", "note": other.seal("n", False)}))
    c.put({"id": "right", "pk": "p", "note": "r"})
    m = documents.mount(c)
    for _ in range(2):
        for id in ("x", "y"):
            assert errno_of(m.read, f"items/p/{id}.json") == "EBADMSG", "what was tried for one does not count for the next"
    unreadable(m, NAME, "EBADMSG", "integrity.cell", "authenticates under key 'b'", "dek_fallback=same-kek")
    m = documents.mount(c, "dek_fallback=same-kek")
    assert [json.loads(m.read(f"items/p/{id}.json"))["note"] for id in ("x", "y", "right")] == ["n", "n", "r"]
    assert {json.loads(line)["note"] for line in m.read("all.jsonl").splitlines()} == {"n", "r"}


# ---- values


PEOPLE = {"1": "smith", "2": "smith", "3": "jones", "4": 42, "5": 42.0, "6": "42", "7": True, "8": "true", "9": 2**53 + 1, "10": "a/b", "11": -0.0, "12": None}


@pytest.fixture
def people(documents):
    c = documents.container("c", {"who": ("a", True), "note": ("a", False), "deep": ("b", True)})
    for id, who in PEOPLE.items():
        c.put({"id": id, "pk": "odd" if int(id) % 2 else "even", "who": who, "note": id, "deep": {"who": who}})
    return documents.mount(c)


def found_by(m, value, property="who"):
    """The ids below by/PROPERTY/VALUE, by listing and by reading."""
    path, ids = f"by/{property}/{value}", []
    for key in m.list(path):
        for name in m.list(f"{path}/{key}"):
            document = json.loads(m.read(f"{path}/{key}/{name}"))
            assert (key, name) == (document["pk"], document["id"] + ".json")
            ids.append(document["id"])
    return sorted(ids, key=int)


def test_by_finds_documents_by_a_sealed_value(people):
    assert found_by(people, "smith") == ["1", "2"]
    assert found_by(people, "jones") == ["3"]
    assert found_by(people, "a%2Fb") == ["10"]
    assert json.loads(people.read("by/who/jones/odd/3.json"))["note"] == "3"
    assert errno_of(people.read, "by/who/jones/odd/1.json") == "ENOENT"
    assert errno_of(people.list, "by/who/jones/even") == "ENOENT"
    assert errno_of(people.list, "by/who/nobody") == "ENOENT"


def test_by_finds_without_a_listing(people):
    assert json.loads(people.read("by/who/smith/even/2.json"))["id"] == "2"
    assert people.path("by/who/smith/even/2.json").stat().st_size == people.path("items/even/2.json").stat().st_size


BY = {
    "42": ["4", "5", "6"], "42.0": ["4", "5"], "=42": ["4", "5"], "=42.0": ["4", "5"], "true": ["7", "8"], "=true": ["7"],
    "9007199254740993": ["9"], "0": ["11"], "-0.0": ["11"], "=null": ["12"],
}  # fmt: skip


@pytest.mark.parametrize(("value", "ids"), BY.items())
def test_by_tries_strings_numbers_and_booleans(people, value, ids):
    assert found_by(people, value) == ids


def test_values_cannot_be_listed(people):
    assert people.list("by") == ["deep", "who"], "only what is sealed deterministically"
    assert people.path("by/who").is_dir()
    with pytest.raises(OSError) as failed:
        people.list("by/who")
    assert failed.value.errno == errno.EOPNOTSUPP
    for name in ("by/note", "by/pk", "by/nothing"):
        assert not people.path(name).exists()


# ---- versions


def test_a_changed_document_is_another_version(documents):
    c = documents.container("c", {"note": ("a", False)})
    c.put({"id": "x", "pk": "p", "note": "old"})
    m = documents.mount(c)
    with m.open(NAME) as old:
        before = old.range(0, 1 << 16)
        c.put({"id": "x", "pk": "p", "note": "new and longer"})
        time.sleep(1.1)
        assert json.loads(m.read(NAME))["note"] == "new and longer"
        assert old.range(0, 1 << 16) == before and json.loads(before)["note"] == "old"
        assert m.path(NAME).stat().st_size == len(m.read(NAME))


def test_documents_come_and_go_within_attr_timeout(documents):
    c = documents.container("c", {"note": ("a", False)})
    gone = c.put({"id": "gone", "pk": "p", "note": "n"})
    m = documents.mount(c)
    assert m.list("items/p") == ["gone.json"]
    c.put({"id": "new", "pk": "p", "note": "n"})
    c.put({"id": "new", "pk": "q", "note": "n"})
    c.remove(gone)
    time.sleep(1.2)
    assert m.list("items/p") == ["new.json"] and m.list("items") == ["p", "q"]
    assert errno_of(m.read, "items/p/gone.json") == "ENOENT"


def test_a_recreated_container_is_read_again(documents):
    """Policy, key and partition key are others; a stream over the old one ends with ESTALE."""
    c = documents.container("c", {"note": ("a", False)})
    for i in range(3000):
        c.put_raw(text_of({"id": f"{i}", "pk": "p", "note": documents.dek().seal("old", False) if i < 3 else None, "pad": "x" * 4000}))
    m = documents.mount(c, "attr_timeout=0")
    assert json.loads(m.read("items/p/1.json"))["note"] == "old"
    with m.open("all.jsonl") as stream:
        assert os.pread(stream.fd, 100, 0)
        old = list((c.root / "documents").glob("*/*"))
        new = documents.container("c", {"note": ("b", True), "other": ("b", True)}, pk="/key")
        new.rid = "anotherone"
        new.define()
        for path in old:
            path.unlink()
        new.put({"id": "x", "key": "p", "note": "new", "other": 1})
        failed = None
        try:
            at = 100
            while piece := os.pread(stream.fd, 1 << 17, at):
                at += len(piece)
        except OSError as e:
            failed = e.errno
        assert failed == errno.ESTALE, m.log()
    assert json.loads(m.read(NAME)) | {"note": "new", "other": 1} == json.loads(m.read(NAME))
    assert m.list("by") == ["note", "other"] and m.list("items/p") == ["x.json"]
    assert len(m.read("all.jsonl").splitlines()) == 1


# ---- at random


def random_string(r):
    alphabet = r.choice(["ab ", "é😀\u2028", '"\\/\n\r\t\b\f', "\0\x01\x1f\x7f", "".join(map(chr, range(0x20, 0x250)))])
    return "".join(r.choice(alphabet) for _ in range(r.choice([0, 1, 7, 8, 15, 16, 17, 100, 5000])))


def random_value(r, depth=0):
    kinds = [
        lambda: None, lambda: r.choice([True, False]), lambda: r.choice([r.randrange(-10, 10), r.randrange(-(2**63), 2**63)]),
        lambda: r.choice([0.0, -0.0, 1.0, r.uniform(-1, 1), r.uniform(-8e307, 8e307), 5e-324]), lambda: random_string(r), lambda: random_string(r),
        lambda: {random_string(r): random_value(r, depth + 1) for _ in range(r.randrange(4))},
        lambda: [random_value(r, depth + 1) for _ in range(r.randrange(5))],
    ]  # fmt: skip
    return r.choice(kinds[: 6 if depth > 6 else 8])()


def random_name(r):
    return random_string(r)[:40] or "n"


@pytest.mark.parametrize("round", range(6))
def test_random_documents_under_random_policies_read_back(documents, round):
    """As files and as lines; what is sealed and what is not reads as what was put."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    r = random.Random(seed)
    names = {n for n in (random_name(r) for _ in range(12)) if not n.startswith("_") and n not in ("id", "pk") and "/" not in n and "\0" not in n}
    sealed = {n: (r.choice("abc"), r.choice([True, False])) for n in names if r.random() < 0.7}
    version = r.choice([1, 2])
    if version == 2 and r.random() < 0.7:
        sealed |= {"id": ("a", True), "pk": ("b", True)}
    c = documents.container("c", sealed, version=version)
    wanted = {}
    for i in range(30):
        document = {"id": f"{i}", "pk": r.choice(["p", "q"])} | {n: random_value(r) for n in names if r.random() < 0.8}
        stored = c.put(document)
        wanted[f"items/{document['pk']}/{i}.json"] = document | {k: v for k, v in stored.items() if k.startswith("_")}
    m = documents.mount(c)
    for name, document in wanted.items():
        assert same(m.read(name), document), name
    left = list(wanted.values())
    for line in m.read("all.jsonl").splitlines():
        left.remove(next(d for d in left if same(line, d)))
    assert left == []
    fresh = documents.mount(c)
    with os.scandir(fresh.path("items/p")) as entries:
        for e in entries:
            assert e.stat().st_size == len(m.read(f"items/p/{e.name}"))


def test_values_of_random_documents_are_found_by_them(documents):
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    r = random.Random(seed)
    c = documents.container("c", {"v": ("a", True)})
    values = [v for v in (random_value(r, 7) for _ in range(80)) if len(value_name(v, sealed=True).encode()) <= 255]
    for i, v in enumerate(values):
        c.put({"id": f"{i}", "pk": "p", "v": v})
    m = documents.mount(c)
    for i, v in enumerate(values):
        name = value_name(v, sealed=True)
        if "%~" not in name:
            assert same(m.read(f"by/v/{name}/p/{i}.json"), json.loads(m.read(f"items/p/{i}.json"))), (name, v)
