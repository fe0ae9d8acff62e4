# SPDX-License-Identifier: MIT
"""Writing documents while others write, the service fails, the vault is away, the container is made anew; and by
`put`: docs/SEMANTICS.md, "Writing documents"."""
import contextlib
import json
import os
import threading
import time

import pytest

from tests.support.documentwriting import Writing, make, opened, plain
from tests.support.expect import failure
from tests.support.mount import errno_of
from tests.support.process import wait_until

NAME = "items/p/x.json"
DOCUMENT = {"id": "x", "pk": "p", "ssn": "1", "note": "old", "clear": 1}


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


def faults(w):
    return w.documents.server.faults


def received(w):
    return w.documents.server.received


# ---- others


def test_a_lost_race_is_estale_at_close(either):
    """Somebody else's version stays; the next open starts from it."""
    c = either.container()
    c.put(DOCUMENT)
    m = either.mount(c)
    f = open(m.path(NAME), "w")
    f.write(text(note="mine"))
    c.put({**DOCUMENT, "note": "theirs"})
    failure(m, f.close, "ESTALE", "remote.changed", "x.json")
    assert either.plain(c, "x")["note"] == "theirs"
    time.sleep(1.1)
    assert plain(m.read(NAME))["note"] == "theirs"
    make(m, NAME, text(note="mine again"))
    assert either.plain(c, "x")["note"] == "mine again"


def test_a_document_that_is_gone_is_estale_at_close(either):
    c = either.container()
    sealed = c.put(DOCUMENT)
    m = either.mount(c)
    f = open(m.path(NAME), "w")
    f.write(text(note="mine"))
    if hasattr(either.documents, "store"):
        c.remove(sealed)
    else:
        with either.documents.server.account.lock:
            c.made.delete(c.made.find(["p"], "x"))
    assert errno_of(f.close) == "ESTALE"
    assert either.texts(c) == {}


def test_of_two_who_create_a_document_the_second_gets_eexist(either):
    c = either.container()
    m = either.mount(c)
    m.path("items/p").mkdir()
    f = open(m.path(NAME), "x")
    f.write(text(note="mine"))
    c.put({**DOCUMENT, "note": "theirs"})
    assert errno_of(f.close) == "EEXIST"
    assert either.plain(c, "x")["note"] == "theirs"
    time.sleep(1.1)
    assert plain(m.read(NAME))["note"] == "theirs"
    assert errno_of(open, m.path(NAME), "x") == "EEXIST"


