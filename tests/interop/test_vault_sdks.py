# SPDX-License-Identifier: MIT
"""The official Key Vault and identity clients judge the emulators.

Both clients run with all of their checks on: real host names (mapped to loopback
inside the process), TLS verified against the run's CA, the challenge's resource
verified, instance discovery on. Where a client is content here, so would it be with
the service as far as these requests go; where it is not, the emulator is wrong.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.tls import CertificateAuthority
from tests.emulators.tokens import (
    DEFAULT_CLIENT,
    DEFAULT_SECRET,
    DEFAULT_TENANT,
    SYSTEM_IDENTITY,
    Client,
    Tokens,
)
from tests.emulators.vault import Vault
from tests.emulators.vault_keys import Key

pytest.importorskip("azure.identity", reason="azure-identity is not installed")
pytest.importorskip("azure.keyvault.keys", reason="azure-keyvault-keys is not installed")

from azure.core.exceptions import (  # noqa: E402
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceResponseError,
)
from azure.identity import (  # noqa: E402
    CertificateCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.keyvault.keys import KeyClient  # noqa: E402
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402

LOGIN_HOST = "login.microsoftonline.com"
CEK = bytes(range(32))
OAEP_ALGORITHMS = ("RSA-OAEP", "RSA-OAEP-256")
#: Python caches challenges by host for the process, so every vault has its own name.


@dataclass
class World:
    """One vault, one tenant, and what a client needs to reach them."""

    vault: Vault
    tokens: Tokens
    host: str
    ca_file: Path

    def credential(self, secret: str = DEFAULT_SECRET) -> ClientSecretCredential:
        return ClientSecretCredential(
            DEFAULT_TENANT, DEFAULT_CLIENT, secret, connection_verify=str(self.ca_file)
        )

    def key_client(self, **options: Any) -> KeyClient:
        return KeyClient(
            options.pop("url", self.vault.public_url),
            options.pop("credential", None) or self.credential(),
            connection_verify=str(self.ca_file), retry_backoff_factor=0, **options,
        )

    def crypto_client(self, name: str, version: str = "", **options: Any) -> CryptographyClient:
        return CryptographyClient(
            f"{options.pop('url', self.vault.public_url)}/keys/{name}/{version}".rstrip("/"),
            options.pop("credential", None) or self.credential(),
            connection_verify=str(self.ca_file), retry_backoff_factor=0, **options,
        )


def sample_keys() -> list[Key]:
    return [
        Key.generate_rsa("kek"),
        Key.generate_rsa("kek"),
        Key.generate_rsa("kek-disabled", enabled=False),
        Key.generate_rsa("kek-denied", permissions=frozenset({"get"})),
        Key.generate_rsa("kek-unwrap-only", permissions=frozenset({"unwrapKey"})),
        Key.generate_rsa("kek-no-unwrap", operations=("wrapKey",)),
        Key.generate_rsa("kek-expired", expires=time.time() - 60),
        Key.generate_oct("oct-128", 128),
        Key.generate_oct("oct-192", 192),
        Key.generate_oct("oct-256", 256),
    ]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[CertificateAuthority, Path]:
    ca = CertificateAuthority()
    return ca, ca.write(tmp_path_factory.mktemp("tls") / "ca.pem")


@pytest.fixture(scope="module")
def key_material() -> list[Key]:
    """Made once: generating RSA keys is the slow part of these tests."""
    return sample_keys()


@pytest.fixture(scope="module")
def make_world(
    authority: tuple[CertificateAuthority, Path], key_material: list[Key]
) -> Iterator[Callable[..., World]]:
    ca, ca_file = authority
    started: list[Vault | Tokens] = []

    def make(**vault_options: Any) -> World:
        host = vault_options.pop("host_name", f"test-vault-{uuid.uuid4().hex[:12]}.vault.azure.net")
        tokens = Tokens(tls=ca.issue(LOGIN_HOST).context(), public_url=f"https://{LOGIN_HOST}")
        vault_options.setdefault("public_url", f"https://{host}")
        vault = Vault(
            tokens, key_material, tls=ca.issue(host).context(), **vault_options
        )
        started.extend((tokens.start(), vault.start()))
        return World(vault, tokens, host, ca_file)

    yield make
    for server in started:
        server.stop()
        assert server.errors == []


@pytest.fixture
def world(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> World:
    made = make_world()
    map_hosts(monkeypatch, {made.host: made.vault.port, LOGIN_HOST: made.tokens.port})
    return made


def map_hosts(monkeypatch: pytest.MonkeyPatch, ports: dict[str, int]) -> None:
    """Resolve these names to loopback ports; refuse every other host that is not loopback."""
    resolve = socket.getaddrinfo

    def mapped(host: str, port: Any, *rest: Any, **options: Any) -> Any:
        if host in ports:
            return resolve("127.0.0.1", ports[host], *rest, **options)
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(socket.EAI_NONAME, f"the test may not resolve {host}")
        return resolve(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", mapped)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def inner_code(error: HttpResponseError) -> str | None:
    inner = error.error.innererror if error.error else None
    return inner.get("code") if inner else None


# Python: reading keys.


def test_python_gets_current_and_older_version(world: World) -> None:
    old, current = world.vault.keys.versions("kek")
    client = world.key_client()
    assert client.get_key("kek").id == world.vault.kid(current)
    assert client.get_key("KEK", old.version).id == world.vault.kid(old)
    assert client.get_key("kek").key_type == "RSA"
    numbers = current.material.public_key().public_numbers()
    assert int.from_bytes(client.get_key("kek").key.n, "big") == numbers.n


def test_python_lists_keys_and_pages_through_versions(make_world, monkeypatch) -> None:
    world = make_world(page_size=2)
    map_hosts(monkeypatch, {world.host: world.vault.port, LOGIN_HOST: world.tokens.port})
    for _ in range(3):
        world.vault.keys.add(Key("kek", world.vault.keys.find("kek").material))
    listed = list(world.key_client().list_properties_of_key_versions("kek"))
    assert [p.version for p in listed] == [k.version for k in world.vault.keys.versions("kek")]
    assert len(world.vault.log()) == 1 + 3, "one challenge, three pages of five versions"
    names = [p.name for p in world.key_client().list_properties_of_keys()]
    assert names == [k.name for k in world.vault.keys.current()]


@pytest.mark.parametrize("algorithm", OAEP_ALGORITHMS)
def test_python_wraps_what_the_key_unwraps(world: World, algorithm: str) -> None:
    wrapped = world.crypto_client("kek").wrap_key(KeyWrapAlgorithm(algorithm), CEK)
    key = world.vault.keys.find("kek")
    assert key.unwrap(algorithm, wrapped.encrypted_key) == CEK
    assert wrapped.key_id == world.vault.kid(key)


@pytest.mark.parametrize("algorithm", OAEP_ALGORITHMS)
@pytest.mark.parametrize("length", [16, 32, 40])
def test_python_unwraps_what_the_key_wrapped(world: World, algorithm: str, length: int) -> None:
    plain = os.urandom(length)
    wrapped = world.vault.keys.find("kek").wrap(algorithm, plain)
    result = world.crypto_client("kek").unwrap_key(KeyWrapAlgorithm(algorithm), wrapped)
    assert result.key == plain


def test_python_unwraps_with_the_version_before_the_rotation(world: World) -> None:
    old = world.vault.keys.versions("kek")[0]
    wrapped = old.wrap("RSA-OAEP", CEK)
    client = world.crypto_client("kek", old.version)
    assert client.unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped).key == CEK
    with pytest.raises(HttpResponseError) as caught:
        world.crypto_client("kek").unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped)
    assert caught.value.status_code == 400


def test_python_unwraps_without_permission_to_get(world: World) -> None:
    wrapped = world.vault.keys.find("kek-unwrap-only").wrap("RSA-OAEP", CEK)
    client = world.crypto_client("kek-unwrap-only")
    assert client.unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped).key == CEK


def test_python_unwraps_with_an_expired_key_but_the_service_does_not_wrap(world: World) -> None:
    wrapped = world.vault.keys.find("kek-expired").wrap("RSA-OAEP", CEK)
    client = world.crypto_client("kek-expired")
    assert client.unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped).key == CEK
    answer = world.key_client().send_request(_wrap_request(world, "kek-expired"))
    assert answer.status_code == 403
    assert answer.json()["error"]["innererror"]["code"] == "KeyExpired"


def _wrap_request(world: World, name: str) -> Any:
    from azure.core.rest import HttpRequest

    return HttpRequest(
        "POST", f"{world.vault.public_url}/Keys/{name}/WRAPKEY?api%2Dversion=7.4",
        json={"alg": "RSA-OAEP", "value": base64.urlsafe_b64encode(CEK).decode()},
    )


@pytest.mark.parametrize(
    ("name", "algorithm", "status", "inner"),
    [
        ("kek-disabled", "RSA-OAEP", 403, "KeyDisabled"),
        ("kek-denied", "RSA-OAEP", 403, "ForbiddenByRbac"),
        ("kek-no-unwrap", "RSA-OAEP", 403, "KeyOperationForbidden"),
        ("no-such-key", "RSA-OAEP", 404, None),
        ("kek", "RSA1_5", 400, None),
        ("kek", "RSA-OAEP-256", 400, None),
        ("kek", "A256KW", 400, None),
    ],
)
def test_python_raises_what_the_vault_refuses(
    world: World, name: str, algorithm: str, status: int, inner: str | None
) -> None:
    key = world.vault.keys.find(name) or world.vault.keys.find("kek")
    wrapped = key.wrap("RSA-OAEP", CEK)
    with pytest.raises(HttpResponseError) as caught:
        world.crypto_client(name).unwrap_key(KeyWrapAlgorithm(algorithm), wrapped)
    assert caught.value.status_code == status
    assert inner_code(caught.value) == inner
    assert isinstance(caught.value, ResourceNotFoundError) == (status == 404)


def test_python_sees_the_firewall(world: World) -> None:
    world.vault.firewall = True
    with pytest.raises(HttpResponseError) as caught:
        world.key_client().get_key("kek")
    assert (caught.value.status_code, inner_code(caught.value)) == (403, "ForbiddenByFirewall")


def test_python_retries_after_429_and_then_succeeds(world: World) -> None:
    throttled = world.vault.faults.add(path="/keys/kek", status=429, retry_after=0, nth=2, times=2)
    assert world.key_client().get_key("kek").name == "kek"
    assert throttled.hits == 2
    assert [e["status"] for e in world.vault.log()] == [401, 429, 429, 200]


def test_python_gives_up_when_the_vault_limits_requests(world: World) -> None:
    client = world.key_client(retry_total=0)
    client.get_key("kek")
    world.vault.limit(1, 60, retry_after=7)
    client.get_key("kek")
    with pytest.raises(HttpResponseError) as caught:
        client.get_key("kek")
    assert caught.value.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"


def test_python_sees_a_dropped_connection(world: World) -> None:
    world.vault.faults.add(method="GET", drop=10, times=None)
    with pytest.raises((ServiceResponseError, HttpResponseError)):
        world.key_client(retry_total=0).get_key("kek")


# Python: the challenge and the token.


def test_python_sends_no_body_and_no_token_before_the_challenge(world: World) -> None:
    wrapped = world.vault.keys.find("kek-unwrap-only").wrap("RSA-OAEP", CEK)
    world.crypto_client("kek-unwrap-only").unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped)
    log = world.vault.log()
    assert "authorization" not in log[0]["headers"] and log[0]["body_length"] == 0
    assert {e["headers"]["authorization"] for e in log[1:]} == {"Bearer aud=https://vault.azure.net"}
    assert log[-1]["body"]["alg"] == "RSA-OAEP"
    assert world.tokens.issued == {"https://vault.azure.net": 1}


def test_python_refuses_a_challenge_for_a_foreign_resource(make_world, monkeypatch) -> None:
    world = make_world(resource="https://vault.example")
    map_hosts(monkeypatch, {world.host: world.vault.port, LOGIN_HOST: world.tokens.port})
    with pytest.raises(ValueError, match="does not match the requested domain"):
        world.key_client().get_key("kek")
    assert world.tokens.issued == {}


def test_python_works_on_loopback_with_the_resource_check_off(make_world, monkeypatch) -> None:
    world = make_world(public_url=None)
    map_hosts(monkeypatch, {LOGIN_HOST: world.tokens.port})
    client = world.key_client(verify_challenge_resource=False)
    assert client.get_key("kek").id.startswith(f"https://127.0.0.1:{world.vault.port}/keys/kek/")


def test_a_token_for_another_audience_expired_or_revoked_is_challenged(world: World) -> None:
    good = world.tokens.token("https://vault.azure.net")
    cases = {
        "AKV10022": world.tokens.token("https://storage.azure.com"),
        "TokenExpired": world.tokens.token("https://vault.azure.net", expires_in=-1),
        "BearerReadAccessTokenFailed": good[:-2] + ("AA" if good[-2:] != "AA" else "BB"),
        "TokenRevoked": good,
    }
    assert _raw_get(world, good)[0] == 200
    world.vault.revoke_tokens()
    for word, token in cases.items():
        status, headers, body = _raw_get(world, token)
        assert (status, word in body["error"]["message"]) == (401, True), word
        assert headers["WWW-Authenticate"] == (
            f'Bearer authorization="https://{LOGIN_HOST}/{DEFAULT_TENANT}", '
            'resource="https://vault.azure.net"'
        )


def test_api_version_is_required_and_checked(world: World) -> None:
    token = world.tokens.token("https://vault.azure.net")
    for query in ("", "?api-version=", "?api-version=1.0"):
        status, _, body = _raw_get(world, token, query)
        assert (status, body["error"]["code"]) == (400, "BadParameter"), query


def _raw_get(
    world: World, token: str, query: str = "?api-version=7.4"
) -> tuple[int, dict[str, str], Any]:
    import http.client
    import ssl

    context = ssl.create_default_context(cafile=str(world.ca_file))
    connection = http.client.HTTPSConnection("127.0.0.1", world.vault.port, context=context)
    connection.request("GET", f"/keys/kek{query}", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, dict(answer.headers), body


# Python: the identity library and the token endpoints.


def test_python_identity_reports_a_wrong_secret(world: World) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        world.credential("wrong").get_token("https://vault.azure.net/.default")


def test_python_identity_reports_an_unknown_resource(world: World) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS500011"):
        world.credential().get_token("https://unknown.example/.default")


def test_python_identity_uses_a_federated_token(world: World, tmp_path: Path) -> None:
    world.tokens.clients["workload"] = Client(federated_subject="system:serviceaccount:jobs:batch")
    token_file = tmp_path / "token"

    def ask() -> str:
        credential = WorkloadIdentityCredential(
            tenant_id=DEFAULT_TENANT, client_id="workload", token_file_path=str(token_file),
            connection_verify=str(world.ca_file),
        )
        return credential.get_token("https://vault.azure.net/.default").token

    token_file.write_text(world.tokens.federated_token("workload"))
    assert world.tokens.issuer.verify(ask())["appid"] == "workload"
    for words, content in {
        "AADSTS700213": world.tokens.federated_token("workload", sub="someone:else"),
        "AADSTS700211": world.tokens.federated_token("workload", iss="https://other.example"),
        "AADSTS700212": world.tokens.federated_token("workload", aud="other"),
        "AADSTS700024": world.tokens.federated_token("workload", lifetime=-10),
        "AADSTS50027": "not a token",
    }.items():
        token_file.write_text(content)
        with pytest.raises(ClientAuthenticationError, match=words):
            ask()


def test_python_identity_uses_a_certificate(world: World) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem, certificate = _self_signed(key)
    world.tokens.clients["cert-app"] = Client(certificate=certificate)
    credential = CertificateCredential(
        DEFAULT_TENANT, "cert-app", certificate_data=pem, connection_verify=str(world.ca_file)
    )
    token = credential.get_token("https://storage.azure.com/.default").token
    assert world.tokens.issuer.verify(token)["aud"] == "https://storage.azure.com"
    world.tokens.clients["cert-app"] = Client(
        certificate=_self_signed(rsa.generate_private_key(65537, 2048))[1]
    )
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        credential.get_token("https://vault.azure.net/.default")


def _self_signed(key: rsa.RSAPrivateKey) -> tuple[bytes, x509.Certificate]:
    import datetime

    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM), certificate


def test_python_identity_uses_imds(monkeypatch: pytest.MonkeyPatch) -> None:
    with Tokens() as imds:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", imds.url)
        token = ManagedIdentityCredential().get_token("https://vault.azure.net/.default")
        assert imds.issuer.verify(token.token)["appid"] == SYSTEM_IDENTITY
        assert abs(token.expires_on - time.time() - imds.expires_in) < 30
        with pytest.raises(ClientAuthenticationError):
            ManagedIdentityCredential(client_id="unknown").get_token("https://vault.azure.net")


def test_python_identity_uses_app_service(monkeypatch: pytest.MonkeyPatch) -> None:
    with Tokens() as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", server.identity_header)
        token = ManagedIdentityCredential().get_token("https://storage.azure.com/.default")
        assert server.issuer.verify(token.token)["aud"] == "https://storage.azure.com"
        assert server.log()[0]["headers"]["x-identity-header"] == "(redacted)"
        monkeypatch.setenv("IDENTITY_HEADER", "wrong")
        with pytest.raises(ClientAuthenticationError):
            ManagedIdentityCredential().get_token("https://storage.azure.com/.default")


# JavaScript.


#: Where tests/support/setup.sh puts node and the packages, for runs that set no variable.
NODE_DIRECTORY = Path(__file__).resolve().parents[2] / "build" / "node"


def _node() -> tuple[str, Path]:
    node = os.environ.get("AZC_NODE")
    if node is None and (NODE_DIRECTORY / "node").exists():
        node = str(NODE_DIRECTORY / "node")
    node = node or shutil.which("node")
    if node is None:
        pytest.skip("NO JAVASCRIPT CLIENT CHECK: no node (set AZC_NODE)")
    modules = Path(os.environ.get("AZC_NODE_MODULES", NODE_DIRECTORY / "node_modules"))
    for package in ("@azure/keyvault-keys", "@azure/identity"):
        if not (modules / package).is_dir():
            pytest.skip(f"NO JAVASCRIPT CLIENT CHECK: {package} is not in {modules} "
                        "(set AZC_NODE_MODULES)")
    return node, modules


@dataclass
class JavaScriptRun:
    world: World
    results: dict[str, Any]

    def value(self, check: str) -> Any:
        assert "value" in self.results[check], self.results[check]
        return self.results[check]["value"]

    def error(self, check: str) -> dict[str, Any]:
        assert "error" in self.results[check], self.results[check]
        return self.results[check]["error"]


@pytest.fixture(scope="module")
def javascript(make_world: Callable[..., World]) -> JavaScriptRun:
    """All checks in one node process; the tests below each judge one of them."""
    node, modules = _node()
    world = make_world(page_size=2)
    keys = world.vault.keys
    wrapped = {
        "oaep": keys.find("kek").wrap("RSA-OAEP", CEK),
        "oaep_256": keys.find("kek").wrap("RSA-OAEP-256", CEK),
        "a256kw": keys.find("oct-256").wrap("A256KW", CEK),
        "garbage": b"\1" * 256,
    }
    told = {
        "vault": world.vault.public_url, "tenant": DEFAULT_TENANT, "client": DEFAULT_CLIENT,
        "secret": DEFAULT_SECRET, "oldVersion": keys.versions("kek")[0].version,
        "keys": {
            "rsa": "kek", "disabled": "kek-disabled", "denied": "kek-denied",
            "oct128": "oct-128", "oct192": "oct-192", "oct256": "oct-256",
        },
        "wrapped": {name: base64.b64encode(data).decode() for name, data in wrapped.items()},
        "hosts": {
            f"^{re.escape(world.host)}$": world.vault.port,
            f"^{re.escape(LOGIN_HOST)}$": world.tokens.port,
        },
    }
    environment = {
        "PATH": os.environ.get("PATH", ""), "NODE_EXTRA_CA_CERTS": str(world.ca_file),
        "AZC_NODE_MODULES": str(modules.resolve()),
    }
    script = Path(__file__).with_name("vault_js_check.mjs")
    done = subprocess.run(
        [node, str(script)], input=json.dumps(told), env=environment, text=True,
        capture_output=True, timeout=180, check=False,
    )
    assert done.returncode == 0, done.stderr
    return JavaScriptRun(world, json.loads(done.stdout))


def test_javascript_gets_and_lists(javascript: JavaScriptRun) -> None:
    vault = javascript.world.vault
    old, current = vault.keys.versions("kek")[:2]
    assert javascript.value("get_current")["id"] == vault.kid(current)
    assert javascript.value("get_current")["type"] == "RSA"
    assert javascript.value("get_version")["id"] == vault.kid(old)
    assert javascript.value("list_versions") == [vault.kid(k) for k in vault.keys.versions("kek")]
    names = [f"{vault.public_url}/keys/{k.name}" for k in vault.keys.current()]
    assert javascript.value("list_keys") == names


@pytest.mark.parametrize(
    ("check", "name", "algorithm"),
    [
        ("round_trip_oaep", "kek", "RSA-OAEP"),
        ("round_trip_oaep_256", "kek", "RSA-OAEP-256"),
        ("round_trip_a128kw", "oct-128", "A128KW"),
        ("round_trip_a192kw", "oct-192", "A192KW"),
        ("round_trip_a256kw", "oct-256", "A256KW"),
    ],
)
def test_javascript_wraps_and_unwraps(
    javascript: JavaScriptRun, check: str, name: str, algorithm: str
) -> None:
    value = javascript.value(check)
    key = javascript.world.vault.keys.find(name)
    assert value["same"] is True
    wrapped = base64.b64decode(value["wrapped"])
    assert key.unwrap(algorithm, wrapped) == b"0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("check", ["unwrap_oaep", "unwrap_oaep_256", "unwrap_a256kw"])
def test_javascript_unwraps_what_the_key_wrapped(javascript: JavaScriptRun, check: str) -> None:
    assert base64.b64decode(javascript.value(check)) == CEK


@pytest.mark.parametrize(
    ("check", "status", "code", "inner"),
    [
        ("disabled", 403, "Forbidden", "KeyDisabled"),
        ("denied", 403, "Forbidden", "ForbiddenByRbac"),
        ("missing", 404, "KeyNotFound", None),
        ("garbage", 400, "BadParameter", None),
        ("wrong_algorithm", 400, "BadParameter", None),
        ("rsa1_5", 400, "BadParameter", None),
    ],
)
def test_javascript_raises_what_the_vault_refuses(
    javascript: JavaScriptRun, check: str, status: int, code: str, inner: str | None
) -> None:
    error = javascript.error(check)
    assert (error["status"], error["code"], error.get("inner")) == (status, code, inner), error


def test_javascript_reports_a_wrong_secret(javascript: JavaScriptRun) -> None:
    assert "AADSTS7000215" in javascript.error("wrong_secret")["message"]
