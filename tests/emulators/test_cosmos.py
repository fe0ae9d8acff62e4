# SPDX-License-Identifier: MIT
"""The gateway's rules: what it stores byte for byte, what it refuses and with which words, and its switches."""

from __future__ import annotations

import base64
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.cosmos import Cosmos
from tests.emulators.cosmos_auth import authorization
from tests.emulators.cosmos_json import BadJson, document, with_system_members
from tests.emulators.jwt import Issuer
from tests.support import cosmos_vectors
from tests.support.cosmos import VERSION, Answer, Rest, definition, policy, with_vectors

TOP = Path(__file__).resolve().parents[2]
COLL = "dbs/d/colls/c"
DOCS = f"{COLL}/docs"
KEY = {
    "id": "k", "encryptionAlgorithm": "AEAD_AES_256_CBC_HMAC_SHA256", "wrappedDataEncryptionKey": "AAAA",
    "keyWrapMetadata": {"type": "AZURE_KEY_VAULT", "name": "n", "value": "https://v/keys/k/1",
                        "algorithm": "RSA-OAEP"},
}
ENCRYPTED = {"x-ms-cosmos-is-client-encrypted": "True"}


@pytest.fixture
def server() -> Iterator[Cosmos]:
    with Cosmos() as started:
        started.add_container("d", definition("c"))
        yield started
    assert started.errors == []


@pytest.fixture
def rest(server: Cosmos) -> Iterator[Rest]:
    made = Rest(server)
    yield made
    made.close()


def create(rest: Rest, body: Any, pk: Any = ("p",), **headers: str) -> Answer:
    return rest.ask("POST", DOCS, body, pk=list(pk), headers=headers)


# Text.


@pytest.mark.parametrize("text", [
    '{"id":"a","pk":"p"}',
    ' { "pk" : "p" ,\n\t"id":"a", "n" : 1.0e+2, "big":12345678901234567890.10, "z":-0.0 }\r\n',
    '{"z":1,"id":"a","pk":"\\u0070","s":"\\u00e9\\/é\\ud83d","o":{"b":1,"a":[ ]}}',
    '{"id":"a","pk":"p","x":1,"x":2}',
])
def test_documents_stay_as_they_were_sent(rest: Rest, text: str) -> None:
    made = create(rest, text)
    assert made.status == 201
    stored = rest.get(f"{DOCS}/a", pk=["p"]).body.decode()
    bare = text.strip()
    end = bare.rstrip("}").rstrip() if not bare.endswith("]}}") else bare[:-1]
    assert stored.startswith(end) and made.body.decode() == stored
    assert rest.get(DOCS).body.decode().count(stored) == 1
    told = json.loads(stored)
    assert list(told)[-5:] == ["_rid", "_self", "_etag", "_attachments", "_ts"]
    assert told["_etag"] == made.headers["etag"] and told["_etag"][0] == '"'


@pytest.mark.parametrize(("text", "wanted"), [
    ("{}", "{T}"), ('{"a":1}', '{"a":1,T}'), ('{ "a" : 1 }', '{ "a" : 1,T }'),
    ('{"_ts":1,"a":1}', '{"a":1,T}'), ('{"a":1,"_ts":1}', '{"a":1,T}'),
    ('{"a":1, "_ts":1, "b":2}', '{"a":1, "b":2,T}'),
    ('{"_ts":1}', "{T}"), ('{"_ts":1, "_rid":2 , "a":3,"_self":4,"b":"}"}', '{"a":3,"b":"}",T}'),
    ('{"a":{"_ts":1}}', '{"a":{"_ts":1},T}'),
])
def test_system_members_are_cut_out_and_appended(text: str, wanted: str) -> None:
    assert with_system_members(text, document(text), "T").decode() == wanted


@pytest.mark.parametrize("text", [
    "", "[]", "1", "{", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1}x', '{"a":NaN}', '{a:1}',
    '{"a":1 "b":2}', '{"a":"\n"}',
    '{"a":' + "[" * 100_000 + "}",
])
def test_what_is_no_document(rest: Rest, text: str) -> None:
    with pytest.raises(BadJson):
        document(text)
    assert create(rest, text).status == 400


