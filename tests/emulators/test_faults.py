# SPDX-License-Identifier: MIT
"""Every fault does on the wire what it says, and nothing else does."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.server import Server
from tests.emulators.tls import CertificateAuthority, ServerIdentity, self_signed
from tests.emulators.tokens import Tokens
from tests.emulators.wire import Headers, Request, Response, json_response

BODY = b"0123456789" * 10
KEY_ANSWER = {"kid": "https://v.vault.azure.net/keys/k/1", "value": "AAECAwQFBgc"}


class Echo(Server):
    """/key answers JSON, anything else BODY; counts what was really done."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.done = 0

    def handle(self, request: Request) -> Response:
        self.done += 1
        if request.path == "/key":
            return json_response(200, KEY_ANSWER)
        if request.path == "/body":
            return Response(200, Headers(), request.body)
        return Response(200, Headers([("ETag", '"1"')]), BODY)


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        yield server
    assert server.errors == []


def get(server: Server, path: str = "/", method: str = "GET", body: bytes | None = None) -> Any:
    """Status, headers and body of one request; http.client's exceptions pass."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def raw(server: Server, request: bytes = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") -> bytes:
    """All bytes that the server sends until it closes."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as sock:
        sock.sendall(request)
        data = b""
        while piece := sock.recv(65536):
            data += piece
        return data


def statuses(server: Server, count: int, path: str = "/x") -> list[int]:
    return [get(server, path)[0] for _ in range(count)]


# Which requests.


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, [503, 200, 200, 200, 200, 200]),
        ({"nth": 3}, [200, 200, 503, 200, 200, 200]),
        ({"times": 2}, [503, 503, 200, 200, 200, 200]),
        ({"times": None}, [503] * 6),
        ({"nth": 2, "every": 2, "times": None}, [200, 503, 200, 503, 200, 503]),
        ({"path": "^/x$"}, [503, 200, 200, 200, 200, 200]),
        ({"path": "^/y"}, [200] * 6),
        ({"method": "get|head"}, [503, 200, 200, 200, 200, 200]),
        ({"method": "PUT"}, [200] * 6),
        ({"header": {"Host": "127"}}, [503, 200, 200, 200, 200, 200]),
        ({"header": {"Range": "bytes"}}, [200] * 6),
    ],
)
def test_a_fault_fires_on_the_requests_that_it_names(
    echo: Echo, conditions: dict[str, Any], expected: list[int]
) -> None:
    echo.faults.add(status=503, **conditions)
    assert statuses(echo, 6) == expected


def test_faults_queue_up(echo: Echo) -> None:
    echo.faults.extend([{"status": 500}, {"status": 503, "times": 2}, {"status": 429}])
    assert statuses(echo, 6) == [500, 503, 503, 429, 200, 200]


