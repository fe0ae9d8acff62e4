# SPDX-License-Identifier: MIT
"""A file that no memory holds, written to a service that keeps hashes only.

AZC_LARGE_GIB  its size (default: 5)
"""
import hashlib
import json
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support import seal
from tests.support.process import SLOW
from tests.support.sealed import KEK
from tests.support.sink import Sink
from tests.support.writing import RW

MIB = 1 << 20
# Under a sanitizer it is the path that counts, not the size.
SIZE = int(os.environ.get("AZC_LARGE_GIB", "5")) << 30 if SLOW == 1 else 64 * MIB
MEMORY = 64 * MIB
PERIOD = seal.random_plaintext("large", 3 * seal.REGION)  # no two regions that follow each other are alike


def region(i):
    at = i % 3 * seal.REGION
    return memoryview(PERIOD)[at : at + seal.REGION]


def peak(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM"))


def content_key(metadata):
    wrapped = json.loads(metadata["encryptiondata"])["WrappedContentKey"]
    raw = KEK.unwrap_key(seal.base64.b64decode(wrapped["EncryptedKey"]), wrapped["Algorithm"])
    return raw[-32:]  # the protocol's name stands before it


def test_a_file_of_gibibytes_needs_no_more_memory_than_was_allowed(mount, tmp_path):
    n = SIZE // seal.REGION
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [KEK.jwk()]}))
    keys.chmod(0o600)
    with Sink() as sink:
        m = mount(
            f"blob:{sink.endpoint}/large", *RW, f"keys={keys}", f"memory={MEMORY}", f"staging={tmp_path}",
            env=sink.environment(),
        )  # fmt: skip
        with open(m.path("large"), "wb", buffering=0) as f:
            for i in range(n):
                for at in range(0, seal.REGION, MIB):
                    f.write(region(i)[at : at + MIB])
        most = peak(m.daemon.pid)
    (blob,) = sink.committed.values()
    assert len(blob.blocks) == len(set(blob.blocks)) == len(sink.blocks) == n
    assert sink.puts == n + 1, "one request for each block, and one for the list"
    gcm, nonce = AESGCM(content_key(blob.metadata)), seal.NONCES["python"]
    for i, name in enumerate(blob.blocks):
        size, digest = sink.blocks[name]
        expected = hashlib.sha256(nonce(i))
        expected.update(gcm.encrypt(nonce(i), region(i), None))
        assert size == seal.REGION + seal.OVERHEAD and digest == expected.digest(), f"region {i}"
    print(f"{SIZE >> 20} MiB: VmHWM {most / MIB:.1f} MiB of memory={MEMORY // MIB} MiB")
    if SLOW == 1:
        assert most <= 1.2 * MEMORY
