# SPDX-License-Identifier: MIT
"""The official Python client writes, our mount reads; and region lengths that it cannot write, by a sealer
of our own that it has judged (tests/support/test_support.py).
"""
import pytest
from azure.storage.blob import BlobClient

from tests.conftest import make_keys_file
from tests.support import ranges, seal
from tests.support.dirstore import DirStore

R = seal.REGION
SIZES = (0, 1, 15, 16, 17, R - 1, R, R + 1, 2 * R, 3 * R + 5)
# Every way to cut a blob: the format's smallest, odd ones, around a page and a span, the largest by default.
REGIONS = (16, 17, 31, 100, 1000, 4095, 4096, 4097, 65536, 777777, R - 1, R, R + 1, 2 * R, 16 << 20, 64 << 20)
DIALECTS = ("python", "java", "dotnet")


@pytest.fixture(scope="module", params=seal.ALGORITHMS)
def written(request, azurite, module_mount, tmp_path_factory):
    """A mounted container with a blob of every size, sealed with one algorithm by the official client."""
    kek = seal.make_kek(request.param, f"https://example.vault.azure.net/keys/{request.param.lower()}/{'0' * 32}")
    container = azurite.make_container()
    for size in SIZES:
        client = BlobClient.from_connection_string(
            azurite.connection_string, container, f"n{size}", require_encryption=True, encryption_version="2.0"
        )
        client.key_encryption_key = kek
        client.upload_blob(plaintext(size))
    keys = make_keys_file(tmp_path_factory.mktemp("keys"), kek)
    return module_mount(azurite.source(container), f"keys={keys}", env=azurite.environment())


def plaintext(size):
    return seal.random_plaintext("interop", size)


@pytest.mark.parametrize("size", SIZES)
def test_a_blob_of_the_official_client_comes_back_whole(written, size):
    assert written.path(f"n{size}").stat().st_size == size
    assert written.read(f"n{size}") == plaintext(size)


@pytest.mark.parametrize("size", SIZES)
def test_two_hundred_ranges_of_a_blob_of_the_official_client(written, size):
    with written.open(f"n{size}") as f:
        ranges.check(f, plaintext(size), ranges.pick(size, R))


# ---- region lengths, dialects, V1

KEK = seal.make_kek("A256KW")


def small(region):
    """Lengths that matter for a region length, of at most a few regions, or 64 MiB and a bit."""
    lengths = {0, 1, region - 1, region, region + 1, 3 * region + 5}
    return sorted(n for n in lengths if n <= (64 << 20) + 1)


@pytest.fixture
def mounted(mount, keys_file, dirstore):
    """mounted({name: (stored, metadata)}, option...): a dir: store with these objects, mounted."""

    def mounted_with(objects, *options):
        for name, (stored, metadata) in objects.items():
            dirstore.put(name, stored, metadata)
        return mount(dirstore.source, f"keys={keys_file(KEK)}", *options)

    return mounted_with


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_length(mounted, region):
    """2.1 in the three nonce dialects by turns; 64 MiB regions need room for a whole one, with nonce and tag."""
    plains = {f"n{n}": seal.random_plaintext(region, n) for n in small(region)}
    objects = {
        name: seal.seal(plain, KEK, "2.1", region, DIALECTS[i % 3]) for i, (name, plain) in enumerate(plains.items())
    }
    m = mounted(objects, "memory=512M", "max_region=128M")
    for name, plain in plains.items():
        assert m.path(name).stat().st_size == len(plain), name
        assert m.read(name) == plain, name
        with m.open(name) as f:
            ranges.check(f, plain, ranges.pick(len(plain), region, 200 if len(plain) < R else 30))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("protocol", ["2.0", "2.1"])
def test_a_nonce_dialect_over_many_regions(mounted, dialect, protocol):
    """More than 256 regions, so that the number has two bytes in every dialect."""
    plain = seal.random_plaintext(dialect, 700 * 64 + 3)
    m = mounted({"x": seal.seal(plain, KEK, protocol, 64, dialect)})
    assert m.read("x") == plain
    with m.open("x") as f:
        ranges.check(f, plain, ranges.pick(len(plain), 64))


@pytest.mark.parametrize("empty_region", [False, True])
def test_both_forms_of_an_empty_blob(mounted, empty_region):
    m = mounted({"x": seal.seal(b"", KEK, "2.0", empty_region=empty_region)})
    assert m.path("x").stat().st_size == 0
    assert m.read("x") == b""


def test_a_v1_blob_of_every_length_modulo_a_block(mounted):
    plains = {f"n{n}": seal.random_plaintext(n, n) for n in (*range(34), 1000, R - 1, R, R + 1, R + 15, 2 * R + 3)}
    m = mounted({name: seal.seal(plain, KEK, "1.0") for name, plain in plains.items()}, "v1=read")
    for name, plain in plains.items():
        with m.open(name) as f:
            assert f.size == len(plain), name
            ranges.check(f, plain, ranges.pick(len(plain), R, 50))
        assert m.read(name) == plain, name


def test_a_small_blob_may_name_a_huge_region(mounted):
    plain = seal.random_plaintext("huge", 5000)
    assert mounted({"x": seal.seal(plain, KEK, "2.1", 1 << 30, "java")}).read("x") == plain


def test_the_store_may_be_a_directory_of_deep_names(mounted):
    names = ["a/b/c", "a/b/d", "a/e", "f"]
    m = mounted({n: seal.seal(n.encode(), KEK) for n in names})
    assert {n: m.read(n) for n in names} == {n: n.encode() for n in names}
    assert m.list() == ["a", "f"]
    assert m.list("a") == ["b", "e"]
