# SPDX-License-Identifier: MIT
"""Writing: what is told when it fails, what the mount needs, and how it ends."""
import contextlib
import mmap
import os
import pathlib
import signal
import subprocess
import time

import pytest

from tests.support.mount import errno_of
from tests.support.process import SANITIZED, SLOW, wait_until
from tests.support.seal import random_plaintext
from tests.support.sealed import vm
from tests.support.writing import RW, opened, published, published_in_cloud, shell, write_after_close

MIB = 1 << 20
OLD, NEW = b"the old bytes", b"the new and longer bytes"
DENIED = {"method": "PUT", "status": 403, "code": "AuthorizationPermissionMismatch", "times": None}


# ---- what close cannot tell


def ended(m, status):
    """The mount ends by itself with that exit status."""
    daemon, m.daemon = m.daemon, None
    assert daemon.wait(20 * SLOW) == status, m.log()


def test_what_the_last_release_could_not_publish_is_told_by_the_next_open(cloud):
    cloud.put("x", OLD)
    m = cloud.mount(*RW)
    cloud.proxy.faults.add(path="/x", **DENIED)
    write_after_close(m.path("x"))
    m.assert_event("write.failed", "/x", "EACCES")
    cloud.proxy.faults.clear()
    assert errno_of(m.read, "x") == "EACCES"
    assert m.read("x") == published_in_cloud(cloud, "x") == OLD


def test_it_is_told_by_the_next_fsync_too(cloud):
    cloud.put("x", OLD)
    m = cloud.mount(*RW)
    with opened(m.path("x"), os.O_RDONLY) as kept:
        cloud.proxy.faults.add(path="/x", **DENIED)
        write_after_close(m.path("x"))
        m.assert_event("write.failed", "/x", "EACCES")
        cloud.proxy.faults.clear()
        assert errno_of(os.fsync, kept) == "EACCES"
        assert errno_of(os.fsync, kept) is None
    assert published_in_cloud(cloud, "x") == OLD


def test_bytes_whose_loss_nobody_was_told_of_end_the_mount_with_75(cloud):
    cloud.put("x", OLD)
    m = cloud.mount(*RW)
    cloud.proxy.faults.add(path="/x", **DENIED)
    write_after_close(m.path("x"))
    m.assert_event("write.failed", "/x", "EACCES")
    m.daemon.send_signal(signal.SIGTERM)
    ended(m, 75)


def test_a_command_whose_redirect_cannot_be_published_leaves_what_was_there(cloud):
    cloud.put("x", OLD)
    m = cloud.mount(*RW)
    cloud.proxy.faults.add(path="/x", **DENIED)
    done = shell("cp /etc/hostname x", m.point)
    assert done.returncode == 1 and b"Permission denied" in done.stderr
    assert published_in_cloud(cloud, "x") == OLD
    m.assert_event("auth.storage", "publish '/x'", "EACCES")


def test_a_publish_that_failed_once_for_the_service_s_sake_succeeds(cloud):
    m = cloud.mount(*RW)
    cloud.proxy.faults.add(method="PUT", path="/x", status=503, times=2)
    m.path("x").write_bytes(NEW)
    assert published_in_cloud(cloud, "x") == NEW


def test_a_publish_whose_answer_was_lost_is_no_lost_race(cloud):
    m = cloud.mount(*RW)
    cloud.proxy.faults.add(method="PUT", path="/x", drop="response")
    m.path("x").write_bytes(NEW)
    assert published_in_cloud(cloud, "x") == NEW


# ---- staging


@contextlib.contextmanager
def tiny_file_system(path, size):
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small file system")
def test_a_full_staging_area_is_enospc_and_publishes_nothing(local, tmp_path):
    local.put("x", OLD)
    with tiny_file_system(tmp_path / "tiny", 8 * MIB) as staging:
        m = local.mount(*RW, f"staging={staging}", "memory=16M")
        fd = os.open(m.path("x"), os.O_WRONLY | os.O_TRUNC)
        with pytest.raises(OSError, match="No space left"):
            for _ in range(100):
                os.write(fd, bytes(MIB))
        assert errno_of(os.close, fd) == "ENOSPC"
        assert published(local, "x") == OLD
        wait_until(lambda: errno_of(m.path("y").write_bytes, NEW) is None, 5, "room again")
        assert published(local, "y") == NEW
        m.stop()