def test_bytes_that_are_no_utf8(rest: Rest) -> None:
    assert create(rest, b'{"id":"\xff","pk":"p"}').status == 400


@pytest.mark.parametrize("name", cosmos_vectors.SETS)
def test_vectors_are_answered_as_their_clients_stored_them(name: str) -> None:
    vector_set = cosmos_vectors.load(name)
    with with_vectors(name, 3) as server:
        rest = Rest(server)
        base = f"dbs/{vector_set.database}"
        containers = rest.get(f"{base}/colls").json()
        assert containers["DocumentCollections"] == vector_set.containers
        assert rest.get(f"{base}/clientencryptionkeys").json()["ClientEncryptionKeys"] == vector_set.client_keys
        for entry in vector_set.documents:
            container = server.container(vector_set.database, entry.container)
            key = container.key_of(json.loads(entry.stored))
            answer = rest.get(f"{base}/colls/{entry.container}/docs/{entry.stored_id}", pk=key)
            assert answer.body == entry.stored.strip(), entry
            assert answer.headers["etag"] == json.loads(entry.stored)["_etag"]
        seen = [len(rows) for c in vector_set.containers
                for _, rows in rest.every(f"{base}/colls/{c['id']}/docs")]
        assert sum(seen) == len(list(vector_set.raw_documents()))
        rest.close()
    assert server.errors == []


# Points.


def test_create_upsert_replace_delete(rest: Rest) -> None:
    made = create(rest, {"id": "a", "pk": "p"})
    assert (made.status, create(rest, {"id": "a", "pk": "p"}).status) == (201, 409)
    upserted = create(rest, {"id": "a", "pk": "p", "v": 2}, **{"x-ms-documentdb-is-upsert": "True"})
    assert upserted.status == 200 and upserted.headers["etag"] != made.headers["etag"]
    assert upserted.json()["_rid"] == made.json()["_rid"]
    assert create(rest, {"id": "b", "pk": "p"}, **{"x-ms-documentdb-is-upsert": "True"}).status == 201
    replaced = rest.ask("PUT", f"{DOCS}/a", {"id": "a", "pk": "p", "v": 3}, pk=["p"])
    assert replaced.status == 200 and replaced.json()["v"] == 3
    assert rest.ask("PUT", f"{DOCS}/a", {"id": "z", "pk": "p"}, pk=["p"]).status == 400
    assert rest.ask("PUT", f"{DOCS}/none", {"id": "none", "pk": "p"}, pk=["p"]).status == 404
    assert rest.ask("DELETE", f"{DOCS}/a", pk=["p"]).status == 204
    assert rest.ask("DELETE", f"{DOCS}/a", pk=["p"]).status == 404
    assert [d["id"] for d in rest.get(DOCS).documents] == ["b"]
    minimal = create(rest, {"id": "m", "pk": "p"}, Prefer="return=minimal")
    assert (minimal.status, minimal.body) == (201, b"")


def test_conditions(rest: Rest) -> None:
    etag = create(rest, {"id": "a", "pk": "p"}).headers["etag"]
    assert rest.get(f"{DOCS}/a", pk=["p"], headers={"If-None-Match": etag}).status == 304
    assert rest.get(f"{DOCS}/a", pk=["p"], headers={"If-None-Match": '"x"'}).status == 200
    body = {"id": "a", "pk": "p"}
    for method in ("PUT", "DELETE"):
        for wrong in ('"x"', etag.strip('"')):
            answer = rest.ask(method, f"{DOCS}/a", body, pk=["p"], headers={"If-Match": wrong})
            assert answer.status == 412
    assert create(rest, body, **{"x-ms-documentdb-is-upsert": "True", "If-Match": '"x"'}).status == 412
    assert rest.ask("PUT", f"{DOCS}/a", body, pk=["p"], headers={"If-Match": etag}).status == 200
    assert rest.ask("PUT", f"{DOCS}/a", body, pk=["p"], headers={"If-Match": "*"}).status == 200