@pytest.mark.parametrize(
    "wrong",
    [{"statuss": 500}, {"hostile": "rude"}, {"drop": "both"}, {"nth": 0}, {"range_shift": 1}],
)
def test_a_fault_that_makes_no_sense_is_refused(echo: Echo, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        echo.faults.add(**wrong)
    assert get(echo, "/_test/faults", "POST", json.dumps(wrong).encode())[0] == 400


# What is answered.


def test_a_status_replaces_the_answer_and_the_work_is_not_done(echo: Echo) -> None:
    echo.faults.add(status=429, retry_after="3600", headers={"x-extra": "1"}, message="slow")
    status, headers, body = get(echo)
    assert (status, headers["Retry-After"], headers["x-extra"]) == (429, "3600", "1")
    assert json.loads(body)["error"] == {"code": "Throttled", "message": "slow"}
    assert echo.done == 0


def test_headers_alone_edit_the_honest_answer(echo: Echo) -> None:
    echo.faults.add(headers={"ETag": '"2"', "Retry-After": "x"})
    status, headers, body = get(echo)
    assert (status, headers["ETag"], headers["Retry-After"], body) == (200, '"2"', "x", BODY)
    echo.faults.add(headers={"ETag": None})
    assert "ETag" not in get(echo)[1]


def test_a_redirect_names_its_target(echo: Echo) -> None:
    echo.faults.add(redirect="https://other.example/")
    status, headers, _ = get(echo)
    assert (status, headers["Location"]) == (307, "https://other.example/")
    echo.faults.add(redirect="/here", status=301)
    assert get(echo)[0] == 301


def test_hostile_json_is_well_formed_http(echo: Echo) -> None:
    def hostile(name: str) -> bytes:
        echo.faults.add(hostile=name)
        status, headers, body = get(echo, "/key")
        assert (status, int(headers["Content-Length"])) == (200, len(body))
        return bytes(body)

    assert json.loads(hostile("wrong_kid"))["kid"].startswith("https://v.vault.azure.net/keys/an")
    assert json.loads(hostile("shorter_value"))["value"] == "AAECAwQFBg"
    assert json.loads(hostile("longer_value"))["value"] == "AAECAwQFBgcA"
    assert json.loads(hostile("other_value"))["value"] == "__79_Pv6-fg"
    assert json.loads(hostile("padded_value"))["value"] == "AAECAwQFBgc="
    assert hostile("duplicate_members").count(b'"kid"') == 2
    assert len(hostile("huge")) > 10 << 20
    assert hostile("empty_body") == b""
    for name in ("deep", "cut_json", "trailing_garbage", "not_json", "not_utf8"):
        with pytest.raises((ValueError, RecursionError)):
            json.loads(hostile(name))


# When.


def test_a_delay_delays(echo: Echo) -> None:
    echo.faults.add(delay=0.3)
    started = time.monotonic()
    assert get(echo)[2] == BODY
    assert time.monotonic() - started >= 0.3


def test_a_stall_answers_when_released_and_not_before(echo: Echo) -> None:
    fault = echo.faults.add(path="/slow", stall=True, times=None)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(get(echo, "/slow")[0])) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    while fault.hits < 5:
        time.sleep(0.01)
    assert get(echo, "/fast")[0] == 200
    assert answers == []
    assert get(echo, "/_test/release", "POST")[0] == 200
    for thread in threads:
        thread.join(5)
    assert answers == [200] * 5
    assert get(echo, "/slow")[0] == 200, "a released fault stalls nobody any more"


def test_a_stalled_answer_is_of_a_request_that_is_done(echo: Echo) -> None:
    fault = echo.faults.add(path="/slow", stall_answer=True)
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(get(echo, "/slow")[0]))
    thread.start()
    while not echo.done:
        time.sleep(0.01)
    assert fault.hits == 1 and answers == []
    fault.release()
    thread.join(5)
    assert answers == [200]


@pytest.mark.parametrize("done", [False, True])
def test_a_status_is_answered_instead_or_when_all_is_done(echo: Echo, done: bool) -> None:
    echo.faults.add(status=500, done=done)
    assert get(echo)[0] == 500
    assert echo.done == done


def test_a_request_that_is_cut_in_its_body_is_not_done(echo: Echo) -> None:
    fault = echo.faults.add(method="PUT", cut=100_000, reset=True)
    with pytest.raises(OSError):
        get(echo, "/body", "PUT", bytes(8 << 20))
    assert (fault.hits, echo.done) == (1, 0)
    assert echo.log()[0]["fault"]
    assert get(echo, "/body", "PUT", b"whole")[2] == b"whole"


def test_stop_does_not_wait_for_the_stalled() -> None:
    echo = Echo().start()
    echo.faults.add(stall=True)
    thread = threading.Thread(target=lambda: pytest.raises(OSError, get, echo))
    thread.start()
    while not echo.log():
        time.sleep(0.01)
    started = time.monotonic()
    echo.stop()
    thread.join(5)
    assert time.monotonic() - started < 2 and not thread.is_alive()


