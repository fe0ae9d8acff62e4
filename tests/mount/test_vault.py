# SPDX-License-Identifier: MIT
"""Keys from a vault and tokens from Entra, as in the cloud: all by TLS, nothing switched off.

What the vault and the token endpoint were asked is counted from their own logs.
"""
import concurrent.futures
import os
import signal
import subprocess
import time

import pytest
from azure.storage.blob import BlobClient

from tests.emulators.hostile import REWRITES
from tests.emulators.jwt import Issuer
from tests.emulators.tokens import DEFAULT_CLIENT, Client, Tokens
from tests.support import cloud, seal
from tests.support.cloud import STORAGE, VAULT
from tests.support.expect import failure, unreadable
from tests.support.mount import command, environment, errno_of
from tests.support.process import SLOW, wait_until

ALGORITHMS = ("RSA-OAEP", "RSA-OAEP-256", "A256KW")
PLAIN = seal.random_plaintext("vault", 100_000)


@pytest.fixture
def shelf(mount, dirstore, vault, tokens, ca_file):
    """shelf(option..., env=...): the dir: store, mounted with the vault and a client secret."""

    def mounted(*options, env=None):
        env = cloud.client_secret(tokens) if env is None else env
        return mount(dirstore.source, f"vault={vault.url}", f"ca_file={ca_file}", *options, env=env)

    return mounted


@pytest.fixture
def put(dirstore):
    """put(name, kek): a small blob for the key; its content is its name."""
    return lambda name, kek, **how: dirstore.put(name, *seal.seal(name.encode(), kek, **how))


# ---- who asks


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_client_secret_opens_storage_and_vault(mount, azurite_tls, vault, tokens, ca_file, algorithm):
    """Blobs of the official client, whose key ids name this vault, from a storage service that wants tokens."""
    kek = cloud.add_key(vault, algorithm=algorithm)
    container = azurite_tls.make_container()
    client = BlobClient.from_connection_string(
        azurite_tls.connection_string, container, "x", require_encryption=True, encryption_version="2.0",
        connection_verify=str(ca_file),
    )  # fmt: skip
    client.key_encryption_key = kek
    client.upload_blob(PLAIN)
    m = mount(
        azurite_tls.source(container), f"vault={vault.url}", f"ca_file={ca_file}", env=cloud.client_secret(tokens)
    )
    assert m.read("x") == PLAIN
    assert tokens.issued == {STORAGE: 1, VAULT: 1}
    assert vault.operations == [("unwrapKey", kek.kid)]


@pytest.fixture
def metadata_service(tokens):
    """The managed identity endpoints, by http as they are, which issue what the vault accepts."""
    with Tokens(issuer=tokens.issuer) as server:
        yield server


def test_the_identity_of_a_virtual_machine(shelf, put, vault, metadata_service):
    put("x", cloud.add_key(vault))
    m = shelf(env={"AZURE_POD_IDENTITY_AUTHORITY_HOST": metadata_service.url})
    assert m.read("x") == b"x"
    assert metadata_service.issued == {VAULT: 1}


def test_the_identity_of_an_app_service(shelf, put, vault, metadata_service):
    put("x", cloud.add_key(vault))
    env = {"IDENTITY_ENDPOINT": f"{metadata_service.url}/msi/token", "IDENTITY_HEADER": metadata_service.identity_header}
    m = shelf("vault_credential=managed", env=env)
    assert m.read("x") == b"x"
    assert metadata_service.issued == {VAULT: 1}


def test_an_identity_that_is_not_assigned_is_refused_by_name(shelf, put, vault, metadata_service):
    put("x", cloud.add_key(vault))
    metadata_service.identities.clear()
    m = shelf("vault_credential=managed", env={"AZURE_POD_IDENTITY_AUTHORITY_HOST": metadata_service.url})
    unreadable(m, "x", "EACCES", "auth.entra", "no such identity is assigned")
    assert vault.connections == 0


