# SPDX-License-Identifier: MIT
"""Writing documents: what is stored, what is refused, what things are called: docs/SEMANTICS.md, "Writing documents"."""
import base64
import json
import os
import shutil
import stat

import pytest

from tests.support import cloud, docstore, docvectors, vectors
from tests.support.cells import BOOLEAN, DOUBLE, LONG, STRING, Dek
from tests.support.docnames import value_name
from tests.support.documentwriting import SYSTEM, Writing, make, opened, plain
from tests.support.expect import failure
from tests.support.mount import errno_of
from tests.support.process import wait_until
from tests.support.writing import shell

NAME = "items/p/x.json"
DOCUMENT = {"id": "x", "pk": "p", "ssn": "123-45-6789", "note": ["n", 1, 1.5, {"deep": True, "none": None}], "clear": [1, 2.5, "é"]}


@pytest.fixture
def local(documents, tmp_path):
    return Writing(documents, tmp_path)


@pytest.fixture
def online(service, tmp_path):
    return Writing(service, tmp_path)


@pytest.fixture(params=["documents", "service"])
def either(request, tmp_path):
    return Writing(request.getfixturevalue(request.param), tmp_path)


def text(**changes):
    return json.dumps({**DOCUMENT, **changes})


def sh(m, script):
    """Runs a script in the mount; it must succeed and say nothing on stderr."""
    done = shell(script, m.path())
    assert (done.returncode, done.stderr) == (0, b""), f"{done}\n{m.log()}"
    return done.stdout.decode()


# ---- creating


WAYS = {
    "redirection": "cat $SOURCE > items/p/x.json",
    "append": "cat $SOURCE >> items/p/x.json",
    "cp": "cp $SOURCE items/p/x.json",
    "cp -p": "cp -p $SOURCE items/p/",
    "install": "install -m 600 $SOURCE items/p/x.json",
    "dd": "dd if=$SOURCE of=items/p/x.json bs=7 status=none",
    "tee": "tee items/p/x.json < $SOURCE > /dev/null",
    "mv": "cp $SOURCE $SOURCE.2; mv $SOURCE.2 items/p/x.json",
    "rename": "cat $SOURCE > items/p/x.tmp; mv items/p/x.tmp items/p/x.json",
    "rsync": "rsync -a $SOURCE items/p/",
    "tar": "tar -C $(dirname $SOURCE) -c x.json | tar -C items/p -x",
}


def test_a_document_is_sealed_and_published_when_it_is_closed(either, tmp_path):
    c = either.container()
    m = either.mount(c)
    m.path("items/p").mkdir()
    source = tmp_path / "x.json"
    source.write_text(text())
    for way, script in WAYS.items():
        sh(m, f"SOURCE={source}; {script}")
        assert either.plain(c, "x") == DOCUMENT == plain(m.read(NAME)), way
        for secret in (b"123-45-6789", b'"n"', b"true"):
            assert secret not in either.texts(c)["x"], way
        m.path(NAME).unlink()
        assert either.texts(c) == {}
    with open(m.path(NAME), "w") as f:
        f.write(text())
        f.flush()
        assert either.texts(c) == {}, "nothing is sent before the file is closed"
    assert either.plain(c, "x") == DOCUMENT


def test_nothing_of_a_sealed_value_is_in_what_is_sent(online):
    c = online.container()
    m = online.mount(c)
    make(m, NAME, DOCUMENT)
    (sent,) = online.documents.server.received
    assert sent.method == "POST" and opened(c, json.loads(sent.body)) == DOCUMENT
    assert b"123-45-6789" not in sent.body
    assert sent.headers["x-ms-cosmos-is-client-encrypted"].lower() == "true"
    assert "x-ms-documentdb-is-upsert" not in sent.headers


def test_fsync_publishes_a_document(local):
    c = local.container()
    m = local.mount(c)
    m.path("items/p").mkdir()
    with open(m.path(NAME), "w") as f:
        f.write(text())
        f.flush()
        os.fsync(f.fileno())
        assert local.plain(c, "x") == DOCUMENT


