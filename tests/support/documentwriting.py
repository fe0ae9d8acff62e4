# SPDX-License-Identifier: MIT
"""Mounts that write documents, and what the store keeps of it, opened without the program.

    w = Writing(documents, tmp_path)              # a LocalDocuments, a VaultDocuments or a CosmosService
    c = w.container("c", {"ssn": ("a", True)})
    m = w.mount(c)
    m.path("items/p").mkdir()
    m.path("items/p/x.json").write_text('{"id":"x","pk":"p","ssn":"1"}')
    w.stored(c, "x")                              # the stored members
    w.plain(c, "x")                               # the same, opened
"""
import json
import pathlib


from tests.support.cosmosservice import CosmosService

SYSTEM = ("_rid", "_etag", "_ts", "_self", "_attachments", "_lsn")


class Writing:
    def __init__(self, documents, directory):
        self.documents, self.pins = documents, pathlib.Path(directory) / "pins"

    def container(self, name="c", sealed=None, **more):
        return self.documents.container(name, {"ssn": ("a", True), "note": ("b", False)} if sealed is None else sealed, **more)

    def mount(self, container=None, *options, **more):
        return self.documents.mount(container, "rw", f"pin={self.pins}", *options, **more)

    @property
    def options(self):
        """What a command needs to write."""
        return f"pin={self.pins},keys={self.documents.keys}"

    # ---- what is stored

    def texts(self, container):
        """{stored id: text} of all documents."""
        if isinstance(self.documents, CosmosService):
            with self.documents.server.account.lock:
                made = self.documents.server.container("db", container.name)
                found = [d.text for d in made.between(("", -1), ("G", 0), 1 << 30)]
        else:
            found = [p.read_bytes() for p in sorted((container.root / "documents").glob("*/*.json"))]
        return {json.loads(text)["id"]: text for text in found}

    def stored(self, container, id):
        """The stored members of a document; None: it is not there."""
        text = self.texts(container).get(id)
        return None if text is None else json.loads(text)

    def plain(self, container, id):
        """The same with its cells opened, without what the service adds."""
        found = self.stored(container, id)
        return None if found is None else opened(container, found)


def opened(container, stored):
    members = {n: v for n, v in stored.items() if n not in SYSTEM}
    for name, (dek, _) in container.sealed.items():
        if name in members:
            members[name] = _leaves(members[name], lambda cell, dek=dek: dek.unseal(cell)[1])
    return members


def _leaves(value, of):
    if isinstance(value, dict):
        return {n: _leaves(v, of) for n, v in value.items()}
    if isinstance(value, list):
        return [_leaves(v, of) for v in value]
    return None if value is None else of(value)


def plain(text):
    """What a file says, without what the service adds."""
    return {n: v for n, v in json.loads(text).items() if n not in SYSTEM}


def make(m, name, document):
    """Writes a document (a dict, or text) to a new or old file, its directories made where they are missing."""
    path = m.path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path
