# SPDX-License-Identifier: MIT
"""What all emulators share: a threaded HTTP/1.1 server with faults and a log.

One thread for each connection, keep-alive, optional TLS. A subclass answers
requests in `handle`. Paths under /_test/ steer the server and are neither
logged nor spoiled:

    POST /_test/faults   add one fault or a list      DELETE /_test/faults   forget all
    GET  /_test/faults   those there are, with counts
    GET  /_test/log      the request log              DELETE /_test/log      empty it
    POST /_test/release  end every stall

It listens on loopback only and trusts whoever reaches it.
"""

from __future__ import annotations

import argparse
import io
import json
import signal
import socket
import ssl
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.emulators.delivery import SpoiledDelivery, deliver, reset
from tests.emulators.faults import Fault, FaultQueue
from tests.emulators.log import RequestLog
from tests.emulators.tls import CertificateAuthority
from tests.emulators.wire import (
    Request,
    Response,
    WireError,
    buffered,
    content_length,
    json_response,
    read_request,
)

HANDSHAKE_TIMEOUT = 10.0
BACKLOG = 1024

Self = TypeVar("Self", bound="Server")


class Stopped(Exception):
    """The server is being stopped; the thread must end without an answer."""


class Server:
    """An HTTP server on loopback; `with server:` or start() and stop()."""

    fault_type: type[Fault] = Fault

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        idle_timeout: float = 120.0,
    ):
        self.host = host
        self.port = port
        self.tls = tls
        self.idle_timeout = idle_timeout
        self.faults = FaultQueue(self.fault_type)
        #: TCP connections accepted, whether or not a request ever came over them.
        self.connections = 0
        #: Connections whose TLS handshake failed, in words.
        self.failed_handshakes: list[str] = []
        #: Tracebacks of bugs in the emulator itself; a test may assert that it is empty.
        self.errors: list[str] = []
        self._log = RequestLog()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def start(self: Self) -> Self:
        self._stopping.clear()
        listener = socket.create_server((self.host, self.port), backlog=BACKLOG)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._acceptor = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        self._acceptor.start()
        return self

    def stop(self) -> None:
        """Close all connections at once; the port stays the same for a later start()."""
        if self._listener is None:
            return
        self._stopping.set()
        self.faults.release()
        _shut(self._listener)
        with self._lock:
            for sock in self._live:
                _shut(sock)
        if self._acceptor is not None:
            self._acceptor.join(5)
        self._listener.close()
        self._listener = None

    def __enter__(self: Self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def log(self) -> list[dict[str, Any]]:
        """All requests so far, oldest first."""
        return self._log.all()

    def clear_log(self) -> None:
        self._log.clear()

    def handle(self, request: Request) -> Response:
        """The honest answer. Subclasses override this."""
        return self.error(404, "NotFound", request.path)

    def control(self, request: Request) -> Response | None:
        """Further /_test/ paths of a subclass; None where there is none."""
        return None

    def error(self, status: int, code: str, message: str) -> Response:
        """An error as the emulated service words it."""
        return json_response(status, {"error": {"code": code, "message": message}})

    def respond(
        self, sock: socket.socket, request: Request, entry: dict[str, Any], fault: Fault | None
    ) -> bool:
        """Answer one request; true when the connection may carry another."""
        keep = _wants_keep_alive(request)
        if fault is None:
            response = _for_method(request, self._honest(request))
            entry["status"] = response.status
            return deliver(sock, response, keep)
        self.sleep(fault.delay)
        fault.wait()
        self.sleep(0)
        if fault.drop == "request":
            return SpoiledDelivery(sock, Response(0), fault, self.sleep).send()
        if fault.done:
            self._honest(request)
        response = fault.instead(self.error) or self._honest(fault.prepare(request))
        fault.wait_to_answer()
        response = _for_method(request, fault.alter(request, response))
        entry["status"] = response.status
        return SpoiledDelivery(sock, response, fault, self.sleep, keep).send()

    def sleep(self, seconds: float) -> None:
        """Sleep, but end the thread at once when the server stops."""
        if self._stopping.wait(seconds) if seconds > 0 else self._stopping.is_set():
            raise Stopped

    def _honest(self, request: Request) -> Response:
        try:
            return self.handle(request)
        except (Stopped, OSError):
            raise
        except Exception:  # a bug here must show in the test, not kill a thread
            self.errors.append(traceback.format_exc())
            return self.error(500, "EmulatorBug", traceback.format_exc())

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(
                target=self._connection, args=(sock, self.connections), daemon=True
            ).start()

    def _connection(self, sock: socket.socket, number: int) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = self._handshake(sock)
            with self._lock:
                self._live.add(sock)
            self._serve(sock, number)
        except (OSError, WireError, ValueError, Stopped):
            pass
        finally:
            with self._lock:
                self._live.discard(sock)
            self.disconnected(number)
            sock.close()

    def disconnected(self, number: int) -> None:
        """Called when a client's connection has ended."""

    def _handshake(self, sock: socket.socket) -> socket.socket:
        if self.tls is None:
            return sock
        sock.settimeout(HANDSHAKE_TIMEOUT)
        try:
            return self.tls.wrap_socket(sock, server_side=True)
        except (OSError, ValueError) as error:
            self.failed_handshakes.append(str(error))
            raise

    def _serve(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(self.idle_timeout)
        with buffered(sock) as reader:
            while not self._stopping.is_set():
                request = read_request(
                    reader,
                    number,
                    lambda: sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"),
                    lambda head: self._cut(sock, reader, head),
                )
                if request is None or not self._answer(sock, request):
                    return

    def _cut(self, sock: socket.socket, reader: io.BufferedReader, request: Request) -> None:
        """End the connection in the middle of the request's body, if a fault says so."""
        fault = self.faults.take(request, cut=True)
        if fault is None:
            return
        self._log.add(request)["fault"] = True
        reader.read(min(fault.cut or 0, content_length(request.headers) or 0))
        if fault.reset:
            reset(sock)
        raise WireError("cut by a fault")

    def _answer(self, sock: socket.socket, request: Request) -> bool:
        if request.path.startswith("/_test/"):
            return deliver(sock, self._control(request), _wants_keep_alive(request))
        entry = self._log.add(request)
        fault = self.faults.take(request)
        entry["fault"] = fault is not None
        return self.respond(sock, request, entry, fault)

    def _control(self, request: Request) -> Response:
        try:
            answer = self._common_control(request) or self.control(request)
        except (ValueError, TypeError, KeyError, LookupError) as error:
            return json_response(400, {"error": str(error)})
        return answer or json_response(404, {"error": f"no {request.method} {request.path}"})

    def _common_control(self, request: Request) -> Response | None:
        done = json_response(200, {})
        match request.method, request.path:
            case "POST", "/_test/faults":
                self.faults.extend(request.json())
            case "DELETE", "/_test/faults":
                self.faults.clear()
            case "GET", "/_test/faults":
                return json_response(200, self.faults.to_json())
            case "POST", "/_test/release":
                self.faults.release()
            case "GET", "/_test/log":
                return json_response(200, self.log())
            case "DELETE", "/_test/log":
                self.clear_log()
            case _:
                return None
        return done


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _for_method(request: Request, response: Response) -> Response:
    """HEAD gets the length of the body, not the body."""
    if request.method == "HEAD" and response.head_length is None:
        response.head_length = len(response.body)
    return response


def _wants_keep_alive(request: Request) -> bool:
    return (request.headers.get("Connection") or "").lower() != "close"


def _tls_from_config(config: dict[str, Any]) -> ssl.SSLContext | None:
    """{"cert": F, "key": F}, or {"names": [...], "ca_out": F} for a CA made now."""
    told = config.pop("tls", None)
    if told is None:
        return None
    if "cert" in told:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(told["cert"], told["key"])
        return context
    ca = CertificateAuthority()
    ca.write(told["ca_out"])
    return ca.issue(*told.get("names", ())).context()


def run(
    make: Callable[[dict[str, Any], ssl.SSLContext | None, int], Server], description: str
) -> None:
    """The command line of an emulator: serve until SIGTERM or SIGINT.

    Prints one JSON line with `port` and `url` when ready.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--config", type=Path, help="JSON file; see README.md")
    arguments = parser.parse_args()
    config = json.loads(arguments.config.read_text()) if arguments.config else {}
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with make(config, _tls_from_config(config), arguments.port) as server:
        print(json.dumps({"port": server.port, "url": server.url}), flush=True)
        ended.wait()
