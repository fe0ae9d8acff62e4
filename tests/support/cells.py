# SPDX-License-Identifier: MIT
"""Cells of Always Encrypted, from the format's description alone (docs/FORMATS.md, "Cells").

Only the primitives of `cryptography` are used: no Cosmos client, and nothing of the program under test.

    dek = Dek("dek1", kek)
    dek.seal("hello", deterministic=True)         # base64 text
    dek.unseal(text)                              # ("string", "hello")
"""
import base64
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BOOLEAN, DOUBLE, LONG, STRING = 2, 3, 4, 5
ALGORITHM = "AEAD_AES_256_CBC_HMAC_SHA256"


def _derived(key, what):
    salt = f"Microsoft SQL Server cell {what} key with encryption algorithm:{ALGORITHM} and key length:256"
    return hmac.digest(key, salt.encode("utf-16-le"), hashlib.sha256)


def plain_of(value):
    """(marker, plaintext) of a JSON scalar as the clients store it."""
    if isinstance(value, bool):
        return BOOLEAN, struct.pack("<q", value)
    if isinstance(value, int):
        return LONG, struct.pack("<q", value)
    if isinstance(value, float):
        return DOUBLE, struct.pack("<d", value)
    return STRING, value.encode()


class Dek:
    """A client encryption key of a database; made at random unless given."""

    def __init__(self, name, kek, key=None, etag=None):
        self.name, self.kek = name, kek
        self.key = key or os.urandom(32)
        self.etag = etag or os.urandom(8).hex()
        self.enc, self.mac, self.iv = (_derived(self.key, w) for w in ("encryption", "MAC", "IV"))

    def record(self, **changes):
        """The resource, as the service keeps it; members may be changed, metadata by name."""
        wrapped = self.kek.wrap_key(self.key, "RSA-OAEP")
        record = {
            "id": self.name,
            "encryptionAlgorithm": ALGORITHM,
            "wrappedDataEncryptionKey": base64.b64encode(wrapped).decode(),
            "keyWrapMetadata": {
                "type": "AZURE_KEY_VAULT", "name": "kek", "value": self.kek.kid, "algorithm": "RSA-OAEP",
            },
            "_rid": "gAABAAAAAAEAAADw",
            "_etag": f'"{self.etag}"',
            "_ts": 1795291076,
        }  # fmt: skip
        for name, value in changes.items():
            (record["keyWrapMetadata"] if name in record["keyWrapMetadata"] else record)[name] = value
        return record

    def raw(self, marker, plain, deterministic=True, iv=None, version=1):
        """The bytes of a cell, whatever they say."""
        if iv is None:
            iv = hmac.digest(self.iv, plain, hashlib.sha256)[:16] if deterministic else os.urandom(16)
        pad = 16 - len(plain) % 16
        cipher = Cipher(algorithms.AES256(self.enc), modes.CBC(iv)).encryptor()
        sealed = cipher.update(plain + bytes([pad]) * pad) + cipher.finalize()
        tag = hmac.digest(self.mac, bytes([version]) + iv + sealed + b"\x01", hashlib.sha256)
        return bytes([marker, version]) + tag + iv + sealed

    def seal(self, value, deterministic=True, url=False):
        """The text of a leaf; objects and arrays leaf by leaf, null stays."""
        if value is None:
            return None
        if isinstance(value, dict):
            return {k: self.seal(v, deterministic) for k, v in value.items()}
        if isinstance(value, list):
            return [self.seal(v, deterministic) for v in value]
        raw = self.raw(*plain_of(value), deterministic)
        return (base64.urlsafe_b64encode if url else base64.b64encode)(raw).decode()

    def unseal(self, text):
        raw = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
        tag, iv, sealed = raw[2:34], raw[34:50], raw[50:]
        assert raw[1] == 1
        assert hmac.compare_digest(tag, hmac.digest(self.mac, raw[1:2] + iv + sealed + b"\x01", hashlib.sha256))
        cipher = Cipher(algorithms.AES256(self.enc), modes.CBC(iv)).decryptor()
        plain = cipher.update(sealed) + cipher.finalize()
        plain = plain[: -plain[-1]]
        if raw[0] == STRING:
            return "string", plain.decode()
        if raw[0] == DOUBLE:
            return "double", struct.unpack("<d", plain)[0]
        value = struct.unpack("<q", plain)[0]
        return ("boolean", bool(value)) if raw[0] == BOOLEAN else ("long", value)
