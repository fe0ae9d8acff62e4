# SPDX-License-Identifier: MIT
"""Keys of an emulated vault: their material, state and versions."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

from tests.emulators.jwt import b64url

RSA_HASHES: dict[str, hashes.HashAlgorithm] = {
    "RSA-OAEP": hashes.SHA1(),
    "RSA-OAEP-256": hashes.SHA256(),
}
KEY_WRAP_BITS = {"A128KW": 128, "A192KW": 192, "A256KW": 256}
RSA_OPERATIONS = ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey")
OCT_OPERATIONS = ("encrypt", "decrypt", "wrapKey", "unwrapKey")


class WrapError(Exception):
    """The algorithm does not fit the key, or the value is not what the key wrapped."""


def new_version() -> str:
    return secrets.token_hex(16)


@dataclass
class Key:
    """One version of one key. Tests may change its state at any time."""

    name: str
    material: rsa.RSAPrivateKey | bytes
    version: str = field(default_factory=new_version)
    enabled: bool = True
    not_before: float | None = None      #: epoch seconds
    expires: float | None = None         #: epoch seconds
    operations: tuple[str, ...] | None = None   #: key_ops; None is all that the type has
    permissions: frozenset[str] | None = None   #: granted on this key; None asks the vault
    hsm: bool = False
    created: int = field(default_factory=lambda: int(time.time()))
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def generate_rsa(cls, name: str, bits: int = 2048, **state: Any) -> Key:
        """A fresh RSA key."""
        return cls(name, rsa.generate_private_key(65537, bits), **state)

    @classmethod
    def generate_oct(cls, name: str, bits: int = 256, **state: Any) -> Key:
        """A fresh AES key, as a Managed HSM has them."""
        return cls(name, secrets.token_bytes(bits // 8), **state)

    @classmethod
    def from_pem(cls, name: str, pem: bytes, **state: Any) -> Key:
        material = serialization.load_pem_private_key(pem, None)
        if not isinstance(material, rsa.RSAPrivateKey):
            raise ValueError(f"key {name}: not an RSA key")
        return cls(name, material, **state)

    @classmethod
    def from_base64(cls, name: str, text: str | bytes, **state: Any) -> Key:
        """An AES key given as standard base64."""
        material = base64.b64decode(text, validate=True)
        if len(material) * 8 not in KEY_WRAP_BITS.values():
            raise ValueError(f"key {name}: {len(material)} bytes is no AES key")
        return cls(name, material, **state)

    @classmethod
    def from_config(cls, told: dict[str, Any]) -> Key:
        """A key from JSON: `name`, one source of material, and any state of this class.

        Sources: `pem`, `pem_file`, `oct` and `oct_file` (base64), `rsa_bits`, `oct_bits`.
        """
        state = dict(told)
        name = state.pop("name")
        if "permissions" in state:
            state["permissions"] = frozenset(state["permissions"])
        sources = {
            "pem": lambda v: cls.from_pem(name, v.encode(), **state),
            "pem_file": lambda v: cls.from_pem(name, Path(v).read_bytes(), **state),
            "oct": lambda v: cls.from_base64(name, v, **state),
            "oct_file": lambda v: cls.from_base64(name, Path(v).read_text().strip(), **state),
            "rsa_bits": lambda v: cls.generate_rsa(name, v, **state),
            "oct_bits": lambda v: cls.generate_oct(name, v, **state),
        }
        told_sources = [s for s in sources if s in state]
        if len(told_sources) != 1:
            raise ValueError(f"key {name}: needs one of {', '.join(sources)}")
        return sources[told_sources[0]](state.pop(told_sources[0]))

    @property
    def is_rsa(self) -> bool:
        return isinstance(self.material, rsa.RSAPrivateKey)

    @property
    def allowed(self) -> tuple[str, ...]:
        if self.operations is not None:
            return tuple(self.operations)
        return RSA_OPERATIONS if self.is_rsa else OCT_OPERATIONS

    def jwk(self, kid: str) -> dict[str, Any]:
        """The public part, as GET answers it; a symmetric key shows no material."""
        if not isinstance(self.material, rsa.RSAPrivateKey):
            return {"kid": kid, "kty": "oct-HSM", "key_ops": list(self.allowed)}
        numbers = self.material.public_key().public_numbers()
        return {
            "kid": kid,
            "kty": "RSA-HSM" if self.hsm else "RSA",
            "key_ops": list(self.allowed),
            "n": b64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": b64url(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")),
        }

    def attributes(self) -> dict[str, Any]:
        told = {
            "enabled": self.enabled, "nbf": self.not_before, "exp": self.expires,
            "created": self.created, "updated": self.created,
            "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90, "exportable": False,
        }
        for name in ("nbf", "exp"):
            moment = told.pop(name)
            if moment is not None:
                told[name] = int(moment)
        return told

    def wrap(self, algorithm: str, plain: bytes) -> bytes:
        """Wrapped bytes, or WrapError."""
        try:
            if isinstance(self.material, rsa.RSAPrivateKey):
                return self.material.public_key().encrypt(plain, _oaep(algorithm))
            return aes_key_wrap(self._kek(algorithm), plain)
        except ValueError as error:
            raise WrapError(str(error)) from error

    def unwrap(self, algorithm: str, wrapped: bytes) -> bytes:
        """The bytes that wrap() was given, or WrapError."""
        try:
            if isinstance(self.material, rsa.RSAPrivateKey):
                return self.material.decrypt(wrapped, _oaep(algorithm))
            return aes_key_unwrap(self._kek(algorithm), wrapped)
        except (ValueError, InvalidUnwrap) as error:
            raise WrapError(str(error)) from error

    def _kek(self, algorithm: str) -> bytes:
        assert isinstance(self.material, bytes)
        if KEY_WRAP_BITS.get(algorithm) != len(self.material) * 8:
            raise WrapError(f"Key and algorithm are not compatible: {algorithm}")
        return self.material


def _oaep(algorithm: str) -> padding.OAEP:
    """OAEP with the same hash for the label and for MGF1, as Key Vault does it."""
    digest = RSA_HASHES.get(algorithm)
    if digest is None:
        raise WrapError(f"Key and algorithm are not compatible or not supported: {algorithm}")
    return padding.OAEP(padding.MGF1(digest), digest, None)


class KeyStore:
    """Versions by name, oldest first; names and versions compare without case."""

    def __init__(self, keys: Iterable[Key] = ()):
        self._lock = threading.Lock()
        self._keys: dict[str, list[Key]] = {}
        for key in keys:
            self.add(key)

    def add(self, key: Key) -> Key:
        """Add a version; it becomes the current one."""
        with self._lock:
            self._keys.setdefault(key.name.lower(), []).append(key)
        return key

    def remove(self, name: str) -> None:
        """Soft-delete all versions: they are not found any more."""
        with self._lock:
            self._keys.pop(name.lower(), None)

    def versions(self, name: str) -> list[Key]:
        with self._lock:
            return list(self._keys.get(name.lower(), ()))

    def find(self, name: str, version: str = "") -> Key | None:
        """That version, or the current one."""
        versions = self.versions(name)
        if not version:
            return versions[-1] if versions else None
        return next((k for k in versions if k.version.lower() == version.lower()), None)

    def current(self) -> list[Key]:
        """The current version of every key, by name."""
        with self._lock:
            return [versions[-1] for _, versions in sorted(self._keys.items())]

    def rotate(self, name: str) -> Key:
        """Add a version with fresh material of the same kind and size."""
        old = self.find(name)
        if old is None:
            raise KeyError(name)
        if isinstance(old.material, rsa.RSAPrivateKey):
            fresh = Key.generate_rsa(old.name, old.material.key_size)
        else:
            fresh = Key.generate_oct(old.name, len(old.material) * 8)
        fresh.operations, fresh.permissions, fresh.hsm = old.operations, old.permissions, old.hsm
        return self.add(fresh)
