# SPDX-License-Identifier: MIT
"""Every document that the official clients of Cosmos DB stored, through a mount: as a file, as a line, by its
values.  And every single cell, right or damaged, in a document of its own.
"""
import json

import pytest

from tests.support import docstore, docvectors
from tests.support.docnames import value_name
from tests.support.expect import unreadable
from tests.support.mount import errno_of
from tests.support.sealeddocs import text_of
from tests.support.vectors import write_keys

SETS = docvectors.all_sets()
DATABASE = "shop"
LENIENT = ("clear_cells=java", "unencrypted=show")  # what the clients let pass


class Gallery:
    """All that a set has, in one database, and the mounts that show it."""

    def __init__(self, vector_set, directory, mount):
        self.set, self._mount = vector_set, mount
        self.store = docstore.write_vectors(directory / "store", vector_set.name, DATABASE)
        self.keys = write_keys(directory / "keys.json", docstore.vector_keys(vector_set.name))
        self._mounts = {}
        for deterministic in (True, False):
            for dek in vector_set.deks:
                self._put_cells(dek, deterministic)

    def mount(self, *options):
        """One for all who want these options."""
        if options not in self._mounts:
            self._mounts[options] = self._mount(f"{self.store.source}/{DATABASE}", f"keys={self.keys}", *options)
        return self._mounts[options]

    def _put_cells(self, dek, deterministic):
        """A container with every cell of the key, each in the document of its number."""
        name, path = cell_container(dek, deterministic), {
            "path": "/v", "clientEncryptionKeyId": dek, "encryptionAlgorithm": "AEAD_AES_256_CBC_HMAC_SHA256",
            "encryptionType": "Deterministic" if deterministic else "Randomized",
        }  # fmt: skip
        self.store.put_container(DATABASE, {
            "id": name, "_rid": "c" + name.encode().hex(), "partitionKey": {"paths": ["/id"], "kind": "Hash", "version": 2},
            "clientEncryptionPolicy": {"policyFormatVersion": 1, "includedPaths": [path]},
        })  # fmt: skip
        for prefix, cells in (("c", self.set.cells), ("d", self.set.damaged_cells)):
            for cell in (c for c in cells if c.dek == dek):
                document = text_of({"id": f"{prefix}{cell.number}", "v": cell.text})
                self.store.put_document(DATABASE, name, document.encode())


def cell_container(dek, deterministic):
    return f"{dek}-{'det' if deterministic else 'rand'}"


@pytest.fixture(scope="module")
def gallery(module_mount, tmp_path_factory):
    made = {}

    def gallery_of(vector_set):
        if vector_set.name not in made:
            made[vector_set.name] = Gallery(vector_set, tmp_path_factory.mktemp("gallery"), module_mount)
        return made[vector_set.name]

    return gallery_of


def each(entries):
    rows = [entry for s in SETS for entry in entries(s)]
    return pytest.mark.parametrize("entry", rows, ids=str)


def each_container(wanted=lambda s, name: True):
    rows = [(s, name) for s in SETS for name in (c["id"] for c in s.containers) if wanted(s, name)]
    return pytest.mark.parametrize(("vector_set", "container"), rows, ids=[f"{s.name}:{name}" for s, name in rows])


def options_for(document):
    """What it takes to read it: most need nothing."""
    if document.has_clear_cells:
        return LENIENT[:1]
    return LENIENT[1:] if document.container == "no-policy" else ()


# ---- documents as files


@each(lambda s: s.documents)
def test_every_document_of_the_vectors_is_a_file(gallery, entry):
    m = gallery(entry.set).mount(*LENIENT)
    directory, _, name = entry.path.rpartition("/")
    assert name in m.list(f"{entry.container}/{directory}")
    assert m.path(f"{entry.container}/{entry.path}").is_file()


@each(lambda s: s.documents)
def test_every_document_of_the_vectors_reads_as_its_client_says(gallery, entry):
    text = gallery(entry.set).mount(*options_for(entry)).read(f"{entry.container}/{entry.path}")
    assert text.endswith(b"}\n") and text.count(b"\n") == 1
    assert entry.reads_as(text), text


