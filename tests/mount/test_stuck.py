# SPDX-License-Identifier: MIT
"""When the service stops answering for some data, everything else goes on, and nobody is held for ever."""
import os
import signal
import subprocess
import time

import pytest

from tests.support.sealed import Children, in_flight
from tests.support import seal
from tests.support.mount import errno_of
from tests.support.process import SLOW, wait_until

READERS = 64
LARGE = seal.random_plaintext("stuck", seal.REGION + 1000)  # two spans: opening it does not fetch it
AT_ONCE = 1.0
PATIENCE = 2.0  # of a call that a signal has interrupted


def copies(cloud, name, plain):
    """The blob and 63 copies of it, NAME-0 to NAME-63: each has its own requests."""
    cloud.put(f"{name}-0", plain)
    source = cloud.azurite.service.get_blob_client(cloud.container, f"{name}-0").url
    for i in range(1, READERS):
        cloud.azurite.service.get_blob_client(cloud.container, f"{name}-{i}").start_copy_from_url(source)


def stall(cloud, path, **more):
    return cloud.proxy.faults.add(path=path, stall=True, times=None, **more)


def timed(function, *arguments):
    """What the call returns, and that it comes at once."""
    start = time.monotonic()
    result = function(*arguments)
    took = time.monotonic() - start
    assert took < AT_ONCE * SLOW, f"{function} took {took:.1f} s"
    return result


@pytest.fixture
def files(cloud, children):
    """64 large files and some others; children.stop() runs before the mount is taken away."""
    copies(cloud, "large", LARGE)
    cloud.put("small", b"small")
    cloud.put("other/small", b"other")
    cloud.put("free", LARGE)
    return cloud


@pytest.fixture(params=["read", "read-direct"])
def stuck(request, files, children):
    """A mount with 64 readers whose data does not come, buffered or not."""
    m = files.mount()
    m.list()
    m.read("small")
    stall(files, "/large-", method="GET")
    readers = children.many(request.param, [m.path(f"large-{i}") for i in range(READERS)])
    in_flight(files, READERS, "/large-")
    assert all(reader.poll() is None for reader in readers)
    return m, readers


def answers_everything_else(m):
    assert timed(lambda: m.path("large-0").stat().st_size) == len(LARGE)
    assert len(timed(m.list)) == READERS + 3
    assert timed(m.list, "other") == ["small"]
    assert timed(m.read, "other/small") == b"other"
    assert timed(m.read, "small") == b"small"
    assert timed(m.read, "free") == LARGE
    assert timed(lambda: m.path("missing").exists()) is False
    timed(os.statvfs, m.point)


def test_stuck_readers_block_nothing_else(stuck):
    m, readers = stuck
    time.sleep(1.1)  # what the first listing told is stale by now
    answers_everything_else(m)
    assert all(reader.poll() is None for reader in readers)


def test_stuck_opens_block_nothing_else(files, children):
    """A small blob is fetched while it is opened."""
    copies(files, "tiny", b"x" * 100)
    m = files.mount()
    stall(files, "/tiny-", method="GET")
    openers = children.many("read", [m.path(f"tiny-{i}") for i in range(READERS)])
    in_flight(files, READERS, "/tiny-")
    assert timed(lambda: m.path("tiny-0").stat().st_size) == 100
    assert timed(m.read, "small") == b"small"
    assert timed(m.read, "free") == LARGE
    assert len(timed(m.list)) == 2 * READERS + 3
    assert all(opener.poll() is None for opener in openers)


def test_killed_readers_go_away_at_once(stuck):
    m, readers = stuck
    start = time.monotonic()
    for reader in readers:
        reader.kill()
    for reader in readers:
        assert reader.wait(5 * SLOW) == -signal.SIGKILL
    assert time.monotonic() - start < 2 * SLOW
    answers_everything_else(m)


def test_stuck_readers_go_on_when_the_data_comes(stuck, files):
    m, readers = stuck
    files.proxy.faults.release()
    for reader in readers:
        assert reader.communicate(timeout=20 * SLOW)[0].strip() == b"4096"
    assert m.read("large-5") == LARGE


def test_sigterm_with_stuck_readers_ends_the_mount_within_3_seconds(stuck):
    m, readers = stuck
    start = time.monotonic()
    m.daemon.send_signal(signal.SIGTERM)
    status = m.daemon.wait(20 * SLOW)
    assert time.monotonic() - start < 3 * SLOW
    assert status == 0, m.log()
    assert not m.mounted()
    for reader in readers:
        assert reader.communicate(timeout=5 * SLOW)[0].strip() in (b"EIO", b"ENOTCONN", b"ECONNABORTED", b"EINTR")


