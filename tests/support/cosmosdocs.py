# SPDX-License-Identifier: MIT
"""Containers of sealed documents in the Cosmos emulator, made for a test; what LocalDocuments is for `dir:` stores.

    documents = CosmosDocuments(server, tmp_path)
    c = documents.container("c", {"ssn": ("a", True)}, ranges=3)      # key's name, deterministic?
    c.put({"id": "1", "pk": "a", "ssn": "123-45-6789"})               # sealed as the policy says
    run("feed", c.source, env=documents.env)
"""
import json

from tests.conftest import make_keys_file
from tests.support import cosmos
from tests.support.cells import Dek
from tests.support.sealeddocs import local_kek, text_of

DATABASE = "db"


class Container:
    def __init__(self, documents, name, sealed, ranges):
        self.documents, self.name, self.sealed = documents, name, sealed
        entries = [(f"/{p}", dek.name, "Deterministic" if det else "Randomized") for p, (dek, det) in sealed.items()]
        self.raw = documents.server.add_container(
            DATABASE, cosmos.definition(name, encryption=cosmos.policy(*entries)), ranges
        )

    @property
    def source(self):
        return f"{self.documents.source}/{DATABASE}/{self.name}"

    def put(self, document):
        sealed = {n: self.sealed[n][0].seal(v, self.sealed[n][1]) if n in self.sealed else v for n, v in document.items()}
        self.put_raw(text_of(sealed))
        return json.loads(text_of(sealed))

    def put_raw(self, text):
        self.documents.server.put_raw(self.raw, text)

    def remove(self, sealed):
        with self.documents.server.account.lock:
            self.raw.delete(self.raw.find([sealed["pk"]], sealed["id"]))


class CosmosDocuments:
    def __init__(self, server, directory):
        self.server, self._deks = server, {}
        self.keys = make_keys_file(directory, local_kek())
        self.credential = {"AZURE_COSMOS_KEY": server.key}

    @property
    def source(self):
        return f"cosmos:{self.server.url}"

    @property
    def env(self):
        return {"AZCRYPTFS_KEYS": self.keys, **self.credential}

    def dek(self, name="a"):
        if name not in self._deks:
            self._deks[name] = Dek(name, local_kek())
            self.server.database(DATABASE).put_key(self._deks[name].record())
        return self._deks[name]

    def container(self, name="c", sealed=None, ranges=1):
        return Container(self, name, {p: (self.dek(d), det) for p, (d, det) in (sealed or {}).items()}, ranges)
