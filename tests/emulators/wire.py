# SPDX-License-Identifier: MIT
"""HTTP/1.1 messages on a socket, kept byte for byte.

Header fields keep their order and spelling, so that a proxy can pass them on
unchanged and a test can see what a client really sent. Bodies are read whole.
What this does not do: trailers, pipelining ahead of the answer, HTTP/2.
Source: RFC 9110 and RFC 9112.
"""

from __future__ import annotations

import http
import io
import json
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

MAX_LINE = 64 << 10
MAX_FIELDS = 256
MAX_BODY = 1 << 30


class WireError(Exception):
    """The peer sent something that is not HTTP/1.1, or stopped in the middle."""


class Headers:
    """Ordered header fields; names compare without case."""

    def __init__(self, fields: Iterable[tuple[str, str]] = ()):
        self.fields: list[tuple[str, str]] = list(fields)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first field of that name."""
        wanted = name.lower()
        for key, value in self.fields:
            if key.lower() == wanted:
                return value
        return default

    def set(self, name: str, value: str | None) -> None:
        """Replace every field of that name by one, or by none when value is None."""
        wanted = name.lower()
        where = [i for i, (key, _) in enumerate(self.fields) if key.lower() == wanted]
        for i in reversed(where[1:] if value is not None else where):
            del self.fields[i]
        if value is None:
            return
        if where:
            self.fields[where[0]] = (self.fields[where[0]][0], value)
        else:
            self.fields.append((name, value))

    def without(self, *names: str) -> Headers:
        """A copy that lacks the fields of these names."""
        unwanted = {name.lower() for name in names}
        return Headers(f for f in self.fields if f[0].lower() not in unwanted)

    def as_dict(self) -> dict[str, str]:
        """Lower-case names; repeated fields are joined as RFC 9110 allows."""
        joined: dict[str, str] = {}
        for name, value in self.fields:
            key = name.lower()
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
        return joined

    def encode(self) -> bytes:
        return "".join(f"{n}: {v}\r\n" for n, v in self.fields).encode("latin-1")


@dataclass
class Request:
    """One request as it arrived; `connection` numbers the TCP connection."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    connection: int = 0
    chunked: bool = False

    @property
    def path(self) -> str:
        """The raw path, percent escapes kept."""
        return self.target.partition("?")[0]

    @property
    def segments(self) -> list[str]:
        """The path cut at slashes, then unescaped; empty segments are kept."""
        return [unquote(part) for part in self.path.split("/")[1:]]

    @property
    def query(self) -> dict[str, str]:
        """Unescaped names and values; JavaScript clients write `api%2Dversion`."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def json(self) -> Any:
        """The parsed body, or ValueError."""
        return json.loads(self.body)


@dataclass
class Response:
    """One answer. `Content-Length` is written by who sends it, not kept here."""

    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    reason: str | None = None
    #: What HEAD promises: the length that the body would have had.
    head_length: int | None = None

    @property
    def bodiless(self) -> bool:
        """True where the protocol forbids a body whatever the fields say."""
        return self.status in (204, 304) or self.head_length is not None


def json_response(status: int, value: Any, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """An answer as Azure's JSON services send it."""
    fields = Headers([("Content-Type", "application/json; charset=utf-8")])
    for name, text in headers:
        fields.set(name, text)
    return Response(status, fields, json.dumps(value).encode())


def status_line(status: int, reason: str | None = None) -> bytes:
    if reason is None:
        try:
            reason = http.HTTPStatus(status).phrase
        except ValueError:
            reason = "Unknown"
    return f"HTTP/1.1 {status} {reason}\r\n".encode("latin-1")


def buffered(sock: socket.socket, size: int = 64 << 10) -> io.BufferedReader:
    """A reader on a socket; close it before the socket."""
    return io.BufferedReader(sock.makefile("rb", 0), size)


def _read_line(reader: io.BufferedReader) -> bytes:
    line = reader.readline(MAX_LINE + 1)
    if len(line) > MAX_LINE:
        raise WireError("line too long")
    if line and not line.endswith(b"\n"):
        raise WireError("peer stopped inside a line")
    return line.rstrip(b"\r\n") if line else b""


def _read_fields(reader: io.BufferedReader) -> Headers:
    fields: list[tuple[str, str]] = []
    while line := _read_line(reader):
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            raise WireError("malformed header field")
        fields.append((name, value.strip(" \t")))
        if len(fields) > MAX_FIELDS:
            raise WireError("too many header fields")
    return Headers(fields)


def read_exactly(reader: io.BufferedReader, length: int) -> bytes:
    data = reader.read(length)
    if len(data) != length:
        raise WireError(f"body ended after {len(data)} of {length} bytes")
    return data


def read_chunks(reader: io.BufferedReader) -> Iterator[bytes]:
    """The chunks of a chunked body, decoded; trailers are dropped."""
    while True:
        size = int(_read_line(reader).split(b";")[0], 16)
        if size > MAX_BODY:
            raise WireError("chunk too long")
        if size == 0:
            break
        yield read_exactly(reader, size)
        if _read_line(reader):
            raise WireError("chunk longer than announced")
    while _read_line(reader):
        pass


def is_chunked(headers: Headers) -> bool:
    return (headers.get("Transfer-Encoding") or "").lower().strip() == "chunked"


def content_length(headers: Headers) -> int | None:
    text = headers.get("Content-Length")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > MAX_BODY:
        raise WireError(f"Content-Length {text!r}")
    return int(text)


def read_request(
    reader: io.BufferedReader,
    connection: int,
    send_continue: Callable[[], None],
    before_body: Callable[[Request], None] = lambda _: None,
) -> Request | None:
    """The next request, or None when the peer has closed between two requests."""
    first = reader.readline(MAX_LINE + 1)
    if not first:
        return None
    parts = first.rstrip(b"\r\n").decode("latin-1").split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise WireError(f"not a request line: {first[:80]!r}")
    request = Request(parts[0], parts[1], _read_fields(reader), connection=connection)
    if (request.headers.get("Expect") or "").lower() == "100-continue":
        send_continue()
    before_body(request)
    if is_chunked(request.headers):
        request.chunked = True
        request.body = b"".join(read_chunks(reader))
    else:
        request.body = read_exactly(reader, content_length(request.headers) or 0)
    return request


def read_head(reader: io.BufferedReader) -> Response:
    """The head of a final answer, body still unread; interim 1xx answers are dropped."""
    while True:
        line = _read_line(reader)
        parts = line.split(b" ", 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
            raise WireError(f"not a status line: {line[:80]!r}")
        headers = _read_fields(reader)
        if int(parts[1]) >= 200:
            reason = parts[2].decode("latin-1") if len(parts) == 3 else ""
            return Response(int(parts[1]), headers, reason=reason)
