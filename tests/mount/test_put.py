# SPDX-License-Identifier: MIT
"""azcryptfs put: seals files into a source without a mount."""
import os
import pathlib
import pty
import signal
import subprocess

import pytest

from tests.support import mount as mounting
from tests.support.process import wait_until
from tests.support.seal import REGION, random_plaintext
from tests.support.writing import etag, metadata, published, published_in_cloud

WHEN = 1234567890123456789


@pytest.fixture
def put(local, run):
    """put(FILE..., PATH, "--force"...): into the local store."""

    def start(*words, **options):
        *files, path = [w for w in words if not str(w).startswith("--")]
        flags = [w for w in words if str(w).startswith("--")]
        return run("put", "-o", f"keys={local.keys},kek=local:a256kw", *flags, *files, f"{local.source}/{path}", **options)

    return start


def write(path, plain):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(plain)
    os.utime(path, ns=(WHEN, WHEN))
    return path


def silent(done):
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# ---- one file and several


@pytest.mark.parametrize("size", [0, 1, REGION - 1, REGION, REGION + 1, 3 * REGION + 17])
def test_put_seals_a_file_of_any_size(local, put, tmp_path, size):
    plain = random_plaintext(size, size)
    silent(put(write(tmp_path / "f", plain), "x"))
    assert published(local, "x") == plain and local.store.names() == ["x"]


def test_put_keeps_the_mtime(local, put, tmp_path):
    silent(put(write(tmp_path / "f", b"1"), "x"))
    assert metadata(local, "x")["mtime"] == "2009-02-13T23:31:30.123456789Z"
    assert local.mount().path("x").stat().st_mtime_ns == WHEN


def test_put_goes_into_a_directory_under_the_file_s_name(local, put, tmp_path):
    local.put("d/old", b"1")
    silent(put(write(tmp_path / "f", b"1"), "d"))
    silent(put(write(tmp_path / "g", b"2"), ""))
    assert local.store.names() == ["d/f", "d/old", "g"]


def test_put_of_several_files(local, put, tmp_path):
    local.put("d/old", b"1")
    files = [write(tmp_path / f"f{i}", random_plaintext(i, 100000 * i)) for i in range(12)]
    silent(put(*files, "d"))
    assert {f.name: published(local, f"d/{f.name}") for f in files} == {f.name: f.read_bytes() for f in files}
    done = put(*files, "nowhere")
    assert done.returncode == 1 and b"several files go into a directory" in done.stderr
    assert len(local.store.names()) == 13


@pytest.mark.parametrize("size", [0, 5, REGION, REGION + 1, 2 * REGION + 5])
def test_put_takes_standard_input(local, put, size):
    plain = random_plaintext(size, size)
    silent(put("-", "x", input=plain))
    assert published(local, "x") == plain


def test_standard_input_needs_a_name(local, put):
    done = put("-", "", input=b"x")
    assert done.returncode != 0 and b"needs a name" in done.stderr
    assert local.store.names() == []


def test_what_is_there_is_replaced_by_force_only(local, put, tmp_path):
    local.put("x", b"old", content_type="text/x-poem")
    before = etag(local, "x")
    done = put(write(tmp_path / "f", b"new"), "x")
    assert done.returncode == 1 and b"--force" in done.stderr
    assert (published(local, "x"), etag(local, "x")) == (b"old", before)
    silent(put(tmp_path / "f", "x", "--force"))
    assert published(local, "x") == b"new"
    assert local.store.get("x")[1]["content_type"] == "text/x-poem"


# ---- errors


def test_errors_of_put_have_their_exit_status(local, put, run, tmp_path):
    file = write(tmp_path / "f", b"x")
    for done, status, says in (
        (put(tmp_path / "none", "x"), 3, b"none"),
        (put(tmp_path, "x"), 1, b"put -r"),
        (put("/dev/null", "x"), 2, b"regular"),
        (run("put", file), 2, b"needed"),
        (run("put", "-o", f"keys={local.keys}", file, f"{local.source}/x"), 2, b"kek="),
        (run("put", "-o", f"keys={local.keys},kek=local:none", file, f"{local.source}/x"), 4, b"local:none"),
    ):
        assert done.returncode == status and says in done.stderr, done
        assert done.stderr.count(b"azcryptfs: ") == 1
    assert local.store.names() == []


