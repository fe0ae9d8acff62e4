# SPDX-License-Identifier: MIT
"""azcryptfs export: the copy is what the service holds, sealed as it is, and reads as the original does."""
import os
import pathlib
import pty
import signal
import subprocess

import pytest

from tests.emulators.cosmos import Cosmos
from tests.support import cosmos, docstore, seal
from tests.support import mount as mounting
from tests.support.cosmosdocs import CosmosDocuments
from tests.support.dirstore import DirStore
from tests.support.process import SLOW, wait_until
from tests.support.sealeddocs import LocalDocuments

SEALED = {"note": ("a", False), "ssn": ("b", True)}


@pytest.fixture
def server():
    with Cosmos() as running:
        yield running


@pytest.fixture
def local(tmp_path):
    documents = LocalDocuments(tmp_path, None)
    documents.credential, documents.env = {}, {"AZCRYPTFS_KEYS": documents.keys}
    documents.source = documents.store.source
    return documents


@pytest.fixture
def remote(server, tmp_path):
    return CosmosDocuments(server, tmp_path)


@pytest.fixture(params=["local", "remote"])
def documents(request):
    return request.getfixturevalue(request.param)


def put(c, names):
    return {n: c.put({"id": n, "pk": f"p{n}", "note": f"note {n}", "ssn": f"ssn {n}"}) for n in names}


def said(done):
    return done.stderr.decode()


def shown(run, source, env):
    """Every path below a source, and the bytes of what is sealed."""
    names = run("ls", "-R", source, env=env)
    assert names.returncode == 0, names.stderr
    paths = sorted(names.stdout.decode().splitlines())
    files = [p for p in paths if "items/" in p and p.endswith(".json")]
    done = run("cat", *(f"{source}/{p}" for p in files), env=env)
    assert done.returncode == 0, done.stderr
    return paths, done.stdout


def below(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in pathlib.Path(root).rglob("*") if p.is_file()}


# ---- a copy


def test_a_copy_reads_as_the_original(run, documents, tmp_path):
    c = documents.container("c", SEALED)
    put(c, "abcäé")
    done = run("export", c.source, f"dir:{tmp_path}/copy", env=documents.credential)  # no key
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"1 container, 5 documents, ")
    assert shown(run, f"dir:{tmp_path}/copy/db/c", documents.env) == shown(run, c.source, documents.env)


def test_nothing_plain_is_in_a_copy(run, documents, tmp_path):
    c = documents.container("c", SEALED)
    put(c, "a")
    assert run("export", c.source, f"dir:{tmp_path}/copy", env=documents.env).returncode == 0
    for name, data in below(tmp_path / "copy").items():
        assert b"note a" not in data and b"ssn a" not in data, name
        assert (tmp_path / "copy" / name).stat().st_mode & 0o777 == 0o600


def test_what_official_clients_stored_is_copied_byte_for_byte(run, tmp_path):
    with cosmos.with_vectors("cosmos-js", ranges=3) as server:
        done = run(
            "export", f"cosmos:{server.url}", f"dir:{tmp_path}/copy", env={"AZURE_COSMOS_KEY": server.key}
        )
        assert (done.returncode, done.stderr) == (0, b"")
    wanted = below(docstore.write_vectors(tmp_path / "made", "cosmos-js").root)
    copied = below(tmp_path / "copy")
    assert wanted.keys() == copied.keys()
    of_documents = [n for n in wanted if "/documents/" in n]
    assert len(of_documents) > 20
    assert {n: wanted[n].strip() for n in of_documents} == {n: copied[n] for n in of_documents}


def test_a_copy_is_mounted(run, mount, documents, tmp_path):
    c = documents.container("c", SEALED)
    put(c, "ab")
    assert run("export", c.source, f"dir:{tmp_path}/copy", env=documents.credential).returncode == 0
    m = mount(f"dir:{tmp_path}/copy/db/c", f"keys={documents.keys}")
    assert m.list("items") == ["pa", "pb"]
    assert m.read("items/pa/a.json") == run("cat", f"{c.source}/items/pa/a.json", env=documents.env).stdout
    assert m.list("by/ssn/ssn b/pb") == ["b.json"]


def test_a_database_and_an_account_are_all_their_containers(run, documents, tmp_path):
    for name in ("c", "d"):
        put(documents.container(name, SEALED), "ab")
    for source, to in ((f"{documents.source}/db", "one"), (documents.source, "all")):
        done = run("export", source, f"dir:{tmp_path}/{to}", env=documents.credential)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(b"2 containers, 4 documents, ")
        assert run("ls", f"dir:{tmp_path}/{to}/db").stdout == b"c/\nd/\n"
    assert below(tmp_path / "one") == below(tmp_path / "all")


def test_an_export_of_an_export_is_the_same(run, documents, tmp_path):
    put(documents.container("c", SEALED), "ab")
    assert run("export", documents.source, f"dir:{tmp_path}/one", env=documents.credential).returncode == 0
    assert run("export", f"dir:{tmp_path}/one", f"dir:{tmp_path}/two").returncode == 0
    assert below(tmp_path / "one") == below(tmp_path / "two")


