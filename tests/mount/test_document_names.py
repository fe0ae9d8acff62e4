# SPDX-License-Identifier: MIT
"""What documents and their directories are called: docs/SEMANTICS.md, "Names of documents"."""
import json
import random

import pytest

from tests.support.docnames import stored_name, value_name
from tests.support.expect import lines, unreadable
from tests.support.mount import errno_of
from tests.support.sealeddocs import text_of

BOX = [".keys.json", ".policy.json", "all.jsonl", "by", "items", "parts"]


def put_clear(container, document):
    container.put_raw(text_of(document), document)


def clear_container(documents, pk="/pk"):
    """One whose names are in clear, and which has a policy."""
    return documents.container("c", {"note": ("a", False)}, pk=pk)


def sealed_container(documents):
    return documents.container("c", {"id": ("a", True), "pk": ("b", True)}, version=2)


def found(m, path):
    return json.loads(m.read(path))


# ---- an account, a container


@pytest.mark.parametrize("where", ["documents", "service"])
def test_an_account_shows_databases_and_containers(request, where):
    made = request.getfixturevalue(where)
    for name in ("c", "with blanks é"):
        made.container(name, {"note": ("a", False)}).put({"id": "x", "pk": "p", "note": name})
    account = made.mount()
    assert account.list() == ["db"] and account.list("db") == ["c", "with blanks é"]
    assert account.list("db/c") == BOX
    assert found(account, "db/with blanks é/items/p/x.json")["note"] == "with blanks é"
    assert not account.path("nothing").exists() and not account.path("db/nothing").exists()
    source = made.store.source if where == "documents" else made.source
    database = made.mount(Source(f"{source}/db"))
    assert database.list() == ["c", "with blanks é"]
    assert found(database, "c/items/p/x.json")["note"] == "c"


class Source:
    """What a mount asks of a container."""

    def __init__(self, source):
        self.source = source



def test_a_container_has_two_files_and_a_stream_and_three_directories(documents):
    c = clear_container(documents)
    m = documents.mount(c)
    assert m.list() == BOX
    assert m.list("items") == [] and m.list("by") == []
    policy, (key,) = found(m, ".policy.json"), found(m, ".keys.json")
    assert policy["includedPaths"][0]["clientEncryptionKeyId"] == key["id"] == "a"
    assert key["key_id"] == documents.kek.kid and key["state"] == "open"


def test_a_container_by_id_has_no_key_level(documents):
    c = clear_container(documents, pk="/id")
    c.put({"id": "one", "note": "n"})
    c.put({"id": "a/b", "note": "n"})
    m = documents.mount(c)
    assert m.list("items") == ["a%2Fb.json", "one.json"]
    assert found(m, "items/a%2Fb.json")["note"] == "n"
    assert errno_of(m.read, "items/one.json/x.json") == "ENOTDIR"


def test_hierarchical_keys_are_directories_in_directories(documents):
    c = clear_container(documents, pk=["/a", "/b/c", "/d"])
    for i, d in enumerate([{"a": "x", "b": {"c": 1}, "d": True}, {"a": "x", "b": {"c": "1"}}, {"a": "x", "b": {"c": 1}, "d": None}, {}]):
        put_clear(c, {"id": f"{i}", **d})
    m = documents.mount(c)
    assert m.list("items") == ["=undefined", "x"]
    assert m.list("items/x") == ["1", "=1"]
    assert m.list("items/x/=1") == ["=null", "=true"]
    assert m.list("items/x/=1/=null") == ["2.json"]
    fresh = documents.mount(c)
    assert found(fresh, "items/=undefined/=undefined/=undefined/3.json")["id"] == "3"
    assert errno_of(fresh.read, "items/x/=1/=undefined/0.json") == "ENOENT"


# ---- values

