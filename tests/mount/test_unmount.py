# SPDX-License-Identifier: MIT
"""Where a mount may begin, and the ways in which it ends."""
import os
import signal
import subprocess
import time

import pytest

from tests.support.mount import errno_of
from tests.support.process import SLOW, wait_until


@pytest.fixture
def usual_signals():
    """Whoever runs the tests in the background, or with nohup, ignores some, and a daemon would inherit that."""
    before = {n: signal.signal(n, signal.SIG_DFL) for n in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def m(usual_signals, local):
    local.put("x", b"x" * 100_000)
    return local.mount()


@pytest.mark.parametrize(
    ("kind", "words"),
    [("full", "not empty"), ("link", "symbolic link"), ("file", "not a directory"), ("missing", "No such file")],
)
def test_a_mount_point_must_be_an_empty_directory(local, run, tmp_path, kind, words):
    point = tmp_path / "point"
    if kind == "full":
        point.mkdir()
        (point / "something").touch()
    elif kind == "link":
        (tmp_path / "behind").mkdir()
        point.symlink_to(tmp_path / "behind")
    elif kind == "file":
        point.touch()
    done = run("mount", "-f", "-o", f"keys={local.keys}", local.source, point)
    assert done.returncode != 0 and words in done.stderr.decode() and str(point) in done.stderr.decode()


def ended(m, within=5):
    status = m.daemon.wait(within * SLOW)
    m.check_end(status)
    return status


def umount(m, *options):
    return subprocess.run(["fusermount3", "-u", *options, m.point], capture_output=True, check=False)


def test_fusermount3_ends_the_daemon(m):
    assert m.read("x")
    m.stop("umount")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=["TERM", "INT", "HUP"])
def test_a_signal_unmounts_with_exit_status_0(m, number):
    assert m.read("x")
    m.daemon.send_signal(number)
    assert ended(m) == 0
    assert os.listdir(m.point) == []


def test_a_mount_in_use_stays(m):
    """fusermount3 -u refuses it, and everything goes on."""
    with m.open("x") as f:
        done = umount(m)
        assert done.returncode != 0 and b"busy" in done.stderr
        assert f.range(0, 10) == b"x" * 10
        assert m.list() == ["x"]
    m.stop("umount")


def test_a_lazy_unmount_ends_with_the_last_handle(m):
    with m.open("x") as f:
        assert umount(m, "-z").returncode == 0
        assert not m.mounted()
        assert f.range(0, 200_000) == b"x" * 100_000
        time.sleep(0.3)
        assert m.daemon.poll() is None
    assert ended(m) == 0


def test_a_signal_ends_a_mount_with_open_handles(m):
    handles = [m.open("x") for _ in range(20)] + [m.open("")]
    m.daemon.send_signal(signal.SIGTERM)
    assert ended(m) == 0
    os.posix_fadvise(handles[0].fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert errno_of(os.pread, handles[0].fd, 10, 50_000) in ("ENOTCONN", "ECONNABORTED", "EIO")
    for handle in handles:
        os.close(handle.fd)


def test_a_second_signal_does_no_harm(m):
    for _ in range(3):
        m.daemon.send_signal(signal.SIGTERM)
    assert ended(m) == 0


def test_signals_that_mean_nothing_are_ignored(m):
    m.daemon.send_signal(signal.SIGPIPE)
    time.sleep(0.1)
    assert m.daemon.poll() is None
    assert m.read("x") == b"x" * 100_000


def test_the_same_directory_can_be_mounted_again_and_again(local):
    local.put("x", b"x")
    m = local.mount()
    for _ in range(5):
        m.stop()
        m.start()
        assert m.read("x") == b"x"


def test_readers_at_work_when_the_mount_ends_get_an_error(local):
    local.put("x", b"x" * 30_000_000)
    m = local.mount()
    reader = subprocess.Popen(["sh", "-c", f"while cat '{m.path('x')}' >/dev/null 2>&1; do :; done"])
    wait_until(lambda: reader.poll() is None, 1, "the reader")
    time.sleep(0.3)
    m.daemon.send_signal(signal.SIGTERM)
    assert ended(m) == 0
    assert reader.wait(5 * SLOW) == 0
