# SPDX-License-Identifier: MIT
"""A05-A07: blobs that we wrote and somebody cut, lengthened or mixed: the binding tag does not fit.

What carries no tag of its content key is read as others write it, unless binding=require.
"""
import json
import os

import pytest

from tests.attack.forged import KEK, edited
from tests.support import seal
from tests.support.crash import Container
from tests.support.expect import unreadable
from tests.support.mount import errno_of
from tests.support.process import wait_until
from tests.support.sealed import KEK as CLOUD_KEK
from tests.support.sealed import Cloud
from tests.support.writing import RW as CLOUD_RW

RW = ("rw", f"kek={KEK.kid}")
STEP = seal.REGION + seal.OVERHEAD
PLAIN = seal.random_plaintext("victim", 3 * seal.REGION + 40)
TWIN = seal.random_plaintext("twin", 3 * seal.REGION + 40)
SMALL = seal.random_plaintext("small", 1000)


@pytest.fixture
def ours(attacked, dirstore):
    """Blobs of a writable mount that has ended."""
    m = attacked(*RW)
    for name, plain in {"victim": PLAIN, "twin": TWIN, "small": SMALL, "empty": b""}.items():
        m.path(name).write_bytes(plain)
    m.stop()
    return dirstore


@pytest.fixture
def change(ours):
    """change(name, stored=f(bytes), metadata=f(dict)): what the attacker makes of it."""

    def replace(name, stored=lambda b: b, metadata=lambda d: d):
        before, entry = ours.get(name)
        return ours.put(name, stored(before), metadata(dict(entry["metadata"])))

    return replace


def integrity(m, name):
    """Of a published file: what was just written has the attributes once the kernel has let go of it."""
    wait_until(lambda: os.listxattr(m.path(name)), 5, "the attributes of a published file")
    return os.getxattr(m.path(name), "user.azcrypt.integrity").decode()


def envelope_only(metadata):
    return {"encryptiondata": metadata["encryptiondata"]}


def test_what_we_write_is_bound(ours, attacked):
    m = attacked("binding=require")
    for name, plain in {"victim": PLAIN, "twin": TWIN, "small": SMALL, "empty": b""}.items():
        assert m.read(name) == plain
        assert integrity(m, name) == "regions+tag"
    assert set(ours.get("victim")[1]["metadata"]) == {"encryptiondata", "azcryptbind", "mtime"}


CUTS = {
    "to two regions": 2 * STEP, "to three regions": 3 * STEP, "to one region": STEP, "to an empty region": 28, "to nothing": 0,
}  # fmt: skip


