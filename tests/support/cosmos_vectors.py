# SPDX-License-Identifier: MIT
"""The document sets of tests/vectors: what official Cosmos clients stored, and what a reader must show of it.

    for document in cosmos_vectors.load("cosmos-js").documents:
        document.container, document.stored, document.plain

What each file of a set holds: tests/vectors/cosmos-js/README.md.
"""
import functools
import json

from tests.support import vectors

SETS = ("cosmos-js", "cosmos-java")


class Document:
    """A document as a client stored it."""

    def __init__(self, vector_set, entry):
        self.set = vector_set
        self.entry = entry
        self.container = entry["container"]
        self.number = entry["n"]
        self.id = entry["inputId"]
        self.stored_id = entry["storedId"]
        self.partition_key = entry["partitionKeyInput"]

    def __repr__(self):
        return f"{self.set.name}:{self.container}/{self.number:02}"

    @functools.cached_property
    def stored(self):
        """The bytes in the service."""
        return self._read("stored")

    @functools.cached_property
    def decrypted(self):
        """What the client itself returned."""
        return self._read("decrypted")

    @property
    def plain(self):
        """What a correct reader shows: differs from `decrypted` where the client loses something."""
        return self._read("expected") if "expected" in self.entry else self.decrypted

    @property
    def clear_inside(self):
        """JSON pointers of what the client left in clear inside encrypted properties."""
        return self.entry.get("clearInsideEncrypted", [])

    def _read(self, what):
        return (self.set.path / self.entry[what]).read_bytes()


class Kek:
    """A key-encryption key of a set."""

    def __init__(self, vector_set, entry):
        self.name = entry["name"]
        self.kid = entry["keyId"]
        self.path = vector_set.path / entry["file"]

    def jwk(self):
        """The entry of a keys= file."""
        return {"kid": self.kid, "pem": str(self.path)}


class CosmosSet:
    def __init__(self, name):
        self.name = name
        self.path = vectors.VECTORS / name
        account = self.json("account.json")
        self.master_key = account["masterKeyBase64"]
        self.database = account["database"]
        self.database_rid = self.json("database.json")["_rid"]
        self.containers = self.json("containers.json")["DocumentCollections"]
        self.client_keys = self.json("clientencryptionkeys.json")["ClientEncryptionKeys"]
        self.keys = [Kek(self, k) for k in self.json("keys/keys.json")]
        self.unwrapped = {k["clientEncryptionKeyId"]: k for k in self.json("keys/unwrapped.json")}
        self.documents = [Document(self, e) for e in self.json("index.json")]

    def __repr__(self):
        return self.name

    def of(self, container):
        """The documents of one container."""
        return [d for d in self.documents if d.container == container]

    def raw_documents(self):
        """(container, bytes) of every stored document, the miskeyed one too."""
        for document in self.documents:
            yield document.container, document.stored
        for path in sorted((self.path / "documents" / "miskeyed").glob("*.stored.json")):
            yield "miskeyed", path.read_bytes()

    def requests(self):
        """Every recorded request with its answer."""
        yield from self.json("http/setup.json")
        for exchange in self.json("http/exchanges.json"):
            yield from exchange["requests"]

    def json(self, file):
        return json.loads((self.path / file).read_text())


@functools.lru_cache(maxsize=None)
def load(name):
    return CosmosSet(name)


def all_sets():
    return [load(name) for name in SETS]
