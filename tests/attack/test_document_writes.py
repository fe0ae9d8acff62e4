# SPDX-License-Identifier: MIT
"""Somebody who may change the database, and not read it, wants what is written in clear, or sealed for a key of theirs.

The pin file is what stands against it: docs/FORMATS.md, "The pin file". Each test sees what the service received.
"""
import json
import os
import stat
import threading

import pytest

from tests.emulators.cosmos import Cosmos
from tests.support import seal
from tests.support.cells import Dek
from tests.support.cosmosservice import DATABASE, CosmosService
from tests.support.documentwriting import Writing, make, opened
from tests.support.expect import failure
from tests.support.mount import errno_of
from tests.support.sealeddocs import local_kek, text_of

NAME = "items/p/x.json"
SECRET = "123-45-6789"
DOCUMENT = {"id": "x", "pk": "p", "ssn": SECRET, "note": "note", "clear": 1}


@pytest.fixture
def service(tmp_path, mount):
    with Cosmos() as server:
        yield CosmosService(server, tmp_path, mount)


class Attacked(Writing):
    """A container that was written to by a mount which pinned it, and which is then changed."""

    def __init__(self, service, directory):
        super().__init__(service, directory)
        self.service = service
        self.c = self.container("c", {"ssn": ("a", True), "note": ("b", False)})

    def pin(self):
        m = self.mount(self.c)
        make(m, NAME, DOCUMENT)
        m.stop()
        self.service.server.received.clear()
        return self

    @property
    def policy(self):
        return self.c.made.definition["clientEncryptionPolicy"]

    def replace_key(self, name, kek=None):
        """Another key under that name, which the attacker knows; anybody can wrap with a public key."""
        theirs = Dek(name, kek or local_kek())
        self.service.server.database(DATABASE).put_key(theirs.record())
        return theirs

    def refused(self, event, *words, mount=None):
        """Neither a new document nor an old one is written, and nothing arrives."""
        m = mount or self.mount(self.c)
        failure(m, lambda: make(m, "items/p/new.json", {**DOCUMENT, "id": "new"}), "EACCES", event, "nothing is written", *words)
        make(m, "items/p/x.tmp", {**DOCUMENT, "note": "new"})
        failure(m, lambda: m.path("items/p/x.tmp").rename(m.path(NAME)), "EACCES", event, "nothing is written", *words)
        m.path("items/p/x.tmp").unlink()
        assert self.service.server.received == []
        assert opened(self.c, self.stored(self.c, "x")) == DOCUMENT


@pytest.fixture
def attacked(service, tmp_path):
    return Attacked(service, tmp_path)


# ---- the file


def test_the_first_write_makes_the_pin_file(attacked):
    """Reading does not, and neither does a write that is refused; a log line says what is trusted from now on."""
    m = attacked.mount(attacked.c)
    assert m.list("items") == []
    m.path("items/p").mkdir()
    assert errno_of(m.path(NAME).write_text, "nonsense") == "EINVAL"
    assert not attacked.pins.exists()
    for note in ("1", "2"):
        make(m, NAME, {**DOCUMENT, "note": note})
    m.assert_event("policy.pinned", "/db/c", str(attacked.pins), count=1)
    assert stat.S_IMODE(attacked.pins.stat().st_mode) == 0o600
    pins = json.loads(attacked.pins.read_text())
    (name,) = pins["containers"]
    assert (pins["format"], pins["version"]) == ("azcryptfs-pins", 1) and name.endswith("/db/c")
    assert sorted(pins["containers"][name]["keys"]) == ["a", "b"] and len(pins["containers"][name]["policy"]) == 64
    before = attacked.pins.read_bytes()
    again = attacked.mount(attacked.c)
    make(again, NAME, DOCUMENT)
    assert attacked.pins.read_bytes() == before and again.events("policy.pinned") == []


def test_without_a_pin_file_nothing_is_written(attacked, run, tmp_path):
    (tmp_path / "point").mkdir()
    s = attacked.service
    done = run("mount", "-f", "-o", f"rw,keys={s.keys}", attacked.c.source, tmp_path / "point", env={"AZURE_COSMOS_KEY": s.server.key})
    assert done.returncode == 2 and b"pin=" in done.stderr
    assert s.server.received == []


# ---- K07: the policy