def test_the_file_of_a_workload_identity_is_read_again(shelf, put, vault, tokens, tmp_path):
    kek = cloud.add_key(vault)
    put("a", kek)
    put("b", kek)
    tokens.clients[DEFAULT_CLIENT] = Client(federated_subject="system:serviceaccount:jobs:reader")
    file = tmp_path / "token"
    file.write_text(tokens.federated_token())
    env = cloud.client_secret(tokens, AZURE_FEDERATED_TOKEN_FILE=file)
    del env["AZURE_CLIENT_SECRET"]
    m = shelf(env=env)
    assert m.read("a") == b"a"
    tokens.cluster = Issuer()  # the cluster has new keys: what the file said is worthless
    file.write_text(tokens.federated_token())
    vault.revoke_tokens()
    assert m.read("b") == b"b"
    assert tokens.issued == {VAULT: 2}


def test_a_wrong_client_secret_is_named_as_such(shelf, put, vault, tokens):
    put("x", cloud.add_key(vault))
    m = shelf(env=cloud.client_secret(tokens, AZURE_CLIENT_SECRET="no"))
    unreadable(m, "x", "EACCES", "auth.entra", "AADSTS7000215", "renew the client secret")
    assert vault.connections == 0


def test_no_credential_at_all_lists_what_was_tried(shelf, put, vault):
    put("x", cloud.add_key(vault))
    m = shelf(env={"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1"})
    unreadable(m, "x", "EACCES", "auth.entra", "no credential", "environment", "workload", "managed", "cli")


# ---- keys


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("versionless", [False, True])
def test_a_key_of_the_vault_opens_a_blob(shelf, put, vault, algorithm, versionless):
    kek = cloud.add_key(vault, algorithm=algorithm, versionless=versionless)
    put("x", kek)
    assert shelf().read("x") == b"x"
    assert vault.operations == [("unwrapKey", vault.kid(kek.key))]


def test_the_allow_list_may_name_one_key(mount, dirstore, put, vault, tokens, ca_file):
    named, other = cloud.add_key(vault, "named"), cloud.add_key(vault, "other")
    put("x", named)
    put("y", other)
    entry = named.kid.rpartition("/")[0]
    m = mount(dirstore.source, f"vault={entry}", f"ca_file={ca_file}", env=cloud.client_secret(tokens))
    assert m.read("x") == b"x"
    unreadable(m, "y", "EACCES", "policy.kek", other.kid)
    assert [kid for _, kid in vault.operations] == [named.kid]


def test_after_a_rotation_a_versionless_id_finds_the_older_version(shelf, put, vault):
    kek = cloud.add_key(vault, versionless=True)
    put("old", kek)
    for _ in range(3):
        vault.keys.rotate("kek")
    m = shelf()
    assert m.read("old") == b"old"
    put("new", cloud.VaultKek(vault, vault.keys.find("kek"), "RSA-OAEP", versionless=True))
    time.sleep(1.1)
    assert m.read("new") == b"new"


def test_a_newest_version_that_is_disabled_hides_no_older_one(shelf, put, vault):
    kek = cloud.add_key(vault, versionless=True)
    put("old", kek)
    vault.keys.rotate("kek")
    vault.keys.find("kek").enabled = False
    assert shelf().read("old") == b"old"
    kek.key.enabled = False
    unreadable(shelf(), "old", "ENOKEY", "key.disabled")


def test_after_a_rotation_a_versioned_id_asks_for_its_version_only(shelf, put, vault):
    kek = cloud.add_key(vault)
    put("old", kek)
    vault.keys.rotate("kek")
    assert shelf().read("old") == b"old"
    assert len(cloud.asked(vault)) == 1


def disable(vault, key):
    key.enabled = False


def remove(vault, key):
    vault.keys.remove(key.name)


def deny(vault, key):
    key.permissions = frozenset({"get"})


def close_firewall(vault, key):
    vault.firewall = True


def forbid_operation(vault, key):
    key.operations = ("wrapKey",)


