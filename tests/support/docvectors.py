# SPDX-License-Identifier: MIT
"""The document sets as a mount shows them: names of files, what may be read in them, and single cells.

    for d in docvectors.load("cosmos-java").documents:
        d.path                        # below the container's directory
        d.reads_as(m.read(d.path))

What the sets hold: tests/support/cosmos_vectors.py.  Stores of them: tests/support/docstore.py.
"""
import functools
import hashlib
import json
import math
import struct

from tests.support import cosmos_vectors
from tests.support.cells import BOOLEAN, DOUBLE, LONG, Dek
from tests.support.docnames import value_name


class Document(cosmos_vectors.Document):
    """One document, with its name in a mount and what it may read as."""

    @property
    def has_clear_cells(self):
        """The client has left scalars in clear among its cells."""
        return bool(self.clear_inside)

    @property
    def path(self):
        return "/".join(["items", *map(value_name, self.partition_key), value_name(self.id, suffix=".json")])

    def reads_as(self, text):
        """Whether a text is this document: numbers as the README of the set says."""
        return comparable(json.loads(text), self.set.exact) == comparable(json.loads(self.plain), self.set.exact)


class Cell:
    """One encrypted value of cells.json or damaged-cells.json."""

    def __init__(self, vector_set, entry, number):
        self.set, self.entry, self.number = vector_set, entry, number
        self.dek = entry["clientEncryptionKeyId"]
        self.text = entry.get("cellBase64", entry.get("cell"))

    def __repr__(self):
        return f"{self.set.name}:{self.number}:{self.entry.get('name', self.entry.get('type'))}".replace(" ", "-")

    @property
    def deterministic(self):
        return self.entry["encryptionType"] == "Deterministic"

    def is_value(self, value):
        """Whether a value that was read is the one of cells.json: by the bytes of the plaintext, and by type."""
        marker = self.entry["typeMarker"]
        if marker == BOOLEAN:
            plain = struct.pack("<q", value) if isinstance(value, bool) else None
        elif marker == LONG:
            plain = struct.pack("<q", value) if type(value) is int else None
        elif marker == DOUBLE:
            plain = struct.pack("<d", value) if isinstance(value, float) else None
        else:
            plain = value.encode() if isinstance(value, str) else None
        return plain is not None and hashlib.sha256(plain).hexdigest() == self.entry["plaintextSha256"]


class DocumentSet(cosmos_vectors.CosmosSet):
    def __init__(self, name):
        super().__init__(name)
        #: This client tells longs from doubles and keeps 64 bits.
        self.exact = name == "cosmos-java"
        self.documents = [Document(self, d.entry) for d in self.documents]
        self.cells = [Cell(self, e, i) for i, e in enumerate(self.json("cells.json"))]
        self.damaged_cells = [Cell(self, e, i) for i, e in enumerate(self.json("damaged-cells.json"))]
        self.deks = {name: Dek(name, None, bytes.fromhex(k["dataEncryptionKeyHex"])) for name, k in self.unwrapped.items()}

    def policy(self, container):
        """{property: deterministic?} of a container."""
        (policy,) = (c.get("clientEncryptionPolicy") for c in self.containers if c["id"] == container)
        paths = (policy or {"includedPaths": []})["includedPaths"]
        return {p["path"][1:]: p["encryptionType"] == "Deterministic" for p in paths}


@functools.lru_cache(maxsize=None)
def load(name):
    return DocumentSet(name)


def all_sets():
    return [load(name) for name in cosmos_vectors.SETS]


def comparable(value, exact):
    """A JSON value in a form that == compares: exactly (1 is not 1.0, 0.0 not -0.0), or with numbers as doubles."""
    if isinstance(value, dict):
        return {k: comparable(v, exact) for k, v in value.items()}
    if isinstance(value, list):
        return [comparable(v, exact) for v in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return type(value).__name__, value
    if not exact:
        return "number", float(value)
    return type(value).__name__, value, math.copysign(1, value)
