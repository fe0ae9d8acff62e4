# SPDX-License-Identifier: MIT
"""Protocol 1.0 authenticates nothing: what may be read of it, and what must not be learned by trying.

An attacker who may write blobs and see whether they open has a padding oracle.  So: refused unless asked
for, one failure for every cause, a budget, and no key in stat or readdir.
"""
import base64
import concurrent.futures
import json
import os

import pytest

from tests.attack.forged import KEK, edited
from tests.support import cloud, seal
from tests.support.expect import failure, unreadable
from tests.support.mount import errno_of

PLAIN = b"ROLE=guest;name=x" + bytes(range(200))
BUDGET = 16


def flip(stored, offset, bit=1):
    changed = bytearray(stored)
    changed[offset] ^= bit
    return bytes(changed)


def bad_padding(stored):
    """The last block decrypts to a last byte that is no padding: the block before it is what is changed."""
    return flip(stored, len(stored) - 17, 0x80)


# ---- A16: malleable


def test_a16_refused_by_default(attacked, dirstore):
    dirstore.put("x", *seal.seal(PLAIN, KEK, "1.0"))
    m = attacked()
    unreadable(m, "x", "EACCES", "policy.v1", "authenticates nothing", "v1=read")


def test_a16_read_on_request_it_can_be_altered_unseen(attacked, dirstore):
    """The limit of the format (docs/SECURITY.md): the IV is in the metadata, and it is part of the first block."""
    stored, metadata = seal.seal(PLAIN, KEK, "1.0")
    envelope = json.loads(metadata["encryptiondata"])
    iv = bytearray(base64.b64decode(envelope["ContentEncryptionIV"]))
    for i, (was, now) in enumerate(zip(b"ROLE=guest", b"ROLE=admin")):
        iv[i] ^= was ^ now
    dirstore.put("x", stored, edited(metadata, {"ContentEncryptionIV": base64.b64encode(iv).decode()}))
    m = attacked("v1=read")
    assert m.read("x") == PLAIN.replace(b"guest", b"admin")
    assert os.getxattr(m.path("x"), "user.azcrypt.integrity") == b"none"


def test_a16_v2_says_that_it_has_integrity(attacked, dirstore):
    dirstore.put("x", *seal.seal(PLAIN, KEK))
    assert os.getxattr(attacked().path("x"), "user.azcrypt.integrity") != b"none"


# ---- A17: the oracle


def tampered_forms(stored, metadata):
    """Different causes of failure, which must look the same."""
    # One that makes the block zeros: no padding ends with a zero, where any other may be one by chance.
    iv = base64.b64decode(json.loads(metadata["encryptiondata"])["ContentEncryptionIV"])
    iv = {"ContentEncryptionIV": base64.b64encode(bytes(a ^ b for a, b in zip(iv, PLAIN))).decode()}
    one_block = stored[:16]
    return {
        "padding": (bad_padding(stored), metadata),
        "last block": (flip(stored, len(stored) - 1), metadata),
        "odd length": (stored[:-1], metadata),
        "longer": (stored + b"\0", metadata),
        "nothing": (b"", metadata),
        "iv of the only block": (one_block, edited(metadata, iv)),
    }


@pytest.mark.parametrize("form", ["padding", "last block", "odd length", "longer", "nothing", "iv of the only block"])
def test_a17_every_failure_is_one_failure(attacked, dirstore, form):
    stored, metadata = seal.seal(PLAIN, KEK, "1.0")
    dirstore.put("x", *tampered_forms(stored, metadata)[form])
    m = attacked("v1=read")
    line = unreadable(m, "x", "EIO", "integrity.v1")
    assert line.partition(";")[0] == f"open '/x': a V1 blob does not decrypt [EIO key={KEK.kid}]"
    assert {event for level, event, _ in m.events() if level == "E"} == {"integrity.v1"}