def test_headers_of_an_answer(rest: Rest, server: Cosmos) -> None:
    made = create(rest, {"id": "a", "pk": "p", "x": "y" * 4096})
    assert made.headers["x-ms-session-token"] == "0:-1#2"
    assert float(made.headers["x-ms-request-charge"]) > 20
    read = rest.get(f"{DOCS}/a", pk=["p"])
    assert 4 <= float(read.headers["x-ms-request-charge"]) <= 5
    assert read.headers["x-ms-activity-id"] and read.headers["content-type"] == "application/json"
    assert server.charged > 24
    missing = rest.get(f"{DOCS}/b", pk=["p"])
    assert missing.json()["code"] == "NotFound"
    assert missing.headers["x-ms-activity-id"] in missing.json()["message"]


@pytest.mark.parametrize("document_id", ["", "a/b", "a\\b", "x ", 7, None, "y" * 1024, "é" * 512])
def test_ids_that_are_refused(rest: Rest, document_id: Any) -> None:
    assert create(rest, {"id": document_id, "pk": "p"}).status == 400


@pytest.mark.parametrize("document_id", ["a?b#c%2F", " x", "é" * 511, "日本", "y" * 1023, "..", "a=b+c"])
def test_ids_that_are_stored(rest: Rest, document_id: str) -> None:
    assert create(rest, json.dumps({"id": document_id, "pk": "p"})).status == 201
    assert rest.get(f"{DOCS}/{document_id}", pk=["p"]).json()["id"] == document_id


def test_a_document_may_have_two_mebibytes(rest: Rest) -> None:
    frame = len('{"id":"a","pk":"p","f":""}')
    most = '{"id":"a","pk":"p","f":"' + "x" * ((2 << 20) - frame) + '"}'
    assert create(rest, most).status == 201
    assert create(rest, most + " ").status == 413


@pytest.mark.parametrize(("value", "header"), [
    ("p", '["p"]'), ("é日\"\x7f", '["\\u00e9\\u65e5\\"\\u007f"]'), (1, "[1]"), (1, "[1.0]"),
    (1.5, "[1.5]"), (True, "[true]"), (None, "[null]"), ("", '[""]'),
])
def test_partition_key_headers(rest: Rest, value: Any, header: str) -> None:
    assert rest.ask("POST", DOCS, json.dumps({"id": "a", "pk": value}), pk=header).status == 201
    assert rest.get(f"{DOCS}/a", pk=header).status == 200
    others = [h for h in ('["1"]', "[1]", "[true]", "[null]", '["p"]', "[{}]", '["true"]') if h != header]
    found = [h for h in others if rest.get(f"{DOCS}/a", pk=h).status == 200]
    assert found == (["[1]"] if header == "[1.0]" else [])


@pytest.mark.parametrize(("body", "header", "substatus"), [
    ({"id": "a", "pk": "p"}, '["q"]', 1001), ({"id": "a", "pk": 1}, '["1"]', 1001),
    ({"id": "a"}, '["p"]', 1001),
    ({"id": "a", "pk": {"x": 1}}, "[{}]", 1001), ({"id": "a", "pk": "p"}, '["p","q"]', 1001),
    ({"id": "a", "pk": "p"}, "[]", 1001),
    ({"id": "a", "pk": "p"}, "p", 0), ({"id": "a", "pk": "p"}, '[["p"]]', 0),
    ({"id": "a", "pk": "p"}, '[{"a":1}]', 0), ({"id": "a", "pk": "p"}, None, 0),
])
def test_keys_that_do_not_fit(rest: Rest, body: Any, header: str | None, substatus: int) -> None:
    answer = rest.ask("POST", DOCS, body, pk=header)
    assert (answer.status, answer.substatus) == (400, substatus)