def test_one_file_that_fails_does_not_stop_the_others(local, put, tmp_path):
    top = tmp_path / "top"
    write(top / "a", b"a")
    write(top / "d/b", b"b")
    local.put("t/a", b"old")
    done = put(top, "t", "--recursive")
    assert done.returncode == 1 and b"/a" in done.stderr
    assert {n: published(local, n) for n in local.store.names()} == {"t/a": b"old", "t/d/b": b"b"}


def test_put_that_may_not_write_says_so(cloud, run, tmp_path):
    cloud.proxy.faults.add(method="PUT", status=403, code="AuthorizationPermissionMismatch", times=None)
    file = write(tmp_path / "f", b"x")
    done = run("put", "-o", f"keys={cloud.keys},kek=local:a256kw", file, cloud.source("x"), env=cloud.environment)
    assert done.returncode == 4 and b"Storage Blob Data Contributor" in done.stderr


# ---- trees


def make_tree(top):
    for name, size in (("a", 10), ("empty", 0), ("d/e/f", 5000), ("d/large", REGION + 99), ("d/with blank ü", 1), ("-rf", 3)):
        write(top / name, random_plaintext(name, size))
    (top / "nothing/inner").mkdir(parents=True)


def tree(top):
    """{path below top: (bytes, mtime), or None for a directory}"""
    top = pathlib.Path(top)
    return {str(p.relative_to(top)): None if p.is_dir() else (p.read_bytes(), p.stat().st_mtime_ns) for p in top.rglob("*")}


def test_put_r_then_get_r_gives_the_same_tree(local, put, run, tmp_path):
    make_tree(tmp_path / "top")
    silent(put(tmp_path / "top", "t", "--recursive"))
    silent(run("get", "-r", "-o", f"keys={local.keys}", f"{local.source}/t", tmp_path / "out"))
    assert tree(tmp_path / "out") == tree(tmp_path / "top")
    assert tree(local.mount().path("t")) == tree(tmp_path / "top")


def test_put_r_then_get_r_with_the_service(cloud, run, tmp_path):
    make_tree(tmp_path / "top")
    options = f"keys={cloud.keys},kek=local:a256kw"
    silent(run("put", "-r", "-o", options, tmp_path / "top", cloud.source("t"), env=cloud.environment))
    assert published_in_cloud(cloud, "t/d/large") == random_plaintext("d/large", REGION + 99)
    silent(run("get", "-r", "-o", f"keys={cloud.keys}", cloud.source("t"), tmp_path / "out", env=cloud.environment))
    assert tree(tmp_path / "out") == tree(tmp_path / "top")


def test_links_and_special_files_are_left_out_and_told_of(local, put, tmp_path):
    top = tmp_path / "top"
    write(top / "a", b"a")
    (top / "link").symlink_to("a")
    (top / "dangling").symlink_to("none")
    os.mkfifo(top / "fifo")
    done = put(top, "t", "--recursive")
    assert done.returncode != 0
    said = done.stderr.decode().splitlines()
    assert len(said) == 3 and all("left out" in line for line in said)
    assert local.store.names() == ["t/a"]


# ---- on a terminal, and stopped


def test_put_shows_its_progress_on_a_terminal(local, tmp_path):
    write(tmp_path / "f", random_plaintext("bar", 48 * REGION))
    main, side = pty.openpty()
    done = subprocess.Popen(
        mounting.command("put", "-o", f"keys={local.keys},kek=local:a256kw", tmp_path / "f", f"{local.source}/x"),
        env=mounting.environment(tmp_path), stdin=side, stdout=side, stderr=side,
    )  # fmt: skip
    os.close(side)
    shown = b""
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(main)
    assert done.wait(60) == 0
    assert b"\r" in shown and b"MiB" in shown and b"\n" not in shown
    assert published(local, "x") == random_plaintext("bar", 48 * REGION)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_put_soon_and_publishes_no_half_file(cloud, tmp_path, number):
    top = tmp_path / "top"
    write(top / "one", b"1")
    write(top / "two", random_plaintext("two", 3 * REGION))
    cloud.proxy.faults.add(method="PUT", path="/two", stall=True, times=None)
    done = subprocess.Popen(
        mounting.command("put", "-r", "-o", f"keys={cloud.keys},kek=local:a256kw", top, cloud.source("t")),
        env=mounting.environment(tmp_path, cloud.environment), stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: cloud.requests("PUT", "/two"), 20, "the upload of two")
    done.send_signal(number)
    _, said = done.communicate(timeout=20)
    assert (done.returncode, said) == (1, b"")
    names = [b.name for b in cloud.azurite.service.get_container_client(cloud.container).list_blobs()]
    assert "t/two" not in names
    cloud.proxy.faults.release()