def test_a17_a_wrong_key_is_the_same_failure(attacked, dirstore):
    """A wrapped key that is not of this key: its length would fit."""
    stored, metadata = seal.seal(PLAIN, KEK, "1.0")
    dirstore.put("x", stored, edited(metadata, {"WrappedContentKey.EncryptedKey": base64.b64encode(bytes(40)).decode()}))
    m = attacked("v1=read")
    line = unreadable(m, "x", "EIO", "integrity.v1")
    assert line.partition(";")[0] == f"open '/x': a V1 blob does not decrypt [EIO key={KEK.kid}]"
    assert {event for level, event, _ in m.events() if level == "E"} == {"integrity.v1"}


def test_a17_five_hundred_rewrites_get_sixteen_tries(attacked, dirstore):
    """Counted by name, across ETags; then the name is shut until the next mount, sound or not."""
    stored, metadata = seal.seal(PLAIN, KEK, "1.0")
    dirstore.put("x", stored, metadata)
    dirstore.put("y", stored, metadata)
    m = attacked("v1=read", "attr_timeout=0")
    assert m.read("x") == PLAIN
    outcomes = []
    for i in range(500):
        dirstore.put("x", bad_padding(flip(stored, i % 16, 1 + i % 255)), metadata)
        outcomes.append(errno_of(m.read, "x"))
    assert outcomes == ["EIO"] * BUDGET + ["EACCES"] * (500 - BUDGET)
    assert m.events("integrity.v1") and m.events("policy.v1_quarantine")
    dirstore.put("x", stored, metadata)
    failure(m, lambda: m.read("x"), "EACCES", "policy.v1_quarantine", "too often", "mount again")
    assert m.read("y") == PLAIN


def test_a17_tries_at_the_same_time_share_the_budget(attacked, dirstore):
    stored, metadata = seal.seal(PLAIN, KEK, "1.0")
    dirstore.put("x", bad_padding(stored), metadata)
    m = attacked("v1=read")
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(lambda _: errno_of(m.read, "x"), range(200)))
    assert set(outcomes) == {"EIO", "EACCES"}
    assert outcomes.count("EIO") <= BUDGET


def test_a17_success_costs_nothing_of_the_budget(attacked, dirstore):
    stored, metadata = seal.seal(PLAIN, KEK, "1.0")
    m = attacked("v1=read", "attr_timeout=0")
    for _ in range(3 * BUDGET):
        dirstore.put("x", stored, metadata)
        assert m.read("x") == PLAIN


# ---- A18: no oracle in stat and readdir


def test_a18_sizes_are_told_without_a_key(mount, dirstore, vault, tokens, ca_file):
    """Before the open: an upper bound, the same for good and bad padding; afterwards the exact size."""
    kek = cloud.add_key(vault)
    for i in range(100):
        stored, metadata = seal.seal(PLAIN[: 1 + i], kek, "1.0")
        dirstore.put(f"n{i}", bad_padding(stored) if i % 2 and len(stored) > 16 else stored, metadata)
    m = mount(
        dirstore.source, f"vault={vault.url}", f"ca_file={ca_file}", "v1=read", env=cloud.client_secret(tokens)
    )
    sizes = {name: m.path(name).stat().st_size for name in m.list()}
    assert all(sizes[f"n{i}"] == (1 + i) // 16 * 16 + 15 for i in range(100))
    assert vault.connections == tokens.connections == 0
    with m.open("n2") as f:
        assert f.size == 3
    assert len(cloud.asked(vault)) == 1


# ---- A19: the access log of the storage account


def test_a19_requests_do_not_tell_good_from_bad(proxied, azurite, container, blobproxy):
    """The owner of the account sees what is asked: the same for a last block that fits and one that does not."""
    stored, metadata = seal.seal(PLAIN * 100, KEK, "1.0")
    traces = []
    for content in (stored, bad_padding(stored)):
        azurite.put(container, "x", content, metadata)
        m = proxied("v1=read")
        m.list()
        blobproxy.clear_log()
        try:
            os.close(os.open(m.path("x"), os.O_RDONLY))
        except OSError as e:
            assert content != stored and e.errno == 5
        traces.append([(e["method"], e["path"], e["headers"].get("range") or e["headers"].get("x-ms-range")) for e in blobproxy.log()])
        m.stop()
    assert traces[0] == traces[1]
    assert traces[0]