# How the bytes go out.


@pytest.mark.parametrize(("drop", "done"), [("request", 0), ("response", 1)])
def test_a_dropped_request_was_not_done_a_dropped_response_was(
    echo: Echo, drop: str, done: int
) -> None:
    echo.faults.add(drop=drop)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        get(echo)
    assert echo.done == done


def test_a_reset_is_a_reset(echo: Echo) -> None:
    echo.faults.add(drop="response", reset=True)
    with pytest.raises(ConnectionResetError):
        raw(echo)


@pytest.mark.parametrize("count", [0, 1, 50, len(BODY) - 1])
def test_a_body_is_cut_after_so_many_bytes(echo: Echo, count: int) -> None:
    echo.faults.add(drop=count)
    head, _, body = raw(echo).partition(b"\r\n\r\n")
    assert b"Content-Length: 100" in head and body == BODY[:count]


def test_a_close_delimited_body_can_be_cut_unnoticed(echo: Echo) -> None:
    echo.faults.add(close_delimited=True, drop=50)
    head, _, body = raw(echo).partition(b"\r\n\r\n")
    assert b"Content-Length" not in head and b"chunked" not in head and body == BODY[:50]


@pytest.mark.parametrize(("length", "told"), [("+5", 105), ("-5", 95), (7, 7), ("0", 0)])
def test_a_length_can_be_wrong(echo: Echo, length: str | int, told: int) -> None:
    echo.faults.add(length=length)
    head, _, body = raw(echo).partition(b"\r\n\r\n")
    assert f"Content-Length: {told}\r\n".encode() in head + b"\r\n" and body == BODY


def test_chunks_come_in_pieces_and_in_time(echo: Echo) -> None:
    echo.faults.add(chunked=True, drip=40, drip_every=0.1)
    started = time.monotonic()
    status, headers, body = get(echo)
    assert (status, headers["Transfer-Encoding"], body) == (200, "chunked", BODY)
    assert 0.2 <= time.monotonic() - started < 5


def test_a_cut_chunked_body_lacks_its_end(echo: Echo) -> None:
    echo.faults.add(chunked=True, drop=50)
    with pytest.raises(http.client.IncompleteRead):
        get(echo)


