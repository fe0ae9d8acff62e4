# SPDX-License-Identifier: MIT
"""Mounts that end, writers that die and a staging area that is full: what is published is what somebody was told of.

Ids are those of the failure table in docs/SECURITY.md, "When things fail".
"""
import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import time

import pytest

from tests.support import seal
from tests.support.crash import closed, ended
from tests.support.mount import Mount, command, environment, errno_of
from tests.support.process import SLOW, wait_until
from tests.support.sealed import Local
from tests.support.writing import RW, opened, published, python, shell

MIB = 1 << 20
OLD, NEW = b"the old bytes", b"the new and longer bytes"


@pytest.fixture
def local(tmp_path, mount):
    return Local(tmp_path, mount)


# ---- R17: no room

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small file system")


@pytest.fixture
def tiny(tmp_path):
    """A directory with room for 8 MiB."""
    path = tmp_path / "tiny"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def fill(fd):
    """Writes until there is no room: how much there was."""
    done, piece = 0, seal.random_plaintext("fill", MIB)
    with pytest.raises(OSError, match="No space left"):
        for _ in range(100):
            done += os.write(fd, piece)
    return done


@NEEDS_ROOT
def test_r17_a_file_that_did_not_fit_is_never_published(local, tiny):
    """write says ENOSPC, and so do fsync and close to who has not heard: a file with a hole is no version."""
    local.put("x", OLD)
    m = local.mount(*RW, f"staging={tiny}", "memory=16M")
    fd = os.open(m.path("x"), os.O_RDWR | os.O_TRUNC)
    done = fill(fd)
    assert done >= 4 * MIB
    assert os.pread(fd, 1000, done - 1000) == seal.random_plaintext("fill", MIB)[-1000:], "what was written before is still there"
    assert errno_of(os.fsync, fd) == "ENOSPC"
    assert errno_of(os.close, fd) == "ENOSPC"
    assert published(local, "x") == OLD and local.store.names() == ["x"]
    assert m.read("x") == OLD
    assert [t for _, e, t in m.events() if "'/x'" in t], m.log()


@NEEDS_ROOT
def test_r17_other_files_go_on(local, tiny):
    """Those that fit into memory, and those that are open, but for what does not fit."""
    m = local.mount(*RW, f"staging={tiny}", "memory=16M")
    with opened(m.path("other")) as other:
        os.write(other, NEW)
        fd = os.open(m.path("x"), os.O_WRONLY | os.O_CREAT)
        fill(fd)
        assert os.pread(other, 100, 0) == NEW
        assert errno_of(os.close, fd) == "ENOSPC"
        wait_until(lambda: errno_of(os.pwrite, other, b"more", len(NEW)) is None, 5, "room again")
    m.path("new").write_bytes(NEW)
    assert {n: published(local, n) for n in local.store.names()} == {"new": NEW, "other": NEW + b"more"}


