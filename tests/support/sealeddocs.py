# SPDX-License-Identifier: MIT
"""Containers of sealed documents in a `dir:` store, made for a test: right ones, and ones that an attacker left.

Written from docs/FORMATS.md ("The dir: store"), independently of backend/store, so that one checks the other.

    store = DocumentStore(tmp_path / "store")
    c = store.container("c", {"ssn": (dek, True), "note": (dek, False)})     # deterministic?
    c.put({"id": "1", "pk": "a", "ssn": "123-45-6789"})                      # sealed as the policy says
    c.put_raw('{"id":"2","pk":"a","ssn":"not a cell"}')                      # as it is
"""
import functools
import hashlib
import itertools
import json
import os
import pathlib

from tests.conftest import make_keys_file
from tests.support import cloud, seal
from tests.support.cells import ALGORITHM, Dek
from tests.support.dirstore import MARKER, encode_component
from tests.support.docnames import number_text

_times = itertools.count(1795000000)


def header_text(value):
    """One value of a partition key as the header spells it; absent is ..."""
    if value is ...:
        return "{}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number_text(value, sealed=False)
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")


def sealed_document(document, sealed, **system):
    """The stored members: sealed is {property: (dek, deterministic?)}."""
    stored = dict(document)
    for name, (dek, deterministic) in sealed.items():
        if name in stored:
            stored[name] = dek.seal(stored[name], deterministic, url=name == "id")
    return {**stored, **system_members(), **system}


def system_members():
    """What the service adds to a document."""
    etag = f'"{os.urandom(8).hex()}"'
    return {"_rid": "r", "_self": "s", "_etag": etag, "_attachments": "attachments/", "_ts": next(_times)}


class Container:
    def __init__(self, store, name, sealed, pk, version, policy):
        self.store, self.name, self.sealed = store, name, sealed
        self.paths = [pk] if isinstance(pk, str) else list(pk)
        self.root = store.root / "databases" / (encode_component(store.database.encode()) + ".d") / "containers"
        self.root = self.root / (encode_component(name.encode()) + ".d")
        self.rid = hashlib.sha256(name.encode()).hexdigest()[:12]
        self.define(version, policy)

    def define(self, version=1, policy=...):
        """Writes the container's own resource; policy: ... = as the properties say, or any JSON value."""
        if policy is ...:
            policy = {
                "policyFormatVersion": version,
                "includedPaths": [
                    {
                        "path": f"/{name}", "clientEncryptionKeyId": dek.name, "encryptionAlgorithm": ALGORITHM,
                        "encryptionType": "Deterministic" if deterministic else "Randomized",
                    }
                    for name, (dek, deterministic) in self.sealed.items()
                ],
            }  # fmt: skip
        resource = {
            "id": self.name,
            "_rid": self.rid,
            "_etag": f'"{os.urandom(8).hex()}"',
            "_ts": 1795000000,
            "partitionKey": {
                "paths": self.paths, "kind": "Hash" if len(self.paths) == 1 else "MultiHash", "version": 2,
            },
        }  # fmt: skip
        if policy is not None:
            resource["clientEncryptionPolicy"] = policy
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "container.json").write_text(json.dumps(resource))

    def _at(self, document, path):
        for token in path.strip("/").split("/"):
            if not isinstance(document, dict) or token not in document:
                return ...
            document = document[token]
        return ... if isinstance(document, (dict, list)) else document

    def put(self, document, **system):
        """Seals a document as the policy says, and publishes it.  Returns the sealed one."""
        sealed = sealed_document(document, self.sealed, **system)
        self.put_raw(json.dumps(sealed), sealed)
        return sealed

    def path_of(self, sealed):
        text = "[" + ",".join(header_text(self._at(sealed, p)) for p in self.paths) + "]"
        partition = hashlib.sha256(text.encode()).hexdigest()[:16].upper()
        name = hashlib.sha256(sealed["id"].encode("utf-8", "surrogatepass")).hexdigest()[:32].upper()
        return self.root / "documents" / partition[:2] / f"{partition}-{name}.json"

    def put_raw(self, text, as_if=None):
        """Publishes text as it is, in the place of the document that it (or as_if) is."""
        path = self.path_of(as_if if as_if is not None else json.loads(text))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{os.urandom(8).hex()}")
        temporary.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        temporary.rename(path)
        return path

    def remove(self, sealed):
        self.path_of(sealed).unlink()

    @property
    def source(self):
        return f"{self.store.source}/{self.store.database}/{self.name}"


class DocumentStore:
    def __init__(self, root, database="db"):
        self.root, self.database = pathlib.Path(root), database
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / MARKER).write_text(json.dumps({"format": "azcryptfs-dir", "version": 1, "kind": "documents"}))

    @property
    def source(self):
        return f"dir:{self.root}"

    def put_key(self, dek, **changes):
        """Publishes the wrapped key of a Dek, right or changed (text= for anything)."""
        directory = self.root / "databases" / (encode_component(self.database.encode()) + ".d") / "keys"
        directory.mkdir(parents=True, exist_ok=True)
        text = changes.pop("text", None)
        path = directory / (encode_component(dek.name.encode()) + ".json")
        path.write_text(text if text is not None else json.dumps(dek.record(**changes)))

    def container(self, name="c", sealed=None, pk="/pk", version=1, policy=...):
        sealed = sealed or {}
        for dek, _ in sealed.values():
            self.put_key(dek)
        return Container(self, name, sealed, pk, version, policy if sealed or policy is not ... else None)


@functools.lru_cache(maxsize=None)
def local_kek():
    """The key that wraps all keys of LocalDocuments."""
    return seal.make_kek("RSA-OAEP")


class LocalDocuments:
    """A store whose keys are wrapped by one local key, and mounts of it.

    documents.container("c", {"ssn": ("a", True)})     # keys by name; each name is one key
    documents.mount(container)                          # of the container, None: of the account
    """

    def __init__(self, directory, mount, kek=None):
        self.kek = kek or local_kek()
        self.store = DocumentStore(pathlib.Path(directory) / "documents")
        self.keys = make_keys_file(directory, local_kek())
        self._mount, self._deks = mount, {}

    def dek(self, name="a"):
        if name not in self._deks:
            self._deks[name] = Dek(name, self.kek)
        return self._deks[name]

    def container(self, name="c", sealed=None, **more):
        sealed = {p: (self.dek(dek), deterministic) for p, (dek, deterministic) in (sealed or {}).items()}
        return self.store.container(name, sealed, **more)

    def mount(self, container=None, *options, **more):
        source = container.source if container else self.store.source
        return self._mount(source, f"keys={self.keys}", *options, **more)


class VaultDocuments(LocalDocuments):
    """The same with keys of the vault emulator, whose vault is on the mount's allow-list."""

    def __init__(self, directory, mount, vault, tokens, ca_file):
        super().__init__(directory, mount, cloud.add_key(vault))
        self._options = (f"vault={vault.url}", f"ca_file={ca_file}")
        self._env = cloud.client_secret(tokens)

    def mount(self, container=None, *options, **more):
        source = container.source if container else self.store.source
        return self._mount(source, *self._options, *options, env=self._env, **more)


def text_of(document, **system):
    """A stored document as text: with what the service adds, and nothing sealed."""
    return json.dumps({**document, **system_members(), **system})
