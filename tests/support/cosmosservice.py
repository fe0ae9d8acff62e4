# SPDX-License-Identifier: MIT
"""Sealed documents in the Cosmos emulator, and mounts of them whose requests are counted.

    c = service.container("c", {"ssn": ("a", True)}, ranges=2)
    c.put({"id": "1", "pk": "a", "ssn": "123-45-6789"})
    m = service.mount(c)
    service.requests("query")
"""
import json
import re

from tests.conftest import make_keys_file
from tests.support.cells import ALGORITHM, Dek
from tests.support.cosmos import definition
from tests.support.sealeddocs import local_kek, sealed_document

DATABASE = "db"

# What a request asks for, by method and path.
KINDS = {
    "container": r"GET /dbs/[^/]+/colls/[^/]+$", "containers": r"GET /dbs/[^/]+/colls$", "databases": r"GET /dbs$", "database": r"GET /dbs/[^/]+$",
    "key": r"GET /dbs/[^/]+/clientencryptionkeys/[^/]+$", "keys": r"GET /dbs/[^/]+/clientencryptionkeys$",
    "ranges": r"GET .*/pkranges$", "query": r"POST .*/docs$", "feed": r"GET .*/docs$", "point": r"GET .*/docs/[^/]+$",
}  # fmt: skip


class ServiceContainer:
    def __init__(self, service, name, sealed, made):
        self.service, self.name, self.sealed, self.made = service, name, sealed, made

    def put(self, document, **system):
        """Seals a document as the policy says, and stores it.  Returns the sealed one."""
        sealed = sealed_document(document, self.sealed, **system)
        self.put_raw(json.dumps(sealed))
        return sealed

    def put_raw(self, text, **place):
        self.service.server.put_raw(self.made, text, **place)

    def fill(self, documents):
        """Many documents at once; sealed values are sealed once for all of them that are equal."""
        cells = {}

        def text(document):
            stored = dict(document)
            for name, (dek, deterministic) in self.sealed.items():
                if name in document:
                    key = name, repr(document[name])
                    if key not in cells:
                        cells[key] = dek.seal(document[name], deterministic)
                    stored[name] = cells[key]
            return json.dumps(stored).encode()

        with self.service.server.account.lock:
            self.made.fill([([d["pk"]], d["id"], text(d)) for d in documents])

    @property
    def source(self):
        return f"{self.service.source}/{DATABASE}/{self.name}"


class CosmosService:
    """An account whose keys are wrapped by one local key."""

    def __init__(self, server, directory, mount):
        self.server, self._mount, self._deks = server, mount, {}
        self.keys = make_keys_file(directory, local_kek())

    @property
    def source(self):
        return f"cosmos:{self.server.url}"

    def dek(self, name="a"):
        if name not in self._deks:
            self._deks[name] = Dek(name, local_kek())
            self.server.database(DATABASE).put_key(self._deks[name].record())
        return self._deks[name]

    def container(self, name="c", sealed=None, paths=("/pk",), ranges=1, version=1):
        sealed = {p: (self.dek(dek), deterministic) for p, (dek, deterministic) in (sealed or {}).items()}
        policy = {
            "policyFormatVersion": version,
            "includedPaths": [
                {
                    "path": f"/{p}", "clientEncryptionKeyId": dek.name, "encryptionAlgorithm": ALGORITHM,
                    "encryptionType": "Deterministic" if deterministic else "Randomized",
                }
                for p, (dek, deterministic) in sealed.items()
            ],
        }  # fmt: skip
        made = self.server.add_container(DATABASE, definition(name, *paths, encryption=policy if sealed else None), ranges)
        return ServiceContainer(self, name, sealed, made)

    def mount(self, container=None, *options, **more):
        source = container.source if container else self.source
        return self._mount(source, f"keys={self.keys}", *options, env={"AZURE_COSMOS_KEY": self.server.key}, **more)

    # ---- what was asked

    def requests(self, kind=None):
        """The requests since forget, or those of one kind."""
        log = [e for e in self.server.log() if not e["path"].startswith("/_test")]
        return [e for e in log if kind is None or re.match(KINDS[kind], f"{e['method']} {e['path'].partition('?')[0]}")]

    def kinds(self):
        """How many of which: {"query": 1, "point": 2}."""
        found = {kind: len(self.requests(kind)) for kind in KINDS}
        assert sum(found.values()) == len(self.requests()), self.requests()
        return {kind: n for kind, n in found.items() if n}

    def forget(self):
        self.server.clear_log()
