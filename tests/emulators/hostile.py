# SPDX-License-Identifier: MIT
"""Hostile rewrites of a JSON answer: well-formed HTTP around wrong content.

Each rewrite takes the honest body and returns the bytes to send instead.
They suit Key Vault answers (`kid`, `value`) and work on any JSON object.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

HUGE = 10 << 20


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _value_bytes(answer: dict[str, Any]) -> bytes:
    text = str(answer.get("value", ""))
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _with(body: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(body), **changes}).encode()


def _wrong_kid(body: bytes) -> bytes:
    """The answer names another key of the same vault."""
    vault = str(json.loads(body).get("kid", "https://vault.invalid/")).partition("/keys/")[0]
    return _with(body, kid=f"{vault}/keys/another-key/{'f' * 32}")


def _no_kid(body: bytes) -> bytes:
    answer = json.loads(body)
    answer.pop("kid", None)
    return json.dumps(answer).encode()


def _shorter_value(body: bytes) -> bytes:
    return _with(body, value=_b64url(_value_bytes(json.loads(body))[:-1]))


def _longer_value(body: bytes) -> bytes:
    return _with(body, value=_b64url(_value_bytes(json.loads(body)) + b"\0"))


def _other_value(body: bytes) -> bytes:
    """The right length, but not the key that was wrapped."""
    return _with(body, value=_b64url(bytes(b ^ 0xFF for b in _value_bytes(json.loads(body)))))


def _empty_value(body: bytes) -> bytes:
    return _with(body, value="")


def _padded_value(body: bytes) -> bytes:
    """Legal: base64url with its padding."""
    return _with(body, value=base64.urlsafe_b64encode(_value_bytes(json.loads(body))).decode())


def _not_base64(body: bytes) -> bytes:
    return _with(body, value="*** not base64 ***")


def _duplicate_members(body: bytes) -> bytes:
    """Every member twice; the second copy is wrong."""
    members = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in json.loads(body).items()]
    wrong = [f'{json.dumps(k)}: "AAAA"' for k in json.loads(body)]
    return ("{" + ", ".join(members + wrong) + "}").encode()


def _nul_in_kid(body: bytes) -> bytes:
    return _with(body, kid=str(json.loads(body).get("kid", "")) + "\0tail")


def _wrong_types(body: bytes) -> bytes:
    return json.dumps({name: [1, None, {}] for name in json.loads(body)}).encode()


def _huge(body: bytes) -> bytes:
    """Valid JSON of 10 MiB."""
    return _with(body, filler="x" * HUGE)


def _deep(body: bytes) -> bytes:
    """Valid JSON, nested 100,000 deep."""
    return body.rstrip()[:-1] + b', "filler": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def _cut_json(body: bytes) -> bytes:
    """A complete message whose JSON stops in the middle."""
    return body[: len(body) // 2]


def _trailing_garbage(body: bytes) -> bytes:
    return body + b"\n{}garbage"


REWRITES: dict[str, Callable[[bytes], bytes]] = {
    "wrong_kid": _wrong_kid,
    "no_kid": _no_kid,
    "nul_in_kid": _nul_in_kid,
    "shorter_value": _shorter_value,
    "longer_value": _longer_value,
    "other_value": _other_value,
    "empty_value": _empty_value,
    "padded_value": _padded_value,
    "not_base64": _not_base64,
    "duplicate_members": _duplicate_members,
    "wrong_types": _wrong_types,
    "huge": _huge,
    "deep": _deep,
    "cut_json": _cut_json,
    "trailing_garbage": _trailing_garbage,
    "array": lambda body: b"[" + body + b"]",
    "empty_body": lambda _body: b"",
    "not_json": lambda _body: b"<html><body>Gateway</body></html>",
    "not_utf8": lambda body: body.replace(b"{", b'{"\xff\xfe": "\xc0\x80", ', 1),
}
