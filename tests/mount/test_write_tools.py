# SPDX-License-Identifier: MIT
"""Programs that people write files with, on dir: and on Azurite: what they leave is compared by a mount of its own."""
import contextlib
import os
import shutil
import sqlite3
import subprocess

import pytest

from tests.support.seal import REGION, random_plaintext
from tests.support.writing import RW

BOTH = pytest.mark.parametrize("where", ["local", "cloud"])
WHEN = 1234567890


def need(*programs):
    """The programs of ./bootstrap.sh test; in CI they must be there."""
    missing = [p for p in programs if shutil.which(p) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"not installed: {missing}")
    if missing:
        pytest.skip(f"not installed: {missing}")


@pytest.fixture
def place(request, where):
    return request.getfixturevalue(where)


@pytest.fixture
def where():
    return "local"


def do(*words, cwd=None, data=None, status=0):
    # The child enters a mount only when it is a program of its own: until then this process, which may be the
    # mount's service, stands still.
    words = [*(("env", "-C", cwd) if cwd else ()), *words]
    done = subprocess.run(list(map(str, words)), input=data, capture_output=True, timeout=120, check=False)
    assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout.decode()}\n{done.stderr.decode()}"
    return done.stdout


def tree(top, times=False):
    """{path below top: bytes, or None for a directory}"""
    found = {}
    for folder, directories, files in os.walk(top):
        for name in directories:
            found[os.path.relpath(os.path.join(folder, name), top)] = None
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, top)] = (f.read(), int(os.stat(path).st_mtime)) if times else f.read()
    return found


@pytest.fixture
def data(tmp_path):
    """A small tree: nested, an empty directory, empty and large files, odd names, old times."""
    top = tmp_path / "data"
    for name, size in (("a", 10), ("empty", 0), ("d/e/f", 5000), ("d/large", REGION + 99), ("d/with blank ü", 1), ("-rf", 3), ("x.sh", 20)):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random_plaintext(name, size))
        os.utime(path, (WHEN, WHEN + size % 7))
    (top / "nothing").mkdir()
    return top


# ---- copies of trees


@BOTH
def test_cp_a_copies_a_tree_and_its_times(place, data):
    m = place.mount(*RW)
    do("cp", "-a", data, m.path("copy"))
    assert tree(place.mount().path("copy"), times=True) == tree(data, times=True)


@BOTH
def test_rsync_a_copies_a_tree_and_then_has_nothing_to_do(place, data):
    need("rsync")
    m = place.mount(*RW)
    do("rsync", "-a", f"{data}/", m.path("copy"))
    other = place.mount()
    assert tree(other.path("copy"), times=True) == tree(data, times=True)
    assert do("rsync", "-rt", "--itemize-changes", "--omit-dir-times", f"{data}/", m.path("copy")) == b""
    (data / "a").write_bytes(b"changed")
    assert do("rsync", "-rt", "--itemize-changes", "--omit-dir-times", f"{data}/", m.path("copy")).split()[-1] == b"a"
    do("rsync", "-rt", "--inplace", "--no-whole-file", "--delete", "--exclude", "empty", "--delete-excluded", f"{data}/", m.path("copy"))
    assert {k: v for k, v in tree(data).items() if k != "empty"} == tree(place.mount().path("copy"))


@BOTH
def test_tar_writes_and_extracts(place, data):
    m = place.mount(*RW)
    do("tar", "-cf", m.path("x.tar"), "-C", data, ".")
    m.path("out").mkdir()
    do("tar", "-xf", m.path("x.tar"), "-C", m.path("out"))
    assert tree(place.mount().path("out"), times=True) == tree(data, times=True)


@BOTH
def test_mv_moves_a_tree_in_and_out(place, data, tmp_path):
    wanted, m = tree(data, times=True), place.mount(*RW)
    do("mv", data, m.path("in"))
    assert tree(place.mount().path("in"), times=True) == wanted
    do("mv", m.path("in"), m.path("renamed"))
    do("mv", m.path("renamed"), tmp_path / "out")
    assert tree(tmp_path / "out", times=True) == wanted
    assert m.list() == place.mount().list() == []


def test_cp_of_a_sparse_file(place, tmp_path):
    path, m = tmp_path / "sparse", place.mount(*RW)
    with open(path, "wb") as f:
        f.write(b"start")
        f.seek(3 * REGION)
        f.write(b"end")
    for how in ("always", "never", "auto"):
        do("cp", f"--sparse={how}", path, m.path(how))
        assert place.mount().read(how) == path.read_bytes()


# ---- programs that seek, rename and map


@BOTH
def test_git_clone_into_the_mount(place, tmp_path):
    need("git")
    m, source = place.mount(*RW), tmp_path / "source"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]
    do(*git, "init", "-q", source)
    commits = 4
    for i in range(commits):
        (source / f"f{i}").write_bytes(random_plaintext(i, 1000 * i))
        do(*git, "add", ".", cwd=source)
        do(*git, "commit", "-q", "-m", f"commit {i}", cwd=source)
    do(*git, "clone", "-q", "--no-hardlinks", "--template=", source, m.path("clone"))
    m.path("clone/new").write_bytes(b"new")
    do(*git, "add", ".", cwd=m.path("clone"))
    do(*git, "commit", "-q", "-m", "here", cwd=m.path("clone"))
    other = place.mount()
    shutil.copytree(other.path("clone"), tmp_path / "copy")  # fsck looks into 256 directories: 10 s of requests
    do(*git, "fsck", "--full", cwd=tmp_path / "copy")
    assert tree(m.path("clone")) == tree(tmp_path / "copy")
    assert do(*git, "-c", "safe.directory=*", "log", "--format=%s", cwd=other.path("clone")).split(b"\n")[:2] == [b"here", b"commit 3"]
    assert {n: other.read(f"clone/f{n}") for n in range(commits)} == {
        n: random_plaintext(n, 1000 * n) for n in range(commits)
    }