REFUSALS = [
    (disable, "ENOKEY", "key.disabled", "the key is disabled in its vault", "enable the key"),
    (remove, "ENOKEY", "key.missing", "no such key or version", "recovered"),
    (deny, "EACCES", "auth.vault", "may not unwrap", "Key Vault Crypto User"),
    (close_firewall, "EACCES", "auth.vault", "firewall refuses this machine's address", "private endpoint"),
    (forbid_operation, "EACCES", "auth.vault", "does not permit", "key_ops"),
]


@pytest.mark.parametrize(("change", "errno", "event", "says", "advises"), REFUSALS, ids=lambda v: getattr(v, "__name__", None))
def test_r14_a_refusal_has_its_errno_event_and_advice(shelf, put, vault, change, errno, event, says, advises):
    """The line names key and request, as the vault's people will ask; stat and ls do not need the vault."""
    kek = cloud.add_key(vault)
    put("x", kek)
    change(vault, kek.key)
    m = shelf()
    line = unreadable(m, "x", errno, event, says, advises, f"key={kek.kid}", "request=")
    request = line.partition("request=")[2].partition("]")[0]
    assert len(request) == 36, line
    assert m.path("x").stat().st_size == 1
    assert m.list() == ["x"]
    assert len(cloud.asked(vault)) == 1


# ---- counts


def open_all(m, names):
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(m.read, names))


def test_fifty_opens_at_once_cause_one_token_request(shelf, put, vault, tokens):
    kek = cloud.add_key(vault)
    names = [f"n{i}" for i in range(50)]
    for name in names:
        put(name, kek)
    tokens.faults.add(method="POST", delay=0.3)
    m = shelf()
    assert open_all(m, names) == [n.encode() for n in names]
    assert tokens.issued == {VAULT: 1}
    assert len(cloud.asked(vault)) == 50


def test_fifty_opens_of_one_blob_cause_one_unwrap(shelf, put, vault):
    put("x", cloud.add_key(vault))
    vault.faults.add(path="unwrapkey", delay=0.3)
    m = shelf()
    assert open_all(m, ["x"] * 50) == [b"x"] * 50
    assert len(cloud.asked(vault)) == 1


def test_stat_and_listing_ask_the_vault_nothing(shelf, put, vault, tokens):
    kek = cloud.add_key(vault)
    for i in range(20):
        put(f"d/n{i}", kek)
    m = shelf()
    assert [m.path(f"d/{n}").stat().st_size for n in m.list("d")] == [len(f"d/{n}") for n in m.list("d")]
    assert vault.connections == tokens.connections == 0


def test_a_key_is_kept_for_key_ttl(shelf, put, vault):
    put("x", cloud.add_key(vault))
    m = shelf("key_ttl=2")
    for _ in range(3):
        assert m.read("x") == b"x"
    assert len(cloud.asked(vault)) == 1
    time.sleep(2.2)
    assert m.read("x") == b"x"
    assert len(cloud.asked(vault)) == 2


@pytest.mark.slow
def test_a_refusal_is_remembered_for_thirty_seconds(shelf, put, vault):
    kek = cloud.add_key(vault)
    put("x", kek)
    kek.key.enabled = False
    m = shelf()
    unreadable(m, "x", "ENOKEY", "key.disabled")
    kek.key.enabled = True
    unreadable(m, "x", "ENOKEY", "key.disabled")
    assert len(cloud.asked(vault)) == 1
    time.sleep(30.5)
    assert m.read("x") == b"x"


# ---- tokens that end


def test_a_token_that_is_revoked_is_replaced_once(shelf, put, vault, tokens):
    kek = cloud.add_key(vault)
    put("a", kek)
    put("b", kek)
    m = shelf()
    assert m.read("a") == b"a"
    vault.revoke_tokens()
    assert m.read("b") == b"b"
    assert tokens.issued == {VAULT: 2}
    assert [e["status"] for e in cloud.asked(vault)] == [200, 401, 200]


