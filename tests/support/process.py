# SPDX-License-Identifier: MIT
"""Servers and daemons that a test starts: free ports, waiting, and an end that is checked."""
import os
import signal
import socket
import subprocess
import time

# Sanitizers and valgrind slow everything; AZC_SLOW=10 makes every wait ten times as patient.
SLOW = float(os.environ.get("AZC_SLOW", "1"))
# Such a build is also one whose memory is mostly theirs.
SANITIZED = SLOW > 1 or "AZC_WRAPPER" in os.environ


def free_port(host="127.0.0.1"):
    with socket.socket() as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def wait_until(condition, seconds, what, poll=0.01):
    """Polls until condition() is true and returns that value; TimeoutError names what was awaited."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds * SLOW:.0f} s")
        time.sleep(poll)


def listens(port, host="127.0.0.1"):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((host, port)) == 0


def stop(process, seconds=10):
    """Ends a server that this test run started: SIGTERM, then SIGKILL.  Returns its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()
