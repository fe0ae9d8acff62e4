# SPDX-License-Identifier: MIT
"""kill -9 at every moment of a write: what is there is the old version or the new one, whole, and the next mount works.

Ids are those of the failure table in docs/SECURITY.md, "When things fail".
"""
import os
import random
import time

import pytest

from tests.support import seal
from tests.support.crash import Container, kill, meanwhile
from tests.support.mount import errno_of
from tests.support.process import wait_until
from tests.support.sealed import KEK, Cloud, Local
from tests.support.writing import RW, published, python

OLD = seal.random_plaintext("old", 30_000)
SMALL = seal.random_plaintext("new", 40_000)
BLOCKS = seal.random_plaintext("blocks", 20 * (1 << 20))
MIXED = seal.random_plaintext("two blocks", 5 * (1 << 20))
WHEN = 1_700_000_000


@pytest.fixture
def cloud(azurite, blobproxy, tmp_path, mount):
    return Cloud(azurite, blobproxy, tmp_path, mount)


# What is there before, what is done, and what may be there when it was cut off.  "x" and "y" are names.
def write(plain):
    return lambda x, y: x.write_bytes(plain)


CHANGES = {
    "a new file of one request": ({}, write(SMALL), [{}, {"x": SMALL}]),
    "a new file of blocks": ({}, write(BLOCKS), [{}, {"x": BLOCKS}]),
    "an overwrite": ({"x": OLD}, write(SMALL), [{"x": OLD}, {"x": SMALL}]),
    "an overwrite by blocks": ({"x": OLD}, write(MIXED), [{"x": OLD}, {"x": MIXED}]),
    "rename": ({"x": OLD}, lambda x, y: x.rename(y), [{"x": OLD}, {"x": OLD, "y": OLD}, {"y": OLD}]),
    "rename over another": (
        {"x": SMALL, "y": OLD}, lambda x, y: x.rename(y),
        [{"x": SMALL, "y": OLD}, {"x": SMALL, "y": SMALL}, {"y": SMALL}],
    ),
    "set mtime": ({"x": OLD}, lambda x, y: os.utime(x, (WHEN, WHEN)), [{"x": OLD}]),
    "unlink": ({"x": OLD}, lambda x, y: x.unlink(), [{"x": OLD}, {}]),
}  # fmt: skip
MOMENTS = {"before it is seen": {"stall": True, "drop": "request"}, "when it is done": {"stall_answer": True}}
REQUESTS = {"a new file of one request": 1, "a new file of blocks": 6, "an overwrite": 2, "an overwrite by blocks": 4}


def kill_at(cloud, m, prefix, change, fault):
    """Does the change and kills the daemon when the fault fires.  False: it never did, and all was done."""
    future = meanwhile(change, m.path(prefix + "x"), m.path(prefix + "y"))
    wait_until(lambda: fault.hits or future.done(), 20, "the request")
    if not fault.hits:
        assert future.result() is None
        return False
    kill(m)
    cloud.proxy.faults.clear()
    assert future.result(10) is not None, "success was told while an answer was outstanding"
    return True


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
@pytest.mark.parametrize("what", CHANGES)
def test_r19_a_daemon_that_is_killed_at_any_request_leaves_old_or_new(cloud, what, moment):
    before, change, after = CHANGES[what]
    container = Container(cloud, KEK)
    n, found, prefix = 0, None, ""
    while True:
        m = cloud.mount(*RW)
        if found is not None:  # what the mount before was killed over
            assert {name: m.read(prefix + name) for name in found} == found
        n, prefix = n + 1, f"{n + 1}."
        for name, plain in before.items():
            cloud.put(prefix + name, plain)
        fault = cloud.proxy.faults.add(path=rf"/{prefix}[xy]($|\?)", nth=n, **moment)
        if not kill_at(cloud, m, prefix, change, fault):
            break
        found = container.state(prefix)
        assert found in after, {name: len(plain) for name, plain in found.items()}
    assert container.state(prefix) == after[-1]
    assert n - 1 >= REQUESTS.get(what, 2 if what != "unlink" else 1)


def test_r19_a_time_that_was_cut_off_is_the_old_or_the_new_one(cloud):
    """The envelope and the tag stay with it: Set Blob Metadata replaces all."""
    container = Container(cloud, KEK)
    m = cloud.mount(*RW)
    m.path("x").write_bytes(OLD)
    old = container.metadata("x")
    cloud.proxy.faults.add(method="PUT", path=r"/x\?comp=metadata", stall_answer=True)
    future = meanwhile(os.utime, m.path("x"), (WHEN, WHEN))
    wait_until(lambda: cloud.requests("PUT", "comp=metadata"), 10, "the request")
    kill(m)
    cloud.proxy.faults.clear()
    assert future.result(10) is not None
    new = container.metadata("x")
    assert {k: v for k, v in new.items() if k != "mtime"} == {k: v for k, v in old.items() if k != "mtime"}
    assert new["mtime"] in (old["mtime"], "2023-11-14T22:13:20Z")
    assert cloud.mount("binding=require").read("x") == OLD


# ---- dir: stores

OVERWRITES = """
import os, sys
for i in range(1, 100000):
    with open(sys.argv[1], "wb", 0) as f:
        f.write(b"%07d " % i * 12500)
    with open(sys.argv[1] + ".new", "wb", 0) as f:
        f.write(b"%07d " % i * 2)
    os.rename(sys.argv[1] + ".new", sys.argv[1] + ".kept")
    print(i, flush=True)
"""


def version(plain, times):
    """Which version it is; AssertionError when it is not one."""
    number = plain[:8]
    assert plain == number * times, f"{len(plain)} bytes that begin with {number!r}"
    return int(number)


def test_r19_a_daemon_that_is_killed_at_random_leaves_old_or_new_in_a_dir_store(tmp_path, mount):
    local, chance = Local(tmp_path, mount), random.Random(19)
    m = local.mount(*RW)
    for _ in range(20):
        child = python(OVERWRITES, m.path("x"))
        child.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        kill(m)
        told = [1, *map(int, child.communicate(timeout=20)[0].split())][-1]
        assert child.returncode != 0
        assert version(published(local, "x"), 12500) in (told, told + 1)
        assert version(published(local, "x.kept"), 2) in (told, told + 1)
        assert set(local.store.names()) <= {"x", "x.kept", "x.new"}
        m = local.mount(*RW)
        assert version(m.read("x"), 12500) >= told
        assert errno_of(m.path("x").write_bytes, b"") is None
