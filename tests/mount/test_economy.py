# SPDX-License-Identifier: MIT
"""What a mount asks of the service and of the vault, counted in their logs."""
import concurrent.futures
import os
import random
import subprocess
import time

import pytest

from tests.support.sealed import Cloud
from tests.support import cloud as cloud_module
from tests.support import seal
from tests.support.mount import errno_of

MIB = 1 << 20
SECOND_REGION = f"bytes={4 * MIB + 28}-{2 * (4 * MIB + 28) - 1}"
MANY = 6000  # more than one page of a listing (5,000), less than two


@pytest.fixture
def vaulted(azurite, blobproxy, vault, tokens, ca_file, tmp_path, mount):
    """A container whose blobs are sealed for a key of the vault, with a mount that may use it."""
    made = Cloud(azurite, blobproxy, tmp_path, mount, kek=cloud_module.add_key(vault))
    options = (f"vault={vault.url}", f"ca_file={ca_file}")
    made.start = lambda *more: made.mount(*options, *more, keys=False, env=cloud_module.client_secret(tokens))
    return made


def ranges_asked(cloud):
    return [e["headers"].get("x-ms-range") or e["headers"]["range"] for e in cloud.requests("GET", "/x$")]


# ---- small blobs


def test_a_small_blob_after_a_listing_costs_one_get_and_no_head(cloud):
    for name in ("a", "b", "folder/c"):
        cloud.put(name, b"x" * 10_000)
    m = cloud.mount()
    assert m.list() == ["a", "b", "folder"] and m.list("folder") == ["c"]
    cloud.forget()
    for name in ("a", "b", "folder/c"):
        assert m.read(name) == b"x" * 10_000
    asked = cloud.requests()
    assert [(e["method"], e["status"]) for e in asked] == [("GET", 200)] * 3, asked
    assert len({e["path"] for e in asked}) == 3


def test_a_blob_of_300_tiny_regions_costs_one_get(cloud):
    plain = seal.random_plaintext("tiny", 300 * 16)
    cloud.put("x", plain, region=16)
    m = cloud.mount()
    m.list()
    cloud.forget()
    assert m.read("x") == plain
    assert [e["method"] for e in cloud.requests()] == ["GET"]


def test_an_empty_blob_costs_one_get(cloud):
    cloud.put("x", b"")
    m = cloud.mount()
    m.list()
    cloud.forget()
    assert m.read("x") == b""
    assert [e["method"] for e in cloud.requests()] == ["GET"]


def test_a_large_blob_is_fetched_once_span_by_span(cloud):
    """One conditional request at open, then one GET for each span, aligned to regions, whatever the kernel asks."""
    plain = seal.random_plaintext("large", 33 * MIB)
    cloud.put("x", plain)
    m = cloud.mount()
    m.list()
    cloud.forget()
    assert m.read("x") == plain
    assert [e["status"] for e in cloud.requests("HEAD")] == [304]
    step = seal.REGION + seal.OVERHEAD
    wanted = [f"bytes={i * step}-{min((i + 1) * step, 33 * MIB + 9 * seal.OVERHEAD) - 1}" for i in range(9)]
    assert sorted(ranges_asked(cloud)) == sorted(wanted)
    assert all("if-match" in e["headers"] for e in cloud.requests("GET"))


def test_two_streams_that_take_turns_fetch_no_span_twice(cloud):
    plain = seal.random_plaintext("two", 64 * MIB)
    cloud.put("x", plain)
    m = cloud.mount()
    with m.open("x") as f:
        cloud.forget()
        for offset in range(0, 32 * MIB, 100_000):
            for at in (offset, 32 * MIB + offset):
                assert os.pread(f.fd, 100_000, at) == plain[at : at + 100_000]
    assert len(cloud.requests("GET", "/x")) == 16


def test_random_reads_of_one_region_fetch_it_once(cloud):
    """64 threads and a hundred places of the same 4 MiB."""
    plain = seal.random_plaintext("random", 16 * MIB)
    cloud.put("x", plain)
    m = cloud.mount()
    with m.open("x") as f, concurrent.futures.ThreadPoolExecutor(64) as pool:
        cloud.forget()
        places = random.Random(1).sample(range(5 * MIB, 7 * MIB), 100)
        found = list(pool.map(lambda at: os.pread(f.fd, 100, at), places))
        assert found == [plain[at : at + 100] for at in places]
    assert ranges_asked(cloud).count(SECOND_REGION) == 1


# ---- the vault


def test_one_unwrap_for_a_blob_however_many_threads_open_it(vaulted, vault):
    vaulted.put("x", b"x" * 1000)
    vaulted.put("y", b"y" * 1000)
    m = vaulted.start()
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        assert list(pool.map(lambda _: m.read("x"), range(64))) == [b"x" * 1000] * 64
    assert len(cloud_module.asked(vault)) == 1
    assert m.read("y") == b"y" * 1000
    assert len(cloud_module.asked(vault)) == 2, "another blob has another content key"
    for _ in range(10):
        m.read("x")
    assert len(cloud_module.asked(vault)) == 2


