# SPDX-License-Identifier: MIT
"""The readers that judge what we write are judged first, on what the official clients wrote: the Java clients, and the
Python client, must show of the vectors what their makers did.
"""
import hashlib
import json

import pytest

from tests.support import blobsdk, cosmos_vectors, vectors
from tests.support.docvectors import comparable
from tests.support.java import JavaRefused

BLOB_SETS = {name: vectors.load(name) for name in vectors.SETS}
BLOBS = [b for s in BLOB_SETS.values() for b in s.blobs if b.protocol.startswith("2") and b.length <= 16 << 20]


@pytest.fixture(scope="module")
def stored(azurite):
    """A container with every blob of the sets as <set>/<name>."""
    container = azurite.make_container()
    for blob in BLOBS:
        azurite.put(container, f"{blob.set.name}/{blob.name}", blob.stored, blob.metadata)
    return container


@pytest.fixture(scope="module")
def java(java_with):
    return java_with(*(k for s in BLOB_SETS.values() for k in s.keys))


def empty_range(offset, length, size):
    return length == 0 or offset >= size


@pytest.mark.parametrize("blob", BLOBS, ids=lambda b: f"{b.set.name}-{b.name}")
def test_java_reads_blobs_whole_and_in_ranges(java, azurite, stored, blob):
    ranges = [r for r in blob.ranges if not empty_range(r[0], r[1], blob.length)][:12]
    whole, parts = java.blob(azurite.connection_string, stored, f"{blob.set.name}/{blob.name}", [r[:2] for r in ranges])
    assert whole == blobsdk.digest(blob.plaintext)
    assert [sha256 for _, sha256 in parts] == [sha256 for _, _, sha256 in ranges]


def test_java_refuses_a_blob_with_a_changed_byte(java, azurite, stored):
    blob = next(b for b in BLOBS if b.length > 100)
    damaged = bytearray(blob.stored)
    damaged[50] ^= 1
    azurite.put(stored, "damaged", bytes(damaged), blob.metadata)
    with pytest.raises(JavaRefused, match="AEADBadTag"):
        java.blob(azurite.connection_string, stored, "damaged")