@NEEDS_ROOT
@pytest.mark.parametrize("heal", ["truncate", "write again"])
def test_r17_who_makes_up_for_what_did_not_fit_can_publish(local, tiny, heal):
    m = local.mount(*RW, f"staging={tiny}", "memory=16M")
    hog = os.open(m.path("hog"), os.O_WRONLY | os.O_CREAT)
    fill(hog)
    with opened(m.path("x")) as fd:
        done, piece = 0, seal.random_plaintext("piece", MIB)
        with contextlib.suppress(OSError):
            while done < 100 * MIB:
                done += os.write(fd, piece)
        assert errno_of(os.fsync, fd) == "ENOSPC"
        assert errno_of(os.close, hog) == "ENOSPC"
        if heal == "truncate":
            os.ftruncate(fd, 0)
            os.pwrite(fd, NEW, 0)
        else:
            wait_until(lambda: errno_of(os.pwrite, fd, piece, done) is None, 5, "room again")
        assert errno_of(os.fsync, fd) is None
    assert published(local, "x") == (NEW if heal == "truncate" else piece * (done // MIB + 1))


@NEEDS_ROOT
def test_r17_one_write_of_two_that_is_made_up_for_is_not_enough(local, tiny):
    """Two writes fail and one is repeated: the hole of the other is not published."""
    m = local.mount(*RW, f"staging={tiny}", "memory=16M")
    hog = os.open(m.path("hog"), os.O_WRONLY | os.O_CREAT)
    fill(hog)
    fd = os.open(m.path("x"), os.O_RDWR | os.O_CREAT)
    piece, failed = seal.random_plaintext("piece", MIB), []
    for at in range(0, 20 * MIB, MIB):
        if errno_of(os.pwrite, fd, piece, at):
            failed.append(at)
    assert len(failed) >= 2
    assert errno_of(os.close, hog) == "ENOSPC"
    wait_until(lambda: errno_of(os.pwrite, fd, piece, failed[-1]) is None, 5, "room again")
    assert errno_of(os.close, fd) == "ENOSPC"
    assert local.store.names() == []


@pytest.mark.parametrize("order", ["forwards", "backwards"])
def test_r27_a_writer_leaves_memory_for_its_publish_and_for_readers(local, tmp_path, order):
    """The least memory that a mount takes, and more bytes waiting than would fit into it."""
    plain, other = seal.random_plaintext("large", 24 * MIB), seal.random_plaintext("other", 9 * MIB)
    local.put("other", other)
    m = local.mount(*RW, f"staging={tmp_path}", "memory=16M", "timeout=10")
    began = time.monotonic()
    with opened(m.path("x")) as fd:
        for at in range(0, len(plain), MIB) if order == "forwards" else range(len(plain) - MIB, -1, -MIB):
            os.pwrite(fd, plain[at : at + MIB], at)
        assert m.read("other") == other
    assert time.monotonic() - began < 9 * SLOW
    assert published(local, "x") == plain


# ---- R20: signals

SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])