def test_undefined_keys(rest: Rest, server: Cosmos) -> None:
    assert create(rest, {"id": "a"}, [{}]).status == 201
    assert rest.get(f"{DOCS}/a", pk=[{}]).status == 200
    server.add_container("d", {"id": "old"})
    path = "dbs/d/colls/old/docs"
    assert rest.ask("POST", path, {"id": "a"}, pk=[]).status == 201
    assert rest.get(f"{path}/a", pk=[]).status == 200
    assert rest.get("dbs/d/colls/old").json()["partitionKey"]["systemKey"] is True


# Containers, policies, keys.


def test_policies_that_are_refused(rest: Rest, server: Cosmos) -> None:
    assert rest.ask("POST", "dbs/d/clientencryptionkeys", KEY).status == 201
    good = policy(("/s", "k", "Randomized"))
    entry = good["includedPaths"][0]

    def asked(encryption: Any, *paths: str) -> Answer:
        return rest.ask("POST", "dbs/d/colls", definition("n", *paths, encryption=encryption))

    for wrong in (
        policy(("/s", "none", "Randomized")), policy(("/s", "k", "randomized")),
        policy(("s", "k", "Randomized")),
        policy(("/a/b", "k", "Randomized")), policy(("/", "k", "Randomized")),
        policy(("/s", "k", "Randomized"), ("/s", "k", "Deterministic")),
        policy(("/id", "k", "Deterministic")), policy(("/pk", "k", "Deterministic")),
        policy(("/pk", "k", "Randomized"), version=2),
        policy(("/id", "k", "Randomized"), version=2), policy(("/s", "k", "Randomized"), version=3),
        policy(version=0),
        {"policyFormatVersion": 1}, {**good, "policyFormatVersion": True}, [],
        {**good, "includedPaths": [{**entry, "encryptionAlgorithm": "X"}]},
        {**good, "includedPaths": [{**entry, "path": None}]},
    ):
        assert asked(wrong).status == 400, wrong
    assert asked(policy(("/a", "k", "Deterministic")), "/a/b").status == 400
    both = policy(("/id", "k", "Deterministic"), ("/a", "k", "Deterministic"), version=2)
    assert asked(both, "/a/b").status == 201
    assert asked(good).status == 409


def test_a_policy_and_a_key_path_stay(rest: Rest, server: Cosmos) -> None:
    rest.ask("POST", "dbs/d/clientencryptionkeys", KEY)
    told = definition("n", encryption=policy(("/s", "k", "Randomized")))
    rest.ask("POST", "dbs/d/colls", told)
    assert rest.ask("PUT", "dbs/d/colls/n", {**told, "defaultTtl": 5}).status == 200
    assert rest.get("dbs/d/colls/n").json()["defaultTtl"] == 5
    for wrong in (
        definition("n"), definition("m"), definition("n", "/other", encryption=told["clientEncryptionPolicy"]),
        definition("n", encryption=policy(("/s", "k", "Deterministic"))),
    ):
        assert rest.ask("PUT", "dbs/d/colls/n", wrong).status == 400
    assert rest.ask("PUT", "dbs/d/colls/n", told, headers={"If-Match": '"x"'}).status == 412


def test_unencrypted_writes_are_refused(rest: Rest, server: Cosmos) -> None:
    rest.ask("POST", "dbs/d/clientencryptionkeys", KEY)
    server.add_container("d", definition("n", encryption=policy(("/s", "k", "Randomized"))))
    path = "dbs/d/colls/n/docs"
    assert rest.ask("POST", path, {"id": "a", "pk": "p"}, pk=["p"]).status == 400
    assert rest.ask("POST", path, {"id": "a", "pk": "p"}, pk=["p"], headers=ENCRYPTED).status == 201
    assert rest.ask("PUT", f"{path}/a", {"id": "a", "pk": "p"}, pk=["p"]).status == 400
    assert rest.get(f"{path}/a", pk=["p"]).status == 200