def test_a_vault_that_refuses_every_token_gets_two(shelf, put, vault, tokens):
    put("x", cloud.add_key(vault))
    vault.tenant = "22222222-2222-3333-4444-555555555555"
    m = shelf()
    unreadable(m, "x", "EACCES", "auth.vault", "does not accept the token", "AZURE_TENANT_ID", "request=")
    assert tokens.issued == {VAULT: 2}
    assert len(cloud.asked(vault)) == 2
    m.assert_event("auth.challenge", vault.tenant, "not followed")


def test_tokens_are_renewed_while_the_mount_is_used(shelf, put, vault, tokens):
    kek = cloud.add_key(vault)
    names = [f"n{i}" for i in range(12)]
    for name in names:
        put(name, kek)
    tokens.expires_in = 4
    m = shelf()
    for name in names:
        assert m.read(name) == name.encode()
        time.sleep(0.5)
    assert 2 <= tokens.issued[VAULT] <= 4
    assert all(e["status"] == 200 for e in cloud.asked(vault)), "a token was used past its end"


# ---- a vault in trouble


def test_r12_a_throttled_vault_is_left_alone_until_it_may_be_asked(shelf, put, vault):
    put("x", cloud.add_key(vault))
    m = shelf()
    vault.throttle_for(2.5, retry_after=3)
    began = time.monotonic()
    assert m.read("x") == b"x"
    assert 2.9 < time.monotonic() - began < 8
    assert [e["status"] for e in cloud.asked(vault)] == [429, 200]


def test_throttling_holds_for_all_keys_of_the_vault(shelf, put, vault):
    names = [f"n{i}" for i in range(10)]
    kek = cloud.add_key(vault)
    for name in names:
        put(name, kek)
    m = shelf()
    assert m.read(names[0]) == b"n0"
    vault.throttle_for(1.5, retry_after=2)
    assert m.read(names[1]) == b"n1"
    vault.clear_log()
    assert open_all(m, names[2:]) == [n.encode() for n in names[2:]]
    assert all(e["status"] == 200 for e in cloud.asked(vault))


def test_a_vault_that_wants_quiet_for_longer_than_the_timeout(shelf, put, vault):
    put("x", cloud.add_key(vault))
    m = shelf("timeout=3")
    vault.throttle_for(600, retry_after=600)
    began = time.monotonic()
    unreadable(m, "x", "ETIMEDOUT", "net.deadline", "throttles", vault.kid(vault.keys.find("kek")))
    assert time.monotonic() - began < 3
    assert len(cloud.asked(vault)) == 1
    assert m.path("x").stat().st_size == 1


def test_r13_without_its_vault_a_mount_goes_on_with_what_it_has(shelf, put, vault, dirstore):
    """Keys in the cache and open files serve on; names and sizes too; only new keys cannot be had."""
    kek = cloud.add_key(vault)
    dirstore.put("big", *seal.seal(PLAIN * 100, kek))
    put("known", kek)
    put("new", kek)
    m = shelf("timeout=3")
    assert m.read("known") == b"known"
    with m.open("big") as f:
        assert f.range(0, 10) == PLAIN[:10]
        vault.stop()
        assert f.range(9_000_000, 1000) == (PLAIN * 100)[9_000_000:9_001_000]
    assert m.read("known") == b"known"
    assert m.list() == ["big", "known", "new"]
    assert m.path("new").stat().st_size == 3
    began = time.monotonic()
    failure(m, lambda: m.read("new"), "ETIMEDOUT", "net.deadline", kek.kid)
    assert time.monotonic() - began < 5
    vault.start()
    assert m.read("new") == b"new"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_vault_that_stumbles_is_asked_again(shelf, put, vault, status):
    put("x", cloud.add_key(vault))
    vault.faults.add(path="unwrapkey", status=status, times=2)
    assert shelf().read("x") == b"x"
    assert [e["status"] for e in cloud.asked(vault)] == [status, status, 200]