STRINGS = {
    "plain": "plain", "with blanks ": "with blanks ", "é😀": "é😀", "a/b": "a%2Fb", "/": "%2F", "=": "%3D", "=1": "%3D1", "a=b": "a=b", "": "%00",
    ".": "%2E", "..": "%2E%2E", "...": "...", ".hidden": ".hidden", "%": "%", "%41": "%2541", "%4": "%4", "%4g": "%4g", "%~": "%25~", "%2F": "%252F",
    "a\nb": "a%0Ab", "\x7f": "%7F", "\x01": "%01", "\x80": "\x80", "\\": "\\", "true": "true", "null": "null", "1": "1", "=undefined": "%3Dundefined",
    "\ud800": "%ED%A0%80", "e\u0301": "e\u0301", "%00": "%2500", "\u202e": "\u202e",
}  # fmt: skip


@pytest.mark.parametrize("make", [clear_container, sealed_container])
def test_names_of_strings(documents, make):
    """As the partition key and as the id, in clear and sealed."""
    c = make(documents)
    put = c.put if make is sealed_container else lambda d: put_clear(c, d)
    wanted = {s: name for s, name in STRINGS.items() if make is clear_container or s != "\ud800"}
    for s in wanted:
        put({"id": "x", "pk": s})
        if s or make is sealed_container:
            put({"id": s, "pk": "ids"})
    m = documents.mount(c)
    assert m.list("items") == sorted([*wanted.values(), "ids"])
    assert m.list("items/ids") == sorted(f"{n}.json" for s, n in wanted.items() if s or make is sealed_container)
    for s, name in wanted.items():
        assert found(m, f"items/{name}/x.json")["pk"] == s
        if s or make is sealed_container:
            assert found(m, f"items/ids/{name}.json")["id"] == s


VALUES = {
    "=1": 1, "1": "1", "=true": True, "true": "true", "=false": False, "false": "false", "=null": None, "null": "null", "=undefined": ...,
    "undefined": "undefined", "=-2.5": -2.5, "=0": 0, "%00": "", "=1e+21": 1e21, "=100000000000000000000": 1e20, "=1e-7": 1e-7, "=0.000001": 1e-6,
    "=1.7976931348623157e+308": 1.7976931348623157e308, "=0.1": 0.1,
}  # fmt: skip


def test_values_of_all_types_have_different_names(documents):
    c = clear_container(documents)
    for name, value in VALUES.items():
        put_clear(c, {"id": "x", "named": name} if value is ... else {"id": "x", "pk": value, "named": name})
    m = documents.mount(c)
    assert m.list("items") == sorted(VALUES)
    fresh = documents.mount(c)
    for name in VALUES:
        assert fresh.list(f"items/{name}") == ["x.json"]
        assert found(fresh, f"items/{name}/x.json")["named"] == name


@pytest.mark.parametrize("name", ["=01", "=1.0", "=+1", "=1e0", "=True", "=", "==1", "=nan", "=inf", "=1 ", "= 1", "=-0", "%41", "%2f", "=sealed:", "=0x1"])
def test_another_spelling_of_a_value_names_nothing(documents, name):
    c = clear_container(documents)
    for value in [1, 0, "A", "/", "x", True]:
        put_clear(c, {"id": "x", "pk": value})
    assert errno_of(documents.mount(c).list, f"items/{name}") == "ENOENT"


SEALED_VALUES = {
    "=1": 1, "=1.0": 1.0, "=0": 0, "=0.0": 0.0, "=-0.0": -0.0, "=9223372036854775807": 2**63 - 1, "=-9223372036854775808": -(2**63),
    "=9007199254740993": 2**53 + 1, "=1e+16": 1e16, "=0.1": 0.1, "1": "1", "=true": True, "=false": False, "=null": None, "=undefined": ...,
    "=5e-324": 5e-324, "1.0": "1.0",
}  # fmt: skip


def test_a_sealed_long_and_a_sealed_double_are_two_names(documents):
    c = sealed_container(documents)
    for name, value in SEALED_VALUES.items():
        c.put({"id": name} if value is ... else {"id": name, "pk": value})
    m = documents.mount(c)
    assert m.list("items") == sorted(SEALED_VALUES)
    fresh = documents.mount(c)
    for name in SEALED_VALUES:
        assert fresh.list(f"items/{name}") == [value_name(name, suffix=".json")]
        assert found(fresh, f"items/{name}/{value_name(name, suffix='.json')}")["id"] == name