@pytest.mark.parametrize("partition_key", [
    {"paths": []}, {"paths": ["pk"]}, {"paths": "/pk"}, {"paths": ["/a", "/b"], "kind": "Hash"},
    {"paths": ["/a"], "version": 3},
    {"paths": ["/a", "/b", "/c", "/d"], "kind": "MultiHash"}, {"paths": ["/a"], "kind": "Range"},
    {"paths": ["/a", "/b"], "kind": "MultiHash", "version": 1},
])
def test_partition_keys_that_are_refused(rest: Rest, partition_key: Any) -> None:
    assert rest.ask("POST", "dbs/d/colls", {"id": "n", "partitionKey": partition_key}).status == 400


def test_client_encryption_keys(rest: Rest) -> None:
    path = "dbs/d/clientencryptionkeys"
    made = rest.ask("POST", path, KEY)
    assert made.status == 201 and set(made.json()) >= {"_rid", "_self", "_etag", "_ts", *KEY}
    assert rest.ask("POST", path, KEY).status == 409
    etag = made.headers["etag"]
    assert rest.get(f"{path}/k", headers={"If-None-Match": etag}).status == 304
    assert rest.get(f"{path}/k").json() == made.json()
    assert rest.get(f"{path}/none").status == 404
    assert rest.get("dbs/none/clientencryptionkeys/k").substatus == 1003
    new = {**KEY, "wrappedDataEncryptionKey": "BBBB"}
    assert rest.ask("PUT", f"{path}/k", new, headers={"If-Match": '"x"'}).status == 412
    replaced = rest.ask("PUT", f"{path}/k", new, headers={"If-Match": etag})
    assert replaced.json()["wrappedDataEncryptionKey"] == "BBBB"
    assert replaced.json()["_rid"] == made.json()["_rid"]
    assert rest.get(f"{path}/k", headers={"If-None-Match": etag}).status == 200
    assert rest.ask("PUT", f"{path}/k", {**new, "id": "other"}).status == 400
    assert rest.ask("DELETE", f"{path}/k").status == 405
    assert [k["id"] for k in rest.get(path).json()["ClientEncryptionKeys"]] == ["k"]


@pytest.mark.parametrize("change", [
    {"id": "a/b"}, {"encryptionAlgorithm": "X"}, {"wrappedDataEncryptionKey": "*"},
    {"wrappedDataEncryptionKey": ""}, {"wrappedDataEncryptionKey": None},
    {"keyWrapMetadata": None}, {"keyWrapMetadata": {"type": "t"}},
])
def test_client_encryption_keys_that_are_refused(rest: Rest, change: Any) -> None:
    assert rest.ask("POST", "dbs/d/clientencryptionkeys", {**KEY, **change}).status == 400


def test_feeds_of_resources_have_pages(rest: Rest, server: Cosmos) -> None:
    for i in range(5):
        server.add_container("d", definition(f"c{i}"))
    headers = {"x-ms-max-item-count": "4"}
    first = rest.get("dbs/d/colls", headers=headers)
    assert [c["id"] for c in first.json()["DocumentCollections"]] == ["c", "c0", "c1", "c2"]
    second = rest.get("dbs/d/colls", headers={**headers, "x-ms-continuation": first.continuation})
    assert [c["id"] for c in second.json()["DocumentCollections"]] == ["c3", "c4"]
    assert second.continuation is None
    assert rest.get("dbs/d/colls", headers={"x-ms-continuation": "x"}).status == 400
    found = rest.query("dbs/d/colls", "SELECT * FROM root r WHERE r.id = @id", {"@id": "c3"}).json()
    assert [c["id"] for c in found["DocumentCollections"]] == ["c3"]


def test_databases(rest: Rest) -> None:
    assert rest.ask("POST", "dbs", {"id": "e"}).status == 201
    assert rest.ask("POST", "dbs", {"id": "e"}).status == 409
    assert [d["id"] for d in rest.get("dbs").json()["Databases"]] == ["d", "e"]
    assert rest.ask("DELETE", "dbs/e").status == 204 and rest.get("dbs/e").status == 404
    assert rest.get("dbs/e/colls").substatus == 1003 and rest.get("dbs/d/colls/x").status == 404
    assert rest.get("dbs/d/colls/x/docs").substatus == 1003
    for path in ("x", "dbs/d/x", f"{COLL}/x", f"{DOCS}/a/b"):
        assert rest.get(path).status == 400


