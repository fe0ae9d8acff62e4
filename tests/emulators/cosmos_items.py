# SPDX-License-Identifier: MIT
"""Documents of an emulated container: points, feeds, queries and changes."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from tests.emulators import cosmos_feed as feed
from tests.emulators.cosmos_call import (
    CROSS_PARTITION,
    KEY_MISMATCH,
    RANGE_GONE,
    SESSION_BEHIND,
    Call,
    Refused,
    answer,
    bad,
)
from tests.emulators.cosmos_epk import HIGHEST, LOWEST
from tests.emulators.cosmos_feed import BadToken, Scope
from tests.emulators.cosmos_json import BadJson, Member, document, document_text, reprint
from tests.emulators.cosmos_rules import Forbidden, check_id
from tests.emulators.cosmos_sql import Query, SqlError, compile_query
from tests.emulators.cosmos_store import Container, Document, FeedRange, canonical
from tests.emulators.wire import Response

if TYPE_CHECKING:
    from tests.emulators.cosmos import Cosmos

MAX_DOCUMENT = 2 << 20
FEED_CHARGE, QUERY_CHARGE = 2.0, 2.3


def read_charge(size: int) -> float:
    """1 RU for each KB that is read."""
    return max(1.0, size / 1024)


def write_charge(size: int) -> float:
    """About 5 RU for each KB that is written."""
    return 5.2 * max(1.0, size / 1024)


@dataclass
class _Rows:
    """What a page of a feed or query is made of, beside its rows."""

    container: Container
    mark: str
    charge: float
    start: feed.Position
    given: int = 0

    def page(
        self, texts: list[bytes], after: feed.Position | None, scanned: int = 0
    ) -> Response:
        body = feed.body(self.container.rid, "Documents", texts)
        token = None
        if after is not None:
            token = feed.write_token(self.container.rid, self.mark, after, self.given)
        cost = self.charge + len(body) / 10240 + scanned / 500
        return answer(200, text=body, charge=cost, x_ms_item_count=len(texts),
                      x_ms_continuation=token, **_session(self.container.range_of(self.start[0])))


class Items:
    """Answers what is asked of `.../docs`."""

    def __init__(self, server: Cosmos):
        self._server = server
        self._pages = 0

    def serve(self, call: Call, container: Container) -> Response:
        """Requests on the collection of documents."""
        if call.is_plan:
            return self._plan(call)
        if call.is_query:
            return self._query(call, container)
        if call.is_change_feed:
            return self._changes(call, container)
        if call.method == "GET":
            return self._feed(call, container)
        if call.method == "POST" and not call.flag("x-ms-cosmos-is-batch-request"):
            return self._create(call, container)
        raise Refused(405, f"{call.method} of this kind is not supported on documents.")

    def serve_one(self, call: Call, container: Container, name: str) -> Response:
        """Requests on one document."""
        key = self._full_key(call, container)
        self._check_session(call, container.range_of(Scope.of_key(container, key).low[0]))
        found = container.find(key, name) or self._by_rid(container, name, key)
        if found is None:
            raise Refused(404, "Entity with the specified id does not exist in the system.")
        if call.method == "GET":
            call.check_modified(found.etag)
            return self._document(200, container, found, read_charge(len(found.text)))
        self._check_writable(call, container)
        call.check_match(found.etag)
        if call.method == "PUT":
            return self._replace(call, container, key, found)
        if call.method == "DELETE":
            container.delete(found)
            range_ = container.range_of(found.position[0])
            return answer(204, charge=write_charge(len(found.text)), **_session(range_))
        raise Refused(405, f"{call.method} is not supported on a document.")

    @staticmethod
    def _by_rid(container: Container, name: str, key: list[Any]) -> Document | None:
        if not name.startswith(container.rid[:8]):
            return None
        found = container.by_rid(name)
        return found if found and found.key == canonical(key) else None

    # Writing.

    @staticmethod
    def _full_key(call: Call, container: Container) -> list[Any]:
        key = call.partition_key(container)
        if key is None:
            raise bad("PartitionKey value must be supplied for this operation.")
        if len(key) < len(container.partition_key["paths"]):
            raise bad("The partition key supplied in x-ms-partitionkey header has fewer components "
                      "than defined in the collection.", KEY_MISMATCH)
        return key

    @staticmethod
    def _check_writable(call: Call, container: Container) -> None:
        if container.policy and not call.flag("x-ms-cosmos-is-client-encrypted"):
            raise bad("Collection has ClientEncryptionPolicy set, but the document to be written "
                      "isn't encrypted.")

    def _body(
        self, call: Call, container: Container, key: list[Any]
    ) -> tuple[str, list[Member], str]:
        """The document that is sent: its text, its members and its id."""
        self._check_writable(call, container)
        if len(call.request.body) > MAX_DOCUMENT:
            raise Refused(413, "Request size is too large")
        try:
            text = document_text(call.request.body)
            if self._server.reprints:
                text = reprint(text)
            found = document(text)
        except BadJson as error:
            raise bad(f"The request body is not a JSON object: {error}") from error
        inside = {m.name: m.value for m in found}
        try:
            document_id = check_id(inside.get("id"))
        except Forbidden as error:
            raise bad(str(error)) from error
        own = container.key_of(inside)
        if any(isinstance(v, (list, dict)) for v in own) or canonical(own) != canonical(key):
            raise bad("PartitionKey extracted from document doesn't match the one specified in the "
                      "header.", KEY_MISMATCH)
        return text, found, document_id

    def _create(self, call: Call, container: Container) -> Response:
        key = self._full_key(call, container)
        text, found, document_id = self._body(call, container, key)
        known = container.find(key, document_id)
        if known is not None:
            if not call.flag("x-ms-documentdb-is-upsert"):
                raise Refused(409, "Entity with the specified id already exists in the system.")
            call.check_match(known.etag)
        made = container.write(key, text, found, document_id)
        return self._written(call, container, made, 201 if known is None else 200)

    def _replace(
        self, call: Call, container: Container, key: list[Any], known: Document
    ) -> Response:
        text, found, document_id = self._body(call, container, key)
        if document_id != known.id:
            raise bad("The id of a document cannot be changed by a replace.")
        made = container.write(key, text, found, document_id)
        return self._written(call, container, made, 200)

    def _written(self, call: Call, container: Container, made: Document, status: int) -> Response:
        response = self._document(status, container, made, write_charge(len(made.text)))
        if (call.header("prefer") or "").lower() == "return=minimal":
            response.body = b""
        return response

    @staticmethod
    def _document(status: int, container: Container, found: Document, charge: float) -> Response:
        range_ = container.range_of(found.position[0])
        return answer(status, text=found.text, charge=charge, etag=found.etag, **_session(range_))

    # Where a request reads.

    def _scope(self, call: Call, container: Container) -> tuple[Scope, FeedRange | None]:
        """What it covers, and the feed range where it names one."""
        key = call.partition_key(container)
        scope = Scope() if key is None else Scope.of_key(container, key)
        range_ = None
        told = call.header("x-ms-documentdb-partitionkeyrangeid")
        if told is not None:
            range_ = container.range(told.rpartition(",")[2])
            if range_ is None:
                raise Refused(410, f"The requested partition key range {told} is gone.", RANGE_GONE)
            scope = scope.within(range_.low, range_.high)
        low, high = call.header("x-ms-start-epk"), call.header("x-ms-end-epk")
        if low is not None or high is not None:
            if (call.header("x-ms-read-key-type") or "") != "EffectivePartitionKeyRange":
                raise bad("x-ms-read-key-type must be EffectivePartitionKeyRange")
            scope = scope.within(low or LOWEST, high or HIGHEST)
        self._check_session(call, range_ or container.range_of(scope.low[0]))
        return scope, range_

    def _check_session(self, call: Call, range_: FeedRange) -> None:
        """404/1002 where this replica is behind what the client has seen."""
        told = call.header("x-ms-session-token")
        if not told:
            return
        if self._server.session_behind > 0:
            self._server.session_behind -= 1
            raise Refused(404, "The read session is not available for the input session token.",
                          SESSION_BEHIND)
        for part in told.split(","):
            range_id, _, token = part.strip().partition(":")
            try:
                lsn = int(token.split("#")[1])
            except (IndexError, ValueError) as error:
                raise bad(f"The session token {part!r} is invalid.") from error
            if range_id == range_.id and lsn > range_.lsn:
                raise Refused(404, "The read session is not available for the input session token.",
                              SESSION_BEHIND)

    def _start(
        self, call: Call, container: Container, scope: Scope, mark: str
    ) -> tuple[feed.Position, int]:
        token = call.header("x-ms-continuation")
        if not token:
            return scope.low, 0
        try:
            start, given = feed.read_token(token, container.rid, mark)
        except BadToken as error:
            raise bad(str(error)) from error
        return max(start, scope.low), given

    def _is_empty_turn(self) -> bool:
        """Every n-th page is empty where the server is told so."""
        every = self._server.empty_page_every
        self._pages += 1
        return every > 1 and self._pages % every == 0

    # Feeds.

    def _feed(self, call: Call, container: Container) -> Response:
        scope, _ = self._scope(call, container)
        start, _ = self._start(call, container, scope, "feed")
        count = call.count(feed.DEFAULT_COUNT, feed.SERVER_COUNT)
        if self._is_empty_turn():
            return _Rows(container, "feed", FEED_CHARGE, start).page([], start)
        page = feed.read_page(container, scope, start, count)
        rows = _Rows(container, "feed", FEED_CHARGE, start)
        return rows.page([d.text for d in page.documents], page.next)

    # Queries.

    @staticmethod
    def _compiled(call: Call) -> tuple[Query, str]:
        """The query of a body, and the mark of its continuations."""
        told = call.json()
        text = told.get("query") if isinstance(told, dict) else None
        if not isinstance(text, str):
            raise bad("Query text is missing.")
        try:
            query = compile_query(text, told.get("parameters"))
        except SqlError as error:
            raise bad(f'{{"errors":[{{"severity":"Error","code":"SC1001","message":"{error}"}}]}}') \
                from error
        return query, feed.query_mark(text, told.get("parameters"))

    def _query(self, call: Call, container: Container) -> Response:
        query, mark = self._compiled(call)
        scope, range_ = self._scope(call, container)
        if scope.key is None and range_ is None and not call.flag(
            "x-ms-documentdb-query-enablecrosspartition"
        ):
            raise bad("Cross partition query is required but disabled. Please set "
                      "x-ms-documentdb-query-enablecrosspartition to true, specify "
                      "x-ms-documentdb-partitionkey, or revise your query to avoid this exception.")
        if (query.order is not None or query.count or query.top is not None) and scope.crosses(container):
            raise bad("The provided cross partition query can not be directly served by the gateway. "
                      "This is a first chance (internal) exception that all newer clients will know "
                      "how to handle gracefully.", CROSS_PARTITION)
        start, given = self._start(call, container, scope, mark)
        rows = _Rows(container, mark, QUERY_CHARGE, start, given)
        count = call.count(feed.DEFAULT_COUNT, feed.SERVER_COUNT)
        if self._is_empty_turn():
            return rows.page([], start)
        if query.count:
            return rows.page([b"%d" % len(self._all(container, scope, query))], None)
        if query.order is not None:
            return self._sorted(rows, self._all(container, scope, query), query, count)
        if query.top is not None:
            count = min(count, query.top - given)
        match = None if query.where is None else lambda d: query.matches(d.text)
        page = feed.read_page(container, scope, start, count, match)
        rows.given += len(page.documents)
        after = None if query.top is not None and rows.given >= query.top else page.next
        texts = [r for r in (query.row(d.text) for d in page.documents) if r is not None]
        return rows.page(texts, after, page.scanned)

    @staticmethod
    def _all(container: Container, scope: Scope, query: Query) -> list[bytes]:
        found = container.between(scope.low, scope.high, len(container))
        return [d.text for d in found if scope.holds(d) and query.matches(d.text)]

    @staticmethod
    def _sorted(rows: _Rows, texts: list[bytes], query: Query, count: int) -> Response:
        """All in order, from the row on that comes after those given so far."""
        texts = sorted(texts, key=query.sort_key, reverse=query.descending)[: query.top]
        shown = texts[rows.given : rows.given + count]
        rows.given += count
        after = rows.start if rows.given < len(texts) else None
        return rows.page([r for r in map(query.row, shown) if r is not None], after, len(texts))

    def _plan(self, call: Call) -> Response:
        """The plan of a query that each range can answer by itself."""
        query, _ = self._compiled(call)
        if query.order is not None or query.count:
            raise bad("This emulator plans no ORDER BY and no COUNT: ask one range.")
        return answer(200, {
            "partitionedQueryExecutionInfoVersion": 2,
            "queryInfo": {
                "distinctType": "None", "top": query.top, "offset": None, "limit": None,
                "orderBy": [], "orderByExpressions": [], "groupByExpressions": [],
                "groupByAliases": [], "aggregates": [], "groupByAliasToAggregateType": {},
                "rewrittenQuery": "", "hasSelectValue": query.value is not None,
                "dCountInfo": None, "hasNonStreamingOrderBy": False,
            },
            "queryRanges": [
                {"min": "", "max": "FF", "isMinInclusive": True, "isMaxInclusive": False}
            ],
        })

    # Changes.

    def _changes(self, call: Call, container: Container) -> Response:
        if (call.header("a-im") or "").lower() != "incremental feed":
            raise bad(f"A-IM {call.header('a-im')!r} is not supported by this account.")
        scope, range_ = self._scope(call, container)
        if range_ is None and scope.crosses(container):
            raise bad("The change feed of several ranges is read range by range: set "
                      "x-ms-documentdb-partitionkeyrangeid.")
        after, since = self._changes_start(call, container)
        count = call.count(feed.DEFAULT_COUNT, feed.SERVER_COUNT)
        found, lsn = feed.read_changes(container, scope, after, count, since)
        session = _session(range_ or container.range_of(scope.low[0]))
        if not found:
            raise Refused(304, etag=f'"{lsn}"', **{k: str(v) for k, v in session.items()})
        body = feed.body(container.rid, "Documents", [d.changed_text for d in found])
        return answer(200, text=body, charge=FEED_CHARGE + len(body) / 10240, etag=f'"{lsn}"',
                      x_ms_item_count=len(found), **session)

    @staticmethod
    def _changes_start(call: Call, container: Container) -> tuple[int, float]:
        """The LSN after which to read, and the least time of a change."""
        told = (call.header("if-none-match") or "").strip()
        if told == "*":
            return container.lsn, 0
        if told:
            if not told.strip('"').isdigit():
                raise bad(f"If-None-Match {told!r} is no position of this change feed.")
            return int(told.strip('"')), 0
        since = call.header("if-modified-since")
        if since is None:
            return 0, 0
        try:
            return 0, parsedate_to_datetime(since).timestamp()
        except (TypeError, ValueError) as error:
            raise bad(f"If-Modified-Since {since!r} is not RFC 1123.") from error


def _session(range_: FeedRange) -> dict[str, str | int]:
    return {
        "x_ms_session_token": f"{range_.id}:-1#{range_.lsn}", "lsn": range_.lsn,
        "x_ms_global_committed_lsn": range_.lsn,
    }