def test_of_many_who_write_one_document_one_wins_each_time(either):
    """Two mounts, the same version: the stored one is always what somebody was told is stored."""
    c = either.container()
    c.put(DOCUMENT)
    mounts = [either.mount(c) for _ in range(2)]
    told = {"old"}

    def write(m, name):
        try:
            make(m, NAME, text(note=name))
            told.add(name)
        except OSError:
            pass

    for i in range(6):
        threads = [threading.Thread(target=write, args=(m, f"{i} of {k}")) for k, m in enumerate(mounts)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert either.plain(c, "x")["note"] in told
    assert len(told) > 1


def test_a_reader_keeps_the_version_that_it_opened(local):
    c = local.container()
    c.put(DOCUMENT)
    m, other = local.mount(c), local.mount(c)
    with other.open(NAME) as f:
        before = f.range(0, 1 << 16)
        make(m, NAME, text(note="new"))
        assert f.range(0, 1 << 16) == before
    time.sleep(1.1)
    assert plain(other.read(NAME))["note"] == "new"


# ---- answers that do not come


LOST = [{"status": s, "done": True} for s in (408, 500, 503)] + [{"drop": "response"}, {"drop": 0, "reset": True}]
WAITED = [
    {"status": 429, "headers": {"x-ms-retry-after-ms": "10"}}, {"status": 449}, {"status": 503}, {"drop": "request"},
    {"status": 410, "headers": {"x-ms-substatus": "1002"}},
]  # fmt: skip


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("fault", LOST + WAITED, ids=lambda f: "-".join(map(str, f.values())).split("{")[0])
def test_close_tells_the_truth_when_an_answer_is_lost(online, fault, over):
    """The document is written once, and the close that says so is right."""
    c = online.container()
    if over:
        c.put(DOCUMENT)
    m = online.mount(c)
    m.path("items/p").mkdir(exist_ok=True)
    n = len(received(online))
    made = faults(online).add(method="PUT" if over else "POST", path=r"/docs(/x)?$", **fault)
    make(m, NAME, text(note="new"))
    assert made.hits == 1
    assert online.plain(c, "x") == {**DOCUMENT, "note": "new"} == plain(m.read(NAME))
    if fault in LOST:
        assert len(received(online)) == n + 1, "what is done is not sent again"
    make(m, NAME, text(note="newer"))
    assert online.plain(c, "x")["note"] == "newer"


@pytest.mark.parametrize("over", [False, True])
def test_what_fails_is_told_and_nothing_has_changed(online, over):
    """403, and a service that does not answer in time."""
    c = online.container()
    if over:
        c.put(DOCUMENT)
    m = online.mount(c, "timeout=2")
    m.path("items/p").mkdir(exist_ok=True)
    before = online.texts(c)
    with open(m.path(NAME), "w") as f:
        f.write(text(note="new"))
        faults(online).add(method="PUT|POST", path="/docs", status=403, times=None)
        assert errno_of(f.flush) is None and errno_of(os.fsync, f.fileno()) == "EACCES"
        faults(online).clear()
        assert online.texts(c) == before
    assert online.plain(c, "x")["note"] == "new", "the close has tried once more"


def test_a_failed_read_after_the_write_does_not_undo_it(online):
    """What the service keeps is not known then: no more is shown than that it is there."""
    c = online.container()
    m = online.mount(c)
    m.path("items/p").mkdir()
    with open(m.path(NAME), "w") as f:
        f.write(text())
        faults(online).add(method="GET", path="/docs/x", status=403, times=1, nth=1)
    assert online.plain(c, "x") == DOCUMENT == plain(m.read(NAME))
    wait_until(lambda: m.path(NAME).stat().st_size == len(m.read(NAME)) and b"_etag" in m.read(NAME), 2, "the version of the service")


# ---- keys that are away


def test_a_denied_key_makes_a_write_fail_cleanly(vault_documents, vault, tmp_path):
    w = Writing(vault_documents, tmp_path)
    c = w.container()
    c.put(DOCUMENT)
    vault.permissions = {"get"}
    m = w.mount(c)
    before = w.texts(c)
    failure(m, lambda: make(m, "items/p/y.json", text(id="y")), "EACCES", "auth.vault", "property 'ssn'")
    assert w.texts(c) == before and not w.pins.exists()
    make(m, "items/p/y.json", {"id": "y", "pk": "p", "clear": 1})
    assert w.plain(c, "y")["clear"] == 1, "what has nothing to seal needs no key"


def test_a_write_waits_for_a_vault_that_is_away_for_a_moment(vault_documents, vault, tmp_path):
    w = Writing(vault_documents, tmp_path)
    c = w.container()
    c.put(DOCUMENT)
    fault = vault.faults.add(path="/unwrapkey", status=503, times=3)
    m = w.mount(c)
    make(m, NAME, text(note="new"))
    assert fault.hits == 3 and w.plain(c, "x")["note"] == "new"
    vault.faults.add(path="/unwrapkey", status=503, times=None)
    make(m, NAME, text(note="newer"))
    assert w.plain(c, "x")["note"] == "newer", "a key that is at hand needs no vault"


def test_nothing_is_written_with_a_key_that_the_vault_does_not_open(vault_documents, vault, tmp_path):
    """Disabled, gone, or behind a firewall: closing fails, and what is there stays."""
    w = Writing(vault_documents, tmp_path)
    c = w.container()
    c.put(DOCUMENT)
    before = w.texts(c)
    for state, wanted in {"enabled": "ENOKEY", "firewall": "EACCES"}.items():
        key = vault.keys.find("kek")
        key.enabled, vault.firewall = state != "enabled", state == "firewall"
        m = w.mount(c)
        for name, more in (("x", {}), ("y", {"id": "y"})):
            assert errno_of(make, m, f"items/p/{name}.json", text(note="new", **more)) == wanted, m.log()
        assert w.texts(c) == before and not w.pins.exists()
        wait_until(lambda m=m: m.list("items/p") == ["x.json"], 2, "no name of what was not written")


# ---- a container that is made anew


def test_a_write_to_a_recreated_container_is_sealed_for_the_new_one(online):
    """The new one's policy is the pinned one: a create goes there; an overwrite finds nothing to replace."""
    c = online.container()
    c.put(DOCUMENT)
    m = online.mount(c)
    assert plain(m.read(NAME)) == DOCUMENT
    with open(m.path("items/p/new.json"), "w") as f:
        f.write(text(id="new"))
        online.documents.server.recreate("db", "c")
    assert online.plain(c, "new") == {**DOCUMENT, "id": "new"} and list(online.texts(c)) == ["new"]
    make(m, "items/p/y.json", text(id="y"))
    assert online.plain(c, "y") == {**DOCUMENT, "id": "y"} == plain(m.read("items/p/y.json"))
    with open(m.path("items/p/y.json"), "w") as f:
        f.write(text(id="y", note="mine"))
        online.documents.server.recreate("db", "c")
        assert errno_of(f.flush) is None and errno_of(os.fsync, f.fileno()) == "ESTALE"
        m.path("items/p/y.json").unlink()
    assert online.texts(c) == {}


def test_a_recreated_container_with_another_policy_is_not_written_to(online):
    c = online.container()
    m = online.mount(c)
    make(m, NAME, DOCUMENT)
    with online.documents.server.account.lock:
        made = online.documents.server.recreate("db", "c")
        made.definition["clientEncryptionPolicy"]["includedPaths"].pop()
    n = len(received(online))
    m.path("items/p").mkdir(exist_ok=True)
    failure(m, lambda: make(m, "items/p/y.json", text(id="y")), "EACCES", "policy.pin", "not the one that it is pinned to")
    assert online.texts(c) == {}
    assert all(b"old" not in r.body for r in received(online)[n:]), "and what was sent to the old one was sealed"


# ---- the end


def test_local_files_are_lost_at_the_end_and_the_log_says_so(local):
    c = local.container()
    m = local.mount(c)
    make(m, "items/p/draft", "not published")
    make(m, NAME, DOCUMENT)
    with pytest.raises(AssertionError, match="exit status 75"):
        m.stop()
    m.assert_event("write.lost", "items/p/draft", "13 bytes")
    assert list(local.texts(c)) == ["x"]


def test_a_document_that_is_not_closed_at_the_end_is_not_published(local):
    c = local.container()
    c.put(DOCUMENT)
    m = local.mount(c, "term_wait=1")
    fd = os.open(m.path(NAME), os.O_WRONLY | os.O_TRUNC)
    os.write(fd, text(note="new").encode())
    with pytest.raises(AssertionError, match="exit status 75"):
        m.stop()
    with contextlib.suppress(OSError):
        os.close(fd)
    m.assert_event("write.lost", "x.json")
    assert local.plain(c, "x") == DOCUMENT


# ---- put


def env_of(w):
    return {"AZURE_COSMOS_KEY": w.documents.server.key} if hasattr(w.documents, "server") else {}


def put(run, w, *arguments):
    return run("put", "-o", w.options, *arguments, env=env_of(w))


def test_put_writes_documents(either, run, tmp_path):
    c = either.container()
    file = tmp_path / "x.json"
    file.write_text(text())
    done = put(run, either, file, f"{c.source}/items/p/x.json")
    assert done.returncode == 0, done.stderr
    assert either.plain(c, "x") == DOCUMENT
    file.write_text(text(note="new"))
    assert put(run, either, file, f"{c.source}/items/p/").returncode != 0
    assert either.plain(c, "x") == DOCUMENT, "what is there is left alone"
    assert put(run, either, "--force", file, f"{c.source}/items/p/").returncode == 0
    assert either.plain(c, "x")["note"] == "new"
    file.write_text("nonsense")
    done = put(run, either, "--force", file, f"{c.source}/items/p/")
    assert done.returncode != 0 and b"not a JSON document" in done.stderr
    assert either.plain(c, "x")["note"] == "new"
    done = run("put", "-o", f"keys={either.documents.keys}", file, f"{c.source}/items/p/", env=env_of(either))
    assert done.returncode != 0 and b"pin" in done.stderr


def test_put_and_get_copy_trees_of_documents_to_and_fro(either, run, tmp_path):
    """What get -r has fetched can be put again: nothing is lost, and nothing else is changed."""
    c = either.container()
    tree = tmp_path / "tree"
    for i, key in enumerate(["p", "=1", "=null", "a%2Fb"] * 5):
        (tree / key).mkdir(parents=True, exist_ok=True)
        value = {"p": "p", "=1": 1, "=null": None, "a%2Fb": "a/b"}[key]
        (tree / key / f"{i}.json").write_text(text(id=f"{i}", pk=value, note=[i, 1.0, "é"]))
    (tree / "p" / "local").write_text("no document")
    done = put(run, either, "-r", tree, f"{c.source}/items")
    assert done.returncode != 0 and b"local" in done.stderr, "one file is no document, and is told of"
    texts = either.texts(c)
    assert len(texts) == 20
    environment = {**env_of(either), "AZCRYPTFS_KEYS": either.documents.keys}
    fetched = tmp_path / "fetched"
    done = run("get", "-r", c.source, fetched, env=environment)
    assert done.returncode == 0, done.stderr
    done = put(run, either, "-r", "--force", fetched / "items", f"{c.source}/items")
    assert done.returncode == 0, done.stderr
    again = either.texts(c)
    assert len(again) == 20
    for id, before in texts.items():
        assert opened(c, json.loads(again[id])) == opened(c, json.loads(before))
        assert json.loads(again[id])["_etag"] != json.loads(before)["_etag"]
        assert json.loads(again[id])["ssn"] == json.loads(before)["ssn"], "deterministic"