def test_the_account_names_itself(rest: Rest, server: Cosmos) -> None:
    told = rest.get("").json()
    assert told["writableLocations"][0]["databaseAccountEndpoint"] == f"{server.url}/"
    assert told["userConsistencyPolicy"]["defaultConsistencyLevel"] == "Session"


def test_versions(rest: Rest) -> None:
    for version, status in ((VERSION, 200), ("2018-12-31", 200), ("", 400), ("new", 400)):
        assert rest.get("dbs", headers={"x-ms-version": version}).status == status


def test_resource_ids_address_too(rest: Rest, server: Cosmos) -> None:
    """As the Java client asks for ranges: signed over the last id alone, in lower case."""
    rid = server.container("d", "c").rid
    date = formatdate(usegmt=True)
    for link, status in ((rid.lower(), 200), (rid, 401)):
        signed = authorization(server.gate.key, "GET", "pkranges", link, date)
        answer = rest.get(f"dbs/{server.database('d').rid}/colls/{rid}/pkranges", signed=False,
                          headers={"Authorization": signed, "x-ms-date": date})
        assert answer.status == status


def test_a_container_made_anew(rest: Rest, server: Cosmos) -> None:
    create(rest, {"id": "a", "pk": "p"})
    rid = server.container("d", "c").rid
    headers = {"x-ms-cosmos-intended-collection-rid": rid}
    assert rest.get(DOCS, headers=headers).status == 200
    assert server.recreate("d", "c").rid != rid
    for answer in (
        rest.get(DOCS, headers=headers), rest.get(f"{DOCS}/a", pk=["p"], headers=headers),
        rest.query(DOCS, "SELECT * FROM c", headers=headers),
        create(rest, {"id": "a", "pk": "p"}, **headers),
    ):
        assert (answer.status, answer.substatus) == (400, 1024)
    assert rest.get(DOCS).documents == []


# Switches and faults.


def test_sessions(rest: Rest, server: Cosmos) -> None:
    token = create(rest, {"id": "a", "pk": "p"}).headers["x-ms-session-token"]
    assert rest.get(f"{DOCS}/a", pk=["p"], headers={"x-ms-session-token": token}).status == 200
    ahead = rest.get(f"{DOCS}/a", pk=["p"], headers={"x-ms-session-token": "0:-1#999"})
    assert (ahead.status, ahead.substatus) == (404, 1002)
    assert rest.get(DOCS, headers={"x-ms-session-token": "0:x"}).status == 400
    server.session_behind = 1
    assert rest.get(DOCS, headers={"x-ms-session-token": token}).substatus == 1002
    assert rest.get(DOCS, headers={"x-ms-session-token": token}).status == 200


def test_throttling_by_count_and_by_units(rest: Rest, server: Cosmos) -> None:
    server.limit(2, 60, retry_after=0.25)
    assert [rest.get("dbs").status for _ in range(3)] == [200, 200, 429]
    answer = rest.get("dbs")
    assert (answer.substatus, answer.json()["code"]) == (3200, "TooManyRequests")
    assert answer.headers["x-ms-retry-after-ms"] == "250"
    server.limit(1000, 1)
    server.limit_units(20)
    statuses = [create(rest, {"id": f"{i}", "pk": "p", "f": "x" * 4000}).status for i in range(4)]
    assert statuses[0] == 201 and statuses[-1] == 429
    wait = int(create(rest, {"id": "w", "pk": "p"}).headers["x-ms-retry-after-ms"])
    assert 0 < wait < 3000
    time.sleep(wait / 1000 + 0.05)
    assert create(rest, {"id": "w", "pk": "p"}).status == 201
    server.limit_units(None)
    server.throttle_for(60)
    assert rest.get("dbs").headers["x-ms-retry-after-ms"] == "0"


