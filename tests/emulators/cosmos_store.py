# SPDX-License-Identifier: MIT
"""What an emulated Cosmos account holds: databases, keys, containers, documents as text.

A container keeps its documents in one list sorted by (effective partition key, order of insertion), so
a page is a slice, and in the order of their last change for the change feed. Feed ranges are only
bounds on that list: to split or merge them moves nothing, and a position in the list stays good.
Not safe by itself: the server holds `Account.lock` around every use.
"""

from __future__ import annotations

import base64
import json
import secrets
import struct
import threading
import time
import uuid
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.cosmos_epk import HIGHEST, LOWEST, UNDEFINED, as_double, boundaries, epk
from tests.emulators.cosmos_json import Member, document_text, members, with_system_members

#: A place in a container's list of documents.
Position = tuple[str, int]
_COMPACT_ABOVE = 1000


def canonical(values: Sequence[Any]) -> tuple[Any, ...]:
    """A partition key that compares as the service does: 1 is 1.0, but neither True nor "1"."""
    return tuple(_canonical(v) for v in values)


def _canonical(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool):
        return ("b", value)
    if isinstance(value, (int, float)):
        return ("n", as_double(value))
    if isinstance(value, str):
        return ("s", value)
    return ("z",) if value is None else ("u",)


def path_names(path: str) -> list[str]:
    """`/a/"b c"/d` as names."""
    names, rest = [], path
    while rest.startswith("/"):
        if rest[1:2] in ('"', "'"):
            end = rest.index(rest[1], 2)
            names.append(rest[2:end])
            rest = rest[end + 1 :]
        else:
            name, slash, rest = rest[1:].partition("/")
            names.append(name)
            rest = slash + rest
    return names


def rid_text(data: bytes) -> str:
    """A resource id as text: base64 that may stand in a path."""
    return base64.b64encode(data).decode().replace("/", "-")


@dataclass(eq=False)
class Document:
    """One document; `text` is what the service answers, byte for byte."""

    id: str
    key: tuple[Any, ...]
    position: Position
    text: bytes
    rid: str
    etag: str
    ts: int
    lsn: int = 0

    @property
    def changed_text(self) -> bytes:
        """The text as a row of the change feed."""
        end = self.text.rindex(b"}")
        return b'%b,"_lsn":%d%b' % (self.text[:end], self.lsn, self.text[end:])


@dataclass
class FeedRange:
    """A physical partition: the effective keys from `low` up to, not including, `high`."""

    id: str
    low: str
    high: str
    parents: list[str] = field(default_factory=list)
    lsn: int = 1

    def to_json(self, rid: str) -> dict[str, Any]:
        return {
            "_rid": rid, "id": self.id, "_etag": f'"{self.id}-{self.low}"',
            "minInclusive": self.low, "maxExclusive": self.high, "ridPrefix": int(self.id),
            "throughputFraction": 1, "status": "online", "parents": self.parents, "_ts": 1,
        }