@pytest.mark.parametrize("length", CUTS.values(), ids=CUTS)
def test_a05_a_cut_at_the_end_of_a_region_is_noticed_at_open(change, attacked, length):
    change("victim", lambda b: b[:length])
    m = attacked()
    unreadable(m, "victim", "EBADMSG", "integrity.bind", "/victim")
    assert errno_of(os.open, m.path("victim"), os.O_RDONLY) == "EBADMSG"
    assert m.read("twin") == TWIN
    lax = attacked("binding=off")
    if length != 28:
        assert lax.read("victim") == PLAIN[: length // STEP * seal.REGION]


@pytest.mark.parametrize("length", [0, 28, STEP])
def test_a05_a_cut_blob_is_not_made_the_beginning_of_a_new_version(change, attacked, ours, length):
    """Appending to it would make the loss look intended."""
    change("victim", lambda b: b[:length])
    before = ours.get("victim")
    m = attacked(*RW)
    assert errno_of(os.open, m.path("victim"), os.O_WRONLY | os.O_APPEND) == "EBADMSG"
    assert ours.get("victim") == before
    m.path("victim").write_bytes(SMALL)
    assert m.read("victim") == SMALL


def test_a06_a_cut_inside_the_last_region_fails_its_tag_or_the_binding(change, attacked):
    change("victim", lambda b: b[:-1])
    assert errno_of(attacked().read, "victim") == "EBADMSG"


APPENDED = {
    "a region of a twin": lambda b, twin: b[: 3 * STEP] + twin[3 * STEP :], "a full region more": lambda b, twin: b[: 3 * STEP] + twin[2 * STEP : 3 * STEP] + b[3 * STEP :],
    "its own region again": lambda b, twin: b[: 3 * STEP] + b[2 * STEP :], "an empty region": lambda b, twin: b[: 3 * STEP] + bytes(28),
    "a region is missing": lambda b, twin: b[:STEP] + b[2 * STEP :],
}  # fmt: skip


@pytest.mark.parametrize("mix", APPENDED.values(), ids=APPENDED)
def test_a04_a06_regions_that_are_added_or_missing_are_noticed(change, attacked, ours, mix):
    twin = ours.get("twin")[0]
    change("victim", lambda b: mix(b, twin))
    m = attacked()
    assert errno_of(m.read, "victim") == "EBADMSG"
    assert [t for _, e, t in m.events() if e.startswith("integrity.") and "/victim" in t], m.log()
    assert m.read("twin") == TWIN


def test_a06_a_region_that_is_added_is_noticed_at_open(change, attacked):
    """Before any of its bytes is fetched: the count of regions is wrong."""
    change("victim", lambda b: b + b[:STEP])
    m = attacked()
    assert errno_of(os.open, m.path("victim"), os.O_RDONLY) in ("EBADMSG", "EIO")
    unreadable(m, "victim", "EBADMSG", "integrity.bind", "/victim")


def test_a07_envelopes_of_two_blobs_that_are_swapped(change, attacked, ours):
    """The key is another blob's, the tag is of the key that went: it counts as absent, and the content does not verify."""
    one, two = (ours.get(name)[1]["metadata"] for name in ("victim", "twin"))
    change("victim", metadata=lambda d: {**d, "encryptiondata": two["encryptiondata"]})
    change("twin", metadata=lambda d: {**d, "encryptiondata": one["encryptiondata"]})
    m, strict = attacked(), attacked("binding=require")
    for name in ("victim", "twin"):
        assert errno_of(m.read, name) == "EBADMSG"
        assert [t for _, e, t in m.events() if e.startswith("integrity.") and f"/{name}" in t], m.log()
        unreadable(strict, name, "EACCES", "policy.binding", f"/{name}")


def test_a07_a_tag_of_another_blob_counts_as_absent(change, attacked, ours):
    tag = ours.get("twin")[1]["metadata"]["azcryptbind"]
    change("victim", metadata=lambda d: {**d, "azcryptbind": tag})
    m = attacked()
    assert m.read("victim") == PLAIN
    unreadable(attacked("binding=require"), "victim", "EACCES", "policy.binding", "/victim")


def test_the_attribute_says_that_there_is_a_tag_and_asks_no_key_whether_it_fits(change, attacked, ours):
    tag = ours.get("twin")[1]["metadata"]["azcryptbind"]
    assert integrity(attacked(), "victim") == "regions+tag"
    change("victim", metadata=lambda d: {**d, "azcryptbind": tag})
    assert integrity(attacked(), "victim") == "regions+tag"
    change("victim", metadata=lambda d: {k: v for k, v in d.items() if k != "azcryptbind"})
    assert integrity(attacked(), "victim") == "regions"


def test_a07_a_whole_blob_under_another_name_is_read_as_what_it_is(change, attacked, ours):
    """The tag says nothing of names, as a copy or a rename keeps it."""
    stored, entry = ours.get("twin")
    change("victim", lambda _: stored, lambda _: entry["metadata"])
    assert attacked("binding=require").read("victim") == TWIN


@pytest.mark.parametrize("length", [seal.REGION - 1, seal.REGION + 1, seal.REGION // 2, 2 * seal.REGION, 16 << 20])
def test_a10_an_edited_region_length_is_noticed(change, attacked, length):
    """A blob of one region has the same bytes under any greater length: only the tag tells."""
    for name in ("small", "victim"):
        change(name, metadata=lambda d: {**d, **edited(d, {"EncryptedRegionInfo.DataLength": length, "EncryptionAgent.Protocol": "2.0"})})
    m = attacked()
    unreadable(m, "small", "EBADMSG", "integrity.bind", "/small")
    assert errno_of(m.read, "victim") == "EBADMSG"


@pytest.mark.parametrize("broken", ["", "0", "00", "x" * 82, "é".encode().decode("latin-1"), " ", "{}"])
def test_a07_a_tag_that_is_none_counts_as_absent(change, attacked, broken):
    """It is as good as removed, which anybody can do."""
    change("victim", metadata=lambda d: {**d, "azcryptbind": broken})
    m = attacked()
    assert m.read("victim") == PLAIN
    unreadable(attacked("binding=require"), "victim", "EACCES", "policy.binding", "/victim")


def test_a07_each_bit_of_a_tag_counts(change, attacked, ours):
    """Each is read as absent or as wrong, never as right."""
    tag = ours.get("small")[1]["metadata"]["azcryptbind"]
    strict = attacked("binding=require", "attr_timeout=0")
    assert strict.read("small") == SMALL
    for at in range(0, len(tag), 3):
        other = "A" if tag[at] not in "Aa" else "0" if tag[at] == "A" else "b"
        change("small", metadata=lambda d: {**d, "azcryptbind": tag[:at] + other + tag[at + 1 :]})
        assert errno_of(strict.read, "small") in ("EBADMSG", "EACCES"), f"character {at} of {tag}"


def test_a05_a_removed_tag_is_what_binding_require_is_for(change, attacked):
    change("victim", lambda b: b[: 2 * STEP], envelope_only)
    m = attacked()
    assert m.read("victim") == PLAIN[: 2 * seal.REGION]
    assert integrity(m, "victim") == "regions"
    unreadable(attacked("binding=require"), "victim", "EACCES", "policy.binding", "/victim")


def test_a05_a_tag_under_another_case_of_its_name_is_found(change, attacked):
    """Services do not agree on the case of metadata names."""
    change("victim", lambda b: b[: 2 * STEP], lambda d: {"encryptiondata": d["encryptiondata"], "AzCryptBind": d["azcryptbind"]})
    unreadable(attacked(), "victim", "EBADMSG", "integrity.bind", "/victim")


def test_binding_off_reads_whatever_the_regions_say(change, attacked):
    change("victim", lambda b: b[: 2 * STEP])
    m = attacked("binding=off")
    assert m.read("victim") == PLAIN[: 2 * seal.REGION] and m.read("small") == SMALL


def test_a07_a_tag_that_a_client_of_others_left_behind_counts_as_absent(azurite, blobproxy, tmp_path, mount):
    """The official client overwrites our blob and keeps the metadata it finds."""
    cloud = Cloud(azurite, blobproxy, tmp_path, mount)
    m = cloud.mount(*CLOUD_RW, "attr_timeout=0")
    m.path("x").write_bytes(PLAIN)
    metadata = Container(cloud, CLOUD_KEK).metadata("x")
    client = azurite.service.get_blob_client(cloud.container, "x")
    client.require_encryption, client.encryption_version, client.key_encryption_key = True, "2.0", CLOUD_KEK
    client.upload_blob(SMALL, overwrite=True, metadata={k: v for k, v in metadata.items() if k != "encryptiondata"})
    left = Container(cloud, CLOUD_KEK).metadata("x")
    assert left["azcryptbind"] == metadata["azcryptbind"] and json.loads(left["encryptiondata"])
    assert m.read("x") == SMALL
    strict = cloud.mount("binding=require")
    unreadable(strict, "x", "EACCES", "policy.binding", "/x")
    m.path("x").write_bytes(PLAIN)
    assert integrity(m, "x") == "regions+tag" and Container(cloud, CLOUD_KEK).metadata("x")["azcryptbind"] != metadata["azcryptbind"]
    assert Container(cloud, CLOUD_KEK).read("x") == PLAIN