POLICIES = {
    "a path dropped": lambda p: p["includedPaths"].pop(0),
    "a path renamed": lambda p: p["includedPaths"][0].update(path="/sn"),
    "randomized made deterministic": lambda p: p["includedPaths"][1].update(encryptionType="Deterministic"),
    "deterministic made randomized": lambda p: p["includedPaths"][0].update(encryptionType="Randomized"),
    "keys exchanged": lambda p: [x.update(clientEncryptionKeyId=k) for x, k in zip(p["includedPaths"], "ba")],
    "another key": lambda p: p["includedPaths"][0].update(clientEncryptionKeyId="b"),
    "a path added": lambda p: p["includedPaths"].append({**p["includedPaths"][0], "path": "/clear"}),
    "another version": lambda p: p.update(policyFormatVersion=2),
}  # fmt: skip


@pytest.mark.parametrize("change", POLICIES)
def test_k07_a_changed_policy_is_not_written_under(attacked, change):
    attacked.pin()
    POLICIES[change](attacked.policy)
    attacked.refused("policy.pin", "/db/c")


@pytest.mark.parametrize("remove", [lambda d: d.pop("clientEncryptionPolicy"), lambda d: d["clientEncryptionPolicy"]["includedPaths"].clear()])
def test_k07_a_removed_policy_is_not_written_under(attacked, remove):
    """With and without unencrypted=show, which is about reading."""
    attacked.pin()
    remove(attacked.c.made.definition)
    m = attacked.mount()
    failure(m, lambda: m.path(f"db/c/{NAME}").write_text(json.dumps(DOCUMENT)), "EACCES", "policy.unencrypted")
    attacked.refused("policy.pin", mount=attacked.mount(attacked.c, "unencrypted=show"))


def test_k07_an_exchanged_partition_key_is_not_written_under(attacked):
    attacked.pin()
    attacked.c.made.definition["partitionKey"] = {"paths": ["/clear"], "kind": "Hash", "version": 2}
    m = attacked.mount(attacked.c)
    failure(m, lambda: make(m, "items/=1/y.json", {**DOCUMENT, "id": "y"}), "EACCES", "policy.pin")
    assert attacked.service.server.received == []


def test_a_container_without_policy_is_never_written(service, tmp_path):
    """Not on first use either."""
    w = Writing(service, tmp_path)
    c = w.container("plain", {})
    c.put_raw(text_of({"id": "x", "pk": "p"}))
    m = w.mount(c, "unencrypted=show")
    failure(m, lambda: make(m, "items/p/y.json", {"id": "y", "pk": "p"}), "EACCES", "policy.unencrypted")
    failure(m, lambda: make(m, NAME, {"id": "x", "pk": "p"}), "EACCES", "policy.unencrypted")
    assert service.server.received == [] and not w.pins.exists()


def test_a_policy_that_is_spelled_otherwise_is_the_same(attacked):
    """Its order, and what the format does not know of, are not what is pinned."""
    attacked.pin()
    attacked.policy["includedPaths"].reverse()
    attacked.c.made.definition["_etag"] = '"another"'
    attacked.c.made.definition["indexingPolicy"] = {"automatic": True}
    make(attacked.mount(attacked.c), NAME, {**DOCUMENT, "note": "new"})
    assert attacked.plain(attacked.c, "x")["note"] == "new"


# ---- K08: the keys


def test_k08_a_replaced_key_is_not_written_with(attacked):
    """Neither what it would seal nor anything else is written while it is there."""
    attacked.pin()
    attacked.replace_key("b")
    m = attacked.mount(attacked.c)
    failure(m, lambda: make(m, "items/p/new.json", {**DOCUMENT, "id": "new"}), "EACCES", "policy.dek_changed", "'b'")
    failure(m, lambda: make(m, "items/p/more.json", {"id": "more", "pk": "p"}), "EACCES", "policy.dek_changed", "'b'")
    assert attacked.service.server.received == []
    assert list(attacked.texts(attacked.c)) == ["x"]


def test_k08_a_replaced_key_is_seen_by_what_is_there_on_first_use(attacked):
    """No pin yet: one cell that is sealed under its name must open."""
    attacked.c.put(DOCUMENT)
    attacked.replace_key("b")
    m = attacked.mount(attacked.c)
    failure(m, lambda: make(m, "items/p/new.json", {**DOCUMENT, "id": "new"}), "EACCES", "policy.dek_changed", "'b'", "opens nothing")
    assert attacked.service.server.received == [] and not attacked.pins.exists()


