# SPDX-License-Identifier: MIT
"""Who may ask a Cosmos account: signatures with its key, tokens of Entra ID, resource tokens.

Source: the REST reference "access control on Cosmos DB resources"; requests of two official clients are
recomputed in tests/emulators/test_cosmos_auth.py.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote

from tests.emulators.jwt import Issuer, TokenError

#: The well-known key of the local emulators.
DEFAULT_KEY = (
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
)
ANY_ACCOUNT = "https://cosmos.azure.com"
TOLERANCE = 900.0
#: Data actions, short for Microsoft.DocumentDB/databaseAccounts/...; containers' own lack their prefix.
READ_METADATA = "readMetadata"
READ_ITEM, CREATE_ITEM, REPLACE_ITEM = "items/read", "items/create", "items/replace"
UPSERT_ITEM, DELETE_ITEM = "items/upsert", "items/delete"
QUERY, READ_FEED, CHANGE_FEED = "executeQuery", "readChangeFeed.all", "readChangeFeed"
READ_ACTIONS = frozenset({READ_METADATA, READ_ITEM, QUERY, READ_FEED, CHANGE_FEED})
ALL_ACTIONS = READ_ACTIONS | {CREATE_ITEM, REPLACE_ITEM, UPSERT_ITEM, DELETE_ITEM}
UNAUTHORIZED = (
    "The input authorization token can't serve the request. The wrong key is being used or the "
    "expected payload is not built as per the protocol."
)


class Denied(Exception):
    """Why a request is not served."""

    def __init__(self, status: int, message: str, substatus: int = 0):
        super().__init__(message)
        self.status, self.message, self.substatus = status, message, substatus


def sign(key: bytes, verb: str, kind: str, link: str, date: str) -> str:
    """The signature of a request, base64."""
    text = f"{verb.lower()}\n{kind.lower()}\n{link}\n{date.lower()}\n\n"
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


def authorization(key: bytes, verb: str, kind: str, link: str, date: str) -> str:
    """The header field, as a client sends it."""
    return quote(f"type=master&ver=1.0&sig={sign(key, verb, kind, link, date)}", safe="")


def signed_part(segments: Iterable[str]) -> tuple[str, str]:
    """Resource type and link of a path: a feed is signed over what it belongs to."""
    parts = [s for s in segments if s]
    if not parts:
        return "", ""
    if len(parts) % 2:
        return parts[-1], "/".join(parts[:-1])
    return parts[-2], "/".join(parts)


def _rid_link(segments: Iterable[str]) -> str:
    """What is signed in place of the link where the path names resource ids."""
    parts = [s for s in segments if s]
    return parts[len(parts) - 1 - len(parts) % 2].lower() if len(parts) > 1 else ""


@dataclass
class Gate:
    """Checks the Authorization header of one account."""

    key: bytes
    issuer: Issuer | None = None
    tenant: str | None = None
    #: What tokens must be for, beside ANY_ACCOUNT; the server fills it in.
    audience: str = ""
    #: False: every key and date is taken.
    check_signatures: bool = True
    #: False: only Entra ID's tokens are taken.
    local: bool = True
    tolerance: float = TOLERANCE
    #: What Entra ID's identities may do, and an identity that differs.
    actions: frozenset[str] = ALL_ACTIONS
    client_actions: dict[str, frozenset[str]] = field(default_factory=dict)

    def check(
        self, header: str | None, verb: str, segments: list[str], date: str | None,
        action: str | None, by_rid: bool = False,
    ) -> None:
        """Raises Denied. `action` is None for what no token of Entra ID may do.

        A path that names resource ids is signed over the last of them alone, in lower case.
        """
        told = unquote(header or "")
        fields = dict(part.partition("=")[::2] for part in told.split("&", 2))
        if not told or "sig" not in fields:
            raise Denied(401, "Required Header authorization is missing. Ensure a valid "
                              "Authorization token is passed.")
        kind = fields.get("type", "")
        if kind == "aad":
            self._entra(fields["sig"], action, "/".join(segments))
        elif not self.local:
            raise Denied(401, "Local Authorization is disabled. Use an AAD token to authorize all "
                              "requests.", 5202)
        elif kind == "master":
            self._master(fields["sig"], verb, segments, date, by_rid)
        elif kind == "resource":
            self._resource(fields["sig"], verb, segments)
        else:
            raise Denied(401, "Authorization header has an unknown type.")

    def _master(
        self, signature: str, verb: str, segments: list[str], date: str | None, by_rid: bool
    ) -> None:
        if not self.check_signatures:
            return
        if date is None:
            raise Denied(401, "Either the 'x-ms-date' or the 'date' header must be set.")
        self._check_date(date)
        kind, link = signed_part(segments)
        if by_rid:
            link = _rid_link(segments)
        wanted = sign(self.key, verb, kind, link, date)
        if hmac.compare_digest(wanted.encode(), signature.encode()):
            return
        signed = f"{verb.lower()}\\n{kind.lower()}\\n{link}\\n{date.lower()}\\n\\n"
        raise Denied(401, f"{UNAUTHORIZED} Server used the following payload to sign: '{signed}'")

    def _check_date(self, date: str) -> None:
        try:
            moment = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError) as error:
            raise Denied(401, f"The date header {date!r} is not RFC 1123.") from error
        if abs(moment - time.time()) > self.tolerance:
            raise Denied(403, "The authorization token is not valid at the current time. Please "
                              "create another token and retry.")

    def _entra(self, token: str, action: str | None, resource: str) -> None:
        if self.issuer is None:
            raise Denied(401, "This account takes no tokens of Entra ID.")
        try:
            claims = self.issuer.verify(token)
        except TokenError as error:
            raise Denied(401, f"AAD token is not valid: {error.reason}.", 5300) from error
        if str(claims["aud"]).rstrip("/") not in (self.audience, f"{self.audience}:443", ANY_ACCOUNT):
            raise Denied(401, f"AAD token has the wrong audience {claims['aud']}.", 5300)
        if self.tenant is not None and claims["tid"] != self.tenant:
            raise Denied(401, "AAD token is of another tenant.", 5300)
        client = str(claims["appid"])
        if action is None or action not in self.client_actions.get(client, self.actions):
            raise Denied(403, "Request is blocked because principal "
                              f"[{client}] does not have required RBAC permissions to perform action "
                              f"[{_full(action)}] on resource [{resource}].", 5302 if action else 5300)

    # Resource tokens.

    def resource_token(self, link: str, mode: str = "Read", lifetime: float = 3600) -> str:
        """What a permission of mode Read or All on a link would carry, unescaped."""
        grant = f"{mode}|{time.time() + lifetime}|{link}"
        mark = base64.b64encode(hmac.new(self.key, grant.encode(), hashlib.sha256).digest()).decode()
        return f"type=resource&ver=1.0&sig={mark};{base64.b64encode(grant.encode()).decode()};"

    def _resource(self, signature: str, verb: str, segments: list[str]) -> None:
        try:
            mark, told, _ = signature.split(";", 2)
            grant = base64.b64decode(told, validate=True).decode()
            mode, expires, link = grant.split("|", 2)
            known = base64.b64decode(mark, validate=True)
        except (ValueError, binascii.Error) as error:
            raise Denied(401, UNAUTHORIZED) from error
        if not hmac.compare_digest(known, hmac.new(self.key, grant.encode(), hashlib.sha256).digest()):
            raise Denied(401, UNAUTHORIZED)
        if float(expires) < time.time():
            raise Denied(403, "The authorization token is not valid at the current time.")
        asked = "/".join(s for s in segments if s)
        if asked and not f"{asked}/".startswith(f"{link}/") and not link.startswith(f"{asked}/"):
            raise Denied(403, "Insufficient permissions provided in the authorization header for the "
                              "corresponding request.")
        if mode != "All" and verb not in ("GET", "HEAD"):
            raise Denied(403, "Insufficient permissions provided in the authorization header for the "
                              "corresponding request.")


def _full(action: str | None) -> str:
    prefix = "Microsoft.DocumentDB/databaseAccounts"
    if action in (None, READ_METADATA):
        return f"{prefix}/{action or 'write'}"
    return f"{prefix}/sqlDatabases/containers/{action}"
