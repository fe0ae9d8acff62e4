# SPDX-License-Identifier: MIT
"""The fault script that all emulators share.

A `Fault` says which requests it matches and what then goes wrong; the
`FaultQueue` of a server holds them in order, and the first one that fires on a
request decides. A fault without `status`, `redirect` or `drop="request"` lets
the server do its work first, so "done, but the answer was lost" can be told
from "never done". Unknown or senseless fields are refused: a fault that is
misspelt must fail the test, not pass it.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.hostile import REWRITES
from tests.emulators.wire import Headers, Request, Response, json_response

ErrorMaker = Callable[[int, str, str], Response]

#: The error word used for an injected status when the fault names none.
DEFAULT_CODES = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound",
    408: "RequestTimeout", 409: "Conflict", 412: "ConditionNotMet", 429: "Throttled",
    500: "InternalError", 502: "BadGateway", 503: "ServerBusy", 504: "GatewayTimeout",
}


@dataclass
class Fault:
    """One rule. All conditions must match; all effects that are set apply together."""

    # Which requests.
    method: str | None = None            #: regex, matched whole, case-insensitive
    path: str | None = None              #: regex, searched in the raw target (path?query)
    header: dict[str, str] = field(default_factory=dict)  #: name -> regex searched in its value
    nth: int = 1                         #: fire from the nth matching request on (1 is the first)
    every: int = 1                       #: then on each every-th one
    times: int | None = 1                #: fire so often; None is for ever
    # What to answer instead.
    status: int | None = None            #: alone: the server's error form with code and message
    done: bool = False                   #: status is answered when the server has done its work
    code: str | None = None
    message: str = "injected by the test"
    headers: dict[str, str | None] = field(default_factory=dict)  #: set, or None to remove
    body: str | None = None
    body_b64: str | None = None
    json: Any = None
    retry_after: str | float | None = None
    redirect: str | None = None          #: Location; status 307 unless given
    hostile: str | None = None           #: a name in hostile.REWRITES
    # When.
    delay: float = 0                     #: seconds before the request is looked at
    delay_body: float = 0                #: seconds between head and body
    stall: bool = False                  #: not looked at until release()
    stall_answer: bool = False           #: done, but no answer until release()
    # How the bytes go out.
    drop: str | int | None = None        #: "request": close, not done; "response": done, no
    #:                                      answer; N: done, N body bytes, then close
    cut: int | None = None               #: closes after so many bytes of the request's body; not done
    reset: bool = False                  #: a drop or a cut ends with RST instead of FIN
    length: str | int | None = None      #: Content-Length: absolute, or "+5" / "-5"
    close_delimited: bool = False        #: no length at all, the close ends the body
    chunked: bool = False
    endless: int | None = None           #: chunked filler, at most so many bytes (0: no limit)
    drip: int | None = None              #: body bytes in one piece ...
    drip_every: float = 1.0              #: ... and the seconds between two pieces
    close: bool = False                  #: a right answer, then the connection is closed
    # Kept by the queue.
    seen: int = field(default=0, init=False)
    hits: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._gate = threading.Event()
        self._method = re.compile(self.method, re.IGNORECASE) if self.method else None
        self._path = re.compile(self.path) if self.path else None
        self._header = {n: re.compile(p) for n, p in self.header.items()}
        if self.nth < 1 or self.every < 1:
            raise ValueError("nth and every count from 1")
        if self.hostile is not None and self.hostile not in REWRITES:
            raise ValueError(f"unknown hostile rewrite {self.hostile!r}")
        if self.done and self.status is None:
            raise ValueError("done needs a status: without one the work is done anyway")
        if isinstance(self.drop, str) and self.drop not in ("request", "response"):
            raise ValueError(f"unknown drop {self.drop!r}")

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Fault:
        known = {f.name for f in dataclasses.fields(cls) if f.init}
        if unknown := set(value) - known:
            raise ValueError(f"unknown fault fields: {', '.join(sorted(unknown))}")
        return cls(**value)

    def to_json(self) -> dict[str, Any]:
        """Conditions and effects that differ from the defaults, and the counts."""
        told: dict[str, Any] = {"seen": self.seen, "hits": self.hits}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if f.init and value and value != f.default:
                told[f.name] = value
        return told

    def matches(self, request: Request) -> bool:
        if self._method and not self._method.fullmatch(request.method):
            return False
        if self._path and not self._path.search(request.target):
            return False
        return all(p.search(request.headers.get(n) or "") for n, p in self._header.items())

    def fires(self) -> bool:
        """Count one matching request; true when this is one to spoil."""
        self.seen += 1
        if self.times is not None and self.hits >= self.times:
            return False
        if self.seen < self.nth or (self.seen - self.nth) % self.every:
            return False
        self.hits += 1
        return True

    def wait(self) -> None:
        """Stall until released."""
        if self.stall:
            self._gate.wait()

    def wait_to_answer(self) -> None:
        """The same when all is done."""
        if self.stall_answer:
            self._gate.wait()

    def release(self) -> None:
        """Let the stalled go on, and stall nobody any more."""
        self._gate.set()

    def prepare(self, request: Request) -> Request:
        """The request that the server gets to see."""
        return request

    def instead(self, make_error: ErrorMaker) -> Response | None:
        """The answer that replaces the server's, or None to ask the server."""
        if self.redirect is not None:
            return Response(self.status or 307, Headers([("Location", self.redirect)]))
        if self.status is None:
            return None
        if self.body is not None:
            return Response(self.status, Headers(), self.body.encode())
        if self.body_b64 is not None:
            return Response(self.status, Headers(), base64.b64decode(self.body_b64))
        if self.json is not None:
            return json_response(self.status, self.json)
        code = self.code or DEFAULT_CODES.get(self.status, "Error")
        return make_error(self.status, code, self.message)

    def alter(self, request: Request, response: Response) -> Response:
        """Spoil the content of an answer, whoever made it."""
        if self.status is None:
            response = self._replace_body(response)
        if self.retry_after is not None:
            response.headers.set("Retry-After", str(self.retry_after))
        for name, value in self.headers.items():
            response.headers.set(name, value)
        return response

    def _replace_body(self, response: Response) -> Response:
        if self.hostile is not None:
            response.body = REWRITES[self.hostile](response.body)
        elif self.body is not None:
            response.body = self.body.encode()
        elif self.body_b64 is not None:
            response.body = base64.b64decode(self.body_b64)
        elif self.json is not None:
            response.body = json.dumps(self.json).encode()
        return response