def test_one_cell_that_an_attacker_left_does_not_stop_writers(attacked):
    """Of what is there on first use one cell must open, not all."""
    theirs = Dek("b", local_kek())
    for id in ("a", "b", "c"):
        attacked.c.put_raw(text_of({"id": id, "pk": "p", "note": theirs.seal("forged", False)}))
    attacked.c.put(DOCUMENT)
    make(attacked.mount(attacked.c), "items/p/new.json", {**DOCUMENT, "id": "new"})
    assert attacked.plain(attacked.c, "new")["note"] == "note"


def test_k08_a_rewrapped_key_is_the_same_key(attacked, keys_file):
    """Under another KEK: the fingerprint is the key's own."""
    attacked.pin()
    kek = seal.make_kek("RSA-OAEP")
    for name in "ab":
        dek = attacked.service.dek(name)
        attacked.service.server.database(DATABASE).put_key(Dek(name, kek, dek.key).record())
    attacked.service.keys = keys_file(kek)
    m = attacked.mount(attacked.c)
    make(m, NAME, {**DOCUMENT, "note": "new"})
    assert attacked.plain(attacked.c, "x")["note"] == "new" and m.events("policy.dek_changed") == []


def test_a_key_that_is_replaced_while_mounted_is_not_used(attacked):
    """The mount goes on with the key that it has; the next one refuses."""
    m = attacked.mount(attacked.c)
    make(m, NAME, DOCUMENT)
    attacked.replace_key("b")
    attacked.policy["includedPaths"].pop(0)
    make(m, NAME, {**DOCUMENT, "note": "new"})
    assert attacked.plain(attacked.c, "x") == {**DOCUMENT, "note": "new"}
    attacked.service.server.received.clear()
    m = attacked.mount(attacked.c)
    failure(m, lambda: make(m, "items/p/new.json", {**DOCUMENT, "id": "new"}), "EACCES", "policy.pin")
    assert attacked.service.server.received == []


def test_a_recreated_container_whose_policy_lies_is_not_written_to(attacked):
    """The write that finds out reads the new policy, and does not follow it."""
    m = attacked.mount(attacked.c)
    make(m, NAME, DOCUMENT)
    with attacked.service.server.account.lock:
        made = attacked.service.server.recreate(DATABASE, "c")
        made.definition["clientEncryptionPolicy"]["includedPaths"].pop(0)
    failure(m, lambda: make(m, "items/p/new.json", {**DOCUMENT, "id": "new"}), "EACCES", "policy.pin")
    assert attacked.texts(attacked.c) == {}
    assert all(SECRET.encode() not in r.body for r in attacked.service.server.received)


# ---- accepting, sharing


def test_an_entry_that_is_removed_is_accepted_anew(attacked):
    attacked.pin()
    attacked.policy["includedPaths"].pop()
    attacked.c.sealed.pop("note")
    pins = json.loads(attacked.pins.read_text())
    pins["containers"] = {"another/db/c": {"policy": "0" * 64, "keys": {}}}
    attacked.pins.write_text(json.dumps(pins))
    m = attacked.mount(attacked.c)
    make(m, NAME, DOCUMENT)
    assert attacked.plain(attacked.c, "x") == DOCUMENT
    assert sorted(json.loads(attacked.pins.read_text())["containers"])[1] == "another/db/c", "other entries stay"
    m.assert_event("policy.pinned", "/db/c")


