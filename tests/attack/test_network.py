# SPDX-License-Identifier: MIT
"""Somebody sits on the network path, or in the environment: certificates, redirects, proxies, names."""
import datetime
import pathlib
import ssl

import pytest

from tests.attack.forged import KEK
from tests.attack.test_key_ids import Listener
from tests.emulators.blobproxy import BlobProxy
from tests.emulators.tls import CertificateAuthority, self_signed
from tests.emulators.tokens import Tokens
from tests.emulators.vault import Vault
from tests.support import cloud, seal
from tests.support.expect import unreadable

PLAIN = b"plain"


# ---- B01, B02: certificates

BAD = {
    "wrong name": lambda ca: ca.wrong_name(),
    "self-signed": lambda ca: self_signed(),
    "expired": lambda ca: ca.expired(),
    "not yet valid": lambda ca: ca.not_yet_valid(),
    "wrong usage": lambda ca: ca.wrong_usage(),
    "another authority": lambda ca: CertificateAuthority("rogue").issue(),
}


def old_tls(ca):
    return ca.issue().context(maximum=ssl.TLSVersion.TLSv1_1)


def contexts(ca):
    return {**{name: make(ca).context() for name, make in BAD.items()}, "TLS 1.1": old_tls(ca)}


SERVERS = [*BAD, "TLS 1.1"]


@pytest.mark.parametrize("kind", SERVERS)
def test_b01_a_vault_that_cannot_prove_itself(mount, dirstore, tokens, ca, ca_file, kind):
    with Vault(tokens, tls=contexts(ca)[kind]) as vault:
        dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(vault)))
        m = mount(
            dirstore.source, f"vault={vault.url}", f"ca_file={ca_file}", "timeout=5", env=cloud.client_secret(tokens)
        )
        unreadable(m, "x", "EIO", "net.tls", "no trusted connection to 127.0.0.1", "ca_file=")
        assert vault.log() == []


@pytest.mark.parametrize("kind", SERVERS)
def test_b01_an_entra_that_cannot_prove_itself(mount, dirstore, vault, tokens, ca, ca_file, kind):
    with Tokens(issuer=tokens.issuer, tls=contexts(ca)[kind]) as entra:
        dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(vault)))
        m = mount(
            dirstore.source, f"vault={vault.url}", f"ca_file={ca_file}", "timeout=5", env=cloud.client_secret(entra)
        )
        unreadable(m, "x", "EIO", "net.tls", "no trusted connection to 127.0.0.1")
        assert entra.log() == [] and vault.log() == []


@pytest.mark.parametrize("kind", SERVERS)
def test_b01_a_storage_service_that_cannot_prove_itself(refused, azurite, ca, ca_file, kind):
    """The mount itself fails, with one sentence and the status for network failures; nothing was sent."""
    with BlobProxy(azurite.url, tls=contexts(ca)[kind]) as proxy:
        env = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string.replace(azurite.endpoint, proxy.endpoint)}
        status, said = refused(f"blob:{proxy.endpoint}/box", f"ca_file={ca_file}", "timeout=5", env=env)
        assert status == 10, said
        assert "no trusted connection to 127.0.0.1" in said and "ca_file=" in said
        assert proxy.log() == []


# ---- B03: redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_b03_storage_redirects_are_not_followed(proxied, upload, blobproxy, status):
    upload("x", PLAIN)
    m = proxied("timeout=5")
    with Listener() as foreign:
        blobproxy.faults.add(path="/x", status=status, redirect=f"http://127.0.0.1:{foreign.port}/", times=None)
        unreadable(m, "x", "EIO", "net.redirect", "not followed")
        assert foreign.connections() == 0


def test_b03_entra_redirects_are_not_followed(mount, dirstore, vault, tokens, ca_file):
    dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(vault)))
    m = mount(dirstore.source, f"vault={vault.url}", f"ca_file={ca_file}", "timeout=5", env=cloud.client_secret(tokens))
    with Listener() as foreign:
        tokens.faults.add(redirect=f"https://127.0.0.1:{foreign.port}/", times=None)
        unreadable(m, "x", "EIO", "net.redirect", "not followed")
        assert foreign.connections() == 0 and vault.connections == 0


# ---- B04, B05, B06: the environment


def test_b04_proxies_of_the_environment_are_not_used(proxied, upload):
    upload("x", PLAIN)
    with Listener() as foreign:
        names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        m = proxied(env={name: f"http://127.0.0.1:{foreign.port}" for name in names})
        assert m.read("x") == PLAIN
        assert foreign.connections() == 0


