# SPDX-License-Identifier: MIT
"""The few JSON Web Token operations that the emulators need.

Tokens of the emulated Entra ID are signed with HS256 under a key that token
endpoint and vault share; clients treat them as opaque. The claims are those
that Azure services look at. Source: RFC 7515, RFC 7519.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
import uuid
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class TokenError(Exception):
    """Why a token is refused; `reason` is malformed, signature, expired or early."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def b64url(data: bytes) -> str:
    """Base64url without padding, as all of Azure's JSON has it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64url(text: str) -> bytes:
    """The reverse; padding is optional, any other foreign character is a ValueError."""
    bare = text.rstrip("=")
    if not all(c.isascii() and (c.isalnum() or c in "-_") for c in bare):
        raise ValueError("not base64url")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def claims_of(token: str) -> dict[str, Any]:
    """The claims, unverified."""
    return _part(token, 1)


def header_of(token: str) -> dict[str, Any]:
    return _part(token, 0)


def _part(token: str, index: int) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        raise TokenError("malformed")
    try:
        value = json.loads(unb64url(parts[index]))
    except ValueError as error:
        raise TokenError("malformed") from error
    if not isinstance(value, dict):
        raise TokenError("malformed")
    return value


def check_times(claims: dict[str, Any]) -> None:
    """Refuse claims that are out of date or not yet in date."""
    now = time.time()
    try:
        if float(claims["exp"]) <= now:
            raise TokenError("expired")
        if float(claims.get("nbf", 0)) > now + 1:
            raise TokenError("early")
    except (KeyError, TypeError, ValueError) as error:
        raise TokenError("malformed") from error


def verify_with_certificate(token: str, certificate: x509.Certificate) -> dict[str, Any]:
    """Claims of a client assertion signed with RS256 or PS256 by an RSA certificate's key."""
    key = certificate.public_key()
    algorithm = header_of(token).get("alg")
    if not isinstance(key, rsa.RSAPublicKey) or algorithm not in ("RS256", "PS256"):
        raise TokenError("signature")
    scheme = (
        padding.PKCS1v15() if algorithm == "RS256"
        else padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
    )
    signed, _, signature = token.rpartition(".")
    try:
        key.verify(unb64url(signature), signed.encode(), scheme, hashes.SHA256())
    except (InvalidSignature, ValueError) as error:
        raise TokenError("signature") from error
    return claims_of(token)


class Issuer:
    """Mints and verifies the access tokens of one emulated Entra ID."""

    def __init__(self, key: bytes | None = None):
        self._key = key or secrets.token_bytes(32)

    def _signature(self, signed: str) -> str:
        return b64url(hmac.new(self._key, signed.encode(), hashlib.sha256).digest())

    def sign(self, claims: dict[str, Any]) -> str:
        header = {"typ": "JWT", "alg": "HS256", "kid": "test"}
        signed = ".".join(b64url(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{self._signature(signed)}"

    def access_token(self, audience: str, client_id: str, tenant: str, lifetime: float) -> str:
        """A v1 access token: the issuer is sts.windows.net, which Azurite insists on too."""
        now = int(time.time())
        return self.sign({
            "aud": audience, "iss": f"https://sts.windows.net/{tenant}/", "tid": tenant,
            "iat": now, "nbf": now, "exp": time.time() + lifetime,
            "appid": client_id, "oid": client_id, "sub": client_id, "idtyp": "app",
            "ver": "1.0", "jti": str(uuid.uuid4()),
        })

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token of ours that is in date, or TokenError."""
        claims = claims_of(token)
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            raise TokenError("signature")
        check_times(claims)
        return claims
