# SPDX-License-Identifier: MIT
"""Documents that a mount sealed, of every JSON type under every kind of policy, are read by the official JavaScript
and Java clients: just as they were written, but for what the clients' readers themselves lose.

JavaScript has one kind of number and no 64 bits; what Java loses is in tests/support/javareads.py, and happens there only.
"""
import json

import pytest

from tests.conftest import make_keys_file
from tests.emulators.cosmos import Cosmos
from tests.support import javareads, seal
from tests.support.cosmos import Rest, Writer, definition, policy
from tests.support.docnames import value_name
from tests.support.docvectors import comparable
from tests.support.java import JavaRefused

DATABASE = "shop"
DET, RAND = "Deterministic", "Randomized"
KID = f"https://example.vault.azure.net/keys/one/{'1' * 32}"
POLICIES = {
    "deterministic": (("/pk",), policy(("/v", "a", DET))),
    "randomized": (("/pk",), policy(("/v", "a", RAND))),
    "both": (("/pk",), policy(("/v", "a", DET), ("/w", "b", RAND), version=2)),
    "sealed-key": (("/pk",), policy(("/id", "a", DET), ("/pk", "b", DET), ("/v", "a", RAND), version=2)),
    "tree": (("/pk", "/user"), policy(("/user", "b", DET), ("/v", "a", RAND), version=2)),
    "by-id": (("/id",), policy(("/v", "a", DET))),
}  # fmt: skip
# JSON texts: a number keeps the type of its spelling.
TEXTS = {
    "null": "null", "true": "true", "false": "false", "empty": '""', "string": '"x"', "block": '"sixteen bytes..."',
    "unicode": '"Zoë 日本 😀 \\u2028 \\u0000"', "long string": json.dumps("größe" * 3000),
    "zero": "0", "long": "1", "negative": "-42", "2^53+1": "9007199254740993", "max": "9223372036854775807",
    "min": "-9223372036854775808", "double": "1.0", "half": "0.5", "exponent": "1e3", "tiny": "5e-324", "minus zero": "-0.0",
    "object": "{}", "list": "[]", "numbers": "[1, 1.0, 2]", "strings": '["a", "", "b"]', "with null": "[1, null]",
    "null first": "[null, 1]", "mixed": '[{"a": 1}, 2, "three"]', "lists": "[[1], [2.5], []]",
    "nested": '{"a": {"b": [{"c": [[true]]}, {"": "no name"}]}, "n": null, "e": ""}',
    "inner id": '{"id": "inner?>~"}', "inner id of a number": '{"x": {"id": 7}}', "cell-like": '"AAEC"',
}  # fmt: skip
# What a JavaScript number cannot hold.
BEYOND_JAVASCRIPT = {"2^53+1", "max", "min"}
CASES = [(c, kind) for c in POLICIES for kind in TEXTS]


def members(container, number, kind):
    """(the text of the document, its path below items)."""
    text = f'{{"id": "d{number} é", "pk": "p{number % 3}", "user": "u", "clear": {TEXTS[kind]}, "v": {TEXTS[kind]}'
    text += f', "w": {{"v": {TEXTS[kind]}}}}}'
    plain = json.loads(text)
    keys = [value_name(plain[p[1:]]) for p in POLICIES[container][0] if p != "/id"]
    return text, "/".join([*keys, value_name(plain["id"], suffix=".json")])


class Shop:
    """The account that a mount has written every case to."""

    def __init__(self, cosmos, ca_file, mount, java, directory, kek):
        self.server, self.java = cosmos, java
        self.writer = Writer(cosmos, ca_file, {KID: kek.pem()})
        self.writer.run(DATABASE, [
            *({"do": "key", "id": dek, "kid": KID} for dek in ("a", "b")),
            *({"do": "container", "definition": definition(n, *p, encryption=e)} for n, (p, e) in POLICIES.items()),
        ])  # fmt: skip
        key = directory / "account.key"
        key.touch(mode=0o600)
        key.write_text(cosmos.key)
        self.m = mount(
            f"cosmos:{cosmos.url}/{DATABASE}", f"keys={make_keys_file(directory, kek)}", f"cosmos_key_file={key}",
            f"ca_file={ca_file}", "rw", f"pin={directory / 'pins'}",
        )  # fmt: skip
        self.plain = {}
        for container in POLICIES:
            for number, kind in enumerate(TEXTS):
                text, path = members(container, number, kind)
                file = self.m.path(f"{container}/items/{path}")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
                self.plain[container, kind] = json.loads(text)
        java.account(cosmos)
        rest = Rest(cosmos, ca_file)
        self.stored = {c: [d for _, rows in rest.every(f"dbs/{DATABASE}/colls/{c}/docs") for d in rows] for c in POLICIES}
        rest.close()
        read = self.writer.run(DATABASE, [{"do": "all", "container": c} for c in POLICIES])
        self.javascript = {c: {d["_rid"]: d for d in documents} for c, documents in zip(POLICIES, read)}

    def of(self, container, kind):
        """(the plain document, the stored one), which is known by what it has in clear."""
        plain = self.plain[container, kind]
        clear = [d for d in self.stored[container] if comparable(d["clear"], True) == comparable(plain["clear"], True)]
        assert len(clear) == 1, f"{container}: {len(clear)} documents of {kind} are stored"
        return plain, clear[0]


@pytest.fixture(scope="module")
def shop(module_mount, java_with, tmp_path_factory, ca, ca_file):
    kek = seal.make_kek("RSA-OAEP", KID)
    with Cosmos(ranges=3, tls=ca.issue().context()) as cosmos:
        java = java_with(kek, ca_file=ca_file)
        yield Shop(cosmos, ca_file, module_mount, java, tmp_path_factory.mktemp("shop"), kek)
        assert cosmos.errors == []


def encrypted(container):
    return {entry["path"][1:] for entry in POLICIES[container][1]["includedPaths"]}


def own(document):
    """Without what the service adds."""
    return {name: value for name, value in document.items() if not name.startswith("_")}


def test_every_document_is_stored_once_and_sealed(shop):
    for container in POLICIES:
        assert len(shop.stored[container]) == len(TEXTS)
        for document in shop.stored[container]:
            assert not isinstance(document["v"], (bool, int, float)), document["v"]


@pytest.mark.parametrize(("container", "kind"), CASES)
def test_javascript_reads_it(shop, container, kind):
    plain, stored = shop.of(container, kind)
    found = own(shop.javascript[container][stored["_rid"]])
    if kind in BEYOND_JAVASCRIPT:
        found, plain = ({n: v for n, v in d.items() if n == "id"} for d in (found, plain))
    assert comparable(found, False) == comparable(plain, False)


@pytest.mark.parametrize(("container", "kind"), CASES)
def test_java_reads_it(shop, container, kind):
    plain, stored = shop.of(container, kind)
    text = f"SELECT * FROM c WHERE c._rid = {json.dumps(stored['_rid'])}"
    try:
        wanted = javareads.view(plain, stored, encrypted(container))
    except javareads.Fails as fails:
        with pytest.raises(JavaRefused, match=str(fails)):
            shop.java.query(DATABASE, container, text)
        return
    (found,) = shop.java.query(DATABASE, container, text)
    # In clear the emulated service's numbers are those of its own JSON.
    for name in wanted:
        exact = name in encrypted(container)
        assert comparable(found[name], exact) == comparable(wanted[name], exact), name
