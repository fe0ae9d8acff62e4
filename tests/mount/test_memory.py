# SPDX-License-Identifier: MIT
"""memory= holds: the most that the process ever had resident stays near it."""
import concurrent.futures
import os
import subprocess

import pytest

from tests.support.process import SANITIZED
from tests.support.sealed import KEK, vm
from tests.support import seal

MIB = 1 << 20
MEMORY = 64 * MIB
ENTRIES = 20_000


def assert_bounded(m, what):
    peak = vm(m.daemon.pid, "VmHWM")
    print(f"{what}: VmHWM {peak / MIB:.1f} MiB of memory={MEMORY // MIB} MiB")
    if not SANITIZED:
        assert peak <= 1.6 * MEMORY, f"{what}: {peak / MIB:.1f} MiB resident"


def test_a_directory_of_20000_entries(local):
    stored, metadata = seal.seal(b"x" * 100, KEK)
    for i in range(ENTRIES):
        local.store.put(f"d/n{i:05}", stored, metadata)
    m = local.mount("memory=64M")
    for _ in range(3):
        lines = subprocess.check_output(["ls", "-l", m.path("d")]).decode().splitlines()
        assert sum(" 100 " in line for line in lines) == ENTRIES
    assert m.read("d/n12345") == b"x" * 100
    assert_bounded(m, "20,000 entries")


@pytest.mark.parametrize("direct", [False, True], ids=["buffered", "direct"])
def test_16_readers_of_4_mib_regions(local, direct):
    plain = seal.random_plaintext("memory", 24 * MIB + 5)
    stored, metadata = seal.seal(plain, KEK)
    for i in range(16):
        local.store.put(f"f{i}", stored, metadata)
    m = local.mount("memory=64M")

    def read(i):
        fd = os.open(m.path(f"f{i}"), os.O_RDONLY | (os.O_DIRECT if direct else 0))
        try:
            for offset in range(0, len(plain), MIB):
                assert os.pread(fd, MIB, offset) == plain[offset : offset + MIB]
        finally:
            os.close(fd)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(read, range(16)))
    assert_bounded(m, "16 readers")


def test_readers_of_16_mib_regions_wait_for_memory(local):
    """At most a quarter of memory= for a region: four at a time."""
    plain = seal.random_plaintext("regions", 33 * MIB)
    local.put("f", plain, region=15 * MIB)
    m = local.mount("memory=64M")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda _: m.read("f") == plain, range(16)))
    assert_bounded(m, "16 readers of large regions")


def test_handles_are_small(local):
    """1,000 open files and no descriptor or page of their own in the daemon."""
    local.put("x", b"x" * 1000)
    m = local.mount("memory=64M")
    before = vm(m.daemon.pid, "VmRSS")
    descriptors = len(os.listdir(f"/proc/{m.daemon.pid}/fd"))
    handles = [m.open("x") for _ in range(900)]
    assert len(os.listdir(f"/proc/{m.daemon.pid}/fd")) <= descriptors + 16
    if not SANITIZED:
        assert vm(m.daemon.pid, "VmRSS") - before < 900 * 4096 + 8 * MIB
    for handle in handles:
        os.close(handle.fd)
