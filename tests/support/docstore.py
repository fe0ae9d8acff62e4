# SPDX-License-Identifier: MIT
"""Writes a `dir:` store of documents from the vector sets of Cosmos DB, or from anything.

    store = docstore.write_vectors(tmp_path / "shop", "cosmos-js")
    mount(store.source)
    store.put_document("shop", "mixed-det", b'{"id":"x","pk":"p1"}')

Written from the description in docs/FORMATS.md ("The dir: store of documents"), independently of
backend/store/docdir*.c, so that one checks the other. Nothing but the standard library.
"""
import hashlib
import json
import os
import pathlib

from tests.support.dirstore import MARKER, cut, encode_component
from tests.support.docnames import number_text

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"
ABSENT = object()


class DocStore:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        (self.root / "databases").mkdir(parents=True, exist_ok=True)
        marker = self.root / MARKER
        if not marker.exists():
            _publish(marker, b'{"format":"azcryptfs-dir","version":1,"kind":"documents"}\n')

    @property
    def source(self):
        return f"dir:{self.root}"

    def put_key(self, database, resource):
        """A wrapped key, as the service sends it: bytes, or a dict."""
        text = _text(resource)
        path = _placed(self._database(database) / "keys", json.loads(text)["id"], ".json")
        _publish(path, text)
        return path

    def put_container(self, database, resource):
        """The container's resource: bytes, or a dict. Its documents stay."""
        text = _text(resource)
        path = self._container(database, json.loads(text)["id"]) / "container.json"
        _publish(path, text)
        return path

    def put_document(self, database, container, document):
        """A stored document: bytes, or a dict. Its container has been put before."""
        text = _text(document)
        members = json.loads(text)
        path = self.document_path(database, container, self.partition(database, container, members), members["id"])
        _publish(path, text)
        return path

    def remove_document(self, database, container, partition, stored_id):
        self.document_path(database, container, partition, stored_id).unlink()

    def container(self, database, container):
        return json.loads((self._container(database, container) / "container.json").read_bytes())

    def partition(self, database, container, members):
        """The partition of a stored document, as header text."""
        key = self.container(database, container)["partitionKey"]
        return partition_text([_member(members, path) for path in key["paths"]], key.get("systemKey", False))

    def document_path(self, database, container, partition, stored_id):
        p = hashlib.sha256(partition.encode()).hexdigest().upper()[:16]
        i = hashlib.sha256(stored_id.encode()).hexdigest().upper()[:32]
        return self._container(database, container) / "documents" / p[:2] / f"{p}-{i}.json"

    def documents(self, database, container):
        """The texts of all documents, in the order of their files' names."""
        return [p.read_bytes() for p in sorted((self._container(database, container) / "documents").glob("??/*.json"))]

    def _database(self, database):
        return _placed(self.root / "databases", database, ".d")

    def _container(self, database, container):
        return _placed(self._database(database) / "containers", container, ".d")


def write_vectors(path, set_name, database=None, containers=None):
    """A store with what the official client of a set ("cosmos-js", "cosmos-java") wrote: its keys, containers and
    documents, in one database, whose name is that of the set unless another is given. containers: only those."""
    vectors = VECTORS / set_name
    database = database or _load(vectors / "database.json")["id"]
    store = DocStore(path)
    for key in _load(vectors / "clientencryptionkeys.json")["ClientEncryptionKeys"]:
        store.put_key(database, key)
    for container in _load(vectors / "containers.json")["DocumentCollections"]:
        if containers is not None and container["id"] not in containers:
            continue
        store.put_container(database, container)
        for stored in sorted((vectors / "documents" / container["id"]).glob("*.stored.json")):
            store.put_document(database, container["id"], stored.read_bytes())
    return store


def vector_keys(set_name):
    """The keys that wrap a set's keys, for vectors.write_keys."""
    vectors = VECTORS / set_name
    return [{"kid": k["keyId"], "pem": str(vectors / k["file"])} for k in _load(vectors / "keys" / "keys.json")]


def partition_text(values, system_key=False):
    """The header text of a partition key's values; ABSENT for those that are not there."""
    if system_key and all(v is ABSENT for v in values):
        return "[]"
    return "[" + ",".join(_value_text(v) for v in values) + "]"


def _value_text(value):
    if value is ABSENT or isinstance(value, (dict, list)):
        return "{}"
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        return number_text(value, sealed=False)
    return json.dumps(value)


def _member(members, path):
    for name in path.strip("/").split("/"):
        if not isinstance(members, dict) or name not in members:
            return ABSENT
        members = members[name]
    return members


def _placed(directory, name, suffix):
    """The file or directory of a name, in pieces where it is long."""
    *pieces, end = cut(encode_component(name.encode()))
    for piece in pieces:
        directory /= piece + ".c"
    return directory / (end + suffix)


def _load(path):
    return json.loads(path.read_bytes())


def _text(resource):
    if isinstance(resource, (bytes, bytearray)):
        return bytes(resource)
    return json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()


def _publish(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".tmp-{os.urandom(8).hex()}"
    temporary.write_bytes(text)
    temporary.rename(path)
