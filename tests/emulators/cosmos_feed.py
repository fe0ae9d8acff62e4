# SPDX-License-Identifier: MIT
"""Pages of a container: which documents, up to where, and the token that goes on from there.

A token is a position in the container, not in a range: what a range had given out goes on in its
children after a split, and what they do not hold they begin at their own start. So nothing is
lost and nothing is shown twice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.emulators.cosmos_epk import HIGHEST, LOWEST, epk
from tests.emulators.cosmos_store import Container, Document, Position, canonical

DEFAULT_COUNT = 100
SERVER_COUNT = 1000
MAX_PAGE_BYTES = 4 << 20
#: Documents that one page of a query looks at, at most.
SCAN_LIMIT = 10_000
_LAST = 1 << 62


class BadToken(ValueError):
    """A continuation that this container and query never gave out."""


@dataclass(frozen=True)
class Scope:
    """What a request is about: an interval of the container, perhaps one partition key of it."""

    low: Position = (LOWEST, -1)
    high: Position = (HIGHEST, -1)
    key: tuple[Any, ...] | None = None

    @classmethod
    def of_key(cls, container: Container, key: Sequence[Any]) -> Scope:
        """A whole partition key, or the first levels of a hierarchical one."""
        place = epk(key, container.partition_key)
        if len(key) < len(container.partition_key["paths"]):
            return cls((place, -1), (place + HIGHEST, -1), canonical(key))
        return cls((place, -1), (place, _LAST), canonical(key))

    def within(self, low: str, high: str) -> Scope:
        """The part of it that lies between two effective keys."""
        return replace(self, low=max(self.low, (low, -1)), high=min(self.high, (high, -1)))

    def holds(self, document: Document) -> bool:
        if self.key is not None and document.key[: len(self.key)] != self.key:
            return False
        return self.low <= document.position < self.high

    def crosses(self, container: Container) -> bool:
        """True when more than one feed range holds a part of it."""
        return sum((r.low, -1) < self.high and self.low < (r.high, -1) for r in container.ranges) > 1


@dataclass
class Page:
    """Some documents, and where the next page begins; None after the last one."""

    documents: list[Document]
    next: Position | None
    scanned: int = 0


def read_page(
    container: Container,
    scope: Scope,
    start: Position,
    count: int,
    match: Callable[[Document], bool] | None = None,
) -> Page:
    """The next documents of a scope, never from more than one feed range."""
    start = max(start, scope.low)
    if start >= scope.high:
        return Page([], None)
    high = (container.range_of(start[0]).high, -1)
    end = min(scope.high, high)
    most = count + 1 if match is None else SCAN_LIMIT + 1
    found = container.between(start, end, most)
    page = Page([], None)
    size = 0
    for document in found:
        full = len(page.documents) >= count or page.scanned >= SCAN_LIMIT
        if full or (page.documents and size + len(document.text) > MAX_PAGE_BYTES):
            page.next = document.position
            return page
        page.scanned += 1
        if scope.key is not None and document.key[: len(scope.key)] != scope.key:
            continue
        if match is None or match(document):
            page.documents.append(document)
            size += len(document.text)
    page.next = high if high < scope.high else None
    return page


def read_changes(
    container: Container, scope: Scope, after: int, count: int, since: float = 0
) -> tuple[list[Document], int]:
    """Documents changed after an LSN, oldest first, and the LSN to go on from."""
    found: list[Document] = []
    size = 0
    for document in container.changes_after(after):
        if not scope.holds(document) or document.ts < since:
            continue
        if len(found) >= count or (found and size + len(document.text) > MAX_PAGE_BYTES):
            return found, found[-1].lsn
        found.append(document)
        size += len(document.text)
    return found, found[-1].lsn if found else container.lsn


def query_mark(text: str, parameters: Any) -> str:
    """What ties a token to its query."""
    told = json.dumps([text, parameters], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def write_token(container_rid: str, mark: str, position: Position, given: int = 0) -> str:
    """An opaque continuation; `given` counts the rows of a TOP query so far."""
    data = json.dumps([container_rid, mark, *position, given], separators=(",", ":")).encode()
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big") + data).decode()


def read_token(token: str, container_rid: str, mark: str) -> tuple[Position, int]:
    """The position, and the rows given so far."""
    try:
        data = base64.b64decode(token, validate=True)
        if zlib.crc32(data[4:]).to_bytes(4, "big") != data[:4]:
            raise BadToken("checksum")
        rid, known_mark, place, number, given = json.loads(data[4:])
    except (ValueError, binascii.Error, TypeError) as error:
        raise BadToken(f"Invalid continuation token: {error}") from error
    if rid != container_rid or known_mark != mark:
        raise BadToken("The continuation token is of another container or query")
    return (place, number), given


def body(rid: str, name: str, rows: Iterable[bytes]) -> bytes:
    """The JSON around rows that are text already."""
    texts = list(rows)
    head = f'{{"_rid":{json.dumps(rid)},"{name}":['.encode()
    return b"%b%b],\"_count\":%d}" % (head, b",".join(texts), len(texts))