@each(lambda s: s.documents)
def test_all_that_is_not_sealed_is_as_it_was_stored(gallery, entry):
    """The stored text, with each cell's token replaced by what it opens to."""
    text = gallery(entry.set).mount(*LENIENT).read(f"{entry.container}/{entry.path}").decode()
    stored = entry.stored.decode().replace("\n", " ").replace("\r", " ").rstrip() + "\n"
    at = 0
    for piece in pieces_between_cells(stored, entry):
        found = text.find(piece, at)
        assert found >= at, piece
        at = found + len(piece)
    assert at == len(text)


def pieces_between_cells(stored, document):
    deks = document.set.deks.values()
    pieces = [""]
    for i, part in enumerate(stored.split('"')):  # the clients' names and cells hold no quotes
        if i % 2 and len(part) >= 88 and any(opens(dek, part) for dek in deks):
            pieces.append("")
        else:
            pieces[-1] += f'"{part}"' if i % 2 else part
    return pieces


def opens(dek, text):
    try:
        dek.unseal(text)
    except (AssertionError, ValueError, IndexError):
        return False
    return True


@each(lambda s: [d for d in s.documents if d.has_clear_cells])
def test_scalars_that_java_leaves_in_clear_are_refused_unless_asked_for(gallery, entry):
    unreadable(gallery(entry.set).mount(), f"{entry.container}/{entry.path}", "EACCES", "policy.clear_cell", "clear")


@each(lambda s: [d for d in s.documents if d.container == "no-policy"])
def test_a_document_without_policy_is_refused_unless_asked_for(gallery, entry):
    m = gallery(entry.set).mount()
    unreadable(m, f"{entry.container}/{entry.path}", "EACCES", "policy.unencrypted", "unencrypted=show")


# ---- the whole, its parts, its values


def same_documents(vector_set, lines, documents):
    """Each document is one of the lines, and no line is left."""
    lines = lines.splitlines(keepends=True)
    for d in documents:
        matching = [line for line in lines if d.reads_as(line)]
        assert len(matching) == 1, d
        lines.remove(matching[0])
    assert lines == []


@each_container(lambda s, name: name != "miskeyed")
def test_all_jsonl_of_the_vectors(gallery, vector_set, container):
    text = gallery(vector_set).mount(*LENIENT).read(f"{container}/all.jsonl")
    same_documents(vector_set, text, vector_set.of(container))


@each_container(lambda s, name: name != "miskeyed")
def test_parts_of_the_vectors(gallery, vector_set, container):
    m = gallery(vector_set).mount(*LENIENT)
    text = b"".join(m.read(f"{container}/parts/{name}") for name in m.list(f"{container}/parts"))
    same_documents(vector_set, text, vector_set.of(container))


def deterministic_scalars():
    """(document, property, value) of everything that by/ can find."""
    for s in SETS:
        for d in s.documents:
            plain = json.loads(d.plain)
            for name in (name for name, deterministic in s.policy(d.container).items() if deterministic):
                value = plain.get(name)
                if value is not None and not isinstance(value, (dict, list)):
                    yield d, name, value


def is_short(value):
    return len(value_name(value, sealed=True).encode()) <= 255 and "%~" not in value_name(value, sealed=True)


@pytest.mark.parametrize(("entry", "name", "value"), list(deterministic_scalars()))
def test_by_of_the_vectors(gallery, entry, name, value):
    m = gallery(entry.set).mount(*LENIENT)
    sealed_value = float(value) if not entry.set.exact and isinstance(value, int) and abs(value) > 2**53 else value
    path = f"{entry.container}/by/{name}/{value_name(sealed_value, sealed=True)}/{entry.path.removeprefix('items/')}"
    if not is_short(value):
        assert errno_of(m.read, path) in ("ENOENT", "ENAMETOOLONG")
        return
    assert entry.reads_as(m.read(path))


# ---- a document under the wrong key


def miskeyed(gallery, *options):
    vector_set = docvectors.load("cosmos-js")
    m = gallery(vector_set).mount(*options)
    (key,) = m.list("miskeyed/items")
    (name,) = m.list(f"miskeyed/items/{key}")
    return m, f"miskeyed/items/{key}/{name}", vector_set.path / "documents/miskeyed/01.expected.json"