def test_an_id_that_does_not_open_has_its_stored_text_as_name(documents):
    """Damaged, sealed with another key, or in clear; the same for a key."""
    c = sealed_container(documents)
    right = documents.dek("a").seal("right", url=True)
    damaged = right[:-8] + ("A" if right[-8] != "A" else "B") + right[-7:]
    ids = [damaged, documents.dek("b").seal("wrong key", url=True), "in clear", "=1", "a%2Fb"]
    for id in ids:
        put_clear(c, {"id": id, "pk": documents.dek("b").seal("p")})
    put_clear(c, {"id": right, "pk": "in/clear"})
    names = sorted(stored_name(id, ".json") for id in ids)
    m = documents.mount(c)
    assert m.list("items") == ["=sealed:in%2Fclear", "p"]
    assert m.list("items/p") == names
    assert m.list("items/=sealed:in%2Fclear") == ["right.json"]
    fresh = documents.mount(c)
    for id in ids:
        clear = len(id) < 88
        unreadable(
            fresh, f"items/p/{stored_name(id, '.json')}", "EACCES" if clear else "EBADMSG",
            "policy.clear_cell" if clear else "integrity.cell", "/id",
        )  # fmt: skip
    assert errno_of(fresh.read, "items/=sealed:in%2Fclear/right.json") == "EACCES"


def test_a_value_that_opens_is_not_found_by_its_stored_text(documents):
    """One document, one name."""
    c = sealed_container(documents)
    stored = c.put({"id": "x", "pk": "p"})
    m = documents.mount(c)
    assert found(m, "items/p/x.json")["id"] == "x"
    assert errno_of(m.read, f"items/p/{stored_name(stored['id'], '.json')}") == "ENOENT"
    assert errno_of(m.list, f"items/{stored_name(stored['pk'])}") == "ENOENT"


@pytest.mark.parametrize("make", [clear_container, sealed_container])
@pytest.mark.parametrize("text", ["x" * 300, "é" * 200, "/" * 100, "\x01%" * 70, "x" * 251, "x" * 250 + "é" * 2], ids=lambda t: f"{len(t)}x{t[0]!r}")
def test_a_long_id_and_a_long_key_are_cut_and_found(documents, make, text):
    c = make(documents)
    put = c.put if make is sealed_container else lambda d: put_clear(c, d)
    for key in (text, text + "2", "p"):
        for id in (text, text + "2"):
            put({"id": id, "pk": key})
    key_name, id_name = value_name(text), value_name(text, suffix=".json")
    assert len(id_name.encode()) <= 255 and id_name.endswith(".json") and "%~" in id_name
    fresh = documents.mount(c)
    assert found(fresh, f"items/{key_name}/{id_name}") == {**found(fresh, f"items/{key_name}/{id_name}"), "id": text, "pk": text}
    m = documents.mount(c)
    assert m.list("items") == sorted([key_name, value_name(text + "2"), "p"])
    assert m.list(f"items/{key_name}") == sorted([id_name, value_name(text + "2", suffix=".json")])
    assert found(m, f"items/p/{id_name}")["id"] == text


def test_a_cut_name_that_nobody_has_is_not_there(documents):
    c = clear_container(documents)
    put_clear(c, {"id": "x" * 300, "pk": "p"})
    m = documents.mount(c)
    assert errno_of(m.read, "items/p/" + value_name("x" * 301, suffix=".json")) == "ENOENT"
    assert errno_of(m.list, "items/" + value_name("x" * 300)) == "ENOENT"


def test_a_name_of_more_than_255_bytes_is_too_long_here_too(documents):
    c = clear_container(documents)
    put_clear(c, {"id": "x", "pk": "p"})
    assert errno_of(documents.mount(c).read, f"items/p/{'x' * 251}.json") == "ENAMETOOLONG"


