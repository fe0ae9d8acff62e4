# SPDX-License-Identifier: MIT
"""The Java client is judged as a reader of documents before it judges ours: on both sets of vectors, and on documents of
the JavaScript client that meet each of its faults (tests/support/javareads.py says where they must occur).
"""
import json

import pytest

from tests.emulators.cosmos import Cosmos
from tests.support import cosmos, cosmos_vectors, javareads, seal
from tests.support.docvectors import comparable
from tests.support.java import JavaRefused

SETS = {name: cosmos_vectors.load(name) for name in cosmos_vectors.SETS}
DOCUMENTS = [d for s in SETS.values() for d in s.documents if d.container not in ("no-policy", "miskeyed")]

FAULTY = [
    None, True, 1.5, "", "x", [], {}, [[]], [{}], [""], [["", 1]], {"a": ""}, {"a": None}, {"a": [{"b": ["", "c"]}]},
    [None], [1, None], [None, 1], [None, [1]], [None, {"a": 1}], [[None]], [1, [2]], ["a", {"b": 1}], [[1], None], [{"a": 1}, None],
    [[], 1], [{}, "x", [2]], [[1, 2], 3, ""], {"id": "x?>ÿ~~"}, {"id": 1}, {"id": None}, {"id": ["x?>ÿ~~"]}, {"id": {"a": "x"}},
    {"id": [{"id": "a"}]}, *({"id": i} for i in range(20)),
]  # fmt: skip
KID = f"https://example.vault.azure.net/keys/one/{'1' * 32}"


class Client:
    """The Java client and an account that it asks."""

    def __init__(self, java, server, database):
        self.java, self.database = java, database
        java.account(server)

    def find(self, container, stored):
        """Some documents can be found by a query only: those with hierarchical keys, and ids that it cannot encrypt."""
        text = f"SELECT * FROM c WHERE c._rid = {json.dumps(stored['_rid'])}"
        rows = self.java.query(self.database, container, text)
        assert len(rows) == 1
        return rows[0]


@pytest.fixture(scope="module")
def client(java_with, ca, ca_file):
    """client(set) -> the client before the documents of that set."""
    clients, servers = {}, []

    def ask(vector_set):
        if vector_set.name not in clients:
            servers.append(cosmos.with_vectors(vector_set.name, 3, tls=ca.issue().context()).start())
            java = java_with(*vector_set.keys, ca_file=ca_file)
            clients[vector_set.name] = Client(java, servers[-1], vector_set.database)
        return clients[vector_set.name]

    yield ask
    for server in servers:
        server.stop()
        assert server.errors == []


def encrypted(vector_set, container):
    definition = next(c for c in vector_set.containers if c["id"] == container)
    return {entry["path"][1:] for entry in definition["clientEncryptionPolicy"]["includedPaths"]}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_a_document_of_the_vectors(client, document):
    stored = json.loads(document.stored)
    try:
        wanted = javareads.view(json.loads(document.plain), stored, encrypted(document.set, document.container))
    except javareads.Fails as fails:
        with pytest.raises(JavaRefused, match=str(fails)):
            client(document.set).find(document.container, stored)
        return
    exact = document.set.name == "cosmos-java"
    assert comparable(client(document.set).find(document.container, stored), exact) == comparable(wanted, exact)


@pytest.fixture(scope="module")
def faults(java_with, ca, ca_file):
    """(the Java client, {id: stored text}) of one document for each of FAULTY, written by the JavaScript client."""
    kek = seal.make_kek("RSA-OAEP", KID)
    definition = cosmos.definition("c", encryption=cosmos.policy(("/secret", "dek", "Randomized")))
    with Cosmos(ranges=3, tls=ca.issue().context()) as server:
        steps = [{"do": "key", "id": "dek", "kid": KID}, {"do": "container", "definition": definition}]
        for i, value in enumerate(FAULTY):
            steps.append({"do": "create", "container": "c", "document": {"id": str(i), "pk": "p", "secret": value}})
        cosmos.Writer(server, ca_file, {KID: kek.pem()}).run("d", steps)
        java = java_with(kek, ca_file=ca_file)
        rest = cosmos.Rest(server, ca_file)
        stored = {d["id"]: d for _, rows in rest.every("dbs/d/colls/c/docs") for d in rows}
        rest.close()
        java.account(server)
        yield java, stored
        assert server.errors == []


@pytest.mark.parametrize("number", range(len(FAULTY)), ids=[f"{i}:{json.dumps(v)}" for i, v in enumerate(FAULTY)])
def test_a_fault_of_the_java_client_occurs_where_it_is_expected(faults, number):
    java, stored = faults
    plain = {"id": str(number), "pk": "p", "secret": FAULTY[number]}
    try:
        wanted = javareads.view(plain, stored[str(number)], {"secret"})
    except javareads.Fails as fails:
        with pytest.raises(JavaRefused, match=str(fails)):
            java.read("d", "c", str(number), ["p"])
        return
    shown = java.read("d", "c", str(number), ["p"])
    assert comparable(shown["secret"], False) == comparable(wanted["secret"], False)


def test_the_faults_are_met(faults):
    """Both outcomes occur, so that neither half of the test above is idle."""
    refused = 0
    for number, value in enumerate(FAULTY):
        try:
            javareads.view({"secret": value}, faults[1][str(number)], {"secret"})
        except javareads.Fails:
            refused += 1
    assert 10 < refused < len(FAULTY) - 10