def test_an_export_brings_a_copy_up_to_date(run, documents, tmp_path):
    c, to = documents.container("c", SEALED), f"dir:{tmp_path}/copy"
    sealed = put(c, "abc")
    assert run("export", c.source, to, env=documents.credential).returncode == 0
    c.remove(sealed["a"])
    c.put({"id": "b", "pk": "pb", "note": "newer"})
    put(c, "d")
    done = run("export", c.source, to, env=documents.credential)
    assert done.stdout.startswith(b"1 container, 3 documents, ")
    assert shown(run, f"{to}/db/c", documents.env) == shown(run, c.source, documents.env)
    assert b"newer" in run("cat", f"{to}/db/c/items/pb/b.json", env=documents.env).stdout
    put(documents.container("e", SEALED), "x")
    assert run("export", f"{documents.source}/db/e", to, env=documents.credential).returncode == 0
    assert run("ls", f"{to}/db").stdout == b"c/\ne/\n"


# ---- what is refused, what fails


def test_blobs_are_refused_and_get_is_named(run, tmp_path):
    blobs = DirStore(tmp_path / "blobs")
    blobs.put("a", *seal.seal(b"a", seal.make_kek("A256KW"), "2.0"))
    done = run("export", blobs.source, f"dir:{tmp_path}/copy")
    assert done.returncode == 7
    assert "azcryptfs get" in said(done)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("to", ["", "/", "/../documents"])
def test_a_store_is_not_copied_onto_itself(run, local, to):
    c = local.container("c", SEALED)
    put(c, "a")
    before = below(local.store.root)
    done = run("export", c.source, f"{local.source}{to}")
    assert done.returncode == 2
    assert "same store" in said(done)
    assert below(local.store.root) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "SOURCE and dir:PATH"),
        (["dir:/a"], "SOURCE and dir:PATH"),
        (["dir:/a", "dir:/b", "c"], "SOURCE and dir:PATH"),
        (["dir:/a", "/b"], "written dir:PATH"),
        (["dir:/a", "dir:"], "written dir:PATH"),
    ],
)
def test_a_wrong_command_line_is_2(run, arguments, says):
    done = run("export", *arguments)
    assert done.returncode == 2
    assert says in said(done)


def test_a_place_that_cannot_be_is_refused(run, documents, tmp_path):
    c = documents.container("c", SEALED)
    put(c, "a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    for source, to, status in (
        (f"{c.source}/items", "copy", 2),
        (f"{documents.source}/db/none", "copy", 3),
        (f"{documents.source}/none", "copy", 3),
        (c.source, "full", 10),
        (c.source, "no/directory/copy", 3),
    ):
        done = run("export", source, f"dir:{tmp_path}/{to}", env=documents.credential)
        assert (done.returncode, done.stdout) == (status, b""), (source, to, done.stderr)
        assert len(said(done).splitlines()) == 1
    assert below(tmp_path / "full") == {"mine": b"mine"}


def test_a_container_that_fails_does_not_keep_the_others(run, remote, server, tmp_path):
    for name in "bcd":
        put(remote.container(name, SEALED), "x")
    server.faults.add(path="/colls/c/docs", status=403, times=None)
    done = run("export", remote.source, f"dir:{tmp_path}/copy", env=remote.credential)
    assert done.returncode == 1
    assert done.stdout.startswith(b"2 containers, 2 documents, ")
    assert said(done).startswith("azcryptfs: export: db/c: ") and len(said(done).splitlines()) == 1
    assert run("ls", f"dir:{tmp_path}/copy/db").stdout == b"b/\nd/\n"
    done = run("export", f"{remote.source}/db/c", f"dir:{tmp_path}/copy", env=remote.credential)
    assert done.returncode == 4


def start(home, env, *arguments, **more):
    return subprocess.Popen(
        mounting.command("export", *arguments), env=mounting.environment(home, env), **more,
    )  # fmt: skip


def test_a_signal_ends_it_and_no_half_container_is_there(run, remote, server, tmp_path):
    c = remote.container("c", SEALED)
    put(c, "abc")
    server.faults.add(path="/colls/c/docs", stall=True)
    copying = start(tmp_path, remote.credential, c.source, f"dir:{tmp_path}/copy", stdout=subprocess.PIPE)
    wait_until(lambda: any("/colls/c/docs" in r["path"] for r in server.log()), 20, "the request")
    copying.send_signal(signal.SIGTERM)
    assert copying.communicate(timeout=20 * SLOW)[0] == b""
    assert copying.returncode == 1
    server.faults.release()
    assert run("ls", f"dir:{tmp_path}/copy").stdout in (b"", b"db/\n")
    assert run("ls", f"dir:{tmp_path}/copy/db").stdout == b""
    assert run("export", c.source, f"dir:{tmp_path}/copy", env=remote.credential).returncode == 0


def test_two_exports_do_not_write_at_once(run, remote, server, tmp_path):
    c = remote.container("c", SEALED)
    put(c, "a")
    server.faults.add(path="/colls/c/docs", stall=True)
    copying = start(tmp_path, remote.credential, c.source, f"dir:{tmp_path}/copy", stdout=subprocess.DEVNULL)
    wait_until(lambda: any("/colls/c/docs" in r["path"] for r in server.log()), 20, "the request")
    assert run("export", c.source, f"dir:{tmp_path}/copy", env=remote.credential).returncode == 13
    server.faults.release()
    assert copying.wait(20 * SLOW) == 0


def test_progress_is_for_a_terminal_only(local, tmp_path):
    c = local.container("c", SEALED)
    put(c, "abc")
    main, side = pty.openpty()
    copying = start(tmp_path, {}, c.source, f"dir:{tmp_path}/copy", stdout=subprocess.PIPE, stderr=side)
    os.close(side)
    seen = b""
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        seen += piece
    os.close(main)
    assert copying.communicate(timeout=20 * SLOW)[0].startswith(b"1 container, 3 documents")
    assert copying.returncode == 0
    assert b" documents" in seen
    assert seen.endswith(b"\r\x1b[K")