def test_a_document_without_a_name_hides_no_other(documents):
    c = clear_container(documents)
    for id in ("sound", "also sound", "a\0b", "x" * 9000, ""):
        put_clear(c, {"id": id, "pk": "p"})
    m = documents.mount(c)
    assert m.list("items/p") == ["also sound.json", "sound.json"]
    assert found(m, "items/p/sound.json")["id"] == "sound"
    assert len(lines(m, "integrity.document", "db/c")) >= 1
    assert len(m.read("all.jsonl").splitlines()) == 5
    assert errno_of(m.read, "items/p/a%C0%80b.json") == "ENOENT"


def test_a_malformed_file_in_a_directory_fails_what_lists_it(documents):
    """What it would be called is not known; what does not come across it goes on."""
    c = clear_container(documents)
    for key in ("p", "q"):
        put_clear(c, {"id": "x", "pk": key})
    c.put_raw("{", {"id": "bad", "pk": "p"})
    m = documents.mount(c)
    assert errno_of(m.list, "items") == errno_of(m.list, "items/p") == errno_of(m.read, "all.jsonl") == "EBADMSG"
    assert m.list("items/q") == ["x.json"]
    assert found(m, "items/p/x.json")["id"] == "x"
    assert lines(m, "integrity.document", "db.d/containers/c.d/documents/")


# ---- at random

PIECES = [
    "=", "%", "~", "/", ".", "..", ".json", "%~", "%2F", "%00", "\n", "\x7f", "\x01", " ", "é", "😀", "\u202e", "a", "B", "0", "9f", "=sealed:",
    "=true", "\\", "?", "#", '"', "x" * 100, "é" * 60, "%C0%80", "-", "1e5", "\u0085",
]  # fmt: skip


def random_text(random_, nul):
    pieces = PIECES + ["\0"] if nul else PIECES + ["\ud800", "\udfff"]
    text = "".join(random_.choice(pieces) for _ in range(random_.choice([1, 1, 2, 3, 4, 8])))
    return json.loads(json.dumps(text))  # two halves that come together are one character


def random_key(random_, sealed):
    kind = random_.randrange(6)
    if kind == 0:
        return random_.choice([True, False, None, ...])
    if kind == 1:
        return random_.randrange(-(2**63), 2**63) if sealed else random_.randrange(-(2**53), 2**53)
    if kind == 2:
        return random_.choice([random_.uniform(-1, 1), random_.uniform(-1e300, 1e300), random_.uniform(-1e-300, 1e-300), 1e21, 5e-324])
    return random_text(random_, nul=sealed)


def random_documents(random_, sealed, count):
    """Distinct ones, by name of key and id."""
    made = {}
    while len(made) < count:
        key, id = random_key(random_, sealed), random_text(random_, nul=sealed)
        document = {"id": id, "n": len(made)} | ({} if key is ... else {"pk": key})
        made.setdefault((value_name(key, sealed), value_name(id, suffix=".json")), document)
    return made


def names_seed():
    return random.SystemRandom().randrange(2**32)


@pytest.mark.parametrize("make", [clear_container, sealed_container])
def test_names_are_found_without_a_listing(documents, make):
    """Random ids and keys are listed under the names of the rules, and opened by them on a mount that has listed nothing."""
    seed = names_seed()
    print("seed", seed)
    sealed = make is sealed_container
    c = make(documents)
    wanted = random_documents(random.Random(seed), sealed, 150)
    for document in wanted.values():
        c.put(document) if sealed else put_clear(c, document)
    fresh = documents.mount(c)
    for (key, name), document in wanted.items():
        assert found(fresh, f"items/{key}/{name}")["n"] == document["n"], (key, name, document)
    m = documents.mount(c)
    assert m.list("items") == sorted({key for key, _ in wanted})
    listed = {(key, name) for key in m.list("items") for name in m.list(f"items/{key}")}
    assert listed == set(wanted)
    for (key, name), document in wanted.items():
        assert found(m, f"items/{key}/{name}")["n"] == document["n"]
