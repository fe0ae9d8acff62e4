# SPDX-License-Identifier: MIT
"""How an answer goes out on the socket, honestly or as a fault demands."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterator

from tests.emulators.faults import Fault
from tests.emulators.wire import Headers, Response, status_line

FILLER = b"x" * (64 << 10)
_FRAMING = ("Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive")

Sleep = Callable[[float], None]


def close_notify(sock: socket.socket) -> None:
    """End TLS properly, so that the peer takes the close for a true end."""
    if not isinstance(sock, ssl.SSLSocket):
        return
    try:
        sock.settimeout(1)
        sock.unwrap()
    except (OSError, ValueError):
        pass


def reset(sock: socket.socket) -> None:
    """Close with RST, as a crashed peer or a firewall does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def deliver(sock: socket.socket, response: Response, keep: bool = True) -> bool:
    """Send one honest answer. False: the connection must be closed now."""
    headers = response.headers.without(*_FRAMING)
    if response.head_length is not None:
        headers.set("Content-Length", str(response.head_length))
    elif not response.bodiless:
        headers.set("Content-Length", str(len(response.body)))
    if not keep:
        headers.set("Connection", "close")
    head = status_line(response.status, response.reason) + headers.encode() + b"\r\n"
    body = b"" if response.bodiless else response.body
    if len(body) <= len(FILLER):
        sock.sendall(head + body)
    else:
        sock.sendall(head)
        sock.sendall(body)
    if not keep:
        close_notify(sock)
    return keep


class SpoiledDelivery:
    """Sends one answer the way a fault says. Use once."""

    def __init__(
        self,
        sock: socket.socket,
        response: Response,
        fault: Fault,
        sleep: Sleep,
        keep: bool = True,
    ):
        self._sock = sock
        self._response = response
        self._fault = fault
        self._sleep = sleep
        self._keep = keep
        self._body = b"" if response.bodiless else response.body
        self._chunked = fault.chunked or fault.endless is not None
        self._cut = fault.drop if isinstance(fault.drop, int) else None

    def send(self) -> bool:
        """True when the connection is still in step and may be kept."""
        if self._fault.drop in ("request", "response"):
            return self._break()
        self._sock.sendall(self._head())
        self._sleep(self._fault.delay_body)
        for piece in self._pieces():
            self._sock.sendall(self._framed(piece))
        if self._cut is not None and not self._fault.close_delimited:
            return self._break()
        if self._chunked:
            self._sock.sendall(b"0\r\n\r\n")
        if self._keeps_step():
            return True
        close_notify(self._sock)
        return self._break() if self._fault.reset else False

    def _break(self) -> bool:
        if self._fault.reset:
            reset(self._sock)
        return False

    def _announced(self) -> int:
        """The Content-Length to claim."""
        honest = self._response.head_length
        if honest is None:
            honest = len(self._body)
        claim = self._fault.length
        if claim is None:
            return honest
        text = str(claim)
        return max(honest + int(text), 0) if text[0] in "+-" else int(text)

    def _keeps_step(self) -> bool:
        fault = self._fault
        return self._keep and not (fault.close or fault.close_delimited or fault.length is not None)

    def _head(self) -> bytes:
        headers = self._response.headers.without(*_FRAMING)
        if self._chunked:
            headers.set("Transfer-Encoding", "chunked")
        elif not self._fault.close_delimited and self._response.status not in (204, 304):
            headers.set("Content-Length", str(self._announced()))
        if not self._keeps_step():
            headers.set("Connection", "close")
        return self._status_line() + _honest(headers) + b"\r\n"

    def _status_line(self) -> bytes:
        return status_line(self._response.status, self._response.reason)

    def _pieces(self) -> Iterator[bytes]:
        if self._fault.endless is not None:
            yield from self._filler(self._fault.endless)
            return
        body = self._body if self._cut is None else self._body[: self._cut]
        size = self._fault.drip or max(len(body), 1)
        for start in range(0, len(body), size):
            if start:
                self._sleep(self._fault.drip_every)
            yield body[start : start + size]

    def _filler(self, limit: int) -> Iterator[bytes]:
        """Until the client goes away, the server stops, or the limit is reached."""
        sent = 0
        while not limit or sent < limit:
            piece = FILLER if not limit else FILLER[: limit - sent]
            yield piece
            sent += len(piece)
            self._sleep(0)

    def _framed(self, piece: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece


def _honest(headers: Headers) -> bytes:
    """Fields as bytes; hostile values may hold more than Latin-1, so those go out as UTF-8."""
    try:
        return headers.encode()
    except UnicodeEncodeError:
        return "".join(f"{n}: {v}\r\n" for n, v in headers).encode()
