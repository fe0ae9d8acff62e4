# SPDX-License-Identifier: MIT
"""The official Cosmos client judges the emulator, its keys in the emulated vault.

It runs with client encryption and all of its own checks on: real host names (mapped to
loopback inside the process), TLS verified against the run's CA, the vault's challenge verified.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.emulators.cosmos import Cosmos
from tests.emulators.cosmos_epk import UNDEFINED, epk
from tests.emulators.tls import CertificateAuthority
from tests.emulators.tokens import DEFAULT_CLIENT, DEFAULT_SECRET, DEFAULT_TENANT, Tokens
from tests.emulators.vault import Vault
from tests.emulators.vault_keys import Key
from tests.support import cosmos as support
from tests.support import cosmos_vectors as vectors

HOST, VAULT_HOST = "test-account.documents.azure.com", "test-vault.vault.azure.net"
LOGIN_HOST = "login.microsoftonline.com"
DOCUMENTS = 24
V1, V2 = {"paths": ["/a"], "kind": "Hash"}, {"paths": ["/a"], "kind": "Hash", "version": 2}
LEVELS = {"paths": ["/a", "/b", "/c"], "kind": "MultiHash", "version": 2}
VALUES: list[Any] = [
    "", "a", "tenant-1", "größe 日本 😀", "x" * 15, "x" * 16, "x" * 17, "x" * 99, "x" * 100, "x" * 101,
    "y" * 2000, 0, 1, -1, 5.5, 1e300, -1e-300, 2**53, 123456789, True, False, None, UNDEFINED,
]
HASHED: list[tuple[list[Any], dict[str, Any]]] = [
    *(([value], definition) for value in VALUES for definition in (V1, V2)),
    (["contoso"], LEVELS), (["contoso", 1], LEVELS), (["contoso", 1, "alice"], LEVELS),
    ([None, UNDEFINED, True], LEVELS),
]


@dataclass
class Run:
    cosmos: Cosmos
    vault: Vault
    keks: dict[str, str]
    results: dict[str, Any]

    def value(self, check: str) -> Any:
        assert "value" in self.results[check], self.results[check]
        return self.results[check]["value"]

    def error(self, check: str) -> dict[str, Any]:
        assert "error" in self.results[check], self.results[check]
        return self.results[check]["error"]


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """All checks in one node process; the tests below each judge one or a few of them."""
    support.node("@azure/cosmos", "@azure/identity")
    ca = CertificateAuthority()
    ca_file = ca.write(tmp_path_factory.mktemp("tls") / "ca.pem")
    tokens = Tokens(tls=ca.issue(LOGIN_HOST).context(), public_url=f"https://{LOGIN_HOST}")
    vault = Vault(
        tokens, [Key.generate_rsa("kek"), Key.generate_rsa("other")],
        tls=ca.issue(VAULT_HOST).context(), public_url=f"https://{VAULT_HOST}",
    )
    cosmos = Cosmos(
        tokens=tokens, ranges=4, tls=ca.issue(HOST).context(), public_url=f"https://{HOST}:443"
    )
    with tokens, vault, cosmos:
        keks = {name: vault.kid(vault.keys.find(name)) for name in ("kek", "other")}
        yield Run(cosmos, vault, keks, support.run_node(
            Path(__file__).with_name("cosmos_js_check.mjs"),
            {
                "endpoint": cosmos.public_url, "key": cosmos.key, "keks": keks,
                "tenant": DEFAULT_TENANT, "client": DEFAULT_CLIENT, "secret": DEFAULT_SECRET,
                "steering": cosmos.port, "documents": DOCUMENTS,
                "hashes": [
                    {"values": [{} if v is UNDEFINED else v for v in values], "definition": d}
                    for values, d in HASHED
                ],
                "hosts": {
                    f"^{re.escape(HOST)}$": cosmos.port,
                    f"^{re.escape(VAULT_HOST)}$": vault.port,
                    f"^{re.escape(LOGIN_HOST)}$": tokens.port,
                    "^localhost$": cosmos.port,
                },
            },
            ca_file,
        ))
    assert cosmos.errors == []


def documents() -> list[str]:
    return sorted(f"d{i}" for i in range(DOCUMENTS))


def test_effective_partition_keys_are_the_clients_own(sdk: Run) -> None:
    for (values, definition), hashed in zip(HASHED, sdk.value("hashes"), strict=True):
        assert epk(values, definition) == hashed, (values, definition)


def test_account_database_and_keys(sdk: Run) -> None:
    assert sdk.value("account") == f"https://{HOST}:443/"
    assert sdk.value("database") == 201
    assert sdk.value("keys") == [201, 201, 201]
    assert sdk.error("key_again")["code"] == 409
    assert sdk.value("key_read")["keyWrapMetadata"]["value"] == sdk.keks["kek"]
    assert ("unwrapKey", sdk.keks["kek"]) in sdk.vault.operations


def test_policies_are_checked(sdk: Run) -> None:
    assert sdk.value("containers") == [201, 201, 201, 201]
    assert sdk.error("container_unknown_key")["code"] == 400
    assert "error" in sdk.results["container_id_format_1"]


def test_documents_are_stored_encrypted_and_read_back(sdk: Run) -> None:
    assert sdk.value("create") == [201] * DOCUMENTS
    shown, stored = sdk.value("read"), sdk.value("read_stored")
    assert (shown["s"], shown["n"], shown["o"]) == ("secret 3", 3, {"a": [3, None, True, "x"]})
    assert len(stored["s"]) == len(stored["n"]) == 88 and stored["o"]["a"][1] is None
    assert stored["clear"] == shown["clear"] == 1.5
    assert [d["s"] for d in sdk.value("all")] == [f"secret {i}" for i in range(DOCUMENTS)]


def test_refusals_of_single_documents(sdk: Run) -> None:
    assert sdk.error("create_again")["code"] == 409
    assert sdk.error("create_unencrypted")["code"] == 400
    assert sdk.value("read_missing") == 404
    assert sdk.value("read_unchanged") == 304
    assert sdk.value("replace") == [200, "other", True]
    assert sdk.error("replace_stale")["code"] == 412
    assert sdk.value("upsert") == [200, 201]
    assert sdk.value("delete") == 204
    assert sdk.error("delete_again")["code"] == 404


def test_queries(sdk: Run) -> None:
    assert sdk.value("query_string") == ["d7"]
    assert sdk.value("query_number") == ["d9"]
    assert sdk.value("query_partition") == sorted(f"d{i}" for i in range(2, DOCUMENTS, 7))
    assert sdk.value("query_top") == 5
    assert sdk.error("query_wrong")["code"] == 400


@pytest.mark.parametrize(
    "check",
    ["query_pages", "query_empty_pages", "query_split", "query_merge", "query_new_ranges"],
)
def test_pages_lose_and_double_nothing(sdk: Run, check: str) -> None:
    """Across empty pages, and across a split and a merge between the first page and the second."""
    assert sdk.value(check)["ids"] == documents()
    assert sdk.value(check)["count"] > 3


def test_the_split_and_the_merge_were_met(sdk: Run) -> None:
    gone = [e for e in sdk.cosmos.log() if e["status"] == 410]
    asked = [e["headers"].get("x-ms-documentdb-partitionkeyrangeid") for e in gone]
    assert "1" in asked and {"2", "3"} & set(asked)


def test_encrypted_ids_and_partition_keys(sdk: Run) -> None:
    hidden = sdk.value("hidden")
    assert hidden["shown"] == ["order 7", "größe", "x"]
    assert hidden["all"] == ["order 7", "order/7?#ключ"]
    assert all(len(name) >= 88 and "/" not in name and "+" not in name for name in hidden["raw"])


def test_hierarchical_keys(sdk: Run) -> None:
    assert sdk.value("levels") == "x2"
    assert sdk.value("levels_prefix") == sorted(str(i) for i in range(1, 30, 3))
    assert sdk.value("undefined_key") == "nowhere"


def test_the_change_feed(sdk: Run) -> None:
    every = sorted([*(str(i) for i in range(30)), "nowhere"])
    told = sdk.value("changes")
    assert told["ids"] == every
    assert all(row["_lsn"] > 0 for row in told["rows"])
    assert sdk.value("changes_now") == []
    assert sdk.value("changes_split") == every
    assert sdk.value("changes_merge") == every
    assert sdk.value("changes_more") == ["4"]
    assert sdk.value("changes_key") == ["3"]


def test_a_rewrapped_key(sdk: Run) -> None:
    assert sdk.value("rewrap") == [200, sdk.keks["other"], True, "secret 3"]


def test_a_container_made_anew_is_noticed(sdk: Run) -> None:
    assert "possible mismatch in Client Encryption Policy" in sdk.error("recreated")["message"]


def test_who_may_ask(sdk: Run) -> None:
    assert sdk.value("entra_read") == "d3"
    assert sdk.error("entra_create_database")["code"] == 403
    assert sdk.error("wrong_key")["code"] == 401


def test_a_throttled_client_waits(sdk: Run) -> None:
    assert 250 <= sdk.value("throttled") < 5000


# The writer that other tests use.


def test_the_client_reads_the_vectors_back(
    cosmos_vectors: Callable[..., Cosmos], ca_file: Path
) -> None:
    """What it once stored, it opens again: nothing is lost on the way through the emulator."""
    vector_set = vectors.load("cosmos-js")
    server = cosmos_vectors("cosmos-js", ranges=3)
    writer = support.Writer(server, ca_file, {k.kid: k.path.read_bytes() for k in vector_set.keys})
    names = sorted({d.container for d in vector_set.documents} - {"no-policy"})
    found = writer.run(vector_set.database, [{"do": "all", "container": n} for n in names])
    for name, documents in zip(names, found, strict=True):
        wanted = [json.loads(d.decrypted) for d in vector_set.of(name)]
        assert len(documents) == len(wanted)
        assert all(document in wanted for document in documents), name


def test_the_writer_writes_and_reads(cosmos: Cosmos, ca_file: Path) -> None:
    kid, other = (f"https://v.vault.azure.net/keys/{n}/{'0' * 32}" for n in ("kek", "other"))
    writer = support.Writer(cosmos, ca_file, {kid: pem(), other: pem()})
    encryption = support.policy(
        ("/id", "dek", "Deterministic"), ("/pk", "dek", "Deterministic"), ("/s", "dek", "Randomized"),
        version=2,
    )
    document = {"id": "one", "pk": "p", "s": {"deep": ["text", 7, None]}, "clear": 1}
    values = writer.run("shop", [
        {"do": "key", "id": "dek", "kid": kid},
        {"do": "container", "definition": support.definition("c", encryption=encryption)},
        {"do": "create", "container": "c", "document": document},
        {"do": "upsert", "container": "c", "document": {**document, "id": "two"}},
        {"do": "rewrap", "id": "dek", "kid": other},
        {"do": "read", "container": "c", "id": "one", "key": "p"},
        {"do": "query", "container": "c", "text": "SELECT * FROM c WHERE c.pk = @p",
         "parameters": [{"name": "@p", "path": "/pk", "value": "p"}]},
        {"do": "replace", "container": "c", "document": {**document, "s": "new"}, "key": "p"},
        {"do": "delete", "container": "c", "id": "two", "key": "p"},
        {"do": "all", "container": "c"},
        {"do": "create", "container": "c", "document": document, "may_fail": True},
    ])
    assert values[5]["s"] == document["s"]
    assert ids(values[6]) == ["one", "two"]
    assert [d["s"] for d in values[9]] == ["new"]
    assert values[10]["error"]["code"] == 409
    rest = support.Rest(cosmos, ca_file)
    (stored,) = [row for _, rows in rest.every("dbs/shop/colls/c/docs") for row in rows]
    assert stored["id"] != "one" and len(stored["s"]) == 88 and stored["clear"] == 1
    rest.close()
    assert cosmos.errors == []
    with pytest.raises(support.ClientRefused):
        writer.run("shop", [{"do": "create", "container": "c", "document": document}])


def ids(documents: list[dict[str, Any]]) -> list[str]:
    return sorted(d["id"] for d in documents)


def pem() -> bytes:
    key = Key.generate_rsa("kek").material
    assert not isinstance(key, bytes)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
