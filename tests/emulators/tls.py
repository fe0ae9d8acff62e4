# SPDX-License-Identifier: MIT
"""Certificates made at run time: one CA, good server certificates, and bad ones.

Nothing here is ever installed in a machine's trust store; the client under
test is handed `CertificateAuthority.pem` as its CA file.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


@dataclass(frozen=True)
class ServerIdentity:
    """A certificate chain and its private key, both PEM."""

    cert_pem: bytes
    key_pem: bytes

    def write(self, folder: str | os.PathLike[str], stem: str = "server") -> tuple[Path, Path]:
        """Write STEM.pem and STEM.key for servers that want files; answers both paths."""
        cert, key = Path(folder) / f"{stem}.pem", Path(folder) / f"{stem}.key"
        cert.write_bytes(self.cert_pem)
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem)
        return cert, key

    def context(
        self,
        minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
        maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    ) -> ssl.SSLContext:
        """A server context; versions below 1.2 need maximum=TLSv1_1 said openly."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if maximum in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            # OpenSSL 3 offers its old versions at security level 0 only.
            context.set_ciphers("ALL:@SECLEVEL=0")
            minimum = ssl.TLSVersion.TLSv1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = minimum
            context.maximum_version = maximum
        with tempfile.TemporaryDirectory() as folder:
            context.load_cert_chain(*self.write(folder))
        return context


class CertificateAuthority:
    """A CA with an EC key that lives as long as this object."""

    def __init__(self, name: str = "azcryptfs test CA"):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _subject(name)
        public = self._key.public_key()
        self._cert = (
            _builder(self._name, self._name, public, _now() - DAY, _now() + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(sign_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self._cert.public_bytes(serialization.Encoding.PEM)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the CA certificate (never its key) to path."""
        Path(path).write_bytes(self.pem)
        return Path(path)

    def issue(
        self,
        *names: str,
        loopback: bool = True,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> ServerIdentity:
        """A server certificate for names, and for loopback unless told not to."""
        every = [*names, *(LOOPBACK_NAMES if loopback else ())]
        return _leaf(
            every, self._name, self._key, not_before or _now() - DAY, not_after or _now() + 7 * DAY,
            usage,
        )

    def expired(self, *names: str) -> ServerIdentity:
        return self.issue(*names, not_before=_now() - 3 * DAY, not_after=_now() - DAY)

    def not_yet_valid(self, *names: str) -> ServerIdentity:
        return self.issue(*names, not_before=_now() + DAY, not_after=_now() + 3 * DAY)

    def wrong_name(self, name: str = "other.example") -> ServerIdentity:
        """Trusted and in date, but for another host only."""
        return self.issue(name, loopback=False)

    def wrong_usage(self, *names: str) -> ServerIdentity:
        """For TLS clients only, so no server may use it."""
        return self.issue(*names, usage=ExtendedKeyUsageOID.CLIENT_AUTH)


def self_signed(*names: str) -> ServerIdentity:
    """A certificate that no CA vouches for."""
    every = [*names, *LOOPBACK_NAMES]
    return _leaf(every, None, None, _now() - DAY, _now() + 7 * DAY, ExtendedKeyUsageOID.SERVER_AUTH)


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=sign_certificates,
        crl_sign=sign_certificates, encipher_only=False, decipher_only=False,
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    not_before: datetime.datetime,
    not_after: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )


def _leaf(
    names: Iterable[str],
    issuer: x509.Name | None,
    issuer_key: ec.EllipticCurvePrivateKey | None,
    not_before: datetime.datetime,
    not_after: datetime.datetime,
    usage: x509.ObjectIdentifier,
) -> ServerIdentity:
    unique = list(dict.fromkeys(names))
    key = ec.generate_private_key(ec.SECP256R1())
    signer = issuer_key or key
    subject = _subject(unique[0])
    alternatives = x509.SubjectAlternativeName([_general_name(n) for n in unique])
    signer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    cert = (
        _builder(subject, issuer or subject, key.public_key(), not_before, not_after)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(signer_id, critical=False)
        .sign(signer, hashes.SHA256())
    )
    return ServerIdentity(
        cert.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