class Container:
    """One container of a database."""

    def __init__(self, definition: dict[str, Any], rid: bytes, database_rid: str, ranges: int = 1):
        self.rid_bytes = rid
        self.rid = rid_text(rid)
        self.definition = {
            **definition,
            "_rid": self.rid, "_self": f"dbs/{database_rid}/colls/{self.rid}/",
            "_etag": f'"{uuid.uuid4()}"', "_ts": int(time.time()), "_docs": "docs/",
            "_sprocs": "sprocs/", "_triggers": "triggers/", "_udfs": "udfs/",
            "_conflicts": "conflicts/",
        }
        self.lsn = 1
        self.ranges: list[FeedRange] = []
        self._next_range = 0
        self._documents: dict[tuple[Any, ...], Document] = {}
        self._positions: list[Position] = []
        self._ordered: list[Document] = []
        self._changes: list[tuple[int, Document]] = []
        self._inserted = 0
        self._paths = [path_names(p) for p in self.partition_key["paths"]]
        self._divide([LOWEST, *boundaries(ranges, self.partition_key), HIGHEST])

    @classmethod
    def loaded(cls, definition: dict[str, Any], ranges: int = 1) -> Container:
        """A container as the service showed it, with its `_rid` and `_etag`."""
        rid = base64.b64decode(definition["_rid"].replace("-", "/"))
        made = cls(definition, rid, "", ranges)
        made.definition = dict(definition)
        return made

    @property
    def id(self) -> str:
        return str(self.definition["id"])

    @property
    def partition_key(self) -> dict[str, Any]:
        return self.definition["partitionKey"]

    @property
    def policy(self) -> dict[str, Any] | None:
        return self.definition.get("clientEncryptionPolicy")

    def __len__(self) -> int:
        return len(self._ordered)

    def size(self) -> int:
        """Bytes of all documents."""
        return sum(len(d.text) for d in self._ordered)

    # Documents.

    def key_of(self, value: dict[str, Any]) -> list[Any]:
        """The partition key inside a document."""
        return [_value_at(value, names) for names in self._paths]

    def find(self, key: Sequence[Any], document_id: str) -> Document | None:
        return self._documents.get((canonical(key), document_id))

    def by_rid(self, rid: str) -> Document | None:
        return next((d for d in self._ordered if d.rid == rid), None)

    def write(self, key: Sequence[Any], text: str, found: list[Member], document_id: str) -> Document:
        """Add or replace a document with text as it came; the system members are made here."""
        known = self.find(key, document_id)
        position = known.position if known else self._new_position(key)
        rid = known.rid if known else self._document_rid(position[1])
        etag, now = f'"{uuid.uuid4()}"', int(time.time())
        stored = with_system_members(text, found, self._system(rid, etag, now))
        made = Document(document_id, canonical(key), position, stored, rid, etag, now)
        return self._place(made, known)

    def put_raw(
        self, text: str | bytes, key: Sequence[Any] | None = None, document_id: str | None = None
    ) -> Document:
        """Add or replace a document exactly as the service stores it, system members and all.

        Nothing is checked. Its place is found by what is inside, unless both key and id are told:
        then the text may be anything at all.
        """
        data = text.encode() if isinstance(text, str) else text
        inside: dict[str, Any] = {}
        if key is None or document_id is None:
            inside = {m.name: m.value for m in members(document_text(data))}
        key = self.key_of(inside) if key is None else key
        document_id = str(inside["id"]) if document_id is None else document_id
        known = self.find(key, document_id)
        position = known.position if known else self._new_position(key)
        return self._place(Document(
            document_id, canonical(key), position, data.strip(),
            str(inside.get("_rid") or self._document_rid(position[1])),
            str(inside.get("_etag") or f'"{uuid.uuid4()}"'), int(inside.get("_ts") or time.time()),
        ), known)

    def fill(self, documents: Iterable[tuple[Sequence[Any], str, bytes]]) -> None:
        """Many new documents at once, as (key, id, text): nothing is parsed, the list is sorted once.

        A text without system members gets them.
        """
        hashed: dict[tuple[Any, ...], str] = {}
        etag, now = '"00000000-0000-0000-0000-000000000000"', int(time.time())
        for key, document_id, text in documents:
            canon = canonical(key)
            place = hashed.get(canon)
            if place is None:
                place = hashed[canon] = epk(key, self.partition_key)
            self._inserted += 1
            self.lsn += 1
            rid = self._document_rid(self._inserted)
            if b'"_rid"' not in text:
                text = text[:-1] + f",{self._system(rid, etag, now)}}}".encode()
            made = Document(document_id, canon, (place, self._inserted), text, rid, etag, now, self.lsn)
            self._documents[canon, document_id] = made
            self._ordered.append(made)
            self._changes.append((self.lsn, made))
        self._ordered.sort(key=lambda d: d.position)
        self._positions = [d.position for d in self._ordered]
        for range_ in self.ranges:
            range_.lsn = self.lsn

    def delete(self, document: Document) -> None:
        at = bisect_left(self._positions, document.position)
        del self._positions[at], self._ordered[at], self._documents[document.key, document.id]
        self._moved(document.position[0])
        document.lsn = 0

    def _place(self, made: Document, known: Document | None) -> Document:
        made.lsn = self._moved(made.position[0])
        if known is None:
            insort(self._positions, made.position)
            self._ordered.insert(bisect_left(self._positions, made.position), made)
        else:
            self._ordered[bisect_left(self._positions, made.position)] = made
            known.lsn = 0
        self._documents[made.key, made.id] = made
        self._changes.append((made.lsn, made))
        if len(self._changes) > 2 * len(self._ordered) + _COMPACT_ABOVE:
            self._changes = [(lsn, d) for lsn, d in self._changes if d.lsn == lsn]
        return made

    def _system(self, rid: str, etag: str, now: int) -> str:
        """The members that the service adds, as text."""
        return (
            f'"_rid":"{rid}","_self":"{self.definition["_self"]}docs/{rid}/",'
            f'"_etag":{json.dumps(etag)},"_attachments":"attachments/","_ts":{now}'
        )

    def _new_position(self, key: Sequence[Any]) -> Position:
        self._inserted += 1
        return epk(key, self.partition_key), self._inserted

    def _document_rid(self, number: int) -> str:
        return rid_text(self.rid_bytes + struct.pack("<Q", number))

    def _moved(self, place: str) -> int:
        self.lsn += 1
        self.range_of(place).lsn = self.lsn
        return self.lsn

    # Reading in order.

    def between(self, start: Position, end: Position, most: int) -> Sequence[Document]:
        """Up to `most` documents from start on, end not included."""
        first = bisect_left(self._positions, start)
        last = bisect_left(self._positions, end, first)
        return self._ordered[first : min(last, first + most)]

    def changes_after(self, lsn: int) -> Iterable[Document]:
        """Documents whose last change came after that number, oldest change first."""
        for i in range(bisect_left(self._changes, lsn + 1, key=lambda c: c[0]), len(self._changes)):
            number, document = self._changes[i]
            if document.lsn == number:
                yield document

    # Feed ranges.

    def range_of(self, place: str) -> FeedRange:
        return next(r for r in reversed(self.ranges) if r.low <= place)

    def range(self, range_id: str) -> FeedRange | None:
        """That range, or None when it is gone or never was."""
        return next((r for r in self.ranges if r.id == range_id), None)

    def split(self, range_id: str, at: str | None = None) -> list[FeedRange]:
        """Replace a range by two; `at` defaults to where its documents are halved."""
        parent = self._must(range_id)
        at = at or self._middle(parent)
        if not parent.low < at < parent.high:
            raise ValueError(f"{at!r} is not inside range {range_id}")
        made = [self._new_range(parent.low, at, [parent]), self._new_range(at, parent.high, [parent])]
        return self._swap([parent], made)

    def merge(self, range_id: str, other_id: str) -> FeedRange:
        """Replace two neighbours by one."""
        pair = sorted((self._must(range_id), self._must(other_id)), key=lambda r: r.low)
        if pair[0].high != pair[1].low:
            raise ValueError(f"ranges {range_id} and {other_id} are no neighbours")
        return self._swap(pair, [self._new_range(pair[0].low, pair[1].high, pair)])[0]

    def _must(self, range_id: str) -> FeedRange:
        found = self.range(str(range_id))
        if found is None:
            raise KeyError(f"no range {range_id}")
        return found

    def _middle(self, parent: FeedRange) -> str:
        first = bisect_left(self._positions, (parent.low, -1))
        last = bisect_left(self._positions, (parent.high, -1))
        inside = sorted({p[0] for p in self._positions[first:last]} - {parent.low})
        if inside:
            return inside[len(inside) // 2]
        fine = boundaries(1024, self.partition_key)
        inside = [b for b in fine if parent.low < b < parent.high]
        return inside[len(inside) // 2]

    def _new_range(self, low: str, high: str, parents: list[FeedRange]) -> FeedRange:
        ancestors = list(dict.fromkeys(a for p in parents for a in (*p.parents, p.id)))
        made = FeedRange(str(self._next_range), low, high, ancestors, self.lsn)
        self._next_range += 1
        return made

    def _swap(self, old: list[FeedRange], new: list[FeedRange]) -> list[FeedRange]:
        left = [r for r in self.ranges if r not in old]
        self.ranges = sorted(left + new, key=lambda r: r.low)
        return new

    def _divide(self, bounds: list[str]) -> None:
        self.ranges = [self._new_range(low, high, []) for low, high in zip(bounds, bounds[1:])]


def _value_at(value: Any, names: list[str]) -> Any:
    for name in names:
        if not isinstance(value, dict) or name not in value:
            return UNDEFINED
        value = value[name]
    return value


class Database:
    """One database: its containers and client encryption keys, in order of creation."""

    def __init__(self, database_id: str, rid: bytes):
        self.id = database_id
        self.rid_bytes = rid
        self.containers: dict[str, Container] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self._made = 0
        self.resource: dict[str, Any] = {
            "id": database_id, "_rid": self.rid, "_self": f"dbs/{self.rid}/",
            "_etag": f'"{uuid.uuid4()}"', "_colls": "colls/", "_users": "users/",
            "_ts": int(time.time()),
        }

    @property
    def rid(self) -> str:
        return rid_text(self.rid_bytes)

    def container(self, name: str) -> Container | None:
        """By id, or by resource id as some clients address it."""
        if name in self.containers:
            return self.containers[name]
        return next((c for c in self.containers.values() if c.rid == name), None)

    def add_container(self, definition: dict[str, Any], ranges: int = 1) -> Container:
        rid = self.rid_bytes + struct.pack(">I", 0x80000000 | self._number())
        made = Container(definition, rid, self.rid, ranges)
        self.containers[made.id] = made
        return made

    def put_key(self, told: dict[str, Any]) -> dict[str, Any]:
        """Add or replace a client encryption key."""
        known = self.keys.get(told["id"])
        rid = known["_rid"] if known else rid_text(self.rid_bytes + struct.pack(">Q", self._number()))
        wanted = ("id", "encryptionAlgorithm", "wrappedDataEncryptionKey", "keyWrapMetadata")
        made = {
            **{name: told.get(name) for name in wanted},
            "_rid": rid, "_self": f"dbs/{self.rid}/clientencryptionkeys/{rid}/",
            "_etag": f'"{uuid.uuid4()}"', "_ts": int(time.time()),
        }
        self.keys[told["id"]] = made
        return made

    def _number(self) -> int:
        self._made += 1
        return self._made


class Account:
    """All databases, and the lock that guards everything in them."""

    def __init__(self, ranges: int = 1) -> None:
        self.lock = threading.RLock()
        self.ranges = ranges
        self.databases: dict[str, Database] = {}

    def database(self, name: str) -> Database | None:
        if name in self.databases:
            return self.databases[name]
        return next((d for d in self.databases.values() if d.rid == name), None)

    def add_database(self, database_id: str, rid: str | None = None) -> Database:
        made = Database(
            database_id, base64.b64decode(rid.replace("-", "/")) if rid else secrets.token_bytes(4)
        )
        self.databases[database_id] = made
        return made

    def add_container(
        self, database: Database, definition: dict[str, Any], ranges: int | None = None
    ) -> Container:
        with self.lock:
            return database.add_container(definition, self.ranges if ranges is None else ranges)

    def recreate(self, database_id: str, container_id: str) -> Container:
        """The container deleted and made anew: empty, with another resource id."""
        with self.lock:
            database = self.databases[database_id]
            old = database.containers.pop(container_id)
            told = {n: v for n, v in old.definition.items() if not n.startswith("_")}
            return database.add_container(told, len(old.ranges))