def test_no_vault_call_in_a_recursive_listing(vaulted, vault):
    for name in ("a", "folder/b", "folder/deep/c"):
        vaulted.put(name, b"x" * 5000)
    m = vaulted.start()
    listed = subprocess.check_output(["ls", "-lR", m.point]).decode()
    assert listed.count(" 5000 ") == 3
    assert m.path("folder/deep/c").stat().st_size == 5000
    assert os.getxattr(m.path("a"), "user.azcrypt.key_id").decode() == vaulted.kek.kid
    assert vault.log() == []
    assert m.read("a") == b"x" * 5000, "it could have asked"


# ---- directories


@pytest.fixture(scope="module")
def crowd(module_cloud):
    # In the root: Azurite takes minutes to fold so many names into one prefix.
    module_cloud.put_many([f"n{i:05}" for i in range(MANY)], b"x" * 100)
    return module_cloud


def names_of_listdir(path):
    return os.listdir(path)


def names_of_scandir(path):
    with os.scandir(path) as entries:
        return [e.name for e in entries if e.stat().st_size == 100]


def names_of_ls(path):
    lines = subprocess.check_output(["ls", "-l", path]).decode().splitlines()[1:]
    return [line.split()[-1] for line in lines if line.split()[4] == "100"]


def names_of_find(path):
    lines = subprocess.check_output(["find", path, "-type", "f", "-size", "-100c", "-o", "-type", "f", "-ls"])
    return [line.rpartition("/")[2] for line in lines.decode().splitlines() if line.split()[6] == "100"]


@pytest.mark.parametrize("names_of", [names_of_listdir, names_of_scandir, names_of_ls, names_of_find])
def test_6000_names_cost_two_list_requests_and_none_each(crowd, names_of):
    m = crowd.mount()
    found = names_of(m.path())
    assert sorted(found) == [f"n{i:05}" for i in range(MANY)]
    # And one question at the end of the first page: does the directory of its last name follow?
    pages = [e["path"] for e in crowd.listings() if "prefix=n04999%2F" not in e["path"]]
    assert len(pages) == 2 and len(crowd.requests()) <= 3, [e["path"] for e in crowd.requests()]


def test_a_second_listing_costs_the_same(crowd):
    """Also when the kernel has all the names: no request for each."""
    m = crowd.mount()
    for _ in range(3):
        crowd.forget()
        assert len(names_of_ls(m.path())) == MANY
        assert len(crowd.requests()) <= 3, [e["path"] for e in crowd.requests()]
        time.sleep(1.1)


def test_stats_after_attr_timeout_list_the_directory_again(crowd):
    """20,000 stats in a directory that has been listed: a few listings, not 20,000 requests."""
    m = crowd.mount()
    started = time.monotonic()
    names_of_scandir(m.path())
    # A listing that took long is believed for longer.
    time.sleep(1.2 + 5 * (time.monotonic() - started))
    crowd.forget()
    started = time.monotonic()
    for i in range(20_000):
        assert m.path(f"n{i % MANY:05}").stat().st_size == 100
    rounds = 2 + int(time.monotonic() - started)  # of attr_timeout
    assert len(crowd.requests()) <= 20 * rounds, f"{len(crowd.requests())} requests in {rounds} s"


def test_a_page_that_fails_fails_the_listing(crowd):
    """Never a directory that looks complete and is not; and the next attempt has all."""
    m = crowd.mount()
    fault = crowd.proxy.faults.add(path="comp=list.*marker=", status=403, times=None)
    assert errno_of(names_of_listdir, m.path()) == "EACCES"
    assert fault.hits > 0
    crowd.proxy.faults.clear()
    assert len(names_of_listdir(m.path())) == MANY


def test_names_that_are_missing_do_not_list_a_directory_again(crowd):
    m = crowd.mount()
    names_of_scandir(m.path())
    crowd.forget()
    for i in range(50):
        assert not m.path(f"missing{i}").exists()
    assert len(crowd.requests()) == 50
    for i in range(50):
        assert not m.path(f"missing{i}").exists()
    assert len(crowd.requests()) <= 100


def test_a_deep_path_without_a_listing_costs_one_request(cloud):
    cloud.put("a/b/c/d/e", b"x")
    m = cloud.mount()
    assert m.read("a/b/c/d/e") == b"x"
    assert len(cloud.listings()) == 1
    assert [e["method"] for e in cloud.other_requests()] == ["GET"]
    cloud.forget()
    assert m.path("a/b/c/d/e").stat().st_size == 1
    assert cloud.requests() == []


def test_a_new_name_is_refused_with_or_without_a_suffix(cloud):
    """A name without a suffix is first taken for a directory on the way to something."""
    cloud.put("x", b"x")
    m = cloud.mount()
    for name, refusals in (("new.txt", {"EROFS"}), ("new", {"EROFS", "EISDIR"})):
        assert errno_of(os.open, m.path(name), os.O_WRONLY | os.O_CREAT) in refusals
        assert errno_of(os.stat, m.path(name)) == "ENOENT"


def test_requests_share_a_few_connections(crowd, module_proxy):
    m = crowd.mount()
    before = module_proxy.connections
    for i in range(300):
        assert m.read(f"n{i:05}") == b"x" * 100
    assert module_proxy.connections - before <= 4
