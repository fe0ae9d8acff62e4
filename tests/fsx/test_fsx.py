# SPDX-License-Identifier: MIT
"""The random tester (fsx.c) over mounts that write, looked at through a second mount of the same store.

AZC_FSX_OPS    operations in all (`make fsx` takes a million), seven of ten on dir: stores, the others on Azurite
AZC_FSX_SEED   the first run's seed; the others follow
"""
import contextlib
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import pytest

from tests.conftest import make_keys_file
from tests.support import seal
from tests.support.dirstore import DirStore
from tests.support.process import SLOW

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FSX = pathlib.Path(os.environ.get("AZC_BUILD", ROOT / "build")) / "tests" / "fsx" / "fsx"
OPS = int(os.environ.get("AZC_FSX_OPS", "4000"))
SEED = int(os.environ.get("AZC_FSX_SEED", "1"))
FAULTS = FSX.parent / "faults.so"
REMOTE = ROOT / "tests" / "fsx" / "remote.py"
KEK = seal.make_kek("A256KW")
TIMEOUT = max(240, OPS // 100) * SLOW
# Nothing is remembered of files that are changed elsewhere.
DOUBTS = ("attr_timeout=0", "negative_timeout=0")
K, M = 1 << 10, 1 << 20
# Of what size the files are, for how many of a hundred operations.
SIZES = [(64 * K, 70), (M, 25), (20 * M, 5)]
pytestmark = pytest.mark.timeout(TIMEOUT + 60)


def fsx(directory, *options, ops=OPS, seed=SEED):
    """Runs the tester; its report as {word: number}."""
    done = subprocess.run(
        [FSX, "--ops", str(ops), "--seed", str(seed), *map(str, options), str(directory)],
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"fsx: exit status {done.returncode}\n{done.stdout}{done.stderr}"
    words = done.stdout.split()
    return {name: int(value) for name, value in zip(words[::2], words[1::2])}


# ---- the tester itself, on a plain directory


def test_a_plain_directory_has_no_mismatch(tmp_path):
    told = fsx(tmp_path, "--check", tmp_path, ops=6000)
    assert told["ops"] == 6000 and told["errors"] == 0
    assert min(told[what] for what in ("reads", "writes", "truncates", "maps", "publishes", "renames", "unlinks", "checks")) > 25


@pytest.mark.parametrize("fault", ["flip", "truncate", "append", "rename"])
def test_a_planted_fault_is_found(tmp_path, fault):
    done = subprocess.run(
        [FSX, "--ops", "20000", "--seed", str(SEED), "--plant", fault, "--plant-at", "1500", "--log", "2000", str(tmp_path)],
        capture_output=True, text=True, timeout=60 * SLOW, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "MISMATCH" in done.stderr and "the fault was planted" in done.stderr


def test_a_lost_update_is_found(tmp_path):
    """A plain directory tells nobody: whoever closes last wins."""
    done = subprocess.run(
        [FSX, "--ops", "20000", "--check", str(tmp_path), "--remote-change", "mount", str(tmp_path)],
        capture_output=True, text=True, timeout=60 * SLOW, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and "MISMATCH" in done.stderr, done.stderr


# ---- mounts


@pytest.fixture
def keys(tmp_path):
    return make_keys_file(tmp_path, KEK)


@pytest.fixture
def store():
    """A dir: store and a staging directory in memory, where a sync costs nothing."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as directory:
        here = pathlib.Path(directory).resolve()
        (here / "staging").mkdir()
        yield DirStore(here / "store"), here / "staging"


class Two:
    """Two mounts of one store, both of which may write."""

    def __init__(self, mount, keys, source, *options, env=None, second=None):
        """second: source and environment of the second mount, where they are not the first's."""
        arguments = (f"keys={keys}", "rw", f"kek={KEK.kid}", *DOUBTS)
        self.first = mount(source, *arguments, *options, env=env)
        source, env = second or (source, env)
        self.second = mount(source, *arguments, env=env)

    def run(self, *options, **given):
        return fsx(self.first.point, "--check", self.second.point, *options, **given)


def share(hundredth):
    return max(OPS * hundredth // 100, 50)


class Faults:
    """What fails of a disk, by preload/faults.c."""

    def __init__(self, control, *directories):
        control.write_bytes(bytes(16))
        self._control = control
        self.environment = {
            "LD_PRELOAD": FAULTS, "FSX_FAULT_DIRS": ":".join(map(str, directories)),
            "FSX_FAULT_SEED": SEED, "FSX_FAULT_CONTROL": control,
        }  # fmt: skip

    @contextlib.contextmanager
    def on(self):
        self._write(1)
        try:
            yield
        finally:
            self._write(0)

    def _write(self, what):
        with open(self._control, "r+b") as f:
            f.write(bytes([what]))

    @property
    def hits(self):
        return struct.unpack("QQ", self._control.read_bytes())[1]


@pytest.mark.parametrize("size, part", SIZES)
def test_a_directory_store(store, mount, keys, size, part):
    objects, staging = store
    told = Two(mount, keys, objects.source, f"staging={staging}").run("--max-size", size, ops=share(40 * part // 100))
    assert told["errors"] == 0


def test_a_directory_store_with_little_memory(store, mount, keys):
    """Most of what is staged is spilled."""
    objects, staging = store
    two = Two(mount, keys, objects.source, f"staging={staging}", "memory=16M")
    assert two.run("--max-size", 20 * M, ops=share(3))["errors"] == 0


def test_a_directory_store_that_somebody_else_writes_to(store, mount, keys):
    objects, staging = store
    told = Two(mount, keys, objects.source, f"staging={staging}").run(
        "--remote-change", "mount", "--remote-every", 40, "--max-size", M, ops=share(7), seed=SEED + 1
    )
    assert told["lost"] > 0


@pytest.mark.skipif(SLOW > 1, reason="a sanitizer wants to be the first library")
@pytest.mark.parametrize("others", [(), ("--remote-change", "mount", "--remote-every", 200)], ids=["alone", "not-alone"])
def test_a_directory_store_on_a_disk_that_fails(store, mount, keys, tmp_path, others):
    objects, staging = store
    faults = Faults(tmp_path / "control", objects.root, staging)
    two = Two(
        mount, keys, objects.source, f"staging={staging}", "memory=32M", env=faults.environment, second=(objects.source, None)
    )
    with faults.on():
        told = two.run("--tolerate-errors", "--max-size", M, *others, ops=share(8), seed=SEED + 2)
    assert faults.hits > 0 and told["settled"] > 0


def test_many_threads(store, mount, keys):
    objects, staging = store
    told = Two(mount, keys, objects.source, f"staging={staging}").run(
        "--threads", 8, "--files", 4, "--max-size", M, ops=share(4) // 8
    )
    assert told["errors"] == 0 and told["peeks"] > 0


def test_azurite(mount, keys, azurite, container):
    two = Two(mount, keys, azurite.source(container), env=azurite.environment())
    # A publish costs much more there than an operation that publishes nothing.
    told = two.run("--max-size", 64 * K, "--check-every", 20, "--reopen-every", 6, ops=share(20), seed=SEED + 3)
    assert told["errors"] == 0


def test_azurite_with_large_files(mount, keys, azurite, container):
    two = Two(mount, keys, azurite.source(container), env=azurite.environment())
    assert two.run("--max-size", 9 * M, ops=share(1), seed=SEED + 4)["errors"] == 0


def test_azurite_that_the_python_client_writes_to(mount, keys, azurite, container, monkeypatch):
    for name, value in azurite.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("FSX_CONTAINER", container)
    monkeypatch.setenv("FSX_KEK", f"{KEK.kid} {KEK.secret.hex()}")
    two = Two(mount, keys, azurite.source(container), env=azurite.environment())
    told = two.run("--remote-change", REMOTE, "--remote-every", 40, "--max-size", 64 * K, ops=share(4), seed=SEED + 5)
    assert told["remote"] > 0


def test_azurite_with_faults(mount, keys, azurite, container, blobproxy):
    """One request in a hundred fails: refused, cut before it is done, or done and the answer lost."""
    connection = azurite.connection_string.replace(azurite.endpoint, blobproxy.endpoint)
    two = Two(
        mount, keys, f"blob:{blobproxy.endpoint}/{container}", env={"AZURE_STORAGE_CONNECTION_STRING": connection}
    )
    faults = [
        blobproxy.faults.add(nth=50 * (at + 1), every=400, times=None, **fault)
        for at, fault in enumerate(({"status": 503}, {"drop": "request"}, {"drop": "response"}, {"status": 403}))
    ]
    two.run(
        "--tolerate-errors", "--remote-change", "mount", "--remote-every", 200, "--max-size", 64 * K, ops=share(5), seed=SEED + 6
    )
    assert all(fault.hits > 0 for fault in faults)
