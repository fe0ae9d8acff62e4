# SPDX-License-Identifier: MIT
"""What a mount, and put, wrote is read by the official Python and Java clients, whole and in fifty ranges (a range costs
the Java client a tenth of a second: it is asked all fifty of one way of writing, and a few of the others).

Every size meets every way of writing under one algorithm, and some sizes meet each of the others.
"""
import functools
import os

import pytest

from tests.conftest import make_keys_file
from tests.support import blobsdk, ranges, seal
from tests.support import mount as mount_module

K, M = 1 << 10, 1 << 20
SIZES = (0, 1, 15, 16, 17, 4095, 4 * K, 65537, 777777, 4 * M - 1, 4 * M, 4 * M + 1, 8 * M, 8 * M + 1, 20 * M + 3)
FEW = (0, 1, 4 * M, 4 * M + 1)
RANGES, FEW_RANGES = 50, 6
KEKS = {a: seal.make_kek(a, f"https://example.vault.azure.net/keys/{a.lower()}/{'0' * 32}") for a in seal.ALGORITHMS}


@functools.lru_cache(maxsize=2)
def plaintext(size):
    return seal.random_plaintext("written", size)


def write(path, data, flags, block=M):
    fd = os.open(path, flags | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    try:
        for at in range(0, len(data), block):
            assert os.write(fd, data[at : at + block]) == len(data[at : at + block])
    finally:
        os.close(fd)


# ---- ways of writing: each leaves `data` under `name`


def at_once(m, name, data):
    write(m.path(name), data, os.O_CREAT | os.O_EXCL)


def in_odd_pieces(m, name, data):
    write(m.path(name), data, os.O_CREAT | os.O_EXCL, 99_991)


def overwritten(m, name, data):
    """A longer file is there before, of which nothing may remain."""
    write(m.path(name), b"old" * (len(data) // 3 + 100), os.O_CREAT)
    write(m.path(name), data, os.O_TRUNC)


def appended(m, name, data):
    """A published beginning is kept, and its bytes are sealed anew."""
    half = len(data) // 2
    write(m.path(name), data[:half], os.O_CREAT)
    write(m.path(name), data[half:], os.O_APPEND)


def backwards(m, name, data):
    """Every region is written, then an earlier one again."""
    with open(m.path(name), "wb", buffering=0) as f:
        for at in reversed(range(0, len(data), M)):
            os.pwrite(f.fileno(), data[at : at + M], at)


def truncated(m, name, data):
    """Too much is written and synced; the rest is cut off."""
    with open(m.path(name), "wb", buffering=0) as f:
        f.write(data)
        f.write(b"too much" * 1000)
        os.fsync(f.fileno())
        os.ftruncate(f.fileno(), len(data))


def renamed(m, name, data):
    write(m.path(f"{name}.part"), data, os.O_CREAT)
    os.rename(m.path(f"{name}.part"), m.path(name))


WAYS = (at_once, in_odd_pieces, overwritten, appended, backwards, truncated, renamed)


class Written:
    """A container with a mount that writes it under one algorithm, and both readers."""

    def __init__(self, azurite, mount, java, directory, kek):
        self.azurite, self.kek, self.directory = azurite, kek, directory
        self.container = azurite.make_container()
        self.keys = make_keys_file(directory, kek)
        self.options = [f"keys={self.keys}", "rw", f"kek={kek.kid}", f"wrap_alg={kek.algorithm}"]
        self.m = mount(azurite.source(self.container), *self.options, env=azurite.environment())
        self.java, self.python = java, blobsdk.Reader(azurite.connection_string, kek)

    def put(self, name, data):
        file = self.directory / "put"
        file.write_bytes(data)
        done = mount_module.run(
            "put", "-o", ",".join(self.options), file, f"{self.azurite.source(self.container)}/{name}",
            env=self.azurite.environment(), home=self.directory, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    def check(self, name, data, java_ranges=FEW_RANGES):
        wanted = [r for r in ranges.pick(len(data), seal.REGION, RANGES) if r[0] < len(data)]
        pieces = [data[offset : offset + length] for offset, length in wanted]
        assert self.python.read(self.container, name) == data
        assert self.python.ranges(self.container, name, wanted) == pieces
        whole, parts = self.java.blob(self.azurite.connection_string, self.container, name, wanted[:java_ranges])
        assert whole == blobsdk.digest(data)
        assert parts == [blobsdk.digest(piece) for piece in pieces[:java_ranges]]


@pytest.fixture(scope="module")
def written(azurite, module_mount, java_with, tmp_path_factory):
    """written(algorithm) -> Written; the mounts live as long as the file's tests."""
    java = java_with(*KEKS.values())

    @functools.cache
    def world(algorithm):
        return Written(azurite, module_mount, java, tmp_path_factory.mktemp("written"), KEKS[algorithm])

    return world


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", WAYS, ids=lambda w: w.__name__)
def test_a_file_of_every_size_and_way(written, way, size):
    world, name = written("RSA-OAEP-256"), f"{way.__name__}-{size}"
    way(world.m, name, plaintext(size))
    world.check(name, plaintext(size), RANGES if way is at_once else FEW_RANGES)


@pytest.mark.parametrize("size", SIZES)
def test_put(written, size):
    world = written("RSA-OAEP-256")
    world.put(f"put-{size}", plaintext(size))
    world.check(f"put-{size}", plaintext(size))


@pytest.mark.parametrize("size", FEW)
@pytest.mark.parametrize("way", [at_once, overwritten, renamed], ids=lambda w: w.__name__)
@pytest.mark.parametrize("algorithm", [a for a in seal.ALGORITHMS if a != "RSA-OAEP-256"])
def test_every_algorithm(written, algorithm, way, size):
    world, name = written(algorithm), f"{way.__name__}-{size}"
    way(world.m, name, plaintext(size))
    world.check(name, plaintext(size))
    metadata = world.azurite.get(world.container, name)[1]
    assert algorithm in metadata["encryptiondata"] and world.kek.kid in metadata["encryptiondata"]


@pytest.mark.parametrize("algorithm", seal.ALGORITHMS)
def test_put_under_every_algorithm(written, algorithm):
    world = written(algorithm)
    world.put("put", plaintext(4 * M + 1))
    world.check("put", plaintext(4 * M + 1))


def test_a_reader_without_the_key_reads_nothing(written):
    """The checks above do not pass by themselves."""
    world = written("A256KW")
    at_once(world.m, "closed", b"secret")
    with pytest.raises(Exception):
        blobsdk.Reader(world.azurite.connection_string).read(world.container, "closed")
