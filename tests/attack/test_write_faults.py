# SPDX-License-Identifier: MIT
"""Writes that the network or the service spoils: close is 0 and every byte there, or an errno and nothing changed.

Ids are those of the failure table in docs/SECURITY.md, "When things fail".
"""
import concurrent.futures
import os
import signal
import time

import pytest

from tests.support import seal
from tests.support.crash import Container, closed, meanwhile
from tests.support.mount import errno_of
from tests.support.process import SLOW, wait_until
from tests.support.sealed import KEK, Cloud
from tests.support.writing import DOUBTS, RW, opened, python

OLD = seal.random_plaintext("old", 30_000)
SMALL = seal.random_plaintext("new", 40_000)
BLOCKS = seal.random_plaintext("blocks", seal.REGION + 50_000)
OTHER = seal.random_plaintext("somebody else", 20_000)
SIZES = pytest.mark.parametrize("plain", [SMALL, BLOCKS], ids=["one request", "blocks"])
ENDS = pytest.mark.parametrize("end", ["close", "fsync"])
WHEN = 1_700_000_000


@pytest.fixture(scope="module")
def cloud(azurite, tmp_path_factory, module_mount):
    from tests.emulators.blobproxy import BlobProxy

    with BlobProxy(azurite.url) as proxy:
        yield Cloud(azurite, proxy, tmp_path_factory.mktemp("cloud"), module_mount)


@pytest.fixture(scope="module")
def m(cloud):
    return cloud.mount(*RW, *DOUBTS)


@pytest.fixture(scope="module")
def container(cloud):
    return Container(cloud, KEK)


@pytest.fixture
def name(request):
    return request.node.name.replace("[", "-").rstrip("]").replace(" ", "-")


@pytest.fixture
def spoil(cloud, name):
    """spoil(fault...): for requests about the test's blob."""
    yield lambda **fault: cloud.proxy.faults.add(path=rf"/{name}($|\?)", **fault)
    cloud.proxy.faults.clear()


# ---- R01, R04, R05, R19: what passes


def write(plain):
    return lambda x, y: x.write_bytes(plain)


CHANGES = {
    "a new file of one request": ({}, write(SMALL), {"x": SMALL}),
    "a new file of blocks": ({}, write(BLOCKS), {"x": BLOCKS}),
    "an overwrite": ({"x": OLD}, write(SMALL), {"x": SMALL}),
    "rename": ({"x": OLD}, lambda x, y: x.rename(y), {"y": OLD}),
    "set mtime": ({"x": OLD}, lambda x, y: os.utime(x, (WHEN, WHEN)), {"x": OLD}),
    "unlink": ({"x": OLD}, lambda x, y: x.unlink(), {}),
}
PASSING = {
    "reset before it is done": {"drop": "request", "reset": True},
    "reset in the body": {"cut": 10_000, "reset": True},
    "answer lost": {"drop": "response"},
    "answer lost twice": {"drop": "response", "reset": True, "times": 2},
    "500 though it is done": {"status": 500, "done": True},
    "503 with Retry-After": {"status": 503, "retry_after": 1},
    "429": {"status": 429},
}


def spoilt_at_each_request(cloud, m, container, what, fault):
    """The change under a new name for each of its requests, with that one spoilt: what was wrong, in words."""
    before, change, after = CHANGES[what]
    wrong, n, hurt = [], 0, True
    while hurt:
        n += 1
        prefix = f"{what}.{fault}.{n}.".replace(" ", "-")
        for x, plain in before.items():
            cloud.put(prefix + x, plain)
        made = cloud.proxy.faults.add(path=rf"/{prefix}[xy]($|\?)", nth=n, **PASSING[fault])
        found = errno_of(change, m.path(prefix + "x"), m.path(prefix + "y"))
        state = container.state(prefix)
        hurt = made.hits > 0
        if found is not None or state != after:
            wrong.append(f"{fault}, request {n}: {found}, {[(k, len(v)) for k, v in state.items()]}")
    return wrong if n > 1 else [f"{fault}: no request was spoilt"]


