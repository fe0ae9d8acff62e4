# SPDX-License-Identifier: MIT
"""The Cosmos emulator in tests: loaded with vectors, asked by hand, written to by the official client."""
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
from email.utils import formatdate
from urllib.parse import quote

import pytest

from tests.emulators import cosmos_auth
from tests.emulators.cosmos import Cosmos
from tests.emulators.cosmos_store import Container
from tests.support import cosmos_vectors

VERSION = "2020-07-15"
ALGORITHM = "AEAD_AES_256_CBC_HMAC_SHA256"
#: Where tests/support/setup.sh puts node and the packages, for runs that set no variable.
NODE_DIRECTORY = pathlib.Path(__file__).resolve().parents[2] / "build" / "node"


# ---- vectors


def with_vectors(name, ranges=1, **options):
    """An emulator that holds a set of vectors just as its client stored them; not started yet."""
    vector_set = cosmos_vectors.load(name)
    server = Cosmos(key=vector_set.master_key, ranges=ranges, **options)
    load_vectors(server, vector_set)
    return server


def load_vectors(server, vector_set):
    """Adds a set's database to an account; resource ids, ETags and texts are the recorded ones."""
    with server.account.lock:
        database = server.account.add_database(vector_set.database, vector_set.database_rid)
        for key in vector_set.client_keys:
            database.keys[key["id"]] = dict(key)
        for definition in vector_set.containers:
            made = Container.loaded(definition, server.account.ranges)
            database.containers[made.id] = made
    for container, text in vector_set.raw_documents():
        server.put_raw(database.containers[container], text)


# ---- definitions


def policy(*entries, version=1):
    """A client encryption policy of (path, key id, "Deterministic" or "Randomized")."""
    return {
        "policyFormatVersion": version,
        "includedPaths": [
            {"path": path, "clientEncryptionKeyId": key, "encryptionType": kind, "encryptionAlgorithm": ALGORITHM}
            for path, key, kind in entries
        ],
    }


def definition(name, *paths, encryption=None, version=2):
    """A container with a partition key of these paths (default /pk)."""
    paths = paths or ("/pk",)
    kind = "MultiHash" if len(paths) > 1 else "Hash"
    made = {"id": name, "partitionKey": {"paths": list(paths), "kind": kind, "version": version}}
    if encryption is not None:
        made["clientEncryptionPolicy"] = encryption
    return made


# ---- requests by hand


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = body

    def __repr__(self):
        return f"{self.status}/{self.substatus} {self.body[:400]!r}"

    @property
    def substatus(self):
        return int(self.headers.get("x-ms-substatus", 0))

    @property
    def continuation(self):
        return self.headers.get("x-ms-continuation")

    def json(self):
        return json.loads(self.body)

    @property
    def documents(self):
        return self.json()["Documents"]