class FaultQueue:
    """The faults of one server, in order; safe to use from any thread."""

    def __init__(self, fault_type: type[Fault] = Fault):
        self._type = fault_type
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, **fields: Any) -> Fault:
        """Append a fault; keep the result to read `.hits` later."""
        fault = self._type.from_json(fields)
        with self._lock:
            self._faults.append(fault)
        return fault

    def extend(self, value: Any) -> None:
        """Append one fault or a list of them, given as parsed JSON."""
        faults = [self._type.from_json(v) for v in (value if isinstance(value, list) else [value])]
        with self._lock:
            self._faults.extend(faults)

    def take(self, request: Request, cut: bool = False) -> Fault | None:
        """The first fault that fires; those behind it do not count the request.

        Those that cut are asked for before the body is read, all others when it has been.
        """
        chosen = None
        with self._lock:
            for fault in self._faults:
                if (fault.cut is not None) != cut:
                    continue
                if chosen is None and fault.matches(request) and fault.fires():
                    chosen = fault
        return chosen

    def release(self) -> None:
        """End every stall, now and for requests to come."""
        for fault in self.all():
            fault.release()

    def clear(self) -> None:
        """Forget all faults and let their stalled requests go on."""
        with self._lock:
            gone, self._faults = self._faults, []
        for fault in gone:
            fault.release()

    def all(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def to_json(self) -> list[dict[str, Any]]:
        return [fault.to_json() for fault in self.all()]
