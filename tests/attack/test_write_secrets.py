# SPDX-License-Identifier: MIT
"""What is written stays inside the process until it is sealed: nothing of it on a disk, no key in a log, no key twice."""
import base64
import os
import pathlib
import resource

import pytest

from tests.support import seal
from tests.support.sealed import KEK, Cloud, Local
from tests.support.writing import RW, metadata, opened, published, wrapped_key

MIB = 1 << 20
MARKER = b"canary-of-what-is-written-5d1e9a70c3b2"
PIECE = (MARKER + b"." * (4096 - len(MARKER))) * (MIB // 4096)


def unlinked(pid, where):
    """The daemon's open files below a directory, whether they have a name or not."""
    found = {}
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
            if target.startswith(str(where)) and fd.is_file():
                found[target] = fd.read_bytes()
        except FileNotFoundError:
            continue
    return found


def files(*directories):
    """Every file that has a name, and its bytes."""
    found = {}
    for directory in directories:
        for path in pathlib.Path(directory).rglob("*"):
            try:
                if path.is_file():
                    found[str(path)] = path.read_bytes()
            except FileNotFoundError:
                continue
    return found


def marked(haystacks):
    return [place for place, hay in haystacks.items() if MARKER in hay]


@pytest.mark.parametrize("order", ["forwards", "backwards"])
def test_r17_100_mib_that_are_written_are_nowhere_in_the_clear(tmp_path, mount, order):
    """Staging directory, TMPDIR, the dir: store, unlinked files, log, while they are written and after."""
    local, staging, temporary = Local(tmp_path, mount), tmp_path / "staging", tmp_path / "tmp"
    staging.mkdir()
    temporary.mkdir()
    m = local.mount(*RW, "memory=16M", f"staging={staging}", "log_level=debug", env={"TMPDIR": temporary})
    looked = 0
    with opened(m.path("x")) as fd:
        for i in range(100) if order == "forwards" else range(99, -1, -1):
            os.pwrite(fd, PIECE, i * MIB)
            if i % 33 == 1:
                held = unlinked(m.daemon.pid, tmp_path)
                looked += sum(len(b) for path, b in held.items() if str(staging) in path)
                assert marked(held) == []
                assert marked(files(staging, temporary, local.store.root)) == []
                assert list(staging.iterdir()) == []
        os.fsync(fd)
        assert marked(unlinked(m.daemon.pid, tmp_path)) == []
    assert looked > 50 * MIB, "the staging area was not used"
    assert published(local, "x") == PIECE * 100
    m.stop()
    assert MARKER not in m.log_path.read_bytes()
    assert marked(files(staging, temporary, local.store.root)) == [] and list(temporary.iterdir()) == list(staging.iterdir()) == []


def test_each_publish_has_a_content_key_of_its_own(tmp_path, mount):
    """fsync, close, the same bytes again, two names, an append, a truncate, a copy of the descriptor."""
    local = Local(tmp_path, mount)
    m = local.mount(*RW)
    seen = []

    def note(name="x"):
        seen.append(wrapped_key(metadata(local, name)))

    with opened(m.path("x")) as fd:
        for piece in (b"one", b"two"):
            os.write(fd, piece)
            os.fsync(fd)
            note()
        os.pwrite(fd, b"one", 0)
        os.fsync(fd)
        note()
        os.write(fd, b"at close")
    note()
    for name in ("x", "y", "x"):
        m.path(name).write_bytes(b"the same")
        note(name)
    with open(m.path("x"), "ab") as f:
        f.write(b"more")
    note()
    os.truncate(m.path("x"), 3)
    note()
    os.truncate(m.path("x"), 3 * seal.REGION)
    note()
    assert len(set(seen)) == len(seen) == 10
    assert len({KEK.unwrap_key(base64.b64decode(w), "A256KW") for w in seen}) == len(seen)


def test_nonces_start_over_only_under_another_key(tmp_path, mount):
    """A write into a region that was sent: no region of the old sealing is used, not even an unchanged one."""
    local = Local(tmp_path, mount)
    m = local.mount(*RW)
    plain = seal.random_plaintext("nonces", 3 * seal.REGION)
    with opened(m.path("x")) as fd:
        os.write(fd, plain)
        os.fsync(fd)
        first, entry = local.store.get("x")
        os.pwrite(fd, b"!", 0)
    second, again = local.store.get("x")
    assert wrapped_key(entry["metadata"]) != wrapped_key(again["metadata"])
    step = seal.REGION + seal.OVERHEAD
    for i in range(3):
        assert first[i * step : i * step + 12] == second[i * step : i * step + 12] == i.to_bytes(12, "big")
        assert first[i * step + 12 : i * step + 60] != second[i * step + 12 : i * step + 60]


def test_no_key_and_no_token_is_in_the_log_of_a_writer(azurite, blobproxy, tmp_path, mount):
    """At debug, with publishes that failed and were repeated."""
    cloud = Cloud(azurite, blobproxy, tmp_path, mount)
    m = cloud.mount(*RW, "log_level=debug")
    for fault in ({"drop": "response"}, {"status": 500}, {"status": 403, "code": "AuthorizationFailure"}):
        blobproxy.faults.add(method="PUT", **fault)
        try:
            m.path("x").write_bytes(MARKER + seal.random_plaintext("x", seal.REGION))
        except OSError:
            pass
    m.path("y").write_bytes(MARKER)
    m.path("y").rename(m.path("z"))
    assert m.events("net.request")
    log, envelope = m.log(), cloud.azurite.get(cloud.container, "z")[1]
    key = KEK.unwrap_key(base64.b64decode(wrapped_key(envelope)), "A256KW")[8:]
    secrets = {"plaintext": MARKER.decode(), "account key": azurite.key, "KEK": KEK.secret.hex(), "CEK": key.hex(), "base64": _text(key), "KEK in base64": _text(KEK.secret)}
    assert [name for name, secret in secrets.items() if secret.lower() in log.lower()] == []
    assert "SharedKey" not in log and "sig=" not in log and wrapped_key(envelope) not in log


def _text(secret):
    return base64.b64encode(secret).decode().rstrip("=")


def test_no_core_is_written_while_files_are(tmp_path, mount):
    local = Local(tmp_path, mount)
    m = local.mount(*RW)
    with opened(m.path("x")) as fd:
        os.write(fd, MARKER)
        assert resource.prlimit(m.daemon.pid, resource.RLIMIT_CORE) == (0, 0)
        status = pathlib.Path(f"/proc/{m.daemon.pid}/coredump_filter")
        assert status.stat().st_uid == 0, "of root: the process is not dumpable"
