# SPDX-License-Identifier: MIT
"""The blob proxy is invisible without a fault, and lies as told with one."""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulators.blobproxy import BlobProxy
from tests.emulators.server import Server
from tests.emulators.wire import Headers, Request, Response

BLOB = bytes(range(256)) * 40
RANGE = {"Range": "bytes=100-199"}


class Upstream(Server):
    """Serves ranges of BLOB and remembers requests as they arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def handle(self, request: Request) -> Response:
        self.requests.append(request)
        headers = Headers([("ETag", '"0x1"'), ("x-ms-Meta-Casing", "Kept")])
        if request.method == "PUT":
            return Response(201, headers, reason="Created Just Now")
        if request.method == "HEAD":
            return Response(200, headers, head_length=len(BLOB))
        wanted = request.headers.get("Range")
        if wanted is None:
            return Response(200, headers, BLOB)
        first, last = (int(n) for n in wanted.removeprefix("bytes=").split("-"))
        headers.set("Content-Range", f"bytes {first}-{last}/{len(BLOB)}")
        return Response(206, headers, BLOB[first : last + 1])


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server
    assert server.errors == []


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[BlobProxy]:
    with BlobProxy(upstream.url) as server:
        yield server
    assert server.errors == []


def ask(
    proxy: BlobProxy, method: str = "GET", headers: dict[str, str] | None = None, body: Any = None
) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    try:
        connection.request(method, "/acc/c/b%20b?x=%2F", body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_a_request_passes_unchanged(proxy: BlobProxy, upstream: Upstream) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as sock:
        sock.sendall(
            b"PUT /acc/c/b%20b?x=%2F&sig=a%2Bb HTTP/1.1\r\nhOST: acc.blob.example\r\nX-Order: 1\r\n"
            b"Authorization: SharedKey acc:c2ln\r\nx-order: 2\r\nContent-Length: 3\r\n"
            b"Connection: close\r\n\r\nabc"
        )
        answer = sock.makefile("rb").read()
    (seen,) = upstream.requests
    assert seen.target == "/acc/c/b%20b?x=%2F&sig=a%2Bb" and seen.body == b"abc"
    assert seen.headers.fields == [
        ("hOST", "acc.blob.example"), ("X-Order", "1"),
        ("Authorization", "SharedKey acc:c2ln"), ("x-order", "2"), ("Content-Length", "3"),
    ]
    assert answer.startswith(b"HTTP/1.1 201 Created Just Now\r\n")
    assert b"x-ms-Meta-Casing: Kept\r\n" in answer
    (entry,) = proxy.log()
    assert entry["headers"]["authorization"] == "SharedKey acc" and entry["status"] == 201


def test_a_chunked_upload_passes(proxy: BlobProxy, upstream: Upstream) -> None:
    assert ask(proxy, "PUT", body=iter([b"abc", b"de"]))[0] == 201
    assert upstream.requests[0].chunked and upstream.requests[0].body == b"abcde"


def test_answers_pass_unchanged(proxy: BlobProxy) -> None:
    assert ask(proxy)[2] == BLOB
    status, headers, body = ask(proxy, headers=RANGE)
    assert (status, body) == (206, BLOB[100:200])
    assert headers["Content-Range"] == f"bytes 100-199/{len(BLOB)}"
    status, headers, body = ask(proxy, "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(BLOB)), b"")
    assert [e["method"] for e in proxy.log()] == ["GET", "GET", "HEAD"]


def test_one_client_connection_uses_one_upstream_connection(
    proxy: BlobProxy, upstream: Upstream
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    for method in ("GET", "HEAD", "PUT", "GET"):
        connection.request(method, "/", b"x" if method == "PUT" else None)
        connection.getresponse().read()
    connection.close()
    assert (proxy.connections, upstream.connections) == (1, 1)


def test_a_restarted_upstream_is_found_again(proxy: BlobProxy, upstream: Upstream) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    for _ in range(2):
        connection.request("GET", "/")
        assert connection.getresponse().read() == BLOB
        upstream.stop()
        upstream.start()
    connection.close()


def test_a_missing_upstream_is_502(proxy: BlobProxy, upstream: Upstream) -> None:
    upstream.stop()
    assert ask(proxy)[0] == 502


@pytest.mark.parametrize(
    ("fault", "status", "content_range", "body"),
    [
        ({"range_shift": 1}, 206, "bytes 101-200/10240", BLOB[100:200]),
        ({"range_shift": -100}, 206, "bytes 0-99/10240", BLOB[100:200]),
        ({"range_total": "+1"}, 206, "bytes 100-199/10241", BLOB[100:200]),
        ({"range_total": 7}, 206, "bytes 100-199/7", BLOB[100:200]),
        ({"range_total": "*"}, 206, "bytes 100-199/*", BLOB[100:200]),
        ({"range_missing": True}, 206, None, BLOB[100:200]),
        ({"whole": True}, 200, None, BLOB),
        ({"extra": 3}, 206, "bytes 100-199/10240", BLOB[100:200] + b"\xa5" * 3),
        ({"short": 1}, 206, "bytes 100-199/10240", BLOB[100:199]),
        ({"short": 100}, 206, "bytes 100-199/10240", b""),
        ({"flip": 0}, 206, "bytes 100-199/10240", b"\x65" + BLOB[101:200]),
        ({"headers": {"Content-Range": "bytes 9-x/junk"}}, 206, "bytes 9-x/junk", BLOB[100:200]),
    ],
)
def test_an_answer_to_a_range_lies(
    proxy: BlobProxy, fault: dict[str, Any], status: int, content_range: str | None, body: bytes
) -> None:
    proxy.faults.add(**fault)
    told, headers, got = ask(proxy, headers=RANGE)
    assert (told, headers["Content-Range"], got) == (status, content_range, body)
    assert int(headers["Content-Length"]) == len(body)
    assert ask(proxy, headers=RANGE)[2] == BLOB[100:200], "the fault was for one request"


def test_an_etag_is_replaced(proxy: BlobProxy) -> None:
    proxy.faults.add(etag='"0x2"')
    assert ask(proxy)[1]["ETag"] == '"0x2"'


def test_a_cut_body_was_announced_whole(proxy: BlobProxy) -> None:
    proxy.faults.add(drop=60)
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(proxy, headers=RANGE)
    assert caught.value.partial == BLOB[100:160]


def test_throttling_is_worded_as_storage_does(proxy: BlobProxy, upstream: Upstream) -> None:
    proxy.faults.add(status=503, code="ServerBusy", retry_after=1)
    status, headers, body = ask(proxy)
    assert (status, headers["Retry-After"], headers["x-ms-error-code"]) == (503, "1", "ServerBusy")
    assert b"<Code>ServerBusy</Code>" in body and upstream.requests == []


def test_a_lost_answer_was_carried_out(proxy: BlobProxy, upstream: Upstream) -> None:
    proxy.faults.add(method="PUT", drop="response")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        ask(proxy, "PUT", body=b"abc")
    assert [r.body for r in upstream.requests] == [b"abc"]


def test_stalled_reads_do_not_hold_up_others(proxy: BlobProxy) -> None:
    fault = proxy.faults.add(method="GET", stall=True, times=None)
    bodies: list[bytes] = []
    thread = threading.Thread(target=lambda: bodies.append(ask(proxy)[2]))
    thread.start()
    while not fault.hits:
        time.sleep(0.01)
    assert ask(proxy, "HEAD")[0] == 200 and bodies == []
    proxy.faults.release()
    thread.join(5)
    assert bodies == [BLOB]


def test_the_official_client_reads_and_writes_through_the_proxy(azurite: Any) -> None:
    storage = pytest.importorskip("azure.storage.blob")
    content = os.urandom(9 << 20)
    with BlobProxy(azurite.url) as proxy:
        service = storage.BlobServiceClient(
            proxy.endpoint, {"account_name": azurite.account, "account_key": azurite.key},
            max_single_put_size=4 << 20, max_single_get_size=4 << 20, max_chunk_get_size=4 << 20,
        )
        container = service.create_container(f"proxied-{os.getpid()}-{time.time_ns()}")
        blob = container.upload_blob("dir/name with blank", content)
        proxy.clear_log()
        assert blob.download_blob().readall() == content
        assert [(e["method"], e["status"]) for e in proxy.log()] == [("GET", 206)] * 3
        assert [b.name for b in container.list_blobs()] == ["dir/name with blank"]
        service.close()
