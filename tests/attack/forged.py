# SPDX-License-Identifier: MIT
"""Sealed blobs as an attacker leaves them: envelopes edited after the fact, content under a key of its own."""
import base64
import json

from tests.support import seal

#: The key that the mount of an attack test has.
KEK = seal.make_kek("A256KW")

DELETE = object()


def edited(metadata, changes):
    """The metadata with members of encryptiondata changed: {"EncryptionAgent.Protocol": "9.9"}."""
    envelope = json.loads(metadata["encryptiondata"])
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = envelope
        for parent in parents:
            place = place[parent]
        if value is DELETE:
            del place[last]
        else:
            place[last] = value
    return {"encryptiondata": json.dumps(envelope)}


def content_key(metadata):
    """What the attacker cannot have: the content key (of a V2 blob), to seal more regions with it."""
    wrapped = json.loads(metadata["encryptiondata"])["WrappedContentKey"]
    return KEK.unwrap_key(base64.b64decode(wrapped["EncryptedKey"]), wrapped["Algorithm"])[8:]