# ---- interrupts: a signal that the program handles


@pytest.mark.parametrize(
    ("what", "name", "path"),
    [("open", "small", "/small"), ("stat", "small", "comp=list"), ("read-direct", "large-0", "/large-0")],
    ids=["open", "lookup", "direct read"],
)
def test_a_handled_signal_ends_a_call_with_eintr_that_is_stuck_for_2_seconds(files, children, what, name, path):
    m = files.mount()
    if what != "stat":
        m.path(name).stat()
    files.forget()
    stall(files, path, method="GET")
    child = children(what, m.path(name))
    in_flight(files, 1, path)
    time.sleep(0.2)
    assert child.poll() is None
    child.send_signal(signal.SIGUSR1)
    start = time.monotonic()
    assert child.communicate(timeout=10 * SLOW)[0].strip() == b"EINTR"
    assert PATIENCE - 0.1 < time.monotonic() - start < PATIENCE + AT_ONCE * SLOW
    files.proxy.faults.clear()
    wait_until(lambda: errno_of(m.read, name) is None, 5, "the file to be readable again")


def test_interrupts_do_not_harm_others_who_wait(files, children):
    """Two wait for the same bytes; one gives up."""
    m = files.mount()
    m.path("large-0").stat()
    fault = stall(files, "/large-0", method="GET")
    first, second = (children("read-direct", m.path("large-0")) for _ in range(2))
    in_flight(files, 1, "/large-0")
    time.sleep(0.3)
    first.send_signal(signal.SIGUSR1)
    assert first.communicate(timeout=5 * SLOW)[0].strip() == b"EINTR"
    assert second.poll() is None
    fault.release()
    assert second.communicate(timeout=10 * SLOW)[0].strip() == b"4096"


def test_many_interrupts_at_once(files):
    """The answer to the interrupt and the data race; whoever loses must do no harm."""
    m = files.mount("attr_timeout=60")
    for first in range(0, READERS, 16):
        children = Children()
        files.forget()
        stall(files, "/large-", method="GET")
        readers = children.many("read-direct", [m.path(f"large-{first + i}") for i in range(16)])
        in_flight(files, 16, "/large-")
        files.proxy.faults.clear()
        for reader in readers:
            if reader.poll() is None:
                reader.send_signal(signal.SIGUSR1)
        for reader in readers:
            reader.wait(10 * SLOW)
        children.stop()
    assert m.read("large-3") == LARGE and m.read("large-40") == LARGE


# ---- the deadline


def test_the_deadline_of_an_operation_gives_etimedout(files):
    m = files.mount("timeout=2", "attr_timeout=0")
    handle = os.open(m.path("large-0"), os.O_RDONLY | os.O_DIRECT)
    for path, call in (
        ("/large-0", lambda: os.pread(handle, 100, 0)),
        ("/small", lambda: m.read("small")),
        ("comp=list", lambda: m.path("free").stat()),
        ("comp=list", m.list),
    ):
        stall(files, path, method="GET")
        start = time.monotonic()
        assert errno_of(call) == "ETIMEDOUT", path
        assert 1.5 < time.monotonic() - start < 4 * SLOW, path
        files.proxy.faults.clear()
        assert errno_of(call) is None, f"{path}: it recovers"
    os.close(handle)


def test_the_kernel_tries_a_failed_read_once_more(files):
    """Read-ahead fails without a word, and the page that is wanted is asked for again."""
    m = files.mount("timeout=1")
    with m.open("large-0") as f:
        stall(files, "/large-0", method="GET")
        start = time.monotonic()
        assert errno_of(os.pread, f.fd, 100, 0) == "ETIMEDOUT"
        assert 0.8 < time.monotonic() - start < 3 * SLOW


def test_a_deadline_is_logged_with_what_to_do(files):
    m = files.mount("timeout=1")
    m.list()
    stall(files, "/small", method="GET")
    assert errno_of(m.read, "small") == "ETIMEDOUT"
    assert "small" in m.events()[-1][2], m.log()


def test_a_stuck_listing_does_not_block_other_files(files, children):
    m = files.mount()
    m.path("free").stat()
    stall(files, "comp=list.*prefix=other", method="GET")
    listing = subprocess.Popen(["ls", m.path("other")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children.started.append(listing)
    listing.stdout = open(os.devnull, "rb")
    in_flight(files, 1, "prefix=other")
    assert timed(m.read, "small") == b"small"
    assert timed(m.read, "free") == LARGE
    assert listing.poll() is None