def test_the_miskeyed_document_does_not_open(gallery):
    m, name, expected = miskeyed(gallery)
    used = json.loads(expected.read_text())["second"]["clientEncryptionKeyActuallyUsed"]
    unreadable(m, name, "EBADMSG", "integrity.cell", "/second", f"authenticates under key '{used}'", "dek_fallback")
    assert errno_of(m.read, "miskeyed/all.jsonl") == "EBADMSG"


def test_the_miskeyed_document_opens_with_dek_fallback(gallery):
    m, name, expected = miskeyed(gallery, "dek_fallback=same-kek")
    expected = json.loads(expected.read_text())
    found = json.loads(m.read(name))
    assert found["first"] == expected["first"]["value"]
    assert found["second"] == expected["second"]["valueUnderThatKey"]
    assert m.read("miskeyed/all.jsonl") == m.read(name)


# ---- single cells


def read_cell(m, dek, deterministic, name):
    return json.loads(m.read(f"{cell_container(dek, deterministic)}/items/{name}.json"))["v"]


@each(lambda s: s.cells)
def test_every_cell_opens_to_its_value(gallery, entry):
    m = gallery(entry.set).mount()
    value = read_cell(m, entry.dek, entry.deterministic, f"c{entry.number}")
    assert entry.is_value(value), (value, entry.entry["value"])


@each(lambda s: s.cells)
def test_no_cell_opens_as_one_of_the_other_encryption_type(gallery, entry):
    m = gallery(entry.set).mount()
    name = f"{cell_container(entry.dek, not entry.deterministic)}/items/c{entry.number}.json"
    assert errno_of(m.read, name) == "EBADMSG"


# What opens: nothing is wrong with it, or nobody could tell (the marker is outside the MAC).
OPEN = (
    "intact", "bool retyped as long", "long retyped as double", "long retyped as string",
    "url-safe base64 in a member not called id",
)  # fmt: skip
# Too short to be a cell, or no base64: a value in clear, as far as anybody can tell.
NO_CELL = ("truncated by 16 bytes", "only the header", "type marker alone", "empty string", "not base64", "base64 of clear text")


def opens_anyway(entry):
    """Some cells have a length that needs no padding: without it they are the intact one."""
    same = [c for c in entry.set.damaged_cells if c.entry["name"] == "intact"][0].text
    return entry.entry["name"] in OPEN or (entry.entry["name"] == "base64 without padding" and entry.text == same)


@each(lambda s: [c for c in s.damaged_cells if not opens_anyway(c)])
@pytest.mark.parametrize("deterministic", [True, False])
def test_a_damaged_cell_does_not_open(gallery, entry, deterministic):
    m = gallery(entry.set).mount()
    name = f"{cell_container(entry.dek, deterministic)}/items/d{entry.number}.json"
    assert errno_of(m.read, name) == ("EACCES" if entry.entry["name"] in NO_CELL else "EBADMSG")


@each(lambda s: [c for c in s.damaged_cells if opens_anyway(c)])
def test_a_cell_that_nothing_is_wrong_with_opens(gallery, entry):
    """In properties of its own encryption type, and of no other."""
    m = gallery(entry.set).mount()
    names = {d: f"{cell_container(entry.dek, d)}/items/d{entry.number}.json" for d in (True, False)}
    failed = {d: errno_of(m.read, name) for d, name in names.items()}
    assert sorted(failed.values(), key=str) == ["EBADMSG", None], failed
    value = read_cell(m, entry.dek, failed[True] is None, f"d{entry.number}")
    wanted = entry.entry.get("value", [c for c in entry.set.damaged_cells if c.entry["name"] == "intact"][0].entry["value"])
    assert (type(value), value) == (type(wanted), wanted)


def test_every_damaged_cell_has_a_verdict():
    names = {c.entry["name"] for s in SETS for c in s.damaged_cells}
    assert set(OPEN) <= names and set(NO_CELL) <= names
    assert sum(opens_anyway(c) for s in SETS for c in s.damaged_cells) == 8
