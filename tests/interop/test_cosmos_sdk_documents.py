# SPDX-License-Identifier: MIT
"""Documents that the official JavaScript client seals, as files: through items/, all.jsonl, parts/ and by/.

The client writes into the emulated account with its own encryption; what the mount shows is what was written, and what
the client itself reads back.  Two keys share one KEK; a third is rewrapped to it after its documents were written.
"""
import json

import pytest
from cryptography.hazmat.primitives import serialization

from tests.conftest import make_keys_file
from tests.emulators.cosmos import Cosmos
from tests.emulators.cosmos_auth import ANY_ACCOUNT
from tests.emulators.tokens import KNOWN_RESOURCES, Tokens
from tests.support import cloud, seal
from tests.support.cosmos import Writer, definition, policy
from tests.support.docnames import value_name
from tests.support.docvectors import comparable
from tests.support.process import wait_until
from tests.support.tunnel import Tunnel

DATABASE = "shop"
DET, RAND = "Deterministic", "Randomized"
KIDS = [f"https://example.vault.azure.net/keys/{name}/{c * 32}" for name, c in (("one", "1"), ("two", "2"))]

POLICIES = {
    # Key a and key b are wrapped by the same KEK.
    "flat": (("/pk",), policy(("/det", "a", DET), ("/rand", "a", RAND), ("/other", "b", DET), ("/rewrapped", "c", RAND))),
    "flat2": (("/pk",), policy(("/det", "b", DET), ("/rand", "b", RAND), version=2)),
    "sealed": (("/pk",), policy(("/id", "a", DET), ("/pk", "b", DET), ("/det", "a", DET), version=2)),
    "tree": (("/tenant", "/user", "/session"),
             policy(("/tenant", "a", DET), ("/session", "b", DET), ("/det", "b", DET), version=2)),
    "by-id": (("/id",), policy(("/det", "a", DET), ("/rand", "c", RAND))),
}  # fmt: skip
CONTAINERS = list(POLICIES)

UNICODE = "Zoë 日本 😀 \u2028 \u00a0 ﷽"
VALUES = {
    "strings": ["", " ", "x", "fifteen bytes..", "sixteen bytes...", UNICODE, "a\"b\\c/d\b\f\n\r\t\u0000\u001f\u007f", "null", "1", "true"],
    "numbers": [0, 1, -1, 42, 2**31, -(2**53), 2**53 - 1, 0.5, -0.1, 1e-7, 5e-324, 1.7976931348623157e-300, 123456789.125],
    "booleans": [True, False],
    "null": None,
    "empty object": {},
    "empty list": [],
    "nested": {"a": {"b": [{"c": [[1, [2.5, ["three", None, False, {}]]], []]}, UNICODE]}, "": "no name", "id": "inner"},
    "long": UNICODE * 2000,
    "cell": "BQFqyvAUJJ5QC62lErj9/ByVU9Pe0o57qmDpNPOPo/BBTPzImBsZ5ODHalR0w6HJUsCLIpNX35zUBqwypI+bbCm3",
    "deep": {"x": [[[[[[[[[["bottom"]]]]]]]]]]},
}  # fmt: skip


def flat_documents(names):
    for i, (kind, value) in enumerate(VALUES.items()):
        yield {"id": f"{kind} %é", "pk": f"p{i % 3}", "clear": value, **{name: value for name in names}}
    yield {"id": "nothing sealed", "pk": "p0", "clear": 1}


def documents_of(container):
    """What is written there."""
    match container:
        case "flat":
            return list(flat_documents(("det", "rand", "other", "rewrapped")))
        case "flat2":
            return list(flat_documents(("det", "rand")))
        case "sealed":
            keys = ["plain", UNICODE, "1", 1, 1.5, True, False, "with space", "x" * 300]
            return [{"id": f"{i} {UNICODE}", "pk": key, "det": key} for i, key in enumerate(keys)]
        case "tree":
            keys = [("t", "u", "s"), ("t", "u", "s2"), ("t", 7, True), (UNICODE, "u", 2.5), ("t2", False, "")]
            return [{"id": f"d{i}", "tenant": t, "user": u, "session": s, "det": i} for i, (t, u, s) in enumerate(keys)]
        case "by-id":
            every = VALUES | {f"scalar {i}": v for i, v in enumerate(VALUES["strings"] + VALUES["numbers"])}
            return [{"id": f"{kind}-id", "det": value, "rand": value} for kind, value in every.items()]


def key_values(container, document):
    return [document[path[1:]] for path in POLICIES[container][0]]


def path_of(container, document, sealed=None):
    """Below the directory of items."""
    sealed = {e["path"][1:] for e in POLICIES[container][1]["includedPaths"]} if sealed is None else sealed
    keys = [value_name(document[p[1:]], sealed=p[1:] in sealed) for p in POLICIES[container][0] if p != "/id"]
    return "/".join([*keys, value_name(document["id"], suffix=".json")])


def plain(document):
    """Without what the service adds; numbers as doubles, as the client has them."""
    document = document if isinstance(document, dict) else json.loads(document)
    return comparable({k: v for k, v in document.items() if not k.startswith("_")}, exact=False)