@pytest.mark.parametrize("drop", ["request", "response", 10])
def test_a_connection_to_the_vault_that_breaks(shelf, put, vault, drop):
    put("x", cloud.add_key(vault))
    vault.faults.add(path="unwrapkey", drop=drop, reset=drop == "request")
    assert shelf().read("x") == b"x"


# ---- a vault that lies

HARMLESS = {"padded_value"}
REFUSED_BY_SIZE = {"huge", "deep"}


@pytest.mark.parametrize("lie", sorted(REWRITES))
def test_a_hostile_answer_gives_no_key(shelf, put, vault, lie):
    """Not what was asked for: EBADMSG.  More than such an answer can have: refused before it is read."""
    kek = cloud.add_key(vault)
    put("x", kek)
    vault.faults.add(path="unwrapkey", hostile=lie, times=None)
    m = shelf("timeout=5")
    if lie in HARMLESS:
        assert m.read("x") == b"x"
    elif lie in REFUSED_BY_SIZE:
        unreadable(m, "x", "EIO", "net.protocol", kek.kid)
    else:
        unreadable(m, "x", "EBADMSG", "integrity.cek", kek.kid)


def test_a_redirect_of_the_vault_is_not_followed(shelf, put, vault, tokens, ca):
    kek = cloud.add_key(vault)
    put("x", kek)
    with Tokens(tls=ca.issue().context()) as elsewhere:
        vault.faults.add(path="unwrapkey", redirect=f"{elsewhere.url}/keys/kek/unwrapkey", times=None)
        m = shelf()
        unreadable(m, "x", "EIO", "net.redirect", "not followed", kek.kid)
        assert elsewhere.connections == 0


def test_local_keys_and_a_vault_serve_side_by_side(shelf, put, vault, keys_file):
    local = seal.make_kek("A256KW")
    put("local", local)
    put("remote", cloud.add_key(vault))
    m = shelf(f"keys={keys_file(local)}")
    assert (m.read("local"), m.read("remote")) == (b"local", b"remote")
    assert len(cloud.asked(vault)) == 1


def test_a_signal_ends_a_mount_whose_vault_wants_quiet(shelf, put, vault):
    """Who waits for a throttling vault is woken: an end takes no longer for it."""
    put("x", cloud.add_key(vault))
    m = shelf("timeout=40")
    vault.throttle_for(30, retry_after=30)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reader = pool.submit(errno_of, m.read, "x")
        wait_until(lambda: cloud.asked(vault), 10, "a question to the vault")
        time.sleep(0.3)
        began = time.monotonic()
        m.stop()
        assert time.monotonic() - began < 8
        assert reader.result() is not None


def test_a_signal_ends_get_while_the_vault_wants_quiet(put, vault, dirstore, tokens, ca_file, tmp_path):
    put("x", cloud.add_key(vault))
    vault.throttle_for(30, retry_after=30)
    get = subprocess.Popen(
        command("get", "-o", f"vault={vault.url},ca_file={ca_file}", f"{dirstore.source}/x", tmp_path / "out"),
        env=environment(tmp_path, cloud.client_secret(tokens)), stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: cloud.asked(vault), 10, "a question to the vault")
    time.sleep(0.3)
    get.send_signal(signal.SIGINT)
    assert get.communicate(timeout=8 * SLOW)[1] == b""
    assert get.returncode == 1
    assert not (tmp_path / "out").exists()


def test_interrupting_a_reader_that_waits_for_the_vault(shelf, put, vault):
    """A reader that is killed goes at once, and the mount with it, whatever the vault does."""
    put("x", cloud.add_key(vault))
    vault.faults.add(path="unwrapkey", stall=True)
    m = shelf()
    child = os.fork()
    if child == 0:
        errno_of(m.read, "x")
        os._exit(0)
    while not cloud.asked(vault):
        time.sleep(0.01)
    began = time.monotonic()
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert time.monotonic() - began < 2
    m.stop()
    assert time.monotonic() - began < 8
