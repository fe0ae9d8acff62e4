# SPDX-License-Identifier: MIT
"""The harness notices a daemon that ends badly: programs that only play one, for what must be noticed."""
import os
import stat
import subprocess
import time

import pytest

from tests.support import mount


@pytest.fixture
def program(tmp_path, monkeypatch):
    """program(SCRIPT): a shell script as the program under test."""

    def make(script):
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("AZC_BINARY", str(path))
        monkeypatch.delenv("AZC_WRAPPER", raising=False)

    return make


def test_a_mount_that_ends_at_once_tells_status_and_words(program, tmp_path):
    program('echo "error config.option no such option: $*" >&2; exit 2')
    with pytest.raises(mount.MountFailed) as failure:
        mount.Mount("dir:/x", tmp_path, ["nonsense=1", "ro"]).start()
    assert failure.value.status == 2
    assert f"mount -f -o nonsense=1,ro dir:/x {tmp_path}/mnt" in failure.value.log


def test_the_environment_is_cleared(program, tmp_path, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_KEY", "of this machine")
    monkeypatch.setenv("SSL_CERT_FILE", "of this machine")
    program("env; exit 3")
    with pytest.raises(mount.MountFailed) as failure:
        mount.Mount("dir:/x", tmp_path, env={"AZCRYPTFS_LOG": "given"}).start()
    assert "of this machine" not in failure.value.log
    assert "AZCRYPTFS_LOG=given" in failure.value.log


@pytest.mark.parametrize("status", [1, 66, 99, 139])
def test_a_daemon_that_ends_with_a_verdict_fails_the_test(program, tmp_path, status):
    made = mount.Mount("dir:/x", tmp_path)
    with pytest.raises(AssertionError, match=f"exit status {status}"):
        made.check_end(status)


def test_a_sanitizers_report_fails_the_test_whatever_the_status(tmp_path):
    made = mount.Mount("dir:/x", tmp_path)
    made.log_path.write_text("==7==ERROR: LeakSanitizer: detected memory leaks\n")
    with pytest.raises(AssertionError, match="sanitizer"):
        made.check_end(0)


def test_a_daemon_that_does_not_end_is_ended_and_fails_the_test(program, tmp_path, monkeypatch):
    monkeypatch.setattr(mount, "SLOW", 0.02)
    program("trap '' TERM; while :; do sleep 0.1; done")
    made = mount.Mount("dir:/x", tmp_path)
    made.daemon = subprocess.Popen(mount.command())
    time.sleep(0.2)  # until the trap is set
    pid = made.daemon.pid
    with pytest.raises(AssertionError, match="did not end"):
        made.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_event_is_one_line(tmp_path):
    made = mount.Mount("dir:/x", tmp_path)
    made.log_path.write_text("warning integrity.region x: region 2\nnoise\nerror key.missing y\n")
    made.assert_event("integrity.region", "region 2")
    with pytest.raises(AssertionError):
        made.assert_event("integrity.region", "region 3")
    made.log_path.write_text("warning a.b x\nwarning a.b x\n")
    with pytest.raises(AssertionError):
        made.assert_event("a.b")


def test_a_command_that_a_sanitizer_judged_fails_the_test(program):
    program("exit 66")
    with pytest.raises(AssertionError, match="exit status 66"):
        mount.run("ls")
    program("echo out; echo err >&2; exit 3")
    done = mount.run("ls", "x")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