@pytest.mark.parametrize("reprints", [False, True])
def test_what_is_shown_after_writing_is_what_the_service_keeps(online, reprints):
    """The members that the service adds, in the spelling that it keeps; the next reader sees the same."""
    online.documents.server.reprints = reprints
    c = online.container()
    m = online.mount(c)
    make(m, NAME, text(clear=[1.0, 1]))
    wait_until(lambda: b"_etag" in m.read(NAME), 2, "what is stored, as soon as the kernel has released the writer's handle")
    shown = m.read(NAME)
    stored = online.stored(c, "x")
    assert {n: json.loads(shown)[n] for n in SYSTEM[:5]} == {n: stored[n] for n in SYSTEM[:5]}
    assert shown == online.documents.mount(c).read(NAME) and m.path(NAME).stat().st_size == len(shown)
    assert m.path(NAME).stat().st_mtime == stored["_ts"]
    assert os.getxattr(m.path(NAME), "user.azcrypt.etag").decode() == stored["_etag"].strip('"')


@pytest.mark.parametrize("how", ["again", "in place"])
def test_a_document_that_is_written_as_it_was_shown_shows_its_new_version(either, how):
    """It is as long and fills its pages: only their bytes tell the service's new members from those that were dropped."""
    c = either.container()
    m, other = either.mount(c), either.documents.mount(c, "attr_timeout=0")
    pad = 0
    for _ in range(2):
        make(m, NAME, {**DOCUMENT, "pad": "p" * pad})
        wait_until(lambda: b"_etag" in m.read(NAME), 5, "what is stored")
        pad = pad or 8192 - len(m.read(NAME))
    new = m.read(NAME)
    assert len(new) == 8192
    new = new.replace(b"123-45", b"321-54")
    if how == "again":
        m.path(NAME).write_bytes(new)
    else:
        with open(m.path(NAME), "r+b") as f:
            f.write(new)
    wait_until(lambda: os.getxattr(m.path(NAME), "user.azcrypt.etag") == os.getxattr(other.path(NAME), "user.azcrypt.etag"), 5, "the new version")
    wait_until(lambda: m.read(NAME) == other.read(NAME), 5, "what the service keeps")
    assert b"321-54" in m.read(NAME) != new and len(new) == len(m.read(NAME))


def test_a_mount_of_an_account_writes_to_all_its_containers(either):
    made = [either.container(name) for name in ("c", "d")]
    m = either.mount()
    for c in made:
        make(m, f"db/{c.name}/{NAME}", text(note=c.name))
    assert [either.plain(c, "x")["note"] for c in made] == ["c", "d"]


# ---- what is sealed


DETERMINISTIC = [(d.set.name, d.container) for d in docvectors.load("cosmos-js").documents + docvectors.load("cosmos-java").documents]
DETERMINISTIC = sorted({(s, c) for s, c in DETERMINISTIC if any(docvectors.load(s).policy(c).values())})


