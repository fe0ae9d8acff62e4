# SPDX-License-Identifier: MIT
"""A reverse proxy in front of a real blob server, for faults and for counting.

Requests and answers pass unchanged (Host, Authorization and the order of the
fields included) unless a fault says otherwise; without one a body is streamed.
Each client connection has one upstream connection of its own, so the two close
together in the way that a client would see without the proxy. It does not
parse the blob protocol beyond ranges, ETags and the form of errors.

    python -m tests.emulators.blobproxy --port 0 --config proxy.json
"""

from __future__ import annotations

import dataclasses
import io
import re
import select
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from tests.emulators.delivery import deliver
from tests.emulators.faults import Fault
from tests.emulators.server import Server, run
from tests.emulators.wire import (
    Headers,
    Request,
    Response,
    WireError,
    buffered,
    content_length,
    is_chunked,
    read_chunks,
    read_head,
    status_line,
)

PIECE = 256 << 10
HOP_BY_HOP = ("Connection", "Keep-Alive", "Proxy-Connection", "Expect")
UPSTREAM_TIMEOUT = 60.0
#: Azurite closes after 5 s; an older idle connection is not trusted with a request.
UPSTREAM_IDLE = 3.0
CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass
class BlobFault(Fault):
    """A fault with the lies that a blob server or a cache in between can tell."""

    range_shift: int | None = None       #: Content-Range says so many bytes further on
    range_total: int | str | None = None  #: ... or this total: absolute, "+5", "-5" or "*"
    range_missing: bool = False          #: 206 without Content-Range
    whole: bool = False                  #: the range is ignored: 200 and every byte
    extra: int = 0                       #: so many bytes more, Content-Length agreeing
    short: int = 0                       #: so many bytes fewer, Content-Length agreeing
    flip: int | None = None              #: one bit of the byte at this body offset is wrong
    etag: str | None = None              #: the answer's ETag

    def prepare(self, request: Request) -> Request:
        if not self.whole:
            return request
        unranged = request.headers.without("Range", "x-ms-range", "x-ms-range-get-content-md5")
        return dataclasses.replace(request, headers=unranged)

    def alter(self, request: Request, response: Response) -> Response:
        response = super().alter(request, response)
        if self.etag is not None:
            response.headers.set("ETag", self.etag)
        self._alter_range(response)
        self._alter_body(response)
        return response

    def _alter_range(self, response: Response) -> None:
        told = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range") or "")
        if told is None:
            return
        first, last, total = int(told[1]), int(told[2]), told[3]
        shift = self.range_shift or 0
        if self.range_total is not None:
            text = str(self.range_total)
            total = str(int(total) + int(text)) if text[0] in "+-" else text
        response.headers.set("Content-Range", f"bytes {first + shift}-{last + shift}/{total}")
        if self.range_missing:
            response.headers.set("Content-Range", None)

    def _alter_body(self, response: Response) -> None:
        body = response.body
        if self.flip is not None and self.flip < len(body):
            changed = bytearray(body)
            changed[self.flip] ^= 1
            body = bytes(changed)
        if self.short:
            body = body[: max(len(body) - self.short, 0)]
        response.body = body + b"\xa5" * self.extra


@dataclass
class _Upstream:
    """A kept-alive connection to the real server."""

    sock: socket.socket
    reader: io.BufferedReader
    used: float = field(default_factory=time.monotonic)

    def usable(self) -> bool:
        """False when the server has closed it, or is about to."""
        if time.monotonic() - self.used > UPSTREAM_IDLE:
            return False
        return not select.select([self.sock], [], [], 0)[0]

    def close(self) -> None:
        self.reader.close()
        self.sock.close()


