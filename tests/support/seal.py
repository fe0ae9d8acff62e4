# SPDX-License-Identifier: MIT
"""Seals blobs as the official clients do, from the format's description alone (docs/FORMATS.md).

Only the primitives of `cryptography` are used: no storage client, and nothing of the program under test.
The keys here have the methods that the official Python client asks of a key-encryption key, so that
one key serves both writers.
"""
import base64
import hashlib
import json
import os

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap

from tests.support.vectors import base64url

REGION = 4 << 20
OVERHEAD = 28
ALGORITHMS = ("RSA-OAEP", "RSA-OAEP-256", "A128KW", "A192KW", "A256KW")

# How each client writes the number of a region into its nonce.
NONCES = {
    "python": lambda i: i.to_bytes(12, "big"),
    "java": lambda i: i.to_bytes(8, "big") + bytes(4),
    "dotnet": lambda i: bytes(4) + (i + 1).to_bytes(8, "little"),
}


class Kek:
    """A key-encryption key; made at random unless given."""

    def __init__(self, kid, algorithm):
        self.kid = kid
        self.algorithm = algorithm

    # What the Python client calls.
    def get_kid(self):
        return self.kid

    def get_key_wrap_algorithm(self):
        return self.algorithm

    def wrap_key(self, key, algorithm=None):
        raise NotImplementedError

    def unwrap_key(self, key, algorithm):
        raise NotImplementedError

    def jwk(self):
        raise NotImplementedError


class RsaKek(Kek):
    HASHES = {"RSA-OAEP": hashes.SHA1, "RSA-OAEP-256": hashes.SHA256}

    def __init__(self, kid, algorithm, bits):
        super().__init__(kid, algorithm)
        self.private = rsa.generate_private_key(65537, bits)

    def _padding(self, algorithm):
        digest = self.HASHES[algorithm]
        return padding.OAEP(padding.MGF1(digest()), digest(), None)

    def wrap_key(self, key, algorithm=None):
        return self.private.public_key().encrypt(key, self._padding(algorithm or self.algorithm))

    def unwrap_key(self, key, algorithm):
        return self.private.decrypt(key, self._padding(algorithm))

    def pem(self):
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def jwk(self):
        return rsa_jwk(self.kid, self.private)


def rsa_jwk(kid, private):
    """A private key of `cryptography` as a JWK."""
    secret = private.private_numbers()
    public = secret.public_numbers
    members = {
        "n": public.n, "e": public.e, "d": secret.d, "p": secret.p, "q": secret.q,
        "dp": secret.dmp1, "dq": secret.dmq1, "qi": secret.iqmp,
    }  # fmt: skip
    jwk = {"kid": kid, "kty": "RSA"}
    jwk.update((k, base64url(v.to_bytes((v.bit_length() + 7) // 8, "big"))) for k, v in members.items())
    return jwk


class AesKek(Kek):
    def __init__(self, kid, algorithm):
        super().__init__(kid, algorithm)
        self.secret = os.urandom(int(algorithm[1:4]) // 8)

    def wrap_key(self, key, algorithm=None):
        return aes_key_wrap(self.secret, key)

    def unwrap_key(self, key, algorithm):
        return aes_key_unwrap(self.secret, key)

    def jwk(self):
        return {"kid": self.kid, "kty": "oct", "k": base64url(self.secret)}


def make_kek(algorithm, kid=None):
    """A key for the algorithm: RSA-OAEP 2048 bits, RSA-OAEP-256 3072 bits, AnnnKW nnn bits."""
    kid = kid or f"local:{algorithm.lower()}"
    if algorithm.startswith("RSA"):
        return RsaKek(kid, algorithm, 2048 if algorithm == "RSA-OAEP" else 3072)
    return AesKek(kid, algorithm)


def random_plaintext(seed, length):
    """Bytes that look random, the same for the same seed, quick to make in any length."""
    return hashlib.shake_128(str(seed).encode()).digest(length)


def stored_v2(plain, cek, region=REGION, dialect="python", empty_region=False):
    """nonce, ciphertext, tag of each region.  An empty blob is nothing, or one region without plaintext."""
    gcm, nonce = AESGCM(cek), NONCES[dialect]
    count = -(-len(plain) // region) or int(empty_region)
    out = bytearray()
    view = memoryview(plain)
    for i in range(count):
        out += nonce(i) + gcm.encrypt(nonce(i), view[i * region : (i + 1) * region], None)
    return bytes(out)


def stored_v1(plain, cek, iv, padded=True):
    pad = 16 - len(plain) % 16 if padded else 0
    cipher = Cipher(algorithms.AES(cek), modes.CBC(iv)).encryptor()
    return cipher.update(plain + bytes([pad]) * pad) + cipher.finalize()


def seal(plain, kek, protocol="2.0", region=REGION, dialect="python", empty_region=False, page=False):
    """(stored bytes, metadata) of a blob with a fresh content key."""
    cek = os.urandom(32)
    envelope = {
        "WrappedContentKey": {"KeyId": kek.kid, "EncryptedKey": None, "Algorithm": kek.algorithm},
        "EncryptionAgent": {"Protocol": protocol, "EncryptionAlgorithm": "AES_GCM_256"},
    }
    if protocol == "1.0":
        iv = os.urandom(16)
        wrapped = kek.wrap_key(cek)
        stored = stored_v1(plain, cek, iv, padded=not page)
        envelope["EncryptionAgent"]["EncryptionAlgorithm"] = "AES_CBC_256"
        envelope["ContentEncryptionIV"] = base64.b64encode(iv).decode()
    else:
        wrapped = kek.wrap_key(protocol.encode().ljust(8, b"\0") + cek)
        stored = stored_v2(plain, cek, region, dialect, empty_region)
        envelope["EncryptedRegionInfo"] = {"DataLength": region, "NonceLength": 12}
    envelope["WrappedContentKey"]["EncryptedKey"] = base64.b64encode(wrapped).decode()
    envelope["KeyWrappingMetadata"] = {"EncryptionLibrary": "azcryptfs tests"}
    envelope["EncryptionMode"] = "FullBlob"
    return stored, {"encryptiondata": json.dumps(envelope)}


def unseal(stored, metadata, kek):
    """The plaintext again; raises where anything does not fit.  The other half of seal, for its own tests."""
    envelope = json.loads(metadata["encryptiondata"])
    wrapped = envelope["WrappedContentKey"]
    key = kek.unwrap_key(base64.b64decode(wrapped["EncryptedKey"]), wrapped["Algorithm"])
    protocol = envelope["EncryptionAgent"]["Protocol"]
    if protocol == "1.0":
        iv = base64.b64decode(envelope["ContentEncryptionIV"])
        cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        plain = cipher.update(stored) + cipher.finalize()
        return plain[: -plain[-1]]
    if key[:8] != protocol.encode().ljust(8, b"\0"):
        raise ValueError(f"the wrapped key is not of protocol {protocol}")
    gcm, step = AESGCM(key[8:]), envelope["EncryptedRegionInfo"]["DataLength"] + OVERHEAD
    return b"".join(gcm.decrypt(stored[i : i + 12], stored[i + 12 : i + step], None) for i in range(0, len(stored), step))