def test_mounts_share_a_pin_file(attacked):
    """Each of many containers is pinned once, whoever is first."""
    made = [attacked.c, *(attacked.container(f"c{i}") for i in range(6))]
    mounts = [attacked.mount(None, "negative_timeout=0") for _ in range(3)]
    failures = []

    def write(k, m):
        try:
            for i, c in enumerate(made):
                make(m, f"db/{c.name}/items/p/{k}.json", {**DOCUMENT, "id": f"{k}", "note": i})
        except OSError as e:
            failures.append(e)

    threads = [threading.Thread(target=write, args=x) for x in enumerate(mounts)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert len(json.loads(attacked.pins.read_text())["containers"]) == 7
    assert [len(attacked.texts(c)) for c in made] == [3] * 7
    attacked.service.server.received.clear()
    attacked.policy["includedPaths"].pop()
    m = attacked.mount(attacked.c)
    failure(m, lambda: make(m, NAME, DOCUMENT), "EACCES", "policy.pin")
    assert attacked.service.server.received == []


# ---- a pin file that cannot be trusted, or kept


BAD = {
    "empty": b"", "no JSON": b"pins", "not ours": b"{}", "no object": b"[]", "another format": b'{"format":"x","version":1,"containers":{}}',
    "another version": b'{"format":"azcryptfs-pins","version":2,"containers":{}}',
    "a member too many": b'{"format":"azcryptfs-pins","version":1,"containers":{},"x":1}',
    "an entry without policy": b'{"format":"azcryptfs-pins","version":1,"containers":{"c":{"keys":{}}}}',
    "a member twice": b'{"format":"azcryptfs-pins","version":1,"containers":{},"containers":{}}',
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_pin_file_that_is_none_stops_writing(attacked, what):
    """It is neither passed over nor written over."""
    attacked.pins.write_bytes(BAD[what])
    attacked.pins.chmod(0o600)
    m = attacked.mount(attacked.c)
    found = errno_of(make, m, NAME, DOCUMENT)
    assert found in ("EINVAL", "EOPNOTSUPP") and "pin file" in m.log()
    assert attacked.service.server.received == [] and attacked.pins.read_bytes() == BAD[what]


def test_a_pin_file_that_others_may_write_is_not_believed(attacked):
    attacked.pin()
    before = attacked.pins.read_bytes()
    for mode in (0o602, 0o620, 0o666):
        attacked.pins.chmod(mode)
        m = attacked.mount(attacked.c)
        assert errno_of(make, m, NAME, DOCUMENT) == "EACCES"
        assert "pin file" in m.log() and "go-w" in m.log()
    attacked.pins.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(attacked.pins, 12345, -1)
        m = attacked.mount(attacked.c)
        assert errno_of(make, m, NAME, DOCUMENT) == "EACCES"
    assert attacked.service.server.received == [] and attacked.pins.read_bytes() == before


def test_a_pin_file_that_is_a_link_or_a_directory_is_not_followed(attacked, tmp_path):
    for make_it in (lambda: attacked.pins.symlink_to(tmp_path / "elsewhere"), attacked.pins.mkdir, lambda: os.mkfifo(attacked.pins)):
        make_it()
        m = attacked.mount(attacked.c)
        assert errno_of(make, m, NAME, DOCUMENT) in ("ELOOP", "EINVAL", "EISDIR", "EACCES") and "pin file" in m.log()
        assert attacked.service.server.received == [] and not (tmp_path / "elsewhere").exists()
        attacked.pins.rmdir() if attacked.pins.is_dir() else attacked.pins.unlink()


def test_what_cannot_be_pinned_is_not_written(attacked, tmp_path):
    """The directory is not there, or the disk takes nothing: first the pin, then the document."""
    attacked.pins = tmp_path / "missing" / "pins"
    m = attacked.mount(attacked.c)
    assert errno_of(make, m, NAME, DOCUMENT) == "ENOENT" and "pin file" in m.log()
    attacked.pins = tmp_path / "pins"
    (tmp_path / "pins.new").mkdir()
    m = attacked.mount(attacked.c)
    assert errno_of(make, m, NAME, DOCUMENT) in ("EEXIST", "EISDIR") and "pin file" in m.log()
    assert attacked.service.server.received == [] and not attacked.pins.exists()
    (tmp_path / "pins.new").rmdir()
    make(m, NAME, DOCUMENT)
    assert attacked.plain(attacked.c, "x") == DOCUMENT


# ---- documents that do not verify


def test_nothing_is_built_on_a_document_that_does_not_verify(attacked):
    """It can be replaced as a whole: by a file that is renamed onto it, or when it has been removed."""
    attacked.pin()
    forged = {**attacked.stored(attacked.c, "x"), "note": Dek("b", local_kek()).seal("forged", False), "_etag": '"forged"'}
    attacked.c.put_raw(json.dumps(forged))
    m = attacked.mount(attacked.c)
    for mode in ("rb", "ab", "r+b", "wb"):
        assert errno_of(open, m.path(NAME), mode) == "EBADMSG", mode
    make(m, "items/p/x.tmp", {**DOCUMENT, "note": "replaced"})
    m.path("items/p/x.tmp").rename(m.path(NAME))
    assert attacked.plain(attacked.c, "x")["note"] == "replaced" == json.loads(m.read(NAME))["note"]