class BlobProxy(Server):
    """Serves what `upstream` (http://host:port or https://..., a path is not added) serves."""

    fault_type = BlobFault

    def __init__(
        self,
        upstream: str,
        *,
        tls: ssl.SSLContext | None = None,
        upstream_tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ):
        super().__init__(tls=tls, host=host, port=port)
        split = urlsplit(upstream)
        if split.scheme not in ("http", "https") or not split.hostname:
            raise ValueError(f"not a server URL: {upstream}")
        self._address = (split.hostname, split.port or (443 if split.scheme == "https" else 80))
        self._path = split.path.rstrip("/")
        self._upstream_tls = upstream_tls
        if split.scheme == "https" and upstream_tls is None:
            self._upstream_tls = ssl.create_default_context()
        self._upstreams: dict[int, _Upstream] = {}
        self._upstream_lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        """`url` with the path that the upstream URL had, as path-style accounts need it."""
        return self.url + self._path

    def error(self, status: int, code: str, message: str) -> Response:
        request_id = str(uuid.uuid4())
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime())
        body = (
            '\ufeff<?xml version="1.0" encoding="utf-8"?>'
            f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}\n"
            f"RequestId:{request_id}\nTime:{stamp}"
            "</Message></Error>"
        ).encode()
        return Response(status, Headers([
            ("Content-Type", "application/xml"), ("Server", "Windows-Azure-Blob/1.0"),
            ("x-ms-request-id", request_id), ("x-ms-error-code", code),
        ]), body)

    def respond(
        self, sock: socket.socket, request: Request, entry: dict[str, Any], fault: Fault | None
    ) -> bool:
        if fault is not None:
            return super().respond(sock, request, entry, fault)
        return self._relay(sock, request, entry)

    def handle(self, request: Request) -> Response:
        """The whole answer of the real server, for a fault to alter."""
        try:
            upstream, answer = self._ask(request)
            answer.body = b"".join(_body_pieces(upstream.reader, request, answer))
        except (OSError, WireError, ValueError) as error:
            self._drop_upstream(request.connection)
            return self.error(502, "BadGateway", str(error))
        self._settle(request, upstream, answer)
        if request.method == "HEAD":
            answer.head_length = content_length(answer.headers)
        answer.headers = answer.headers.without("Transfer-Encoding", *HOP_BY_HOP)
        return answer

    def disconnected(self, number: int) -> None:
        self._drop_upstream(number)

    def _relay(self, sock: socket.socket, request: Request, entry: dict[str, Any]) -> bool:
        """Stream the answer through; a body cut upstream is cut for the client too."""
        try:
            upstream, answer = self._ask(request)
        except (OSError, WireError, ValueError) as error:
            self._drop_upstream(request.connection)
            entry["status"] = 502
            return deliver(sock, self.error(502, "BadGateway", str(error)))
        entry["status"] = answer.status
        wants_close = (request.headers.get("Connection") or "").lower() == "close"
        keep = _is_delimited(request, answer) and not wants_close
        _stream(sock, request, answer, upstream.reader, keep)
        self._settle(request, upstream, answer)
        return keep

    def _ask(self, request: Request) -> tuple[_Upstream, Response]:
        """Send the request on and read the head of its answer."""
        headers = request.headers.without(*HOP_BY_HOP)
        head = f"{request.method} {request.target} HTTP/1.1\r\n".encode("latin-1")
        body = request.body
        if request.chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        upstream = self._connect(request.connection)
        if len(body) <= PIECE:
            upstream.sock.sendall(head + headers.encode() + b"\r\n" + body)
        else:
            upstream.sock.sendall(head + headers.encode() + b"\r\n")
            upstream.sock.sendall(body)
        return upstream, read_head(upstream.reader)

    def _connect(self, number: int) -> _Upstream:
        with self._upstream_lock:
            upstream = self._upstreams.get(number)
        if upstream is not None:
            if upstream.usable():
                return upstream
            self._drop_upstream(number)
        sock = socket.create_connection(self._address, UPSTREAM_TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._upstream_tls is not None:
            sock = self._upstream_tls.wrap_socket(sock, server_hostname=self._address[0])
        upstream = _Upstream(sock, buffered(sock, PIECE))
        with self._upstream_lock:
            self._upstreams[number] = upstream
        return upstream

    def _settle(self, request: Request, upstream: _Upstream, answer: Response) -> None:
        """Keep the upstream connection for the next request, if it can be kept."""
        upstream.used = time.monotonic()
        closing = (answer.headers.get("Connection") or "").lower() == "close"
        if closing or not _is_delimited(request, answer):
            self._drop_upstream(request.connection)

    def _drop_upstream(self, number: int) -> None:
        with self._upstream_lock:
            upstream = self._upstreams.pop(number, None)
        if upstream is not None:
            upstream.close()


def _stream(
    sock: socket.socket, request: Request, answer: Response, reader: io.BufferedReader, keep: bool
) -> None:
    """Pass an answer on, piece by piece, in the framing that it came in."""
    passed = answer.headers.without(*HOP_BY_HOP)
    if not keep:
        passed.set("Connection", "close")
    waiting = status_line(answer.status, answer.reason) + passed.encode() + b"\r\n"
    chunked = is_chunked(answer.headers) and _has_body(request, answer)
    for piece in _body_pieces(reader, request, answer):
        if chunked:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        if waiting:
            piece, waiting = waiting + piece, b""
        sock.sendall(piece)
    if chunked:
        waiting += b"0\r\n\r\n"
    if waiting:
        sock.sendall(waiting)


def _has_body(request: Request, answer: Response) -> bool:
    return request.method != "HEAD" and answer.status not in (204, 304)


def _is_delimited(request: Request, answer: Response) -> bool:
    """Whether the client can tell where the answer ends without a close."""
    return (
        not _has_body(request, answer)
        or is_chunked(answer.headers)
        or content_length(answer.headers) is not None
    )


def _body_pieces(reader: io.BufferedReader, request: Request, answer: Response) -> Iterator[bytes]:
    """The decoded body, in pieces as they come; WireError when the server stops early."""
    if not _has_body(request, answer):
        return
    if is_chunked(answer.headers):
        yield from read_chunks(reader)
        return
    left = content_length(answer.headers)
    while left is None or left > 0:
        size = PIECE if left is None else min(PIECE, left)
        piece = reader.read1(size)
        if not piece:
            break
        yield piece
        left = None if left is None else left - len(piece)
    if left:
        raise WireError(f"upstream stopped {left} bytes early")


def _make(config: dict[str, Any], tls: ssl.SSLContext | None, port: int) -> BlobProxy:
    ca = config.pop("upstream_ca", None)
    context = ssl.create_default_context(cafile=ca) if ca else None
    return BlobProxy(config["upstream"], tls=tls, upstream_tls=context, port=port)


if __name__ == "__main__":
    run(_make, "a fault-injecting proxy in front of a blob server")
