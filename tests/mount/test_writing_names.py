# SPDX-License-Identifier: MIT
"""Writing: rename, unlink, mkdir, rmdir, and what cannot be made; names that can be written and that cannot."""
import ctypes
import os
import shutil
import subprocess
import time

import pytest

from tests.support.dirstore import DirStore
from tests.support.mount import errno_of
from tests.support.process import wait_until
from tests.support.writing import DOUBTS, RW, metadata, opened, published

OLD, NEW = b"the old bytes", b"the new and longer bytes"
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2


@pytest.fixture
def m(local):
    return local.mount(*RW)


def renameat2(a, b, flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(a), -100, os.fsencode(b), flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


# ---- rename


def test_rename_keeps_bytes_and_metadata(local):
    local.put("a", OLD, content_type="text/x-poem", last_modified="2024-02-03T04:05:06Z")
    local.store.edit("a", metadata={**metadata(local, "a"), "owner": "somebody"})
    before, m = metadata(local, "a"), local.mount(*RW)
    stored, _ = local.store.get("a")
    os.rename(m.path("a"), m.path("b"))
    assert local.store.names() == ["b"]
    after, entry = local.store.get("b")
    assert (after, entry["content_type"]) == (stored, "text/x-poem")
    assert {k: v for k, v in entry["metadata"].items() if k != "mtime"} == before
    assert m.list() == ["b"] and m.read("b") == OLD
    assert not m.path("a").exists()


def test_rename_in_the_service_moves_no_bytes(cloud):
    cloud.put("a", OLD)
    stored, items = cloud.azurite.get(cloud.container, "a")
    m = cloud.mount(*RW)
    m.path().joinpath("d").mkdir()
    os.rename(m.path("a"), m.path("d/b"))
    after, now = cloud.azurite.get(cloud.container, "d/b")
    assert (after, now["encryptiondata"]) == (stored, items["encryptiondata"])
    assert [r["path"] for r in cloud.requests("GET") if "comp=list" not in r["path"]] == []
    assert m.list() == ["d"] and m.list("d") == ["b"] and m.read("d/b") == OLD


def test_rename_replaces_a_file(local, m):
    local.put("a", NEW)
    local.put("b", OLD)
    os.rename(m.path("a"), m.path("b"))
    assert local.store.names() == m.list() == ["b"]
    assert published(local, "b") == m.read("b") == NEW


def test_the_mtime_stays_with_a_renamed_file(local, m):
    m.path("a").write_bytes(OLD)
    os.utime(m.path("a"), ns=(0, 1234567890123456789))
    os.rename(m.path("a"), m.path("b"))
    assert m.path("b").stat().st_mtime_ns == 1234567890123456789
    assert local.mount().path("b").stat().st_mtime_ns == 1234567890123456789


def test_a_file_without_a_kept_mtime_shows_the_time_of_its_rename(local):
    """Its Last-Modified is the store's, and a copy is a new blob."""
    local.put("a", OLD, last_modified="2024-02-03T04:05:06Z")
    m = local.mount(*RW)
    started = time.time()
    os.rename(m.path("a"), m.path("b"))
    assert started - 1 <= m.path("b").stat().st_mtime <= time.time() + 1
    assert local.mount().path("b").stat().st_mtime == m.path("b").stat().st_mtime


def test_rename_noreplace_replaces_nothing(local, m):
    local.put("a", NEW)
    local.put("b", OLD)
    assert errno_of(renameat2, m.path("a"), m.path("b"), RENAME_NOREPLACE) == "EEXIST"
    renameat2(m.path("a"), m.path("c"), RENAME_NOREPLACE)
    assert {n: published(local, n) for n in local.store.names()} == {"b": OLD, "c": NEW}


def test_two_names_are_not_exchanged(local, m):
    local.put("a", NEW)
    local.put("b", OLD)
    assert errno_of(renameat2, m.path("a"), m.path("b"), RENAME_EXCHANGE) == "EINVAL"
    assert {n: published(local, n) for n in local.store.names()} == {"a": NEW, "b": OLD}


def test_a_directory_is_not_renamed_by_rename_but_by_mv(local, m):
    """mv copies what is in it, as it does from one file system to another."""
    for name in ("d/a", "d/e/b", "d/e/c"):
        local.put(name, name.encode())
    assert errno_of(os.rename, m.path("d"), m.path("f")) == "EXDEV"
    assert local.store.names() == ["d/a", "d/e/b", "d/e/c"]
    subprocess.run(["mv", m.path("d"), m.path("f")], check=True)
    assert m.list() == ["f"]
    assert {n: published(local, n) for n in ("f/a", "f/e/b", "f/e/c")} == {
        "f/a": b"d/a",
        "f/e/b": b"d/e/b",
        "f/e/c": b"d/e/c",
    }


def test_rename_to_a_directory_or_of_nothing(local, m):
    local.put("a", OLD)
    local.put("d/x", OLD)
    assert errno_of(os.rename, m.path("a"), m.path("d")) == "EISDIR"
    assert errno_of(os.rename, m.path("none"), m.path("b")) == "ENOENT"
    os.rename(m.path("a"), m.path("a"))
    assert published(local, "a") == OLD


def test_an_open_file_is_renamed_and_published_under_its_new_name(local, m):
    for name in ("a", "old"):
        if name == "old":
            local.put(name, OLD)
        with opened(m.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
            os.write(fd, b"half")
            os.rename(m.path(name), m.path(name + "-new"))
            assert not m.path(name).exists() and m.read(name + "-new") == b"half"
            os.write(fd, b" and half")
        assert published(local, name + "-new") == b"half and half"
        assert published(local, name) is None


def test_a_file_that_is_open_for_reading_stays_readable_when_it_is_renamed(local, m):
    local.put("a", OLD)
    with m.open("a") as f:
        os.rename(m.path("a"), m.path("b"))
        assert f.range(0, 100) == OLD
    assert m.read("b") == OLD


def test_write_then_rename_replaces_a_file_at_once(local, m):
    """What editors do: others see the old file until the new one is whole."""
    local.put("x", OLD)
    other = local.mount(*DOUBTS)
    with opened(m.path(".x.tmp")) as fd:
        os.write(fd, NEW)
        os.fsync(fd)
    assert other.read("x") == OLD
    os.rename(m.path(".x.tmp"), m.path("x"))
    assert other.read("x") == NEW and other.list() == ["x"]


def test_rename_over_a_file_that_somebody_replaced_meanwhile(local, m):
    """Who renames means the name, not the version that was known of it."""
    local.put("a", NEW)
    local.put("b", OLD)
    assert m.read("b") == OLD
    local.put("b", b"of somebody else")
    os.rename(m.path("a"), m.path("b"))
    assert {n: published(local, n) for n in local.store.names()} == {"b": NEW}


def test_rename_from_one_source_to_another_is_exdev(local, mount, tmp_path):
    second = DirStore(tmp_path / "second")
    local.put("x", OLD)
    config = tmp_path / "two"
    text = "rw = yes\n" + "\n".join(f"[{n}]\nsource = {s}\nkeys = {local.keys}\nkek = {RW[1][4:]}\n" for n, s in (("a", local.source), ("b", second.source)))
    config.write_text(text)
    m = mount(None, config=config)
    assert errno_of(os.rename, m.path("a/x"), m.path("b/x")) == "EXDEV"
    subprocess.run(["mv", m.path("a/x"), m.path("b/x")], check=True)
    assert local.store.names() == [] and second.names() == ["x"]
    assert m.read("b/x") == OLD


def test_a_file_that_was_just_renamed_over_another_can_be_appended_to(local, m):
    """sed -i f && tee -a f"""
    m.path("a").write_bytes(OLD)
    m.path("b").write_bytes(NEW)
    os.rename(m.path("a"), m.path("b"))
    with opened(m.path("b"), os.O_WRONLY | os.O_APPEND) as fd:
        os.write(fd, b"more")
    assert published(local, "b") == OLD + b"more"


# ---- unlink


def test_unlink_removes_the_blob(local, m):
    local.put("a", OLD)
    m.path("a").unlink()
    assert local.store.names() == m.list() == []
    assert errno_of(os.unlink, m.path("a")) == "ENOENT"


def test_an_unlinked_file_stays_for_who_has_it_open_and_is_never_published(local, m):
    with opened(m.path("new")) as fd:
        os.write(fd, b"half")
        m.path("new").unlink()
        assert m.list() == []
        os.write(fd, b" and half")
        assert os.pread(fd, 100, 0) == b"half and half"
        os.fsync(fd)
    assert local.store.names() == m.list() == []


def test_an_old_file_that_is_unlinked_while_it_is_written_is_gone(local, m):
    local.put("x", OLD)
    with opened(m.path("x"), os.O_RDWR) as fd:
        os.write(fd, b"THE")
        m.path("x").unlink()
        assert local.store.names() == []
        assert os.pread(fd, 100, 0) == b"THE" + OLD[3:]
        os.write(fd, b"more")
    assert local.store.names() == m.list() == []


def test_the_name_of_an_unlinked_file_is_free_at_once(local, m):
    with opened(m.path("x")) as first:
        os.write(first, b"first")
        m.path("x").unlink()
        with opened(m.path("x"), os.O_WRONLY | os.O_CREAT | os.O_EXCL) as second:
            os.write(second, b"second")
        assert os.pread(first, 10, 0) == b"first"
    wait_until(lambda: published(local, "x") == b"second", 5, "the second file")


def test_close_publishes_a_file_whose_name_an_unlinked_one_had(local, m):
    with opened(m.path("x")) as first:
        os.write(first, b"first")
        m.path("x").unlink()
        with opened(m.path("x"), os.O_WRONLY | os.O_CREAT | os.O_EXCL) as second:
            os.write(second, b"second")
        assert published(local, "x") == b"second"


def test_unlink_removes_what_somebody_replaced_meanwhile(local, m):
    local.put("x", OLD)
    assert m.read("x") == OLD
    local.put("x", NEW)
    m.path("x").unlink()
    assert local.store.names() == []


def test_directories_are_not_unlinked_nor_files_removed_as_directories(local, m):
    local.put("d/x", OLD)
    assert errno_of(os.unlink, m.path("d")) == "EISDIR"
    assert errno_of(os.rmdir, m.path("d/x")) == "ENOTDIR"
    assert local.store.names() == ["d/x"]


# ---- directories


def test_mkdir_makes_a_marker_that_other_mounts_see(local, m):
    m.path("d").mkdir()
    assert m.list() == ["d"] and m.list("d") == []
    assert len(local.store.names()) == 1
    other = local.mount()
    assert other.list() == ["d"] and other.list("d") == []
    assert errno_of(os.mkdir, m.path("d")) == "EEXIST"


def test_mkdir_works_in_the_service(cloud):
    m = cloud.mount(*RW)
    m.path("d/e").mkdir(parents=True)
    m.path("d/e/x").write_bytes(NEW)
    other = cloud.mount()
    assert other.list() == ["d"] and other.list("d") == ["e"] and other.read("d/e/x") == NEW
    shutil.rmtree(m.path("d"))
    assert m.list() == [] and list(cloud.azurite.service.get_container_client(cloud.container).list_blobs()) == []


def test_a_file_name_that_is_taken_is_not_made_a_directory(local, m):
    local.put("x", OLD)
    assert errno_of(os.mkdir, m.path("x")) == "EEXIST"
    with opened(m.path("open")):
        assert errno_of(os.mkdir, m.path("open")) == "EEXIST"


def test_rmdir_removes_an_empty_directory_only(local, m):
    m.path("d").mkdir()
    m.path("d/x").write_bytes(OLD)
    assert errno_of(os.rmdir, m.path("d")) == "ENOTEMPTY"
    m.path("d/x").unlink()
    assert m.path("d").is_dir()
    m.path("d").rmdir()
    assert local.store.names() == m.list() == []
    assert errno_of(os.rmdir, m.path("d")) == "ENOENT"


def test_a_directory_in_which_a_file_is_being_written_is_not_removed(local, m):
    m.path("d").mkdir()
    with opened(m.path("d/x")) as fd:
        os.write(fd, NEW)
        assert errno_of(os.rmdir, m.path("d")) == "ENOTEMPTY"
    assert published(local, "d/x") == NEW


def test_a_directory_that_was_never_made_goes_with_its_last_file(local, m):
    local.put("d/x", OLD)
    assert errno_of(os.rmdir, m.path("d")) == "ENOTEMPTY"
    m.path("d/x").unlink()
    wait_until(lambda: not m.path("d").exists(), 3, "the directory's end")
    assert m.list() == local.store.names() == []


def test_rm_r_removes_made_and_implicit_directories(local, m):
    for name in ("d/a", "d/implicit/b", "d/implicit/deep/c"):
        local.put(name, OLD)
    m.path("d/made/inner").mkdir(parents=True)
    m.path("d/made/inner/x").write_bytes(NEW)
    subprocess.run(["rm", "-r", m.path("d")], check=True)
    assert local.store.names() == m.list() == []


def test_rm_r_of_an_implicit_directory_tells_no_error(local, m):
    for i in range(30):
        local.put(f"d/e{i % 3}/x{i}", OLD)
    done = subprocess.run(["rm", "-r", m.path("d")], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert local.store.names() == []


def test_files_are_made_in_directories_that_only_files_imply(local, m):
    local.put("d/x", OLD)
    m.path("d/new").write_bytes(NEW)
    assert local.store.names() == ["d/new", "d/x"]
    assert errno_of(os.open, m.path("none/x"), os.O_WRONLY | os.O_CREAT) == "ENOENT"
    assert errno_of(os.mkdir, m.path("none/d")) == "ENOENT"


# ---- what there is not


NOT_MADE = {
    "symlink": lambda p: os.symlink("a", p / "new"),
    "link": lambda p: os.link(p / "a", p / "new"),
    "fifo": lambda p: os.mkfifo(p / "new"),
    "device": lambda p: os.mknod(p / "new", 0o020644, os.makedev(1, 3)),
}


@pytest.mark.parametrize("what", NOT_MADE)
def test_links_and_special_files_are_eperm(local, m, what):
    local.put("a", OLD)
    assert errno_of(NOT_MADE[what], m.path()) == "EPERM"
    assert m.list() == local.store.names() == ["a"]


def test_mknod_makes_an_empty_file(local, m):
    os.mknod(m.path("x"))
    assert published(local, "x") == b""


# ---- names


HOSTILE = (
    "with blank", " lead", "-rf", "ü", "日本", "%", "100%", "a%2fb", "a~%b", "~", "a:b", "a?b#c", "a&b=c", "a+b", "'\"", "...",
    "%ff", "x" * 200, "CON",
)  # fmt: skip


def test_hostile_names_are_written_and_found_again(local, m):
    m.path("d").mkdir()
    for name in HOSTILE:
        m.path(f"d/{name}").write_bytes(name.encode())
    other = local.mount()
    assert other.list("d") == m.list("d") == sorted(HOSTILE)
    for name in HOSTILE:
        assert other.read(f"d/{name}") == name.encode()
    for name in HOSTILE:
        m.path(f"d/{name}").unlink()
    assert m.list("d") == []


def test_hostile_names_are_written_to_the_service(cloud):
    m = cloud.mount(*RW)
    for name in HOSTILE:
        m.path(name).write_bytes(name.encode())
        os.rename(m.path(name), m.path(f"{name}-2"))
    other = cloud.mount()
    assert other.list() == sorted(f"{name}-2" for name in HOSTILE)
    for name in HOSTILE:
        assert other.read(f"{name}-2") == name.encode()


@pytest.mark.parametrize("name", [b"caf\xe9", b"caf%E9", b"a\nb", b"\x7f", b"%41", b"a%2Fb", b"%25", b"100%~"])
def test_names_that_no_new_blob_could_have_are_einval(local, m, name):
    """Control characters and bytes that are not UTF-8, escapes that stand for nothing, and for what is no text."""
    path = os.fsencode(m.path()) + b"/" + name
    local.put("x", OLD)
    assert errno_of(os.open, path, os.O_WRONLY | os.O_CREAT) == "EINVAL"
    assert errno_of(os.mkdir, path) == "EINVAL"
    assert errno_of(os.rename, m.path("x"), path) == "EINVAL"
    assert local.store.names() == m.list() == ["x"]


def test_a_name_that_only_the_service_cannot_have_is_einval_at_close(cloud):
    m = cloud.mount(*RW)
    fd = os.open(m.path("a\\b"), os.O_WRONLY | os.O_CREAT)
    assert errno_of(os.close, fd) == "EINVAL"
    assert errno_of(os.mkdir, m.path("c\\d")) == "EINVAL"
    wait_until(lambda: m.list() == [], 5, "the kernel to let go of what could not be published")


@pytest.mark.parametrize(("shown", "name"), [("a%0Ab", "a\nb"), ("a%2541", "a%41"), ("%25~", "%~"), ("a\\b", "a\\b")])
def test_escaped_names_are_written_as_they_are_shown(local, m, shown, name):
    m.path(shown).write_bytes(NEW)
    assert local.store.names() == [name]
    assert local.mount().list() == m.list() == [shown]


def test_a_name_that_is_too_long(local, m):
    assert errno_of(os.open, m.path("x" * 256), os.O_WRONLY | os.O_CREAT) == "ENAMETOOLONG"
    m.path("x" * 255).write_bytes(NEW)
    assert local.store.names() == ["x" * 255]


def test_a_blob_beside_a_directory_of_its_name_is_written_by_its_marked_name(local):
    local.put("x", OLD)
    local.put("x/y", OLD)
    m = local.mount(*RW)
    assert m.list() == ["x", "x%00"]
    m.path("x%00").write_bytes(NEW)
    assert published(local, "x") == NEW and local.store.names() == ["x", "x/y"]


def test_a_cut_name_is_overwritten_and_removed(local):
    name = "n" * 300
    local.put(name, OLD)
    m = local.mount(*RW)
    (shown,) = m.list()
    m.path(shown).write_bytes(NEW)
    assert published(local, name) == NEW and local.store.names() == [name]
    m.path(shown).unlink()
    assert local.store.names() == []