@BOTH
def test_zip_seeks_back(place, data, tmp_path):
    need("zip", "unzip")
    m = place.mount(*RW)
    do("zip", "-q", "-r", m.path("x.zip"), ".", cwd=data)
    do("zip", "-q", m.path("x.zip"), "a", cwd=data)
    copy = tmp_path / "x.zip"
    copy.write_bytes(place.mount().read("x.zip"))
    do("unzip", "-q", copy, "-d", tmp_path / "out")
    assert tree(tmp_path / "out") == tree(data)


@BOTH
@pytest.mark.parametrize("how", ["yes", "no", "auto"])
def test_vim_edits_a_file(place, how):
    need("vim")
    m = place.mount(*RW)
    m.path("x").write_bytes(b"one\ntwo\n")
    do("vim", "-u", "NONE", "-es", "-c", f"set backupcopy={how} writebackup swapfile", "-c", "%s/two/three/", "-c", "wq", "x", cwd=m.point)
    assert place.mount().read("x") == b"one\nthree\n"
    assert place.mount().list() == ["x"]


@BOTH
def test_sed_sort_patch_tee_and_dd(place, tmp_path):
    need("patch")
    m = place.mount(*RW)
    m.path("x").write_bytes(b"b\nc\na\n")
    do("tee", "-a", m.path("x"), data=b"e\n")
    do("sed", "-i", "s/c/d/", m.path("x"))
    do("sort", "-o", m.path("x"), m.path("x"))
    assert place.mount().read("x") == b"a\nb\nd\ne\n"
    do("patch", "-s", m.path("x"), data=b"--- x\n+++ x\n@@ -1,4 +1,4 @@\n a\n-b\n+B\n d\n e\n")
    assert place.mount().read("x") == b"a\nB\nd\ne\n"
    do("dd", f"of={m.path('x')}", "bs=1", "seek=2", "conv=notrunc", "status=none", data=b"#")
    assert place.mount().read("x") == b"a\n#\nd\ne\n"
    do("dd", f"of={m.path('y')}", "if=/dev/zero", "bs=64k", "count=33", "conv=fsync", "status=none")
    do("truncate", "-s", "-5", m.path("y"))
    assert place.mount().read("y") == bytes(33 * 65536 - 5)
    assert place.mount().list() == ["x", "y"]


def test_sqlite_works_with_a_rollback_journal(place, tmp_path):
    m = place.mount(*RW)
    with contextlib.closing(sqlite3.connect(m.path("db"))) as db:
        db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")
        for i in range(20):
            with db:
                db.execute("INSERT INTO t VALUES (?, ?)", (i, random_plaintext(i, 3000)))
        with db:
            db.execute("DELETE FROM t WHERE a % 2 = 1")
    copy = tmp_path / "db"
    copy.write_bytes(place.mount().read("db"))
    with contextlib.closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT * FROM t").fetchall() == [(i, random_plaintext(i, 3000)) for i in range(0, 20, 2)]
    assert place.mount().list() == ["db"]


def test_make_builds_what_is_older(place):
    need("make")
    m = place.mount(*RW)
    m.path("Makefile").write_text("out: in\n\tcat in in > out\n")
    m.path("in").write_bytes(b"1")
    do("make", "-s", cwd=m.point)
    assert place.mount().read("out") == b"11"
    assert b"up to date" in do("make", "LANG=C", cwd=m.point)
    m.path("in").write_bytes(b"2")
    do("make", "-s", cwd=m.point)
    assert place.mount().read("out") == b"22"
    do("touch", "-d", "2001-01-01", m.path("in"))
    assert b"up to date" in do("make", cwd=m.point)


# ---- fio, which checks every block that it has written


@BOTH
@pytest.mark.parametrize("job", ["randwrite --size=6m --bs=4k-64k", "write --size=12m --bs=128k --fsync=40", "randrw --size=3m --bs=4k --fsync=300"])
def test_fio_verifies(place, job, tmp_path):
    need("fio")
    m = place.mount(*RW)
    rw, *more = job.split()
    common = ["fio", "--name=x", f"--directory={m.point}", "--filename=f", "--ioengine=psync", "--verify=sha1", "--verify_fatal=1"]
    common += ["--randseed=1", "--fallocate=none", "--verify_state_save=0", "--aux-path=" + str(tmp_path)]
    do(*common, f"--rw={rw}", *more, cwd=tmp_path)
    check = [w.replace(str(m.point), str(place.mount(*RW).point)) for w in common]
    if rw != "randrw":  # who also reads in between cannot be repeated by reads alone
        do(*check, f"--rw={rw}", *more, "--verify_only=1", cwd=tmp_path)
    assert place.mount().read("f") == m.read("f")
