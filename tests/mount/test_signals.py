# SPDX-License-Identifier: MIT
"""Signals to a program that waits for the mount: a killed one goes at once, any other does not notice.

The kernel tells a file system of every signal, once: of timers, of a child's end, of Ctrl-Z.
"""
import os
import signal
import subprocess
import time

import pytest

from tests.support import seal
from tests.support.crash import ended
from tests.support.mount import errno_of
from tests.support.process import SLOW, wait_until
from tests.support.writing import RW, published_in_cloud, python

BIG = seal.random_plaintext("signals", 3 * seal.REGION)

# The calls of the C library itself: Python's own try again after EINTR.
BUSY = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
root, there, failed = os.fsencode(sys.argv[1]), sys.argv[2:], []

def call(name, *arguments):
    r = getattr(libc, name)(*arguments)
    if r < 0:
        failed.append(name + ": " + os.strerror(ctypes.get_errno()))
    return r

for i in range(4):
    x, y, d = (root + b"/%s%d" % (n, i) for n in (b"x", b"y", b"d"))
    fd = call("open", x, os.O_RDWR | os.O_CREAT, 0o644)
    call("write", fd, b"bytes", 5)
    call("fsync", fd)
    call("pwrite", fd, b"B", 1, 0)
    call("close", fd)
    call("rename", x, y)
    call("mkdir", d, 0o755)
    call("access", root + b"/" + os.fsencode(there[i]), os.R_OK)
    fd = call("open", root + b"/" + os.fsencode(there[i]), os.O_RDONLY)
    call("close", fd)
    call("truncate", y, 3)
    call("rmdir", d)
    call("unlink", y)
print(failed)
"""


def test_a_program_with_a_timer_meets_no_eintr(cloud):
    for i in range(4):
        cloud.put(f"there{i}", b"x")
    m = cloud.mount(*RW)
    m.list()
    cloud.proxy.faults.add(path=".", delay=0.03, times=None)
    child = python(BUSY, m.point, *(f"there{i}" for i in range(4)))
    assert child.communicate(timeout=60 * SLOW)[0].decode().strip() == "[]"


def test_a_program_that_is_stopped_and_continued_goes_on(cloud, tmp_path):
    (tmp_path / "big").write_bytes(BIG)
    m = cloud.mount(*RW)
    fault = cloud.proxy.faults.add(path="/x", method="PUT", stall=True, times=None)
    with subprocess.Popen(["cp", tmp_path / "big", m.path("x")], stderr=subprocess.PIPE) as cp:
        wait_until(lambda: cloud.requests("PUT", "/x"), 10, "a request")
        for _ in range(3):
            time.sleep(0.05)
            cp.send_signal(signal.SIGSTOP)
            time.sleep(0.05)
            cp.send_signal(signal.SIGCONT)
        fault.release()
        assert (cp.wait(20 * SLOW), cp.stderr.read()) == (0, b"")
    assert published_in_cloud(cloud, "x") == BIG


FSYNC = """
import os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(fd, b"bytes")
print("written", flush=True)
getattr(os, sys.argv[2])(fd)
"""


@pytest.mark.parametrize("first", [None, signal.SIGUSR1], ids=["at once", "after another signal"])
@pytest.mark.parametrize("call", ["fsync", "close"])
def test_a_killed_writer_goes_at_once_whatever_the_service_does(cloud, first, call):
    """The kernel does not tell of the second signal."""
    m = cloud.mount(*RW)
    fault = cloud.proxy.faults.add(path="/x", method="PUT", stall=True, times=None)
    child = python(FSYNC, m.path("x"), call)
    child.stdout.readline()
    wait_until(lambda: cloud.requests("PUT", "/x"), 10, "a request")
    if first:
        child.send_signal(first)
        time.sleep(2.5)
        assert child.poll() is None, "what changes something is not given up"
    child.kill()
    start = time.monotonic()
    assert child.wait(20 * SLOW) == -signal.SIGKILL
    assert time.monotonic() - start < 1 * SLOW
    fault.release()
    wait_until(lambda: os.path.exists(m.path("x")) and published_in_cloud(cloud, "x") == b"bytes", 10, "what was written")


def killed(cloud, m, call):
    """A writer that waits for its publish, killed in it."""
    child = python(FSYNC, m.path("x"), call)
    child.stdout.readline()
    wait_until(lambda: cloud.requests("PUT", "/x"), 10, "a request")
    child.kill()
    assert child.wait(10 * SLOW) == -signal.SIGKILL


@pytest.mark.parametrize("call", ["fsync", "close"])
def test_what_a_killed_writer_could_not_publish_is_told_late(cloud, call):
    m = cloud.mount(*RW)
    fault = cloud.proxy.faults.add(path="/x", method="PUT", status=403, code="AuthorizationFailure", stall=True, times=None)
    killed(cloud, m, call)
    fault.release()
    m.assert_event("write.failed", "'/x'", "EACCES")
    cloud.proxy.faults.clear()
    wait_until(lambda: not m.path("x").exists(), 5, "the kernel's release")
    assert errno_of(m.path("x").write_bytes, b"") == "EACCES"
    assert errno_of(m.path("x").write_bytes, b"new") is None
    m.stop()


@pytest.mark.parametrize("call", ["fsync", "close"])
def test_what_a_killed_writer_has_written_is_lost_aloud_when_the_mount_ends(cloud, call):
    m = cloud.mount(*RW, "term_wait=1")
    cloud.proxy.faults.add(path="/x", method="PUT", stall=True, times=None)
    killed(cloud, m, call)
    m.daemon.send_signal(signal.SIGTERM)
    ended(m, 75)
    m.assert_event("write.lost", "'/x'", "5 bytes")


EXEC = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
os.write(fd, b"bytes")
print("written", flush=True)
os.execv("/bin/true", ["true"])
"""


def test_a_signal_to_who_closes_by_an_exec_holds_up_nobody(cloud):
    """The kernel locks much of what it tells of such a process until it has its answer."""
    m = cloud.mount(*RW)
    fault = cloud.proxy.faults.add(path="/[xy]", method="PUT", stall=True, times=None)
    first = python(EXEC, m.path("x"))
    first.stdout.readline()
    wait_until(lambda: cloud.requests("PUT", "/x"), 10, "a request")
    first.send_signal(signal.SIGSTOP)
    first.send_signal(signal.SIGCONT)
    other = python(FSYNC, m.path("y"), "fsync")
    other.stdout.readline()
    wait_until(lambda: cloud.requests("PUT", "/y"), 10, "a request")
    other.kill()
    start = time.monotonic()
    assert other.wait(20 * SLOW) == -signal.SIGKILL
    assert time.monotonic() - start < 1 * SLOW
    assert first.poll() is None
    fault.release()
    assert first.wait(20 * SLOW) == 0
    assert published_in_cloud(cloud, "x") == b"bytes"


def test_an_exec_goes_on_when_what_it_closes_cannot_be_published(cloud):
    m = cloud.mount(*RW)
    cloud.proxy.faults.add(path="/x", method="PUT", status=403, code="AuthorizationFailure", times=None)
    child = python(EXEC, m.path("x"))
    assert child.wait(20 * SLOW) == 0
    m.assert_event("auth.storage", "'/x'", "EACCES")
