# SPDX-License-Identifier: MIT
"""One request to an emulated Cosmos gateway, and the forms of its answers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from tests.emulators.cosmos_epk import UNDEFINED
from tests.emulators.cosmos_json import BadJson, document_text, parse
from tests.emulators.cosmos_store import Container
from tests.emulators.wire import Headers, Request, Response

CODES = {
    304: "NotModified", 400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound",
    405: "MethodNotAllowed", 408: "RequestTimeout", 409: "Conflict", 410: "Gone",
    412: "PreconditionFailed", 413: "RequestEntityTooLarge", 429: "TooManyRequests",
    449: "RetryWith", 500: "InternalServerError", 503: "ServiceUnavailable",
}
# Substatus words.
KEY_MISMATCH, CROSS_PARTITION, STALE_RID = 1001, 1004, 1024
RANGE_GONE, SESSION_BEHIND, OWNER_GONE = 1002, 1002, 1003
TOO_MANY_REQUESTS = 3200


class Refused(Exception):
    """An answer of 3xx to 5xx, raised where the reason is found."""

    def __init__(self, status: int, message: str = "", substatus: int = 0, **headers: str):
        super().__init__(message)
        self.status, self.message, self.substatus = status, message, substatus
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def bad(message: str, substatus: int = 0) -> Refused:
    return Refused(400, message, substatus)


def error_response(status: int, code: str, message: str) -> Response:
    """The gateway's form of an error."""
    activity = str(uuid.uuid4())
    text = json.dumps({"code": code, "message": f"{message}\r\nActivityId: {activity}"})
    return Response(status, Headers([
        ("Content-Type", "application/json"), ("x-ms-activity-id", activity),
    ]), text.encode())


@dataclass
class Call:
    """A request, its header fields by lower-case name, its path in pieces."""

    request: Request
    segments: list[str]

    @cached_property
    def headers(self) -> dict[str, str]:
        return self.request.headers.as_dict()

    @property
    def method(self) -> str:
        return self.request.method

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    def flag(self, name: str) -> bool:
        return (self.headers.get(name) or "").lower() == "true"

    @property
    def is_query(self) -> bool:
        return self.method == "POST" and self.flag("x-ms-documentdb-isquery")

    @property
    def is_plan(self) -> bool:
        return self.method == "POST" and self.flag("x-ms-cosmos-is-query-plan-request")

    @property
    def is_change_feed(self) -> bool:
        return self.method == "GET" and "a-im" in self.headers

    def json(self) -> Any:
        try:
            return parse(document_text(self.request.body))
        except BadJson as error:
            raise bad(f"The request body is not JSON: {error}") from error

    def count(self, default: int, most: int) -> int:
        """x-ms-max-item-count; -1 leaves it to the server."""
        told = self.header("x-ms-max-item-count")
        if told is None:
            return default
        try:
            count = int(told)
        except ValueError as error:
            raise bad(f"x-ms-max-item-count {told!r} is no number") from error
        if count == -1:
            return most
        if count < 1:
            raise bad("x-ms-max-item-count must be -1 or above 0")
        return count

    def partition_key(self, container: Container) -> list[Any] | None:
        """The values of the header, or None without one."""
        told = self.header("x-ms-documentdb-partitionkey")
        if told is None:
            return None
        if not told.isascii() or "\x7f" in told:
            raise bad("The partition key header is not ASCII")
        try:
            values = parse(told)
        except BadJson as error:
            raise bad(f"Partition key {told} is invalid: {error}") from error
        if not isinstance(values, list) or any(isinstance(v, list) for v in values):
            raise bad(f"Partition key {told} is invalid")
        if any(isinstance(v, dict) and v for v in values):
            raise bad(f"Partition key {told} is invalid")
        values = [UNDEFINED if isinstance(v, dict) else v for v in values]
        paths = container.partition_key["paths"]
        if not values and container.partition_key.get("systemKey"):
            values = [UNDEFINED]
        if not 1 <= len(values) <= len(paths):
            raise bad(f"Partition key {told} has not the {len(paths)} components of the container",
                      KEY_MISMATCH)
        return values

    def check_match(self, etag: str) -> None:
        """If-Match: 412 unless it fits."""
        told = self.header("if-match")
        if told is not None and told.strip() not in ("*", etag):
            raise Refused(412, "One of the specified pre-condition is not met.")

    def check_modified(self, etag: str) -> None:
        """If-None-Match: 304 where it fits."""
        told = self.header("if-none-match")
        if told is not None and told.strip() == etag:
            raise Refused(304, etag=etag)


def answer(
    status: int, value: Any = None, *, charge: float = 1.0, text: bytes | None = None,
    **headers: str | int | None,
) -> Response:
    """An answer of JSON, of text that is JSON, or of nothing."""
    fields = Headers([
        ("Content-Type", "application/json"), ("x-ms-request-charge", f"{charge:.2f}"),
    ])
    for name, told in headers.items():
        if told is not None:
            fields.fields.append((name.replace("_", "-"), str(told)))
    if text is None:
        text = b"" if value is None else json.dumps(value).encode()
    return Response(status, fields, text)


def list_page(call: Call, name: str, rid: str, rows: Sequence[Any], size: int) -> Response:
    """A page of a feed of resources; its continuation counts what was given."""
    told = call.header("x-ms-continuation") or "0"
    count = call.count(size, size)
    if not told.isdigit():
        raise bad("Invalid continuation token")
    start = int(told)
    shown = list(rows[start : start + count])
    more = str(start + count) if start + count < len(rows) else None
    return answer(
        200, {"_rid": rid, name: shown, "_count": len(shown)},
        x_ms_item_count=len(shown), x_ms_continuation=more,
    )


class Received(NamedTuple):
    """A write as it arrived; `path` is decoded."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
