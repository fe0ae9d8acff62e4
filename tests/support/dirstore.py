# SPDX-License-Identifier: MIT
"""Writes and reads the `dir:` store: sealed objects and their metadata in a local directory.

Written from the description in docs/FORMATS.md ("The dir store"), independently of backend/store/dir.c,
so that one checks the other.
"""
import datetime
import json
import os
import pathlib
import re

MARKER = "azcryptfs-store.json"
PIECE = 200  # bytes of an encoded component in one file name
KEPT = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")


def encode_component(component):
    """One component of a name between slashes, as bytes, in characters that any filesystem holds."""
    if not component:
        return "%"
    out = []
    for i, byte in enumerate(component):
        if byte in KEPT and not (byte == 0x2E and i == 0):
            out.append(chr(byte))
        else:
            out.append(f"%{byte:02X}")
    return "".join(out)


def cut(encoded):
    """Pieces of at most PIECE bytes, never cut inside a %XX."""
    pieces = []
    while len(encoded) > PIECE:
        end = PIECE
        escape = encoded.rfind("%", end - 2, end)
        if escape >= 0:
            end = escape
        pieces.append(encoded[:end])
        encoded = encoded[end:]
    return [*pieces, encoded]


def object_path(name):
    """(directory, last piece) of the files of a store name, relative to objects/."""
    *directories, last = name.encode().split(b"/")
    path = pathlib.PurePosixPath()
    for component in directories:
        *pieces, end = cut(encode_component(component))
        for piece in pieces:
            path /= piece + ".c"
        path /= end + ".d"
    *pieces, end = cut(encode_component(last))
    for piece in pieces:
        path /= piece + ".c"
    return path, end


class DirStore:
    def __init__(self, root, kind="blobs"):
        self.root = pathlib.Path(root)
        self.objects = self.root / "objects"
        self.objects.mkdir(parents=True, exist_ok=True)
        marker = self.root / MARKER
        if not marker.exists():
            _publish(marker, {"format": "azcryptfs-dir", "version": 1, "kind": kind})

    @property
    def source(self):
        return f"dir:{self.root}"

    def put(self, name, stored, metadata=None, *, etag=None, last_modified=None, content_type=None, blob_type="BlockBlob"):
        """Publishes an object, replacing one of that name at once.  Returns its ETag, unquoted."""
        directory, end = object_path(name)
        directory = self.objects / directory
        directory.mkdir(parents=True, exist_ok=True)
        etag = etag or "0x" + os.urandom(8).hex().upper()
        if last_modified is None:
            last_modified = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        content = f"{end}.{os.urandom(8).hex()}.x"
        (directory / content).write_bytes(stored)
        old = self._read(name)
        _publish(
            directory / (end + ".m"),
            {
                "version": 1,
                "name": name,
                "content": content,
                "length": len(stored),
                "etag": etag,
                "last_modified": last_modified,
                "content_type": content_type or "application/octet-stream",
                "blob_type": blob_type,
                "metadata": metadata or {},
            },
        )
        if old:
            (directory / old["content"]).unlink(missing_ok=True)
        return etag

    def get(self, name):
        """(stored bytes, metadata file as a dict)."""
        entry = self._read(name)
        if entry is None:
            raise KeyError(name)
        directory, _ = object_path(name)
        return (self.objects / directory / entry["content"]).read_bytes(), entry

    def edit(self, name, **changes):
        """Overwrites members of the metadata file, right or wrong; a member set to None is removed."""
        directory, end = object_path(name)
        entry = self._read(name)
        entry.update(changes)
        _publish(self.objects / directory / (end + ".m"), {k: v for k, v in entry.items() if v is not None})

    def content_path(self, name):
        directory, _ = object_path(name)
        return self.objects / directory / self._read(name)["content"]

    def remove(self, name):
        directory, end = object_path(name)
        content = self.content_path(name)
        (self.objects / directory / (end + ".m")).unlink()
        content.unlink()

    def names(self):
        """All names, in the order of their bytes."""
        found = []
        for folder, _, files in os.walk(self.objects):
            for file in files:
                if file.endswith(".m"):
                    found.append(json.loads((pathlib.Path(folder) / file).read_text())["name"])
        return sorted(found, key=str.encode)

    def _read(self, name):
        directory, end = object_path(name)
        try:
            return json.loads((self.objects / directory / (end + ".m")).read_text())
        except FileNotFoundError:
            return None


def decode_component(encoded):
    """The inverse of encode_component, for tests of the encoding."""
    if encoded == "%":
        return b""
    return re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), encoded.encode())


def _publish(path, members):
    temporary = path.parent / f".tmp-{os.urandom(8).hex()}"
    temporary.write_text(json.dumps(members, ensure_ascii=False))
    temporary.rename(path)
