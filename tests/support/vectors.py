# SPDX-License-Identifier: MIT
"""The vector sets of tests/vectors: blobs that the official clients sealed, with keys, ranges and damaged copies.

    for blob in vectors.load("java").blobs:
        blob.stored, blob.metadata, blob.plaintext, blob.ranges

Stored bytes that a set keeps only as a recipe are rebuilt and checked against their SHA-256.
What each file of a set holds: tests/vectors/python/README.md.
"""
import base64
import functools
import hashlib
import json
import pathlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"
SETS = ("python", "dotnet", "java")


def plaintext(seed: str, length: int) -> bytes:
    """Block i is SHA-256(seed || i as 64-bit big-endian); cut to length."""
    start = hashlib.sha256(seed.encode())
    out = bytearray()
    for i in range(-(-length // 32)):
        block = start.copy()
        block.update(i.to_bytes(8, "big"))
        out += block.digest()
    return bytes(out[:length])


class Sealed:
    """Stored bytes with their metadata, as a store would hold them."""

    def __init__(self, vector_set, entry):
        self.set = vector_set
        self.entry = entry
        self.blob_type = entry.get("blobType", "BlockBlob")

    def __repr__(self):
        return f"{self.set.name}:{self.name}"


class Blob(Sealed):
    """A blob as the client left it."""

    @property
    def name(self):
        return self.entry["blobName"]

    @property
    def protocol(self):
        return self.entry["protocol"]

    @property
    def region_length(self):
        return self.entry.get("regionDataLength")

    @property
    def length(self):
        return self.entry["plaintext"]["length"]

    @functools.cached_property
    def metadata(self):
        return json.loads((self.set.path / self.entry["metadataFile"]).read_text())

    @functools.cached_property
    def envelope(self):
        return json.loads(self.metadata["encryptiondata"])

    @functools.cached_property
    def plaintext(self):
        made = self.entry["plaintext"]
        data = plaintext(made["seed"], made["length"])
        check(data, made["sha256"], f"plaintext of {self}")
        return data

    @functools.cached_property
    def stored(self):
        wanted = self.entry["stored"]
        if self.entry["ciphertextFile"]:
            data = (self.set.path / self.entry["ciphertextFile"]).read_bytes()
        else:
            data = self._rebuild()
        if len(data) != wanted["length"]:
            raise ValueError(f"stored bytes of {self}: {len(data)}, not {wanted['length']}")
        check(data, wanted["sha256"], f"stored bytes of {self}")
        return data

    @property
    def ranges(self):
        """(offset, length, SHA-256 of the plaintext there) of each range that a reader must return."""
        return self.set.ranges.get(self.name, [])

    def _rebuild(self):
        key = bytes.fromhex(self.entry["contentKeyHex"])
        if self.protocol == "1.0":
            return self._rebuild_v1(key)
        return self._rebuild_v2(key)

    def _rebuild_v1(self, key):
        pad = 0 if self.blob_type == "PageBlob" else 16 - self.length % 16
        cipher = Cipher(algorithms.AES(key), modes.CBC(bytes.fromhex(self.entry["ivHex"]))).encryptor()
        return cipher.update(self.plaintext + bytes([pad]) * pad) + cipher.finalize()

    def _rebuild_v2(self, key):
        gcm, size = AESGCM(key), self.region_length
        nonces = self.entry["nonces"]
        if isinstance(nonces, str):  # the Python client: a big-endian counter
            nonces = [i.to_bytes(12, "big").hex() for i in range(-(-self.length // size))]
        nonces = [bytes.fromhex(n) for n in nonces]
        return b"".join(
            nonce + gcm.encrypt(nonce, self.plaintext[i * size : (i + 1) * size], None)
            for i, nonce in enumerate(nonces)
        )


class Altered(Sealed):
    """An entry of damaged.json or variants.json: a blob with other bytes or another envelope."""

    def __init__(self, vector_set, entry):
        super().__init__(vector_set, entry)
        self.based_on = vector_set.blob(entry["basedOn"])

    @property
    def name(self):
        return self.entry["name"]

    @property
    def slug(self):
        """The name as one harmless file name."""
        return self.name.replace(" ", "-").replace("^", "").replace("(", "").replace(")", "").replace(",", "")

    @property
    def reader(self):
        """"must read" or "may differ" in variants.json; None in damaged.json."""
        return self.entry.get("reader")

    @property
    def sdk_value(self):
        """(length, SHA-256) of what the client returned, or None where it refused."""
        if self.entry["sdk"] != "value":
            return None
        return self.entry["length"], self.entry["sha256"]

    @property
    def metadata(self):
        text = self.entry["encryptiondata"]
        return {} if text is None else {"encryptiondata": text}

    @functools.cached_property
    def stored(self):
        if self.entry["ciphertextFile"]:
            return (self.set.path / self.entry["ciphertextFile"]).read_bytes()
        return self.based_on.stored


class Key:
    """A key-encryption key of a set."""

    def __init__(self, vector_set, entry):
        self.name = entry["name"]
        self.kid = entry["keyId"]
        self.algorithm = entry["wrapAlgorithm"]
        self.kty = entry["kty"]
        self.path = vector_set.path / entry["file"]

    @property
    def secret(self):
        """The bytes of an AES key."""
        return base64.b64decode(self.path.read_text())

    def jwk(self):
        """The entry of a keys= file: RSA by its PEM file (write_keys puts it beside the set), AES by its bytes."""
        if self.kty == "RSA":
            return {"kid": self.kid, "pem": str(self.path)}
        return {"kid": self.kid, "kty": "oct", "k": base64url(self.secret)}


class VectorSet:
    def __init__(self, name):
        self.name = name
        self.path = VECTORS / name
        self.keys = [Key(self, k) for k in self._json("keys/keys.json")]
        self.blobs = [Blob(self, e) for e in self._json("index.json")]
        self._by_name = {b.name: b for b in self.blobs}
        self.damaged = [Altered(self, e) for e in self._json("damaged.json", [])]
        self.variants = [Altered(self, e) for e in self._json("variants.json", [])]
        self.ranges = {}
        for r in self._json("ranges.json"):
            self.ranges.setdefault(r["blobName"], []).append((r["offset"], r["length"], r["sha256"]))

    def blob(self, name):
        return self._by_name[name]

    def _json(self, file, missing=None):
        path = self.path / file
        if missing is not None and not path.exists():
            return missing
        return json.loads(path.read_text())


@functools.lru_cache(maxsize=None)
def load(name):
    return VectorSet(name)


def all_sets():
    return [load(name) for name in SETS]


def write_keys(path, jwks):
    """Writes a JWK Set for keys=, and returns its path.

    A PEM file that an entry names is copied beside the set and named relative to it: the program refuses
    secrets that others may read, and a checkout has mode 0644.
    """
    path = pathlib.Path(path)
    entries = []
    for i, jwk in enumerate(jwks):
        if "pem" in jwk:
            copy = path.with_name(f"{path.stem}-{i}.pem")
            write_secret(copy, pathlib.Path(jwk["pem"]).read_bytes())
            jwk = {**jwk, "pem": copy.name}
        entries.append(jwk)
    return write_secret(path, json.dumps({"keys": entries}, indent=1).encode())


def write_secret(path, data):
    """A file that its owner alone may read."""
    path = pathlib.Path(path)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(data)
    return path


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def check(data, sha256, what):
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(f"{what}: SHA-256 {found}, not {sha256}")