def test_the_firewall_and_data_actions(server: Cosmos) -> None:
    server.gate.issuer = issuer = Issuer()
    rest = Rest(server)
    token = issuer.access_token("https://127.0.0.1", "app", "t", 60)
    headers = {"Authorization": f"type=aad&ver=1.0&sig={token}"}
    assert rest.get(COLL, headers=headers).status == 200
    assert rest.ask("POST", "dbs", {"id": "x"}, headers=headers).substatus == 5300
    server.gate.actions = frozenset({"readMetadata"})
    assert rest.get(DOCS, headers=headers).status == 403
    assert rest.query(DOCS, "SELECT * FROM c", headers=headers).status == 403
    server.firewall = True
    assert rest.get("dbs").status == 403
    rest.close()


@pytest.mark.parametrize(("status", "substatus", "code"), [
    (410, "1002", "Gone"), (449, "0", "RetryWith"), (503, "0", "ServiceUnavailable"),
    (429, "3200", "TooManyRequests"), (404, "1002", "NotFound"), (403, "3", "Forbidden"),
])
def test_faults_speak_like_the_gateway(
    rest: Rest, server: Cosmos, status: int, substatus: str, code: str
) -> None:
    told = {"x-ms-substatus": substatus, "x-ms-retry-after-ms": "7"}
    server.faults.add(path="/docs", status=status, headers=told)
    answer = rest.get(DOCS)
    assert (answer.status, answer.headers["x-ms-substatus"], answer.json()["code"]) == (status, substatus, code)
    assert answer.headers["x-ms-retry-after-ms"] == "7" and answer.headers["x-ms-activity-id"]
    assert rest.get(DOCS).status == 200


def test_a_lost_answer_was_done(rest: Rest, server: Cosmos) -> None:
    server.faults.add(method="POST", drop="response")
    with pytest.raises(http.client.RemoteDisconnected):
        create(rest, {"id": "a", "pk": "p"})
    rest.close()
    assert rest.get(f"{DOCS}/a", pk=["p"]).status == 200
    server.faults.add(hostile="cut_json")
    with pytest.raises(ValueError):
        rest.get(DOCS).json()


def test_work_that_is_done_and_denied(rest: Rest, server: Cosmos) -> None:
    server.faults.add(method="POST", path="/docs", status=503, done=True)
    answer = create(rest, {"id": "a", "pk": "p"})
    assert (answer.status, answer.json()["code"]) == (503, "ServiceUnavailable")
    etag = rest.get(f"{DOCS}/a", pk=["p"]).headers["etag"]
    server.faults.add(method="PUT", status=408, done=True)
    stale = {"If-Match": '"x"'}
    assert rest.ask("PUT", f"{DOCS}/a", {"id": "a", "pk": "p"}, pk=["p"], headers=stale).status == 408
    assert rest.get(f"{DOCS}/a", pk=["p"]).headers["etag"] == etag
    server.faults.add(method="DELETE", status=500, done=True)
    assert rest.ask("DELETE", f"{DOCS}/a", pk=["p"]).status == 500
    assert rest.get(f"{DOCS}/a", pk=["p"]).status == 404
    with pytest.raises(ValueError, match="done"):
        server.faults.add(done=True)


def test_what_arrived_is_kept(rest: Rest, server: Cosmos) -> None:
    text = ' {"pk":"p", "id":"a b", "n":1.0}'
    etag = create(rest, text).headers["etag"]
    rest.get(f"{DOCS}/a b", pk=["p"])
    rest.ask("POST", DOCS, {"query": "SELECT * FROM c"}, headers={
        "x-ms-documentdb-isquery": "true", "x-ms-documentdb-query-enablecrosspartition": "true"})
    rest.ask("DELETE", f"{DOCS}/a b", pk=["p"], headers={"If-Match": etag})
    made, gone = server.received
    assert (made.method, made.path, made.body) == ("POST", DOCS, text.encode())
    assert (gone.method, gone.path, gone.body) == ("DELETE", f"{DOCS}/a b", b"")
    assert gone.headers["if-match"] == etag and "authorization" not in gone.headers


