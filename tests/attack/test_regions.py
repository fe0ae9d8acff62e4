# SPDX-License-Identifier: MIT
"""Somebody writes to the storage account, without a key: regions that are damaged, moved, missing or added.

The victim: regions of A, B and C, and a tail of 40 bytes T.  Region order is shown by the nonce only, and
there are three ways to write it.
"""
import pytest

from tests.attack.forged import KEK, content_key
from tests.support import seal
from tests.support.expect import failure
from tests.support.mount import errno_of

R = 4096  # of a page, so that the kernel can ask for each region by itself
TAIL = 40
DIALECTS = ("python", "java", "dotnet")
PARTS = {"A": b"A" * R, "B": b"B" * R, "C": b"C" * R, "T": b"T" * TAIL}


class Victim:
    def __init__(self, dialect="python", region=R):
        self.region, self.dialect = region, dialect
        plain = b"".join(p * (region // R) if n != "T" else p for n, p in PARTS.items())
        stored, self.metadata = seal.seal(plain, KEK, "2.1", region, dialect)
        step = region + seal.OVERHEAD
        self.pieces = dict(zip("ABCT", (stored[i : i + step] for i in range(0, len(stored), step))))

    def stored(self, order):
        return b"".join(self.pieces[n] for n in order)

    def plain(self, name):
        return PARTS[name] * (self.region // R if name != "T" else 1)


def place(f, victim, order, i):
    """What stands at place i now."""
    return f.range(i * victim.region, len(victim.plain(order[i])))


def check(m, victim, order, good, event):
    """The places in `good` read as what was moved there; every other place fails with the event."""
    with m.open("x") as f:
        for i, name in enumerate(order):
            if i in good:
                assert place(f, victim, order, i) == victim.plain(name), i
            else:
                failure(m, lambda at=i: place(f, victim, order, at), "EBADMSG", event, "/x", f"region {i}", "etag")


@pytest.mark.parametrize("offset", [0, 11, 12, R // 2, R + 11, R + 12, R + 27])
@pytest.mark.parametrize("region", [0, 1, 2])
def test_a01_a_flipped_bit_spoils_its_region_only(attacked, dirstore, region, offset):
    """In the nonce, the ciphertext, the tag."""
    victim = Victim()
    stored = bytearray(victim.stored("ABCT"))
    stored[region * (R + seal.OVERHEAD) + offset] ^= 0x10
    dirstore.put("x", bytes(stored), victim.metadata)
    check(attacked(), victim, "ABCT", {0, 1, 2, 3} - {region}, "integrity.region")


@pytest.mark.parametrize("size", [R, 4 << 20])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a02_swapped_regions(attacked, dirstore, dialect, size):
    victim = Victim(dialect, size)
    dirstore.put("x", victim.stored("BACT"), victim.metadata)
    check(attacked("memory=512M"), victim, "BACT", {2, 3}, "integrity.order")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a03_a_duplicated_region(attacked, dirstore, dialect):
    victim = Victim(dialect)
    dirstore.put("x", victim.stored("AABCT"), victim.metadata)
    check(attacked(), victim, "AABCT", {0}, "integrity.order")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a04_a_missing_region(attacked, dirstore, dialect):
    victim = Victim(dialect)
    dirstore.put("x", victim.stored("ACT"), victim.metadata)
    check(attacked(), victim, "ACT", {0}, "integrity.order")


@pytest.mark.parametrize("first", DIALECTS)
@pytest.mark.parametrize("second", DIALECTS)
def test_a02_the_way_to_number_regions_is_one_for_a_blob(attacked, dirstore, first, second):
    """Nine pairs: region 0 numbered in one way, the others in another; both sealed with the right key."""
    stored, metadata = seal.seal(b"", KEK, "2.1", R)
    plain = b"".join(PARTS[n] for n in "ABC")
    key = content_key(metadata)
    one, two = (seal.stored_v2(plain, key, R, d) for d in (first, second))
    dirstore.put("x", one[: R + 28] + two[R + 28 :], metadata)
    m = attacked()
    if first == second:
        assert m.read("x") == plain
        return
    # Region 0 of Python and Java look alike, so there the second way decides: the blob is sound.
    if {first, second} == {"python", "java"}:
        assert m.read("x") == plain
        return
    with m.open("x") as f:
        assert f.range(0, R) == PARTS["A"]
        failure(m, lambda: f.range(R, R), "EBADMSG", "integrity.order", "region 1")


@pytest.mark.parametrize("order", ["BACT", "AABCT", "ACT"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a02_recover_shows_what_was_moved_and_says_so(attacked, dirstore, dialect, order):
    """Nine: three ways to number, three ways to move.  One warning for each version, however much is read."""
    victim = Victim(dialect)
    dirstore.put("x", victim.stored(order), victim.metadata)
    m = attacked("region_order=recover")
    for _ in range(2):
        assert m.read("x") == b"".join(victim.plain(n) for n in order)
    m.assert_event("integrity.recovered", "'x'", "not in their place", KEK.kid)
    assert m.events("integrity.recovered")[0][0] == "W"


def test_recover_does_not_forgive_a_damaged_region(attacked, dirstore):
    victim = Victim()
    stored = bytearray(victim.stored("ABCT"))
    stored[100] ^= 1
    dirstore.put("x", bytes(stored), victim.metadata)
    check(attacked("region_order=recover"), victim, "ABCT", {1, 2, 3}, "integrity.region")


def test_recover_says_nothing_of_a_sound_blob(attacked, dirstore):
    victim = Victim()
    dirstore.put("x", victim.stored("ABCT"), victim.metadata)
    m = attacked("region_order=recover")
    m.read("x")
    assert not m.events("integrity.recovered")


@pytest.mark.parametrize("left", [0, 1, 2, 3])
def test_a05_a_cut_between_regions_cannot_be_seen(attacked, dirstore, left):
    """The limit of the format (docs/SECURITY.md): what is left reads as a shorter file."""
    victim = Victim()
    dirstore.put("x", victim.stored("ABCT"[:left]), victim.metadata)
    assert attacked().read("x") == b"".join(victim.plain(n) for n in "ABCT"[:left])


@pytest.mark.parametrize("cut", [1, 13, 39, 41, 67, 68 + 1, R + 27])
def test_a05_a_cut_inside_a_region_is_seen(attacked, dirstore, cut):
    """Either the length fits no sealed blob, or the tag of the last region does not verify."""
    victim = Victim()
    stored = victim.stored("ABCT")
    dirstore.put("x", stored[: len(stored) - cut], victim.metadata)
    m = attacked()
    assert errno_of(m.read, "x") == "EBADMSG"
    assert m.events("integrity.region") or m.events("integrity.size"), m.log()


def test_a06_a_region_of_another_blob(attacked, dirstore):
    victim, other = Victim(), Victim()
    dirstore.put("x", victim.stored("ABC") + other.pieces["T"], victim.metadata)
    check(attacked(), victim, "ABCT", {0, 1, 2}, "integrity.region")


def test_a06_a_region_added_at_the_end(attacked, dirstore):
    """A tail that another region follows is no tail any more: both fail."""
    victim, other = Victim(), Victim()
    dirstore.put("x", victim.stored("ABC") + other.pieces["A"], victim.metadata)
    check(attacked(), victim, "ABCA", {0, 1, 2}, "integrity.region")


@pytest.mark.parametrize("junk", [1, 27, 28, 29, R])
def test_a06_junk_added_at_the_end(attacked, dirstore, junk):
    victim = Victim()
    dirstore.put("x", victim.stored("ABC") + b"\x5a" * junk, victim.metadata)
    m = attacked()
    assert errno_of(m.read, "x") == "EBADMSG"
    assert m.events("integrity.region") or m.events("integrity.size"), m.log()


def test_a07_another_blob_under_this_name_cannot_be_seen(attacked, dirstore):
    """The limit of the format: content and metadata together may be moved to any name."""
    victim = Victim()
    dirstore.put("salaries", victim.stored("ABCT"), victim.metadata)
    dirstore.put("x", *dirstore_pair(dirstore, "salaries"))
    assert attacked().read("x") == attacked_plain(victim)


def test_a07_content_of_another_blob_is_seen(attacked, dirstore):
    one, other = Victim(), Victim()
    dirstore.put("x", other.stored("ABCT"), one.metadata)
    check(attacked(), one, "ABCT", set(), "integrity.region")


def dirstore_pair(dirstore, name):
    stored, entry = dirstore.get(name)
    return stored, entry["metadata"]


def attacked_plain(victim):
    return b"".join(victim.plain(n) for n in "ABCT")


def test_a08_an_older_version_put_back_cannot_be_seen(attacked, dirstore):
    """The limit of the format, and of a reader without a memory of its own."""
    old, new = seal.seal(b"old", KEK), seal.seal(b"new!", KEK)
    dirstore.put("x", *new)
    m = attacked("attr_timeout=0")
    assert m.read("x") == b"new!"
    dirstore.put("x", *old)
    assert m.read("x") == b"old"


# ---- changes while a file is open


BIG = seal.random_plaintext("big", 12 << 20)


def test_a12_a_handle_never_mixes_two_versions(proxied, upload, azurite, container, blobproxy):
    upload("x", BIG)
    m = proxied("attr_timeout=0")
    with m.open("x") as f:
        assert f.range(0, 4096) == BIG[:4096]
        upload("x", BIG[::-1])
        failure(m, lambda: f.range(8 << 20, 4096), "ESTALE", "remote.changed", "/x", "request=")
        assert f.range(0, 4096) == BIG[:4096]
    assert m.read("x") == BIG[::-1]
    ranged = [e for e in blobproxy.log() if e["method"] == "GET" and ("range" in e["headers"] or "x-ms-range" in e["headers"])]
    assert ranged and all("if-match" in e["headers"] for e in ranged)


def test_a12_a_downgrade_while_a_file_is_open(proxied, upload, azurite, container, blobproxy):
    """V1 content slipped in under an open V2 handle."""
    upload("x", BIG)
    m = proxied("v1=read", "attr_timeout=0")
    with m.open("x") as f:
        f.range(0, 10)
        upload("x", BIG, protocol="1.0")
        failure(m, lambda: f.range(8 << 20, 4096), "ESTALE", "remote.changed", "/x")


def test_a12_a_blob_that_is_deleted_while_it_is_open(proxied, upload, azurite, container, blobproxy):
    upload("x", BIG)
    m = proxied()
    with m.open("x") as f:
        assert f.range(0, 4096) == BIG[:4096]
        azurite.service.get_blob_client(container, "x").delete_blob()
        failure(m, lambda: f.range(8 << 20, 4096), "ESTALE", "remote.changed", "/x", "request=")
        assert f.range(0, 4096) == BIG[:4096]


def test_a12_a_deleted_blob_that_the_service_calls_missing(proxied, upload, blobproxy):
    """Azurite answers 412, the service 404."""
    upload("x", BIG)
    m = proxied()
    with m.open("x") as f:
        assert f.range(0, 4096) == BIG[:4096]
        blobproxy.faults.add(method="GET", path="/x", status=404, code="BlobNotFound", times=None)
        failure(m, lambda: f.range(8 << 20, 4096), "ESTALE", "remote.gone", "/x", "request=")


def test_a22_what_the_answer_says_counts_not_what_the_listing_said(proxied, upload, azurite, container, blobproxy):
    """Same name, same ETag, another total: the handle trusts neither."""
    upload("x", BIG)
    m = proxied()
    with m.open("x") as f:
        assert f.range(0, 4096) == BIG[:4096]
        blobproxy.faults.add(method="GET", path="/x", range_total="+5", times=None)
        failure(m, lambda: f.range(8 << 20, 4096), "EIO", "net.protocol", "/x", "request=")


def test_a22_a_flipped_bit_on_the_way_is_not_shown(proxied, upload, azurite, container, blobproxy):
    upload("x", BIG)
    m = proxied()
    blobproxy.faults.add(method="GET", path="/x", flip=1000, times=None)
    failure(m, lambda: m.read("x"), "EBADMSG", "integrity.region", "region 0")