def test_an_endless_body_ends_at_its_limit_or_with_the_client(echo: Echo) -> None:
    echo.faults.add(endless=1 << 20)
    assert len(get(echo)[2]) == 1 << 20
    echo.faults.add(endless=0)
    with socket.create_connection(("127.0.0.1", echo.port), 10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert len(sock.makefile("rb").read(5 << 20)) == 5 << 20


def test_a_connection_is_kept_after_faults_that_keep_step(echo: Echo) -> None:
    echo.faults.extend([{"status": 503}, {"headers": {"a": "b"}}, {"chunked": True}])
    connection = http.client.HTTPConnection("127.0.0.1", echo.port, timeout=10)
    for _ in range(4):
        connection.request("GET", "/")
        connection.getresponse().read()
    connection.close()
    assert {e["connection"] for e in echo.log()} == {1} and echo.connections == 1


def test_head_has_the_length_and_no_body(echo: Echo) -> None:
    echo.faults.add(method="HEAD", status=404)
    answer = raw(echo, b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    echo.faults.clear()
    assert answer.startswith(b"HTTP/1.1 404") and answer.endswith(b"\r\n\r\n")


def test_expect_100_continue_and_chunked_requests_are_read(echo: Echo) -> None:
    answer = raw(
        echo,
        b"PUT /body HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\nabcde")


# The log.


def test_the_log_has_what_was_asked_and_no_secret(echo: Echo) -> None:
    token = Tokens().token("https://vault.azure.net")
    fields = (
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        "Content-Length: 9\r\nConnection: close\r\n"
    )
    raw(echo, f'POST /a?sig=s3cret&x=1 HTTP/1.1\r\n{fields}\r\n{{"alg":1}}'.encode())
    (entry,) = json.loads(get(echo, "/_test/log")[2])
    assert (entry["method"], entry["body"], entry["status"]) == ("POST", {"alg": 1}, 200)
    assert entry["path"] == "/a?sig=(redacted)&x=1"
    assert entry["headers"]["authorization"] == "Bearer aud=https://vault.azure.net"
    assert entry["connection"] == 1 and abs(entry["time"] - time.time()) < 60
    assert token not in json.dumps(entry) and "s3cret" not in json.dumps(entry)
    get(echo, "/_test/log", "DELETE")
    assert echo.log() == []


def test_faults_and_counts_can_be_read_and_cleared_over_http(echo: Echo) -> None:
    assert get(echo, "/_test/faults", "POST", b'[{"status": 503, "times": null}]')[0] == 200
    assert get(echo)[0] == 503
    (told,) = json.loads(get(echo, "/_test/faults")[2])
    assert (told["status"], told["hits"]) == (503, 1)
    get(echo, "/_test/faults", "DELETE")
    assert get(echo)[0] == 200


# TLS.


def test_good_and_bad_certificates_are_what_they_say(tmp_path: Path) -> None:
    ca = CertificateAuthority()
    context = ssl.create_default_context(cafile=str(ca.write(tmp_path / "ca.pem")))

    def verdict(identity: ServerIdentity, name: str = "localhost") -> str:
        with Echo(tls=identity.context()) as server:
            try:
                with socket.create_connection(("127.0.0.1", server.port), 10) as sock:
                    context.wrap_socket(sock, server_hostname=name).close()
                return "good"
            except ssl.SSLCertVerificationError as error:
                assert server.log() == []
                return error.verify_message

    assert verdict(ca.issue()) == verdict(ca.issue(), "127.0.0.1") == "good"
    assert verdict(ca.issue("v.vault.azure.net"), "v.vault.azure.net") == "good"
    assert "expired" in verdict(ca.expired())
    assert "not yet valid" in verdict(ca.not_yet_valid())
    assert "mismatch" in verdict(ca.wrong_name())
    assert "self-signed" in verdict(self_signed()).replace(" ", "-")
    assert "purpose" in verdict(ca.wrong_usage())
    assert "issuer" in verdict(CertificateAuthority("another").issue())


def test_a_server_for_old_tls_only_is_refused_by_a_modern_client(tmp_path: Path) -> None:
    ca = CertificateAuthority()
    context = ssl.create_default_context(cafile=str(ca.write(tmp_path / "ca.pem")))
    with Echo(tls=ca.issue().context(maximum=ssl.TLSVersion.TLSv1_1)) as server:
        with socket.create_connection(("127.0.0.1", server.port), 10) as sock:
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(sock, server_hostname="localhost")


# The command line.


@pytest.mark.parametrize(
    ("module", "config"),
    [
        ("vault", {"token_key": "AAAA", "keys": [{"name": "k", "oct_bits": 256}]}),
        ("tokens", {"token_key": "AAAA", "clients": {"c": {"secret": "s"}}}),
        ("blobproxy", {"upstream": "http://127.0.0.1:9"}),
    ],
)
def test_each_emulator_runs_by_itself(tmp_path: Path, module: str, config: dict[str, Any]) -> None:
    file, ca_file = tmp_path / "config.json", tmp_path / "ca.pem"
    file.write_text(json.dumps({**config, "tls": {"ca_out": str(ca_file), "names": ["a.example"]}}))
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", f"tests.emulators.{module}", "--port", "0", "--config"]
    with subprocess.Popen([*command, str(file)], cwd=root, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            context = ssl.create_default_context(cafile=str(ca_file))
            connection = http.client.HTTPSConnection("localhost", told["port"], context=context)
            connection.request("GET", "/_test/log")
            assert connection.getresponse().read() == b"[]"
            connection.close()
        finally:
            process.terminate()
        assert process.wait(10) == 0