@pytest.mark.parametrize("what", CHANGES)
def test_r01_r04_r05_any_request_of_a_change_may_fail_once(cloud, m, container, what):
    with concurrent.futures.ThreadPoolExecutor(len(PASSING)) as pool:
        jobs = [pool.submit(spoilt_at_each_request, cloud, m, container, what, fault) for fault in PASSING]
        wrong = [line for job in jobs for line in job.result()]
    cloud.proxy.faults.clear()
    assert wrong == [], m.log()[-3000:]


@ENDS
@SIZES
def test_r07_a_lost_answer_and_then_another_writer_is_a_lost_race(cloud, m, name, spoil, end, plain):
    """What we wrote was there for a moment: it has been replaced since, and the writer is told so."""
    lost = spoil(method="PUT", nth=1 if plain is SMALL else 3, stall_answer=True, drop="response")
    fd = os.open(m.path(name), os.O_RDWR | os.O_CREAT)
    os.write(fd, plain)
    future = meanwhile(os.close if end == "close" else os.fsync, fd)
    wait_until(lambda: lost.hits, 10, "the request")
    other = cloud.put(name, OTHER)
    lost.release()
    assert future.result(10) in ("EEXIST", "ESTALE")
    if end == "fsync":
        closed(fd)
    assert m.read(name) == OTHER and cloud.azurite.service.get_blob_client(cloud.container, name).get_blob_properties().etag == other


# ---- what stays

REFUSALS = [
    (403, "AuthorizationFailure", "EACCES"), (403, "AuthorizationPermissionMismatch", "EACCES"), (409, "BlobArchived", "ENODATA"),
    (409, "BlobImmutableDueToPolicy", "EPERM"), (412, "LeaseIdMissing", "EBUSY"), (404, "ContainerNotFound", "ENOENT"),
    (400, "InvalidHeaderValue", None), (412, "ConditionNotMet", "ESTALE"), (413, "RequestBodyTooLarge", None),
]  # fmt: skip


@pytest.mark.parametrize(("end", "plain"), [("close", SMALL), ("fsync", BLOCKS)], ids=["close", "fsync of blocks"])
@pytest.mark.parametrize(("status", "code", "errno"), REFUSALS, ids=[code for _, code, _ in REFUSALS])
def test_r07_a_refusal_is_told_and_changes_nothing(cloud, m, container, name, spoil, status, code, errno, end, plain):
    """The writer's bytes stay for who has the file open, other files can be written, and so can this one when it passes."""
    cloud.put(name, OLD)
    before = cloud.azurite.get(cloud.container, name)
    fd = os.open(m.path(name), os.O_RDWR | os.O_TRUNC)
    with opened(m.path(name), os.O_RDONLY) as reader:
        os.write(fd, plain)
        refusal = spoil(method="PUT", status=status, code=code, times=None)
        found = errno_of(os.close if end == "close" else os.fsync, fd)
        assert found == errno if errno else found in ("EIO", "EINVAL", "EFBIG", "E2BIG")
        assert 1 <= refusal.hits <= 4
        assert cloud.azurite.get(cloud.container, name) == before
        assert os.pread(reader, len(plain) + 1, 0) == plain
        m.path(f"{name}.kept").write_bytes(os.pread(reader, len(plain) + 1, 0))
        assert container.read(f"{name}.kept") == plain
        cloud.proxy.faults.clear()
        if end == "fsync":
            assert errno_of(os.fsync, fd) is None and container.read(name) == plain
            os.close(fd)
    assert m.read(name) == (plain if end == "fsync" else OLD)
    assert [t for _, _, t in m.events() if f"'/{name}'" in t and (code in t or not errno)], m.log()[-2000:]