def in_order(documents):
    return sorted(documents, key=repr)


def steps():
    for dek, kid in (("a", KIDS[0]), ("b", KIDS[0]), ("c", KIDS[1])):
        yield {"do": "key", "id": dek, "kid": kid}
    for name, (paths, encryption) in POLICIES.items():
        yield {"do": "container", "definition": definition(name, *paths, encryption=encryption)}
        for document in documents_of(name):
            yield {"do": "create", "container": name, "document": document}
    yield {"do": "rewrap", "id": "c", "kid": KIDS[0]}


class Shop:
    """The account with all that the client has written, and a mount of its database."""

    def __init__(self, cosmos, writer, mount, directory, keks):
        self.cosmos, self.writer = cosmos, writer
        key = directory / "account.key"
        key.touch(mode=0o600)
        key.write_text(cosmos.key)
        writer.run(DATABASE, list(steps()))
        # Only the KEK that all keys are wrapped by now.
        self.keys = make_keys_file(directory, keks[0])
        self.m = mount(f"cosmos:{cosmos.url}/{DATABASE}", f"keys={self.keys}", f"cosmos_key_file={key}")

    def asks(self, *asked):
        """What the client reads."""
        return self.writer.run(DATABASE, list(asked))

    def read(self, container, path):
        return self.m.read(f"{container}/{path}")


@pytest.fixture(scope="module")
def shop(module_mount, tmp_path_factory, ca_file):
    keks = [seal.make_kek("RSA-OAEP", kid) for kid in KIDS]
    with Cosmos(ranges=3) as cosmos:
        writer = Writer(cosmos, ca_file, {k.kid: k.pem() for k in keks})
        yield Shop(cosmos, writer, module_mount, tmp_path_factory.mktemp("shop"), keks)
        assert cosmos.errors == []


@pytest.fixture(scope="module")
def client_reads(shop):
    """{container: what the client reads of it}."""
    return dict(zip(CONTAINERS, shop.asks(*({"do": "all", "container": name} for name in CONTAINERS))))


# ---- one document a file, one document a line


WRITTEN = [(name, d) for name in CONTAINERS for d in documents_of(name)]


@pytest.mark.parametrize(("container", "document"), WRITTEN, ids=[f"{c}:{d['id'][:20]}" for c, d in WRITTEN])
def test_a_file_is_the_document_that_was_written(shop, container, document):
    assert plain(shop.read(container, f"items/{path_of(container, document)}")) == plain(document)


@pytest.mark.parametrize("container", CONTAINERS)
def test_items_lists_each_document_once(shop, container):
    root = shop.m.path(f"{container}/items")
    found = [str(p.relative_to(root)) for p in root.rglob("*.json")]
    assert sorted(found) == sorted(path_of(container, d) for d in documents_of(container))


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_stream_is_what_the_client_reads(shop, client_reads, container):
    lines = shop.read(container, "all.jsonl").splitlines()
    assert in_order(map(plain, lines)) == in_order(map(plain, client_reads[container]))
    assert in_order(map(plain, lines)) == in_order(map(plain, documents_of(container)))


@pytest.mark.parametrize("container", CONTAINERS)
def test_parts_together_are_the_stream(shop, container):
    names = shop.m.list(f"{container}/parts")
    text = b"".join(shop.read(container, f"parts/{name}") for name in names)
    assert len(names) == 3
    assert sorted(text.splitlines()) == sorted(shop.read(container, "all.jsonl").splitlines())


def test_system_members_are_those_that_the_client_sees(shop, client_reads):
    for read in client_reads["flat"]:
        shown = json.loads(shop.read("flat", f"items/{path_of('flat', read)}"))
        assert {k: v for k, v in shown.items() if k[0] == "_"} == {k: v for k, v in read.items() if k[0] == "_"}


# ---- equality