def standard(value):
    """Nested members called id have the other alphabet when Java wrote them."""
    if isinstance(value, dict):
        return {n: v.translate(str.maketrans("-_", "+/")) if n == "id" and isinstance(v, str) else standard(v) for n, v in value.items()}
    return [standard(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("set_name", ["cosmos-js", "cosmos-java"])
def test_deterministic_cells_are_those_of_the_official_clients(tmp_path, mount, set_name):
    """Every document with deterministic properties that a client wrote, written again by us: byte for byte the same cells."""
    found = docvectors.load(set_name)
    theirs = docstore.write_vectors(tmp_path / "theirs", set_name, database="db")
    ours = docstore.write_vectors(tmp_path / "ours", set_name, database="db")
    keys = vectors.write_keys(tmp_path / "keys.json", docstore.vector_keys(set_name))
    containers = sorted({c for s, c in DETERMINISTIC if s == set_name})
    for documents in list((tmp_path / "ours").rglob("documents")):
        shutil.rmtree(documents)
    reading = mount(theirs.source, f"keys={keys}")
    writing = mount(ours.source, f"keys={keys}", "rw", f"pin={tmp_path}/pins")
    compared = 0
    for d in found.documents:
        if d.container not in containers or d.has_clear_cells:
            continue
        name, before = f"db/{d.container}/{d.path}", set(ours.documents("db", d.container))
        make(writing, name, reading.read(name).decode())
        (stored,) = map(json.loads, set(ours.documents("db", d.container)) - before)
        wanted = json.loads(d.stored)
        for property, deterministic in found.policy(d.container).items():
            if deterministic and property in wanted:
                assert stored[property] == standard(wanted[property]), (d, property)
                compared += 1
        for property in set(wanted) - set(found.policy(d.container)) - set(SYSTEM):
            assert stored[property] == wanted[property], (d, property)
    assert compared > 10


NUMBERS = {
    "1": (LONG, 1), "1.0": (DOUBLE, 1.0), "-0": (LONG, 0), "-0.0": (DOUBLE, -0.0), "1e2": (DOUBLE, 100.0), "1E2": (DOUBLE, 100.0),
    "9007199254740993": (LONG, 2**53 + 1), "9223372036854775807": (LONG, 2**63 - 1), "-9223372036854775808": (LONG, -(2**63)),
    "0.1": (DOUBLE, 0.1), "5e-324": (DOUBLE, 5e-324), "true": (BOOLEAN, True), '"1"': (STRING, "1"),
}  # fmt: skip


def test_a_number_keeps_the_type_of_its_spelling(local):
    c = local.container()
    m = local.mount(c)
    make(m, NAME, f'{{"id":"x","pk":"p","note":[{",".join(NUMBERS)}],"clear":[1.0,1E400,18446744073709551616]}}')
    cells = local.stored(c, "x")["note"]
    dek = c.sealed["note"][0]
    assert [(base64.b64decode(cell)[0], dek.unseal(cell)[1]) for cell in cells] == list(NUMBERS.values())
    assert b'"clear":[1.0,1E400,18446744073709551616]' in local.texts(c)["x"]
    spelled = json.loads(m.read(NAME))["note"]
    assert list(map(repr, spelled)) == [repr(value) for _, value in NUMBERS.values()]


def test_null_stays_null_and_each_leaf_is_a_cell(local):
    c = local.container()
    m = local.mount(c)
    make(m, NAME, {"id": "x", "pk": "p", "ssn": None, "note": {"a": [None, "s", {}], "b": []}})
    stored = local.stored(c, "x")
    assert stored["ssn"] is None and stored["note"]["b"] == [] and stored["note"]["a"][::2] == [None, {}]
    assert c.sealed["note"][0].unseal(stored["note"]["a"][1]) == ("string", "s")


# ---- overwriting


def test_system_members_are_dropped_so_that_a_file_can_be_edited(either):
    c = either.container()
    c.put(DOCUMENT)
    m = either.mount(c)
    before = either.stored(c, "x")
    sh(m, "jq '.note = 7 | .ssn = \"new\"' items/p/x.json > items/p/x.tmp && mv items/p/x.tmp items/p/x.json")
    assert either.plain(c, "x") == {**DOCUMENT, "note": 7, "ssn": "new"}
    sh(m, "sed -i s/new/newer/ items/p/x.json")
    assert either.plain(c, "x") == {**DOCUMENT, "note": 7, "ssn": "newer"} == plain(m.read(NAME))
    after = either.texts(c)["x"]
    assert json.loads(after)["_etag"] != before["_etag"]
    assert all(after.count(b'"%s"' % name.encode()) == 1 for name in SYSTEM[:3])
    make(m, NAME, text(_rid="forged", _etag="forged", _ts=1, _self="forged", _attachments="forged", _own="kept"))
    stored = either.stored(c, "x")
    assert "forged" not in stored.values() and stored["_ts"] > 1
    assert stored["_own"] == "kept", "other names that begin with _ are the document's own"


def test_an_overwrite_names_the_version_that_it_replaces(online):
    c = online.container()
    c.put(DOCUMENT)
    m = online.mount(c)
    for how in (lambda p: p.write_text(text(note="1")), lambda p: os.truncate(p, p.stat().st_size - 1), lambda p: sh(m, f"sed -i 's/\"1\"/\"2\"/' {p}")):
        # Until the kernel has released the last writer's handle it shows what was written, which is shorter.
        wait_until(lambda: "user.azcrypt.draft" not in os.listxattr(m.path(NAME)), 5, "the end of the draft")
        etag, n = online.stored(c, "x")["_etag"], len(online.documents.server.received)
        how(m.path(NAME))
        (sent,) = online.documents.server.received[n:]
        assert (sent.method, sent.headers["if-match"]) == ("PUT", etag)
    assert online.plain(c, "x")["note"] == "2"


def test_append_and_writes_in_the_middle_change_a_document(local):
    c = local.container()
    c.put(DOCUMENT)
    m = local.mount(c)
    at = m.read(NAME).index(b"123-45-6789")
    with open(m.path(NAME), "r+b") as f:
        f.seek(at)
        f.write(b"987")
    assert local.plain(c, "x")["ssn"] == "987-45-6789"
    with open(m.path(NAME), "ab") as f:
        f.write(b" \n\t\n")
    assert local.plain(c, "x") == {**DOCUMENT, "ssn": "987-45-6789"}


# ---- what is refused


BAD = {
    "empty": ("", "not a JSON document"),
    "no JSON": ("nonsense", "not a JSON document"),
    "half": (text()[:-10], "JSON"),
    "two": (text() + text(), "JSON"),
    "an array": ("[" + text() + "]", "object"),
    "no id": ('{"pk":"p"}', "no id"),
    "a number as id": ('{"id":1,"pk":"p"}', "no id"),
    "a member twice": (text()[:-1] + ',"note":1}', "twice"),
    "a member twice, in clear": (text()[:-1] + ',"clear":1}', "twice"),
    "a member twice, escaped": (text()[:-1] + ',"n\\u006fte":1}', "twice"),
    "a long beyond 64 bits": (text(note=0).replace('"note": 0', '"note": 9223372036854775808'), "/note"),
    "a double beyond all": (text(note=0).replace('"note": 0', '"note": 1e400'), "/note"),
    "a half surrogate": (text(note=0).replace('"note": 0', '"note": "\\ud800"'), ""),
    "bytes that are no UTF-8": (text().encode().replace(b"123-45", b"123\xff45"), ""),
    "a control character": (text().replace("123-45", "123\n45"), ""),
    "65 levels": (text(note=0).replace('"note": 0', f'"note": {"[" * 65}1{"]" * 65}'), ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def refusing(tmp_path_factory, module_documents):
    """A mount with one document, which nothing that is refused changes."""
    w = Writing(module_documents, tmp_path_factory.mktemp("refusing"))
    c = w.container()
    c.put(DOCUMENT)
    return w, c, w.mount(c)


def shows_the_document(m):
    """What a writer could not publish is gone when the kernel has released its handle, a moment after close."""
    try:
        return m.list("items/p") == ["x.json"] and plain(m.read(NAME)) == DOCUMENT
    except ValueError:
        return False


def refused(refusing, name, content, event, *words):
    w, c, m = refusing
    before = w.texts(c)
    said = failure(m, lambda: m.path(name).write_bytes(content if isinstance(content, bytes) else content.encode()), "EINVAL", event, *words)
    assert w.texts(c) == before
    wait_until(lambda: shows_the_document(m), 2, "the document as it was")
    for secret in ("123-45", "nonsense"):
        assert secret not in said
    return said


@pytest.mark.parametrize("name", ["x", "new"])
@pytest.mark.parametrize("what", BAD)
def test_what_is_no_document_is_refused_when_it_is_closed(refusing, what, name):
    """Over a document and as a new one: both stay as they were, and the log says why."""
    content, word = BAD[what]
    if isinstance(content, str):
        content = content.replace('"id": "x"', f'"id": "{name}"')
    refused(refusing, f"items/p/{name}.json", content, "document.invalid", word)


@pytest.mark.parametrize(("name", "content", "words"), [
    ("x", text(id="y"), ("id", "'x.json'", "'y.json'")), ("y", text(), ("id", "'y.json'", "'x.json'")),
    ("x", text(pk="q"), ("partition key", "'p'", "'q'")), ("x", text(pk=1), ("partition key", "'p'", "'=1'")),
    ("x", text(pk=None), ("partition key", "'p'", "'=null'")), ("x", '{"id":"x"}', ("partition key", "'p'", "'=undefined'")),
    ("x", text(pk=["p"]), ("partition key", "'p'")),
])  # fmt: skip
def test_a_document_belongs_to_the_path_of_its_id_and_key(refusing, name, content, words):
    refused(refusing, f"items/p/{name}.json", content, "document.path", *words)


def test_sealed_ids_and_keys_are_not_in_the_log(local):
    c = local.container("c", {"id": ("a", True), "pk": ("b", True)}, version=2)
    m = local.mount(c)
    m.path("items/p").mkdir()
    for document in ({"id": "secret", "pk": "p"}, {"id": "x", "pk": "secret"}):
        failure(m, lambda d=document: make(m, NAME, d), "EINVAL", "document.path")
    assert "secret" not in m.log() and local.texts(c) == {}


def test_a_document_of_more_than_2_mib_is_too_big(online):
    c = online.container()
    m = online.mount(c)
    make(m, NAME, text(clear="x" * ((2 << 20) - 1000)))
    assert len(online.texts(c)["x"]) > (2 << 20) - 1000
    before, n = online.texts(c), len(online.documents.server.received)
    for what in ({"clear": "x" * (2 << 20)}, {"note": "x" * (7 << 18)}):
        failure(m, lambda w=what: make(m, NAME, text(**w)), "EFBIG", "document.invalid", "2097152")
    assert errno_of(make, m, NAME, text(clear="x" * (9 << 20))) == "EFBIG"
    assert online.texts(c) == before and len(online.documents.server.received) == n, "what is too long is not sent"


def test_documents_are_written_below_items_only(either):
    c = either.container()
    c.put(DOCUMENT)
    m = either.mount(c)
    before = either.texts(c)
    for name in ("all.jsonl", ".policy.json", ".keys.json", "by/ssn/123-45-6789/p/x.json"):
        assert errno_of(m.path(name).write_text, text()) == "EROFS", name
        assert errno_of(m.path(name).unlink) == "EROFS", name
    for name in ("new.json", "items/new.json", "items/new", "parts/new.json", "by/new.json", "by/ssn/123-45-6789/p/new.json", "items/p/q/x.json"):
        assert errno_of(m.path(name).write_text, text()) in ("EROFS", "ENOENT"), name
        assert not m.path(name).exists()
    for name in ("new", "parts/new", "by/new", "items/p/q"):
        assert errno_of(m.path(name).mkdir) == "EROFS", name
    for name in ("items", "parts", "by"):
        assert errno_of(m.path(name).rmdir) == "EROFS", name
    assert errno_of(m.path("items/=x").mkdir) == "EINVAL", "no value of a partition key has that name"
    assert errno_of(m.path("items/p/%41.json").write_text, text()) == "EINVAL", "no document has that name"
    assert either.texts(c) == before


def test_a_document_with_withheld_properties_cannot_be_overwritten(vault_documents, vault, tmp_path):
    w = Writing(vault_documents, tmp_path)
    other = cloud.add_key(vault, "other", permissions={"get"})
    vault_documents._deks["b"] = Dek("b", other)
    c = w.container()
    c.put(DOCUMENT)
    c.put({"id": "without", "pk": "p", "ssn": "1"})
    m = w.mount(c)
    before = w.texts(c)
    shown = m.read(NAME)
    assert "note" not in json.loads(shown)
    failure(m, lambda: m.path(NAME).write_bytes(shown), "EACCES", "policy.withheld")
    assert errno_of(os.truncate, m.path(NAME), 0) == "EACCES"
    assert errno_of(open, m.path(NAME), "ab") == "EACCES"
    failure(m, lambda: make(m, "items/p/without.json", text(id="without")), "EACCES", "auth.vault", "property 'note'")
    assert w.texts(c) == before
    make(m, "items/p/without.json", {"id": "without", "pk": "p", "ssn": "2"})
    assert w.plain(c, "without")["ssn"] == "2", "what needs no key that is denied can be written"
    m.path(NAME).unlink()
    assert list(w.texts(c)) == ["without"], "deleting loses nothing unseen"


# ---- names


def test_a_local_name_says_so_in_an_extended_attribute(local):
    c = local.container()
    m = local.mount(c)
    make(m, "items/p/x.tmp", text())
    assert os.getxattr(m.path("items/p/x.tmp"), "user.azcrypt.draft") == b"local"
    os.rename(m.path("items/p/x.tmp"), m.path(NAME))
    wait_until(lambda: "user.azcrypt.draft" not in os.listxattr(m.path(NAME)), 5, "an ordinary file")


def test_a_name_without_json_stays_local_until_it_is_renamed(online):
    c = online.container()
    c.put(DOCUMENT)
    m, other = online.mount(c), online.mount(c, "attr_timeout=0")
    n = len(online.documents.server.received)
    make(m, "items/p/draft", "not JSON at all")
    make(m, "items/p/x.json~", text())
    assert m.list("items/p") == ["draft", "x.json", "x.json~"] and other.list("items/p") == ["x.json"]
    assert m.read("items/p/draft") == b"not JSON at all" and not other.path("items/p/draft").exists()
    assert m.path("items/p/draft").stat().st_mode == stat.S_IFREG | 0o600, "it is its writer's own"
    failure(m, lambda: m.path("items/p/draft").rename(m.path("items/p/new.json")), "EINVAL", "document.invalid")
    m.path("items/p/draft").rename(m.path("items/p/draft.2"))
    assert m.read("items/p/draft.2") == b"not JSON at all" and len(online.documents.server.received) == n
    make(m, "items/p/draft.2", text(id="new"))
    m.path("items/p/draft.2").rename(m.path("items/p/new.json"))
    assert m.list("items/p") == ["new.json", "x.json", "x.json~"]
    assert m.path("items/p/new.json").stat().st_mode == stat.S_IFREG | 0o644
    assert online.plain(c, "new") == {**DOCUMENT, "id": "new"} == plain(m.read("items/p/new.json"))
    m.path("items/p/x.json~").unlink()
    assert [r.method for r in online.documents.server.received[n:]] == ["POST"]


def test_a_rename_onto_a_document_replaces_the_version_that_was_seen(online):
    c = online.container()
    c.put(DOCUMENT)
    m = online.mount(c)
    etag, n = online.stored(c, "x")["_etag"], len(online.documents.server.received)
    make(m, "items/p/x.tmp", text(note="renamed"))
    m.path("items/p/x.tmp").rename(m.path(NAME))
    (sent,) = online.documents.server.received[n:]
    assert (sent.method, sent.headers["if-match"]) == ("PUT", etag)
    assert online.plain(c, "x")["note"] == "renamed" == plain(m.read(NAME))["note"]
    make(m, "items/p/x.tmp", "nonsense")
    failure(m, lambda: m.path("items/p/x.tmp").rename(m.path(NAME)), "EINVAL", "document.invalid")
    assert m.read("items/p/x.tmp") == b"nonsense" and plain(m.read(NAME))["note"] == "renamed"
    m.path("items/p/x.tmp").unlink()


VIM = "vim -es -N -u NONE -i NONE -c 'set writebackup backupskip= directory=. backupdir=. {}' -c '%s/n1/n2/' -c wq items/p/x.json"


@pytest.mark.parametrize("settings", ["", "backup", "nowritebackup", "backup backupcopy=no", "backup backupcopy=yes"])
def test_vim_edits_a_document(online, settings):
    """As it does by default, and as it can be told to; only backupcopy=no makes it delete the document."""
    c = online.container()
    c.put({**DOCUMENT, "note": "n1"})
    m = online.mount(c)
    n = len(online.documents.server.received)
    sh(m, VIM.format(settings))
    assert online.plain(c, "x") == {**DOCUMENT, "note": "n2"}
    assert m.list("items/p") == ["x.json"] + ["x.json~"] * ("backup" in settings.split())
    wanted = ["DELETE", "POST"] if "backupcopy=no" in settings else ["PUT"]
    assert [r.method for r in online.documents.server.received[n:]] == wanted
    sh(m, "rm -f items/p/x.json~")


def test_renaming_a_document_is_exdev(either):
    """Its name is its id: mv copies instead, which is refused before anything is removed."""
    c = either.container()
    c.put(DOCUMENT)
    m = either.mount(c)
    m.path("items/q").mkdir()
    before = either.texts(c)
    for name in ("items/p/y.json", "items/q/x.json", "items/p/y"):
        assert errno_of(m.path(NAME).rename, m.path(name)) == "EXDEV", name
    for name in ("items/p/y.json", "items/q/x.json"):
        done = shell(f"mv {NAME} {name}", m.path())
        assert done.returncode == 1 and b"Invalid argument" in done.stderr
    assert errno_of(m.path("items/p").rename, m.path("items/r")) == "EROFS"
    assert either.texts(c) == before
    wait_until(lambda: shows_the_document(m) and m.list("items/q") == [], 2, "the document under its own name only")


def test_mv_out_of_the_mount_copies_and_deletes(local, tmp_path):
    c = local.container()
    c.put(DOCUMENT)
    m = local.mount(c)
    sh(m, f"mv {NAME} {tmp_path}/moved.json")
    assert plain((tmp_path / "moved.json").read_text()) == DOCUMENT and local.texts(c) == {}


def test_unlink_deletes_the_document(either):
    c = either.container()
    for id in ("x", "y"):
        c.put({**DOCUMENT, "id": id})
    m = either.mount(c)
    m.path(NAME).unlink()
    assert list(either.texts(c)) == ["y"] and m.list("items/p") == ["y.json"]
    assert errno_of(m.read, NAME) == errno_of(m.path(NAME).unlink) == "ENOENT"
    with m.open("items/p/y.json") as f:
        m.path("items/p/y.json").unlink()
        assert plain(f.range(0, 1 << 16)) == {**DOCUMENT, "id": "y"}, "whoever has it open keeps it"
    assert m.list("items/p") == []
    make(m, NAME, DOCUMENT)
    assert either.plain(c, "x") == DOCUMENT


def test_a_directory_of_a_key_is_made_and_removed(either):
    """The store has none: one that is empty is this mount's own."""
    c = either.container()
    c.put(DOCUMENT)
    m, other = either.mount(c), either.mount(c, "attr_timeout=0", "negative_timeout=0")
    assert errno_of(m.path("items/new/x.json").write_text, text(pk="new")) == "ENOENT"
    m.path("items/new").mkdir()
    assert m.list("items") == ["new", "p"] and other.list("items") == ["p"] and m.list("items/new") == []
    assert errno_of(m.path("items/new").mkdir) == errno_of(m.path("items/p").mkdir) == "EEXIST"
    assert errno_of(m.path("items/p").rmdir) == "ENOTEMPTY"
    make(m, "items/new/x.json", text(pk="new"))
    wait_until(lambda: other.list("items") == ["new", "p"], 2, "the new key, for everybody")
    assert errno_of(m.path("items/new").rmdir) == "ENOTEMPTY"
    sh(m, "rm items/new/x.json; rmdir items/new")
    assert m.list("items") == ["p"]
    wait_until(lambda: other.list("items") == ["p"], 2, "the key is gone for everybody")
    make(m, "items/new/x.json", text(pk="new"))
    other.path("items/new/x.json").unlink()
    wait_until(lambda: m.list("items") == ["p"], 5, "a directory goes with its last document, wherever that is removed")
    make(m, "items/q/local", "stays")
    assert errno_of(m.path("items/q").rmdir) == "ENOTEMPTY"
    sh(m, "rm -r items/q items/p")
    assert m.list("items") == [] and either.texts(c) == {}


KEYS = ["1", 1, 1.5, -3, True, False, None, "", "=1", "a/b", "%41", ".", "..", "é😀", "true", 1e21]


@pytest.mark.parametrize("sealed", [False, True])
def test_keys_of_all_types_are_written(either, sealed):
    """A directory's name is the value, as docs/SEMANTICS.md names it; sealed ones are told apart by type."""
    c = either.container("c", {"note": ("a", False)} | ({"pk": ("b", True)} if sealed else {}), version=2 if sealed else 1)
    m = either.mount(c)
    keys = [*KEYS, *([1.0, 2**53 + 1] if sealed else [])]
    for i, key in enumerate(keys):
        make(m, f"items/{value_name(key, sealed)}/{i}.json", {"id": f"{i}", "pk": key, "note": i})
    make(m, "items/=undefined/none.json", {"id": "none", "note": "n"})
    assert m.list("items") == sorted([*(value_name(k, sealed) for k in keys), "=undefined"])
    for i, key in enumerate(keys):
        assert repr(either.plain(c, f"{i}")["pk"]) == repr(key)
        assert plain(m.read(f"items/{value_name(key, sealed)}/{i}.json")) == {"id": f"{i}", "pk": key, "note": i}
    assert "pk" not in either.stored(c, "none")
    assert either.documents.mount(c).list("items") == m.list("items")


IDS = ["plain", "with blanks é", "a=b", "=1", "%41", "...", ".hidden", "x.json", "x~", "a.tmp"]


@pytest.mark.parametrize("sealed", [False, True])
def test_ids_of_all_kinds_are_written(either, sealed):
    c = either.container("c", {"note": ("a", False)} | ({"id": ("a", True)} if sealed else {}), version=2 if sealed else 1)
    m = either.mount(c)
    ids = IDS + (["a/b", "?#\\", "e\nf"] if sealed else [])
    for id in ids:
        make(m, f"items/p/{value_name(id, suffix='.json')}", {"id": id, "pk": "p", "note": id})
    assert m.list("items/p") == sorted(value_name(id, suffix=".json") for id in ids)
    assert sorted(plain(m.read(f"items/p/{value_name(id, suffix='.json')}"))["note"] for id in ids) == sorted(ids)
    assert sorted(opened(c, json.loads(t))["id"] for t in either.texts(c).values()) == sorted(ids)


@pytest.mark.parametrize("id", ["a/b", "a\\b", "a "])
def test_an_id_that_the_service_does_not_take_is_refused(online, id):
    c = online.container()
    m = online.mount(c)
    failure(m, lambda: make(m, f"items/p/{value_name(id, suffix='.json')}", text(id=id)), "EINVAL", "document.invalid", "the service takes no such document")
    assert online.texts(c) == {}


def test_hierarchical_keys_are_written(online):
    c = online.container("c", {"note": ("a", False), "tenant": ("b", True)}, paths=("/tenant", "/user/id", "/n"), version=2)
    m = online.mount(c)
    make(m, "items/t/u/=1/x.json", {"id": "x", "tenant": "t", "user": {"id": "u"}, "n": 1, "note": "n"})
    make(m, "items/t/=undefined/=true/y.json", {"id": "y", "tenant": "t", "n": True, "note": "n"})
    assert m.list("items/t") == ["=undefined", "u"] and m.list("items/t/u") == ["=1"]
    assert online.plain(c, "x")["user"] == {"id": "u"} and online.plain(c, "y")["tenant"] == "t"
    failure(m, lambda: make(m, "items/t/u/=1/z.json", {"id": "z", "tenant": "t", "user": {"id": "v"}, "n": 1}), "EINVAL", "document.path", "'u'", "'v'")
    assert errno_of(m.path("items/t/u/z.json").write_text, "{}") == "EROFS"
    sh(m, "rm -r items/t/u; rmdir items/t/=undefined 2>/dev/null || true; ls items/t")
    assert list(online.texts(c)) == ["y"]


def test_a_container_by_id_is_written(either):
    c = either.container("c", {"note": ("a", False)}, **({"paths": ("/id",)} if hasattr(either.documents, "server") else {"pk": "/id"}))
    m = either.mount(c)
    make(m, "items/x.json", {"id": "x", "note": "n"})
    make(m, "items/draft", {"id": "y", "note": "m"})
    assert list(either.texts(c)) == ["x"]
    sh(m, "mv items/draft items/y.json; rm items/x.json")
    assert m.list("items") == ["y.json"] and either.plain(c, "y") == {"id": "y", "note": "m"}
    assert errno_of(m.path("items/d").mkdir) == "EROFS"


def test_an_abbreviated_name_writes_over_what_is_there_and_makes_nothing(local):
    c = local.container("c", {"note": ("a", False)})
    long = "n" * 400
    c.put({"id": long, "pk": "p", "note": "old"})
    m = local.mount(c)
    (name,) = m.list("items/p")
    make(m, f"items/p/{name}", {"id": long, "pk": "p", "note": "new"})
    assert local.plain(c, long)["note"] == "new"
    m.path(f"items/p/{name}").unlink()
    assert errno_of(make, m, f"items/p/{name}", {"id": long, "pk": "p", "note": "again"}) == "ENAMETOOLONG"
    assert local.texts(c) == {}


# ---- times and modes


def test_times_are_the_services_and_modes_are_not_kept(either, tmp_path):
    """Programs that set them go on."""
    c = either.container()
    m = either.mount(c)
    source = tmp_path / "x.json"
    source.write_text(text())
    os.utime(source, (1, 1))
    m.path("items/p").mkdir()
    sh(m, f"cp -p {source} {NAME}; chmod 600 {NAME}; touch -d @5 {NAME}")
    wait_until(lambda: m.path(NAME).stat().st_mtime == either.stored(c, "x")["_ts"], 2, "the time of the service")
    assert stat.S_IMODE(m.path(NAME).stat().st_mode) == 0o644
    assert either.plain(c, "x") == DOCUMENT


# ---- many


def test_a_tree_of_200_documents_is_copied(either, tmp_path):
    c = either.container()
    m = either.mount(c)
    tree = tmp_path / "tree"
    for i in range(200):
        (tree / f"p{i % 7}").mkdir(parents=True, exist_ok=True)
        (tree / f"p{i % 7}" / f"{i}.json").write_text(text(id=f"{i}", pk=f"p{i % 7}", note=i))
    sh(m, f"cp -r {tree}/* items/")
    assert len(either.texts(c)) == 200
    for path in sorted(tree.rglob("*.json"))[::20]:
        assert either.plain(c, path.stem) == json.loads(path.read_text())
    assert sorted(json.loads(line)["note"] for line in m.read("all.jsonl").splitlines()) == list(range(200))
    sh(m, "rm -r items/p*")
    assert either.texts(c) == {}