def half_written(m, *names):
    fds = []
    for name in names:
        fds.append(os.open(m.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
        os.write(fds[-1], b"half")
    return fds


@SIGNALS
def test_r20_writers_that_close_in_time_are_published_others_are_lost_and_said(local, number):
    local.put("old", OLD)
    m = local.mount(*RW, "term_wait=1")
    early, late, old = half_written(m, "early", "late", "old")
    began = time.monotonic()
    m.daemon.send_signal(number)
    m.assert_event("mount.waiting", "3 file")
    for name in ("new", "old", "early"):
        assert errno_of(os.open, m.path(name), os.O_WRONLY | os.O_CREAT) == "ESHUTDOWN"
    assert errno_of(os.mkdir, m.path("directory")) in ("ESHUTDOWN", None)
    assert m.read("old") == b"half", "reading goes on"
    os.write(early, b" and half")
    assert errno_of(os.close, early) is None
    ended(m, 75)
    assert 0.9 < time.monotonic() - began < 6 * SLOW
    m.assert_event("write.lost", "4 bytes were not published", count=2)
    assert {n: published(local, n) for n in local.store.names() if n != "directory"} == {"early": b"half and half", "old": OLD}
    assert errno_of(os.write, late, b"x") in ("ENOTCONN", "ECONNABORTED", "EIO")
    for fd in (late, old):
        closed(fd)


@SIGNALS
def test_r20_a_second_signal_ends_it_at_once(local, number):
    m = local.mount(*RW, "term_wait=60")
    fds = half_written(m, "x")
    m.daemon.send_signal(number)
    m.assert_event("mount.waiting")
    began = time.monotonic()
    m.daemon.send_signal(number)
    ended(m, 75)
    assert time.monotonic() - began < 3 * SLOW
    m.assert_event("write.lost", "'/x'")
    closed(*fds)
    assert local.store.names() == []


def test_r20_an_fsynced_file_that_was_written_to_again_keeps_what_was_synced(local):
    m = local.mount(*RW, "term_wait=0")
    (fd,) = half_written(m, "x")
    os.fsync(fd)
    os.write(fd, b" and half")
    m.daemon.send_signal(signal.SIGTERM)
    ended(m, 75)
    m.assert_event("write.lost", "'/x'", "13 bytes")
    closed(fd)
    assert published(local, "x") == b"half"


def test_r20_without_unclosed_files_the_end_is_0_and_at_once(local):
    m = local.mount(*RW, "term_wait=60")
    m.path("x").write_bytes(NEW)
    began = time.monotonic()
    m.daemon.send_signal(signal.SIGTERM)
    ended(m, 0)
    assert time.monotonic() - began < 3 * SLOW
    assert m.events("write.lost") == [] and published(local, "x") == NEW


@contextlib.contextmanager
def adopting():
    """Daemons, whose parents end, become children of this process."""
    prctl, set_child_subreaper = ctypes.CDLL(None).prctl, 36
    assert prctl(set_child_subreaper, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        prctl(set_child_subreaper, 0, 0, 0, 0)


def children():
    """Processes whose parent this one is."""
    return {int(pid) for path in pathlib.Path(f"/proc/{os.getpid()}/task").glob("*/children") for pid in path.read_text().split()}


def status_of(pid):
    """(status,) of a child that has ended."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return (status,) if found else None


def test_r20_a_daemon_in_the_background_ends_with_75_too(local, tmp_path):
    m = Mount(local.source, tmp_path / "background")
    m.point.mkdir(parents=True)
    options = ",".join([*RW, f"keys={local.keys}", "term_wait=1", f"log={m.log_path}"])
    with adopting():
        before = children()
        done = subprocess.run(command("mount", "-o", options, local.source, m.point), env=environment(tmp_path),
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20 * SLOW, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        (pid,) = children() - before
        m.path("done").write_bytes(NEW)
        fds = half_written(m, "x")
        os.kill(pid, signal.SIGTERM)
        reaped = wait_until(lambda: status_of(pid), 20, "the end of the daemon")
    assert os.waitstatus_to_exitcode(reaped[0]) == 75, m.log()
    m.assert_event("write.lost", "'/x'", "4 bytes")
    closed(*fds)
    assert not m.mounted()
    assert {n: published(local, n) for n in local.store.names()} == {"done": NEW}


# ---- R22: unmounting


def umount(m, *options):
    return subprocess.run(["fusermount3", "-u", *options, m.point], capture_output=True, check=False).returncode


def test_r22_an_unmount_with_writers_is_refused_and_harms_nothing(local):
    m = local.mount(*RW)
    with opened(m.path("x")) as fd:
        os.write(fd, NEW)
        assert umount(m) != 0 and m.mounted()
        os.write(fd, NEW)
    assert published(local, "x") == 2 * NEW
    m.path("y").write_bytes(NEW)
    assert published(local, "y") == NEW


def test_r22_a_lazy_unmount_waits_for_the_last_writer(local):
    m = local.mount(*RW)
    fd = os.open(m.path("x"), os.O_WRONLY | os.O_CREAT)
    os.write(fd, NEW)
    assert umount(m, "-z") == 0 and not m.mounted()
    time.sleep(0.2)
    os.write(fd, NEW)
    assert errno_of(os.close, fd) is None
    ended(m, 0)
    assert published(local, "x") == 2 * NEW


# Files that nobody is told of: a child writes on when the opener has closed, and dies.
ORPHANS = """
import os, sys, time
fds = [os.open("%s/f%d" % (sys.argv[1], i), os.O_WRONLY | os.O_CREAT) for i in range(50)]
for fd in fds:
    os.write(fd, b"opener ")
if os.fork():
    for fd in fds:
        os.close(fd)
    os._exit(0)
os.read(0, 1)
for i, fd in enumerate(fds):
    os.write(fd, b"and child %d" % i)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("how", ["closed", "left to release"])
def test_r22_an_unmount_right_after_50_files_loses_nothing(local, how):
    m = local.mount(*RW)
    if how == "closed":
        for i in range(50):
            m.path(f"f{i}").write_bytes(b"opener and child %d" % i)
    else:
        opener = python(ORPHANS, m.point)
        assert opener.wait(20 * SLOW) == 0
        assert published(local, "f7") == b"opener "
        opener.stdin.write(b"x")
        opener.stdin.close()
        assert opener.stdout.read() == b""
    wait_until(lambda: umount(m) == 0, 10, "unmount", poll=0.001)
    ended(m, 0)
    assert {n: published(local, n) for n in local.store.names()} == {f"f{i}": b"opener and child %d" % i for i in range(50)}


# ---- R23: who has the file open

KILLED = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
os.write(fd, b"half of it")
print("written", flush=True)
os.read(0, 1)
"""


def test_r23_a_writer_that_is_killed_leaves_what_it_has_written(local):
    """As on a local disk: the kernel closes its files, and close publishes.  Who wants all or nothing writes another name
    and renames it."""
    local.put("x", OLD)
    m = local.mount(*RW)
    child = python(KILLED, m.path("x"))
    child.stdout.readline()
    assert published(local, "x") == OLD
    child.kill()
    child.wait(20)
    wait_until(lambda: published(local, "x") == b"half of it", 5, "what had been written")
    assert m.read("x") == b"half of it"
    assert m.events("write.lost") == [] and m.events("write.failed") == []


CHILD_FIRST = """
import os, subprocess, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
os.write(fd, b"first half, ")
os.set_inheritable(fd, True)
subprocess.run([sys.executable, "-S", "-E", "-c", "import os, sys; os.write(int(sys.argv[1]), b'of the child, ')", str(fd)],
               close_fds=False, check=True)
print("child is gone", flush=True)
os.read(0, 1)
os.write(fd, b"second half")
os.close(os.dup(fd))
print("dup is gone", flush=True)
os.read(0, 1)
os.close(fd)
"""


def test_r23_children_and_duplicates_that_close_first_publish_nothing(local):
    local.put("x", OLD)
    m = local.mount(*RW)
    parent = python(CHILD_FIRST, m.path("x"))
    for _ in range(2):
        parent.stdout.readline()
        time.sleep(0.1)
        assert published(local, "x") == OLD
        parent.stdin.write(b".")
        parent.stdin.flush()
    assert parent.wait(20) == 0
    assert published(local, "x") == b"first half, of the child, second half"


def test_r23_redirections_of_a_shell_publish_once_and_whole(local):
    local.put("x", OLD)
    m = local.mount(*RW, "log_level=debug")
    done = shell("exec 3>x; echo one >&3; (echo two; /bin/echo three) >&3; { echo four; } 1>&3 2>&3; exec 3>&-; exec 4>>x; /bin/echo five >&4", m.point)
    assert done.returncode == 0, done.stderr
    assert published(local, "x") == b"one\ntwo\nthree\nfour\nfive\n"


# Each dies at once by its own hand, so that the kernel interrupts the FLUSH in the moment in which it sends it, and releases
# the file; some are interrupted while they read and write.
DIES = """
import os, signal, sys
for i in range(int(sys.argv[2])):
    if not os.fork():
        fd = os.open("%s/f%d" % (sys.argv[1], i % 20), os.O_RDWR | os.O_CREAT)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, i % 50 / 10000 + 1e-6)
        for at in range(200):
            os.pwrite(fd, b"written whole", 0)
            os.pread(fd, 13, 0)
            if at == i % 7:
                os.kill(os.getpid(), 9)
    if i % 4 == 3:
        for _ in range(4):
            os.wait()
"""


def test_r23_requests_that_are_interrupted_as_soon_as_they_are_sent_harm_nothing(local):
    m = local.mount(*RW)
    assert python(DIES, m.point, "400").wait(60 * SLOW) == 0
    names = sorted(os.listdir(m.point))
    assert len(names) == 20
    m.stop()
    assert all(published(local, n) in (b"", b"written whole") for n in local.store.names())


# ---- R24: what close cannot tell


def test_r24_what_a_mapping_wrote_and_could_not_be_published_is_told_once(local):
    """By the next open and by no later one; the log has it too.  A mapping of Python's keeps a descriptor, which goes first."""
    local.put("x", b"." * 5000)
    m = local.mount(*RW)
    script = (
        "import mmap, os, sys\nfd = os.open(sys.argv[1], os.O_RDWR)\nm = mmap.mmap(fd, 5000)\nos.closerange(3, 64)\nm[0:4] = b'late'\n"
        "print('mapped', flush=True)\nos.read(0, 1)\n"
    )
    child = python(script, m.path("x"))
    child.stdout.readline()
    local.put("x", OLD)
    child.communicate(b"x", timeout=20)
    m.assert_event("write.failed", "'/x'", "ESTALE")
    told = errno_of(os.open, m.path("x"), os.O_RDONLY)
    assert m.read("x") == published(local, "x") == OLD
    m.assert_event("write.failed", count=1)
    m.daemon.send_signal(signal.SIGTERM)
    ended(m, 0)  # the open has heard of it
    assert told in ("ESTALE", "EIO"), "the kernel asks again after ESTALE, and hears nothing then"