def parameter(value):
    """As the client wants it: it does not guess the type of a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return {"value": value, "numberType": "Integer" if isinstance(value, int) else "Float"}


def scalars(container):
    for entry in POLICIES[container][1]["includedPaths"]:
        name = entry["path"][1:]
        values = {repr(d[name]): d[name] for d in documents_of(container) if name in d}
        if entry["encryptionType"] == DET and name != "id":
            yield from ((container, name, v) for v in values.values() if isinstance(v, (str, int, float)))


LOOKUPS = [row for name in CONTAINERS for row in scalars(name) if len(repr(row[2])) < 200]


@pytest.fixture(scope="module")
def client_finds(shop):
    """What the client's encrypted query finds, for each of LOOKUPS.

    Each container by a client of its own: one that has not read a container's resource yet takes the policy of another
    for the parameters of its query (4.10.1).
    """
    found = []
    for container in CONTAINERS:
        found += shop.asks(*(
            {"do": "query", "container": container, "text": f"SELECT * FROM c WHERE c.{name} = @v",
             "parameters": [{"name": "@v", "path": f"/{name}", "value": parameter(value)}]}
            for c, name, value in LOOKUPS if c == container
        ))  # fmt: skip
    return found


@pytest.mark.parametrize("row", range(len(LOOKUPS)), ids=[f"{c}:{n}={str(v)[:12]}" for c, n, v in LOOKUPS])
def test_by_finds_what_the_encrypted_query_finds(shop, client_finds, row):
    container, name, value = LOOKUPS[row]
    text = value if isinstance(value, str) else json.dumps(value)
    root = shop.m.path(f"{container}/by/{name}/{value_name(text)}")
    found = [plain(p.read_bytes()) for p in root.rglob("*.json")]
    # A name is tried as all that it reads as: "1" is the string and the number.
    same = [d for d in documents_of(container) if reads_as(text, d.get(name))]
    assert in_order(found) == in_order(map(plain, same))
    queried = in_order(map(plain, client_finds[row]))
    assert queried and all(d in found for d in queried)
    assert queried == in_order(plain(d) for d in same if type(d[name]) is type(value))


def reads_as(text, value):
    if isinstance(value, str):
        return value == text
    return isinstance(value, (bool, int, float)) and json.dumps(value) == text


# ---- what happens later


def test_a_document_that_the_client_replaces_is_another_version(shop):
    document = {"id": "changing", "pk": "p9", "det": "before", "rand": "before", "clear": 1}
    shop.asks({"do": "create", "container": "flat", "document": document})
    path = f"items/{path_of('flat', document)}"
    assert plain(shop.read("flat", path)) == plain(document)
    document |= {"det": "after", "rand": ["after"]}
    shop.asks({"do": "replace", "container": "flat", "document": document, "key": "p9"})
    wait_until(lambda: plain(shop.read("flat", path)) == plain(document), 5, "the new version, after attr_timeout")
    shop.asks({"do": "delete", "container": "flat", "id": "changing", "key": "p9"})


# ---- keys in a vault, and identities


def small_account(writer, kid):
    """One container, one document."""
    document = {"id": "1", "pk": "p", "det": UNICODE, "rand": [1, 2.5, None, True]}
    writer.run(DATABASE, [
        {"do": "key", "id": "a", "kid": kid},
        {"do": "container", "definition": definition("c", encryption=policy(("/det", "a", DET), ("/rand", "a", RAND)))},
        {"do": "create", "container": "c", "document": document},
    ])  # fmt: skip
    return document


def pem_of(key):
    return key.material.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_the_whole_chain_from_a_token_to_a_cell(mount, vault, tokens, ca_file, tmp_path):
    """Entra gives a token, the vault unwraps the key with it, the account's key opens the container."""
    kek = cloud.add_key(vault)
    with Cosmos() as cosmos:
        document = small_account(Writer(cosmos, ca_file, {kek.kid: pem_of(kek.key)}), kek.kid)
        env = cloud.client_secret(tokens, AZURE_COSMOS_CONNECTION_STRING=cosmos.connection_string)
        m = mount(f"cosmos:{cosmos.url}/{DATABASE}/c", f"vault={vault.url}", f"ca_file={ca_file}", env=env)
        assert plain(m.read("items/p/1.json")) == plain(document)
        assert plain(m.read("all.jsonl")) == plain(document)
    assert tokens.issued == {cloud.VAULT: 1}
    assert vault.operations == [("unwrapKey", kek.kid)]


HOST = "azcshop.documents.azure.com"
OWN = f"https://{HOST}"


@pytest.mark.parametrize("known", [True, False], ids=["own resource", "AADSTS500011"])
def test_one_identity_for_the_account_and_the_vault(mount, vault, tokens, ca, ca_file, known):
    """By the account's real name, through a proxy; a tenant that does not know it is asked for any account's token."""
    resources = [r for r in KNOWN_RESOURCES if known or "documents" not in r]
    kek = cloud.add_key(vault)
    with (
        Tokens(issuer=tokens.issuer, resources=resources, tls=ca.issue().context()) as entra,
        Cosmos(tokens=entra, tls=ca.issue(HOST).context(), public_url=OWN) as cosmos,
        Cosmos() as writable,
        Tunnel({HOST: cosmos.port}) as tunnel,
    ):
        document = small_account(Writer(writable, ca_file, {kek.kid: pem_of(kek.key)}), kek.kid)
        cosmos.account.databases = writable.account.databases
        cosmos.gate.local = False
        m = mount(
            f"{OWN}/{DATABASE}/c", f"vault={vault.url}", f"ca_file={ca_file}", f"proxy={tunnel.url}",
            env=cloud.client_secret(entra),
        )  # fmt: skip
        assert plain(m.read("items/p/1.json")) == plain(document)
        assert plain(m.read("all.jsonl")) == plain(document)
        assert set(tunnel.asked) >= {f"{HOST}:443"}
        assert entra.issued == {OWN if known else ANY_ACCOUNT: 1, cloud.VAULT: 1}
        asked = [e["body"]["scope"] for e in entra.log() if e["body"]]
        assert asked.count(f"{OWN}/.default") == 1, "a tenant that does not know the account is asked for it once"
    assert vault.operations == [("unwrapKey", kek.kid)]