@ENDS
def test_r24_an_errno_of_close_or_fsync_has_a_line_in_the_log(cloud, m, name, spoil, end):
    spoil(method="PUT", status=403, code="AuthorizationFailure", times=None)
    fd = os.open(m.path(name), os.O_WRONLY | os.O_CREAT)
    os.write(fd, SMALL)
    assert errno_of(os.close if end == "close" else os.fsync, fd) == "EACCES"
    if end == "fsync":
        assert errno_of(os.close, fd) == "EACCES", "it is still dirty, and close has not been told"
    assert [t for _, e, t in m.events() if name in t and "AuthorizationFailure" in t], m.log()
    assert errno_of(os.stat, m.path(name)) == "ENOENT"


# ---- R07, R35: what others have done meanwhile, for real


def change(cloud, name):
    cloud.put(name, OTHER)


def lease(cloud, name):
    cloud.azurite.service.get_blob_client(cloud.container, name).acquire_lease()


MEANWHILE = {
    "changed": (OLD, change, "ESTALE", OTHER), "created": (None, change, "EEXIST", OTHER),
    "deleted": (OLD, Cloud.delete, "ESTALE", None), "leased": (OLD, lease, "EBUSY", OLD),
}  # fmt: skip


@ENDS
@SIZES
@pytest.mark.parametrize("what", MEANWHILE)
def test_r07_r35_who_lost_a_race_is_told_and_changes_nothing(cloud, m, container, name, what, end, plain):
    before, interfere, errno, after = MEANWHILE[what]
    if before is not None:
        cloud.put(name, before)
    fd = os.open(m.path(name), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    with opened(m.path(name), os.O_RDONLY) as reader:
        os.write(fd, plain)
        interfere(cloud, name)
        there = container.state(name)
        assert errno_of(os.close if end == "close" else os.fsync, fd) == errno
        assert container.state(name) == there == ({} if after is None else {"": after})
        assert os.pread(reader, len(plain) + 1, 0) == plain
        m.path(f"{name}.kept").write_bytes(plain)
        if end == "fsync":
            assert errno_of(os.close, fd) == errno
    assert container.read(f"{name}.kept") == plain
    found = errno_of(m.read, name)
    assert found == "ENOENT" if after is None else found is None and m.read(name) == after


@pytest.mark.parametrize("what", ["changed", "created"])
def test_r07_a_race_lost_while_blocks_are_on_their_way(cloud, m, container, name, what):
    """The service drops the blocks when somebody else puts the blob whole: that is a lost race, and no other error."""
    if what == "changed":
        cloud.put(name, OLD)
    fd = os.open(m.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(fd, BLOCKS[: seal.REGION])
    os.write(fd, BLOCKS[seal.REGION :])
    wait_until(lambda: cloud.requests("PUT", f"/{name}.*comp=block&"), 10, "a block")
    cloud.put(name, OTHER)
    assert errno_of(os.close, fd) == ("ESTALE" if what == "changed" else "EEXIST")
    assert container.read(name) == OTHER


# ---- R08, R10: a server that says nothing

CLOSE = "import os, sys\nfd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\nos.write(fd, b'x' * 50000)\nprint('written', flush=True)\nos.{}(fd)\n"


@ENDS
def test_r10_a_writer_that_waits_for_a_silent_server_can_be_killed(cloud, m, container, name, spoil, end):
    """An attempt is given up after 20 s and a publish after 300 s, whatever timeout= says; nobody has to wait for it."""
    silent = spoil(method="PUT", stall=True)
    child = python(CLOSE.format(end), m.path(name))
    assert child.stdout.readline() == b"written\n"
    wait_until(lambda: silent.hits, 10, "the request")
    m.path(f"{name}.other").write_bytes(OTHER)
    assert m.list() and container.read(f"{name}.other") == OTHER
    began = time.monotonic()
    child.send_signal(signal.SIGKILL)
    child.wait(10 * SLOW)
    assert time.monotonic() - began < 2 * SLOW
    silent.release()
    wait_until(lambda: container.read(name) == b"x" * 50000, 10, "what had been written")