def test_b05_session_keys_are_not_written(mount, dirstore, vault, tokens, ca_file, tmp_path):
    dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(vault)))
    keylog = tmp_path / "keylog"
    m = mount(
        dirstore.source, f"vault={vault.url}", f"ca_file={ca_file}",
        env=cloud.client_secret(tokens, SSLKEYLOGFILE=keylog),
    )  # fmt: skip
    assert m.read("x") == PLAIN
    assert not keylog.exists()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_b06_an_authority_of_the_environment_is_not_trusted(mount, dirstore, vault, tokens, ca_file, variable):
    dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(vault)))
    m = mount(
        dirstore.source, f"vault={vault.url}", "timeout=5", env=cloud.client_secret(tokens, **{variable: ca_file})
    )
    unreadable(m, "x", "EIO", "net.tls")
    assert vault.log() == [] and tokens.log() == []


def test_b06_certificates_in_a_directory_of_the_environment_are_not_trusted(mount, dirstore, vault, tokens, ca_file, tmp_path):
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.pem").write_bytes(pathlib.Path(ca_file).read_bytes())
    dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(vault)))
    env = cloud.client_secret(tokens, SSL_CERT_DIR=tmp_path / "certs")
    unreadable(mount(dirstore.source, f"vault={vault.url}", "timeout=5", env=env), "x", "EIO", "net.tls")


def test_a_configuration_of_curl_in_the_home_directory_is_not_read(proxied, upload, tmp_path):
    upload("x", PLAIN)
    with Listener() as foreign:
        for name in (".curlrc", "_curlrc"):
            (tmp_path / name).write_text(f'proxy = "http://127.0.0.1:{foreign.port}"\n')
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login canary password canary\n")
        m = proxied(env={"HOME": tmp_path})
        assert m.read("x") == PLAIN and foreign.connections() == 0


# ---- http


def test_http_to_another_machine_is_refused(refused):
    status, said = refused("blob:http://192.0.2.1:10000/account/box", "timeout=5", env={"AZURE_STORAGE_KEY": "a2V5"})
    assert status == 4, said
    assert "http to 192.0.2.1 is refused" in said and "allow_http=" in said


# ---- B08: names that would become something else on the way

NAMES = ["a b", "a\r\nx-ms-evil: 1", "a\nb", "tab\tb", "q?x=1", "h#f", "100%", "%2e%2e", "ü", "a;b", "a&b=c", "a+b", '"', "<a>"]


@pytest.mark.parametrize("name", NAMES)
def test_b08_a_name_is_one_request_for_that_name(proxied, upload, blobproxy, name):
    upload(name, PLAIN)
    m = proxied()
    (shown,) = m.list()
    blobproxy.clear_log()
    assert m.read(shown) == PLAIN
    requests = [e for e in blobproxy.log() if "comp=list" not in e["path"]]
    assert len(requests) == 1
    assert all("x-ms-evil" not in e["headers"] for e in requests)
    assert "\r" not in requests[0]["path"] and " " not in requests[0]["path"]


# ---- B09: an identity endpoint in trouble


@pytest.fixture
def by_identity(mount, dirstore, vault, tokens, ca_file):
    """by_identity() -> (a mount with managed identity, its endpoint)."""
    with Tokens(issuer=tokens.issuer) as endpoint:
        dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(vault)))
        env = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": endpoint.url}
        m = mount(dirstore.source, f"vault={vault.url}", f"ca_file={ca_file}", "timeout=6", "vault_credential=managed", env=env)
        yield m, endpoint


@pytest.mark.parametrize("fault", [
    {"status": 429, "retry_after": 1, "times": 1}, {"status": 503, "times": 2}, {"status": 404, "times": 1}, {"drop": "request", "nth": 2},
], ids=str)  # fmt: skip
def test_b09_an_endpoint_that_recovers(by_identity, fault):
    m, endpoint = by_identity
    endpoint.faults.add(header={"metadata": "true"}, **{"times": 1, "nth": 1, **fault})
    assert m.read("x") == PLAIN


JUNK = {
    "not JSON": {"body": "<html>"}, "no token": {"json": {}}, "huge": {"body": "x" * (1 << 20)},
    "endless": {"endless": 0}, "token with a line break": {"json": {"access_token": "a\r\nx: y", "expires_in": "3600"}},
    "life of no time": {"json": {"access_token": "abc", "expires_in": "junk"}},
}  # fmt: skip


@pytest.mark.parametrize("fault", JUNK.values(), ids=JUNK.keys())
def test_b09_an_endpoint_that_talks_nonsense(by_identity, vault, fault):
    m, endpoint = by_identity
    endpoint.faults.add(times=None, header={"metadata": "true"}, **({"status": 200} if "endless" not in fault else {}), **fault)
    with pytest.raises(OSError) as failure:
        m.read("x")
    assert failure.value.errno in (5, 13), failure.value
    assert m.events("auth.entra") or m.events("net.protocol"), m.log()
    assert vault.connections == 0


def test_b09_an_endpoint_that_says_nothing(by_identity, vault):
    m, endpoint = by_identity
    endpoint.faults.add(header={"metadata": "true"}, stall=True, times=None)
    began = datetime.datetime.now()
    unreadable(m, "x", "ETIMEDOUT", "net.deadline", "127.0.0.1")
    assert datetime.datetime.now() - began < datetime.timedelta(seconds=9)
    assert vault.connections == 0
