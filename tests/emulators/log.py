# SPDX-License-Identifier: MIT
"""The request log of an emulator: what a client sent, without its secrets.

Tests assert on it ("exactly one GET, no HEAD"), and it may be printed when a
test fails, so credentials are cut down to what a test can use: the audience of
a bearer token, the account of a shared key.
"""

from __future__ import annotations

import re
import threading
import time
from typing import Any
from urllib.parse import unquote

from tests.emulators.jwt import TokenError, claims_of
from tests.emulators.wire import Request

MAX_LOGGED_BODY = 256 << 10
_SECRET_FIELDS = ("client_secret", "client_assertion")
_SECRET_HEADERS = ("x-identity-header", "secret", "x-ms-copy-source-authorization")
_SAS_SIGNATURE = re.compile(r"(?<=[?&])(sig=)[^&]*")


def redact_authorization(value: str) -> str:
    """`Bearer aud=https://vault.azure.net`, `SharedKey account`, `type=master`, or the scheme alone."""
    if unquote(value).startswith("type="):
        return _redact_cosmos(unquote(value))
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer":
        try:
            return f"Bearer aud={claims_of(rest).get('aud')}"
        except TokenError:
            return "Bearer (not a token)"
    if scheme.startswith("SharedKey"):
        return f"{scheme} {rest.partition(':')[0]}"
    return scheme


def _redact_cosmos(value: str) -> str:
    """`type=master`, `type=resource` or `type=aad aud=https://cosmos.azure.com`."""
    kind, _, rest = value.partition("&")
    if kind != "type=aad":
        return kind
    try:
        return f"{kind} aud={claims_of(rest.partition('sig=')[2]).get('aud')}"
    except TokenError:
        return f"{kind} (not a token)"


def _headers(request: Request) -> dict[str, str]:
    headers = request.headers.as_dict()
    if "authorization" in headers:
        headers["authorization"] = redact_authorization(headers["authorization"])
    for name in _SECRET_HEADERS:
        if name in headers:
            headers[name] = "(redacted)"
    return headers


def _body(request: Request) -> Any:
    """The parsed body where it is JSON or a form, else None."""
    kind = (request.headers.get("Content-Type") or "").lower()
    if not request.body or len(request.body) > MAX_LOGGED_BODY:
        return None
    if "json" in kind:
        try:
            return request.json()
        except ValueError:
            return None
    if "x-www-form-urlencoded" in kind:
        hidden = {n: "(redacted)" for n in _SECRET_FIELDS}
        return {n: hidden.get(n, v) for n, v in request.form().items()}
    return None


class RequestLog:
    """Entries in order of arrival; an entry gets its status when the answer is known."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[dict[str, Any]] = []

    def add(self, request: Request) -> dict[str, Any]:
        entry = {
            "method": request.method,
            "path": _SAS_SIGNATURE.sub(r"\1(redacted)", request.target),
            "headers": _headers(request),
            "body": _body(request),
            "body_length": len(request.body),
            "time": time.time(),
            "connection": request.connection,
            "fault": False,
            "status": None,
        }
        with self._lock:
            self._entries.append(entry)
        return entry

    def all(self) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(entry) for entry in self._entries]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