def test_bytes_in_the_staging_directory_are_sealed_and_have_no_name(local, tmp_path):
    staging = tmp_path / "staging"
    staging.mkdir()
    m = local.mount(*RW, f"staging={staging}", "memory=16M")
    line = b"a secret that must not lie in the clear\n"
    fd = os.open(m.path("x"), os.O_WRONLY | os.O_CREAT)
    for _ in range(24):
        os.write(fd, line * (MIB // len(line)))
    assert list(staging.iterdir()) == []
    held = [p for p in pathlib.Path(f"/proc/{m.daemon.pid}/fd").iterdir() if str(staging) in os.readlink(p)]
    assert held
    for path in held:
        assert b"secret" not in path.read_bytes()
    os.close(fd)
    assert published(local, "x") == line * (MIB // len(line)) * 24


def test_memory_stays_bounded_while_many_files_are_written(local, tmp_path):
    m = local.mount(*RW, f"staging={tmp_path}", "memory=24M")
    fds = [os.open(m.path(f"f{i}"), os.O_WRONLY | os.O_CREAT) for i in range(16)]
    piece = random_plaintext("memory", MIB)
    for _ in range(10):
        for fd in fds:
            os.write(fd, piece)
    for fd in fds:
        os.close(fd)
    assert SANITIZED or vm(m.daemon.pid, "VmHWM") < 2 * (24 << 20) + (32 << 20)
    assert all(published(local, f"f{i}") == piece * 10 for i in (0, 7, 15))


# ---- the end


def test_sigterm_waits_for_writers_to_close(local):
    m = local.mount(*RW)
    fd = os.open(m.path("x"), os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"half")
    m.daemon.send_signal(signal.SIGTERM)
    m.assert_event("mount.waiting", "1 file")
    os.write(fd, b" and half")
    assert errno_of(os.open, m.path("y"), os.O_WRONLY | os.O_CREAT) == "ESHUTDOWN"
    os.close(fd)
    ended(m, 0)
    assert published(local, "x") == b"half and half" and local.store.names() == ["x"]


def test_what_is_not_closed_within_term_wait_is_lost_and_said(local):
    local.put("old", OLD)
    m = local.mount(*RW, "term_wait=1")
    fds = [os.open(m.path(n), os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for n in ("new", "old")]
    for fd in fds:
        os.write(fd, b"half")
    started = time.monotonic()
    m.daemon.send_signal(signal.SIGTERM)
    ended(m, 75)
    assert 0.9 < time.monotonic() - started < 5 * SLOW
    m.assert_event("write.lost", "4 bytes", count=2)
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
    assert local.store.names() == ["old"] and published(local, "old") == OLD


def test_term_wait_0_waits_for_nobody(local):
    m = local.mount(*RW, "term_wait=0")
    fd = os.open(m.path("x"), os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"half")
    started = time.monotonic()
    m.daemon.send_signal(signal.SIGTERM)
    ended(m, 75)
    assert time.monotonic() - started < 2 * SLOW
    with contextlib.suppress(OSError):
        os.close(fd)
    assert local.store.names() == []


def test_a_file_that_was_published_and_is_still_open_is_not_lost(local):
    m = local.mount(*RW, "term_wait=1")
    fd = os.open(m.path("x"), os.O_WRONLY | os.O_CREAT)
    os.write(fd, NEW)
    os.fsync(fd)
    m.daemon.send_signal(signal.SIGTERM)
    ended(m, 0)
    with contextlib.suppress(OSError):
        os.close(fd)
    assert m.events("write.lost") == [] and published(local, "x") == NEW


def test_a_mount_in_which_a_file_is_written_is_not_unmounted(local):
    m = local.mount(*RW)
    with opened(m.path("x")) as fd:
        os.write(fd, NEW)
        assert subprocess.run(["fusermount3", "-u", m.point], capture_output=True, check=False).returncode != 0
    assert published(local, "x") == NEW


def test_a_killed_daemon_leaves_the_old_version(local):
    local.put("x", OLD)
    m = local.mount(*RW)
    fd = os.open(m.path("x"), os.O_WRONLY | os.O_TRUNC)
    os.write(fd, NEW)
    m.daemon.kill()
    m.daemon.wait()
    assert errno_of(os.close, fd) in ("ENOTCONN", "ECONNABORTED")
    subprocess.run(["fusermount3", "-u", "-z", m.point], check=True)
    m.daemon = None
    assert published(local, "x") == OLD and local.store.names() == ["x"]


def test_a_mapping_can_be_msynced(local):
    local.put("x", OLD)
    m = local.mount(*RW)
    with opened(m.path("x")) as fd, mmap.mmap(fd, len(OLD)) as mapped:
        mapped[0:3] = b"THE"
        mapped.flush()
        assert published(local, "x") == b"THE" + OLD[3:]