def test_documents_that_are_printed_anew(rest: Rest, server: Cosmos) -> None:
    server.reprints = True
    made = create(rest, ' {"pk":"p", "id":"a", "n":[1.0, 2.50, 1e2], "s":"\\u00e9\\/", "b":12345678901234567890} ')
    assert made.body.decode().startswith('{"pk":"p","id":"a","n":[1,2.5,100],"s":"é/","b":12345678901234567890,"_rid":')
    assert create(rest, '{"id":1e999x').status == 400


def test_raw_documents_may_be_anything(rest: Rest, server: Cosmos) -> None:
    container = server.container("d", "c")
    server.put_raw(container, b'{"id":1e999', key=["p"], document_id="odd")
    assert rest.get(f"{DOCS}/odd", pk=["p"]).body == b'{"id":1e999'
    assert b'{"id":1e999]' in rest.get(DOCS).body
    assert rest.query(DOCS, "SELECT * FROM c WHERE c.id = 'odd'").documents == []


def test_secrets_stay_out_of_the_log(rest: Rest, server: Cosmos) -> None:
    server.gate.issuer = issuer = Issuer()
    token = issuer.access_token("https://cosmos.azure.com", "app", "t", 60)
    rest.get("dbs")
    rest.get("dbs", headers={"Authorization": f"type=aad&ver=1.0&sig={token}"})
    shown = [e["headers"]["authorization"] for e in server.log()]
    assert shown == ["type=master", "type=aad aud=https://cosmos.azure.com"]


def test_by_itself(tmp_path: Path) -> None:
    config = tmp_path / "cosmos.json"
    generate = {"template": '{"id":"{n}","pk":"p{p}","f":"x"}', "count": 5000, "partitions": 50}
    config.write_text(json.dumps({
        "key": base64.b64encode(b"k" * 64).decode(), "ranges": 2,
        "databases": [{"id": "d", "keys": [KEY], "containers": [
            {**definition("c", encryption=policy(("/s", "k", "Randomized"))), "generate": generate, "ranges": 4},
            {**definition("h", "/a", "/b"), "generate": {
                "template": '{"id":"x{n}","a":"a{p}","b":"{n}"}', "count": 7, "id": "x{n}",
                "key": ["a{p}", "{n}"],
            }},
            {**definition("few"), "documents": ['{"id":"a","pk":"p"}']},
        ]}],
    }))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.emulators.cosmos", "--config", str(config)], cwd=TOP,
        stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        rest = Rest(Cosmos(key=base64.b64encode(b"k" * 64).decode(), port=told["port"]))
        found = [row for _, rows in rest.every(DOCS, headers={"x-ms-max-item-count": "1000"}) for row in rows]
        assert len(found) == len({row["id"] for row in found}) == 5000 and found[0]["_rid"]
        assert rest.get(f"{DOCS}/77", pk=["p27"]).json()["id"] == "77"
        assert rest.get("dbs/d/colls/h/docs/x3", pk=["a3", "3"]).status == 200
        assert len(rest.get(f"{COLL}/pkranges").json()["PartitionKeyRanges"]) == 4
        connection = http.client.HTTPConnection("127.0.0.1", told["port"])
        for path, body in (
            ("split", {"database": "d", "container": "c", "range": "1"}),
            ("merge", {"database": "d", "container": "c", "ranges": ["4", "5"]}),
            ("recreate", {"database": "d", "container": "few"}),
            ("state", {"empty_page_every": 2, "units_per_second": 1e6, "actions": []}),
        ):
            connection.request("POST", f"/_test/{path}", json.dumps(body))
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"{}")
        connection.request("POST", "/_test/state", '{"firewal": true}')
        assert connection.getresponse().status == 400
        rest.close()
    finally:
        process.terminate()
        assert process.wait(10) == 0