class Rest:
    """Signed requests over one connection: rest.get("dbs/d/colls/c/docs", pk=["p"])."""

    def __init__(self, server, ca_file=None):
        self.key = server.gate.key
        if server.tls is None:
            self._connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
        else:
            context = ssl.create_default_context(cafile=ca_file)
            self._connection = http.client.HTTPSConnection(server.host, server.port, context=context, timeout=30)

    def close(self):
        self._connection.close()

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def query(self, path, text, parameters=None, **options):
        """A query; parameters is {"@name": value}."""
        told = {"query": text, "parameters": [{"name": n, "value": v} for n, v in (parameters or {}).items()]}
        headers = {
            "x-ms-documentdb-isquery": "True",
            "x-ms-documentdb-query-enablecrosspartition": "True",
            "Content-Type": "application/query+json",
            **options.pop("headers", {}),
        }
        return self.ask("POST", path, told, headers=headers, **options)

    def ask(self, method, path, body=None, *, pk=None, headers=None, signed=True):
        """One request; path is unescaped, body is text, bytes or what json.dumps takes."""
        fields = {"x-ms-version": VERSION, "Accept": "application/json"}
        if signed:
            date = formatdate(usegmt=True)
            kind, link = cosmos_auth.signed_part(path.split("/"))
            fields["x-ms-date"] = date
            fields["Authorization"] = cosmos_auth.authorization(self.key, method, kind, link, date)
        if pk is not None:
            fields["x-ms-documentdb-partitionkey"] = pk if isinstance(pk, str) else json.dumps(pk)
        fields.update(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        self._connection.request(method, "/" + quote(path), body, fields)
        response = self._connection.getresponse()
        return Answer(response, response.read())

    def every(self, path, query=None, **options):
        """All rows of a feed or query, page by page; yields (answer, rows)."""
        headers = dict(options.pop("headers", {}))
        while True:
            ask = self.get if query is None else self.query
            arguments = (path,) if query is None else (path, *([query] if isinstance(query, str) else query))
            answer = ask(*arguments, headers=headers, **options)
            assert answer.status == 200, answer
            yield answer, answer.documents
            if answer.continuation is None:
                return
            headers["x-ms-continuation"] = answer.continuation


# ---- the official client


def node(*packages):
    """(node, node_modules); the test is skipped, and says so, where a package is missing."""
    program = os.environ.get("AZC_NODE")
    if program is None and (NODE_DIRECTORY / "node").exists():
        program = str(NODE_DIRECTORY / "node")
    program = program or shutil.which("node")
    if program is None:
        pytest.skip("NO JAVASCRIPT CLIENT CHECK: no node (set AZC_NODE)")
    modules = pathlib.Path(os.environ.get("AZC_NODE_MODULES", NODE_DIRECTORY / "node_modules"))
    for package in packages:
        if not (modules / package).is_dir():
            pytest.skip(f"NO JAVASCRIPT CLIENT CHECK: {package} is not in {modules} (set AZC_NODE_MODULES)")
    return program, modules.resolve()


def run_node(script, told, ca_file, timeout=180):
    """Runs a script of the tests with a JSON object as its input; returns the JSON that it prints."""
    program, modules = node("@azure/cosmos", "@azure/identity")
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "NODE_EXTRA_CA_CERTS": str(ca_file),
        "AZC_NODE_MODULES": str(modules),
    }
    done = subprocess.run(
        [program, str(script)], input=json.dumps(told), env=environment, text=True, capture_output=True,
        timeout=timeout, check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Writer:
    """The official JavaScript client with client encryption on, in a process of its own for each run.

    Writer(cosmos, ca_file, {kid: PEM bytes}).run(database, steps) -> the value of each step. Steps:

        {"do": "key", "id": ..., "kid": ...}                     a client encryption key wrapped by that KEK
        {"do": "rewrap", "id": ..., "kid": ...}
        {"do": "container", "definition": {...}}                 see definition() and policy()
        {"do": "create" | "upsert", "container": ..., "document": {...}}
        {"do": "replace", "container": ..., "document": {...}, "key": ..., "etag": ...}
        {"do": "delete" | "read", "container": ..., "id": ..., "key": ...}
        {"do": "all", "container": ...}                          every document, decrypted
        {"do": "query", "container": ..., "text": ..., "parameters": [{"name", "path", "value"}]}

    `key` is the plain partition key value, or a list for a hierarchical key. A step that the client refuses
    raises ClientRefused, unless the step says "may_fail": then its value is {"error": {...}}.
    """

    def __init__(self, server, ca_file, keks):
        self._server = server
        self._ca_file = ca_file
        self._keks = {kid: pem.decode() if isinstance(pem, bytes) else pem for kid, pem in keks.items()}

    def run(self, database, steps):
        told = {
            "endpoint": self._server.public_url, "key": self._server.key, "keks": self._keks,
            "database": database, "steps": steps,
        }
        outcomes = run_node(pathlib.Path(__file__).with_name("cosmos_writer.mjs"), told, self._ca_file)
        values = []
        for step, outcome in zip(steps, outcomes):
            if "error" in outcome and not step.get("may_fail"):
                raise ClientRefused(f"{step}: {outcome['error']}")
            values.append(outcome if "error" in outcome else outcome.get("value"))
        return values


class ClientRefused(AssertionError):
    """The official client did not do a step."""
