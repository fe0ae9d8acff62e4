# SPDX-License-Identifier: MIT
"""Feeds, queries and changes page by page.

Across ranges, empty pages, splits and merges nothing is lost and nothing comes twice.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.emulators.cosmos import Cosmos
from tests.emulators.cosmos_epk import epk
from tests.emulators.cosmos_store import Container
from tests.support.cosmos import Rest, definition

COUNT = 97
DOCS = "dbs/d/colls/c/docs"
RANGE = "x-ms-documentdb-partitionkeyrangeid"
CHANGES = {"A-IM": "Incremental feed"}


@pytest.fixture
def server() -> Iterator[Cosmos]:
    with Cosmos(ranges=4) as started:
        yield started
    assert started.errors == []


@pytest.fixture
def container(server: Cosmos) -> Container:
    made = server.add_container("d", definition("c"))
    for i in range(COUNT):
        server.put_raw(made, json.dumps({"id": f"{i}", "pk": f"p{i % 23}", "n": i, "_ts": 1000 + i}))
    return made


@pytest.fixture
def rest(server: Cosmos, container: Container) -> Iterator[Rest]:
    made = Rest(server)
    yield made
    made.close()


def numbers(rows: list[dict[str, Any]]) -> list[int]:
    return sorted(row["n"] for row in rows)


def drain(
    rest: Rest, between: Callable[[int], None] = lambda _page: None, query: str | None = None, **headers: str
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for page, (answer, rows) in enumerate(rest.every(DOCS, query, headers=headers)):
        assert answer.headers["x-ms-item-count"] == str(len(rows)) == str(answer.json()["_count"])
        found += rows
        between(page)
    return found


@pytest.mark.parametrize("count", ["1", "7", "100", "-1"])
@pytest.mark.parametrize("query", [None, "SELECT * FROM c", "SELECT c.n FROM c WHERE c.n >= 0"])
def test_every_document_once(rest: Rest, count: str, query: str | None) -> None:
    found = drain(rest, query=query, **{"x-ms-max-item-count": count})
    assert numbers(found) == list(range(COUNT))


def test_a_page_is_of_one_range_and_a_hundred_documents(rest: Rest, server: Cosmos, container: Container) -> None:
    with server.account.lock:
        container.fill((["one"], f"x{i}", b'{"id":"x%d","pk":"one","n":%d}' % (i, i)) for i in range(250))
    sizes = [(len(rows), {r["pk"] for r in rows}) for _, rows in rest.every(DOCS)]
    assert max(size for size, _ in sizes) == 100
    for _, keys in sizes:
        assert len({container.range_of(epk([k], container.partition_key)).id for k in keys}) == 1


def test_pages_end_at_four_mebibytes(rest: Rest, server: Cosmos) -> None:
    big = server.add_container("d", definition("big"))
    filler = "x" * 1_500_000
    for i in range(5):
        server.put_raw(big, json.dumps({"id": f"{i}", "pk": "p", "f": filler}))
    sizes = [len(rows) for _, rows in rest.every("dbs/d/colls/big/docs")]
    assert [s for s in sizes if s] == [2, 2, 1]


@pytest.mark.parametrize("query", [None, "SELECT * FROM c WHERE c.n != 5"])
def test_empty_pages_go_on(rest: Rest, server: Cosmos, query: str | None) -> None:
    server.empty_page_every = 2
    pages = [len(rows) for _, rows in rest.every(DOCS, query, headers={"x-ms-max-item-count": "10"})]
    assert pages[1::2] == [0] * (len(pages) // 2) and sum(pages) == COUNT - (query is not None)


def test_one_range_at_a_time(rest: Rest, container: Container) -> None:
    shares = [numbers(drain(rest, **{RANGE: r.id})) for r in container.ranges]
    assert all(shares) and sorted(n for share in shares for n in share) == list(range(COUNT))
    answer = rest.get(f"{DOCS[:-5]}/pkranges")
    told = answer.json()["PartitionKeyRanges"]
    assert [(r["id"], r["minInclusive"]) for r in told] == [(r.id, r.low) for r in container.ranges]
    assert all(isinstance(r["id"], str) for r in told) and told[-1]["maxExclusive"] == "FF"
    headers = {"If-None-Match": answer.headers["etag"], "A-IM": "Incremental feed"}
    assert rest.get(f"{DOCS[:-5]}/pkranges", headers=headers).status == 304
    container.split("0")
    assert rest.get(f"{DOCS[:-5]}/pkranges", headers=headers).status == 200


def test_ranges_that_are_gone(rest: Rest, server: Cosmos, container: Container) -> None:
    server.split(container, "1")
    for headers in ({RANGE: "1"}, {RANGE: "99"}, {RANGE: "1", **CHANGES}):
        answer = rest.get(DOCS, headers=headers)
        assert (answer.status, answer.substatus) == (410, 1002)
    children = container.ranges[1:3]
    assert [(r.id, r.parents) for r in children] == [("4", ["1"]), ("5", ["1"])]
    server.merge(container, "4", "5")
    assert container.ranges[1].parents == ["1", "4", "5"]
    assert rest.get(DOCS, headers={RANGE: "4"}).substatus == 1002
    assert rest.get(DOCS, headers={RANGE: f"{container.rid},6"}).status == 200
    with pytest.raises(ValueError, match="no neighbours"):
        server.merge(container, "0", "3")


@pytest.mark.parametrize("query", [None, "SELECT * FROM c WHERE IS_DEFINED(c.n)"])
@pytest.mark.parametrize("seed", range(4))
def test_splits_and_merges_between_pages_of_the_whole(
    rest: Rest, server: Cosmos, container: Container, query: str | None, seed: int
) -> None:
    chance = random.Random(seed)

    def change(_page: int) -> None:
        ranges = container.ranges
        if len(ranges) < 2 or (len(ranges) < 12 and chance.random() < 0.6):
            server.split(container, chance.choice(ranges).id)
        else:
            at = chance.randrange(len(ranges) - 1)
            server.merge(container, ranges[at].id, ranges[at + 1].id)

    found = drain(rest, change, query, **{"x-ms-max-item-count": "5"})
    assert numbers(found) == list(range(COUNT))


def read_ranges(rest: Rest, container: Container, split: Callable[[int], None], count: str) -> list[int]:
    """As a client reads by ranges: one that is gone goes on in those that hold its keys now."""
    found: list[int] = []
    queue = [(r.low, r.high, r.id, None) for r in container.ranges]
    page = 0
    while queue:
        low, high, range_id, token = queue.pop(0)
        headers = {RANGE: range_id, "x-ms-max-item-count": count, "x-ms-start-epk": low, "x-ms-end-epk": high,
                   "x-ms-read-key-type": "EffectivePartitionKeyRange"}
        if token:
            headers["x-ms-continuation"] = token
        answer = rest.get(DOCS, headers=headers)
        if answer.status == 410:
            queue += [(max(low, r.low), min(high, r.high), r.id, token) for r in container.ranges
                      if r.low < high and low < r.high]
            continue
        found += [d["n"] for d in answer.documents]
        if answer.continuation:
            queue.append((low, high, range_id, answer.continuation))
        page += 1
        split(page)
    return sorted(found)


@pytest.mark.parametrize("seed", range(4))
def test_a_parents_continuation_goes_on_in_its_children(
    rest: Rest, server: Cosmos, container: Container, seed: int
) -> None:
    chance = random.Random(seed)

    def change(page: int) -> None:
        if page % 3 == 0 and len(container.ranges) < 10:
            server.split(container, chance.choice(container.ranges).id)
        elif page % 7 == 0:
            server.merge(container, container.ranges[0].id, container.ranges[1].id)

    assert read_ranges(rest, container, change, "4") == list(range(COUNT))


def test_writes_between_pages_double_nothing(rest: Rest, server: Cosmos, container: Container) -> None:
    def rewrite(page: int) -> None:
        server.put_raw(container, json.dumps({"id": "3", "pk": "p3", "n": 3, "page": page}))

    assert numbers(drain(rest, rewrite, **{"x-ms-max-item-count": "6"})) == list(range(COUNT))


@pytest.mark.parametrize("token", ["x", "AAAA", "!!!", "e30=", "AAAAAFtd"])
def test_bad_continuations(rest: Rest, token: str) -> None:
    assert rest.get(DOCS, headers={"x-ms-continuation": token}).status == 400
    assert rest.query(DOCS, "SELECT * FROM c", headers={"x-ms-continuation": token}).status == 400


def test_a_continuation_belongs_to_its_query_and_container(rest: Rest, server: Cosmos) -> None:
    answer = rest.query(DOCS, "SELECT * FROM c", headers={"x-ms-max-item-count": "1"})
    headers = {"x-ms-continuation": answer.continuation}
    assert rest.query(DOCS, "SELECT * FROM c WHERE c.n=1", headers=headers).status == 400
    assert rest.get(DOCS, headers=headers).status == 400
    server.recreate("d", "c")
    assert rest.query(DOCS, "SELECT * FROM c", headers=headers).status == 400


@pytest.mark.parametrize("count", ["0", "-2", "x", "1.5"])
def test_bad_counts(rest: Rest, count: str) -> None:
    assert rest.get(DOCS, headers={"x-ms-max-item-count": count}).status == 400


def test_partition_keys_scope_feeds_and_queries(rest: Rest) -> None:
    wanted = list(range(3, COUNT, 23))
    assert numbers(rest.get(DOCS, pk=["p3"]).documents) == wanted
    assert numbers(rest.query(DOCS, "SELECT * FROM c", pk=["p3"]).documents) == wanted
    assert rest.get(DOCS, pk=["none"]).documents == []
    assert rest.get(DOCS, pk=["p3"]).continuation is None


def test_effective_key_headers_need_their_type(rest: Rest) -> None:
    assert rest.get(DOCS, headers={"x-ms-start-epk": "", "x-ms-end-epk": "FF"}).status == 400


def test_hierarchical_keys_whole_and_by_prefix(rest: Rest, server: Cosmos) -> None:
    made = server.add_container("d", definition("h", "/a", "/b", "/c"))
    for i in range(60):
        server.put_raw(made, json.dumps({"id": f"{i}", "a": f"a{i % 3}", "b": i % 5, "c": i % 2 == 0, "n": i}))
    path = "dbs/d/colls/h/docs"
    by_prefix = [n for _, rows in rest.every(path, pk=["a1"]) for n in numbers(rows)]
    assert sorted(by_prefix) == [i for i in range(60) if i % 3 == 1]
    by_two = [n for _, rows in rest.every(path, pk=["a1", 2]) for n in numbers(rows)]
    assert sorted(by_two) == [i for i in range(60) if i % 3 == 1 and i % 5 == 2]
    assert numbers(rest.get(path, pk=["a1", 2, True]).documents) == [22, 52]
    assert rest.get(path, pk=["a1", 2, {}]).documents == []
    assert rest.get(f"{path}/22", pk=["a1", 2]).substatus == 1001
    assert rest.get(f"{path}/22", pk=["a1", 2, True]).status == 200


# Queries.


def test_queries_that_one_range_must_answer(rest: Rest, container: Container) -> None:
    for text in ("SELECT * FROM c ORDER BY c.n", "SELECT VALUE COUNT(1) FROM c", "SELECT TOP 3 * FROM c"):
        answer = rest.query(DOCS, text)
        assert (answer.status, answer.substatus) == (400, 1004)
    counts = [rest.query(DOCS, "SELECT VALUE COUNT(1) FROM c", headers={RANGE: r.id}).documents[0]
              for r in container.ranges]
    assert sum(counts) == COUNT


def test_order_and_top_page_by_page(rest: Rest) -> None:
    for text, wanted in (
        ("SELECT * FROM c ORDER BY c.n", [3, 26, 49, 72, 95]),
        ("SELECT * FROM c ORDER BY c.n DESC", [95, 72, 49, 26, 3]),
        ("SELECT TOP 2 * FROM c ORDER BY c.n DESC", [95, 72]),
    ):
        pages = list(rest.every(DOCS, text, pk=["p3"], headers={"x-ms-max-item-count": "2"}))
        assert [r["n"] for _, rows in pages for r in rows] == wanted
    pages = list(rest.every(DOCS, "SELECT TOP 3 * FROM c", pk=["p3"], headers={"x-ms-max-item-count": "2"}))
    assert [len(rows) for _, rows in pages] == [2, 1]


def test_queries_across_partitions_must_be_allowed(rest: Rest) -> None:
    headers = {"x-ms-documentdb-query-enablecrosspartition": "false"}
    assert rest.query(DOCS, "SELECT * FROM c", headers=headers).status == 400


def test_plans(rest: Rest) -> None:
    headers = {"x-ms-cosmos-is-query-plan-request": "True"}
    plan = rest.query(DOCS, "SELECT TOP 4 * FROM c", headers=headers).json()
    assert plan["queryInfo"]["top"] == 4 and plan["queryRanges"][0]["max"] == "FF"
    assert rest.query(DOCS, "SELECT * FROM c ORDER BY c.n", headers=headers).status == 400
    assert rest.query(DOCS, "SELEKT", headers=headers).status == 400


# Changes.


def changes(rest: Rest, etag: str | None = None, **options: Any) -> tuple[list[dict[str, Any]], str]:
    """Everything until 304, and the position there."""
    found: list[dict[str, Any]] = []
    headers = {**CHANGES, **options.pop("headers", {})}
    while True:
        if etag is not None:
            headers["If-None-Match"] = etag
        answer = rest.get(DOCS, headers=headers, **options)
        assert answer.status in (200, 304), answer
        etag = answer.headers["etag"]
        if answer.status == 304:
            return found, etag
        found += answer.documents


def test_changes_come_in_their_order(rest: Rest, server: Cosmos, container: Container) -> None:
    for r in container.ranges:
        found, _ = changes(rest, headers={RANGE: r.id, "x-ms-max-item-count": "3"})
        lsns = [row["_lsn"] for row in found]
        assert lsns == sorted(set(lsns)) and numbers(found) == [row["n"] for row in found]
    assert rest.get(DOCS, headers=CHANGES).status == 400


def test_a_changed_document_comes_once_and_last(rest: Rest, server: Cosmos, container: Container) -> None:
    server.put_raw(container, json.dumps({"id": "3", "pk": "p3", "n": 3, "new": 1}))
    found, etag = changes(rest, pk=["p3"])
    assert [row["n"] for row in found] == [26, 49, 72, 95, 3]
    assert changes(rest, etag, pk=["p3"]) == ([], etag)
    with server.account.lock:
        container.delete(container.find(["p3"], "26"))
    assert [row["n"] for row in changes(rest, pk=["p3"])[0]] == [49, 72, 95, 3]


def test_changes_from_now_and_from_a_time(rest: Rest, server: Cosmos, container: Container) -> None:
    answer = rest.get(DOCS, pk=["p3"], headers={**CHANGES, "If-None-Match": "*"})
    assert answer.status == 304 and answer.body == b""
    server.put_raw(container, json.dumps({"id": "26", "pk": "p3", "n": 26}))
    assert [row["n"] for row in changes(rest, answer.headers["etag"], pk=["p3"])[0]] == [26]
    headers = {**CHANGES, "If-Modified-Since": "Thu, 01 Jan 1970 00:17:30 GMT"}
    assert numbers(rest.get(DOCS, pk=["p4"], headers=headers).documents) == [50, 73, 96]
    for name, value in (("If-None-Match", '"x"'), ("If-Modified-Since", "soon"), ("A-IM", "Full-Fidelity Feed")):
        assert rest.get(DOCS, pk=["p3"], headers={**CHANGES, name: value}).status == 400


@pytest.mark.parametrize("seed", range(3))
def test_changes_across_splits(rest: Rest, server: Cosmos, container: Container, seed: int) -> None:
    chance = random.Random(seed)
    found: list[int] = []
    queue: list[tuple[str, str | None]] = [(r.id, None) for r in container.ranges]
    bounds = {r.id: (r.low, r.high) for r in container.ranges}
    while queue:
        range_id, etag = queue.pop(0)
        headers = {**CHANGES, RANGE: range_id, "x-ms-max-item-count": "4"}
        if etag:
            headers["If-None-Match"] = etag
        answer = rest.get(DOCS, headers=headers)
        bounds.update({r.id: (r.low, r.high) for r in container.ranges})
        if answer.status == 410:
            low, high = bounds[range_id]
            queue += [(r.id, etag) for r in container.ranges if low <= r.low and r.high <= high]
        elif answer.status == 200:
            found += [row["n"] for row in answer.documents]
            queue.append((range_id, answer.headers["etag"]))
            if len(container.ranges) < 9 and chance.random() < 0.5:
                server.split(container, chance.choice(container.ranges).id)
    assert sorted(found) == list(range(COUNT))


def test_a_long_history_is_forgotten_but_not_the_last_change(rest: Rest, server: Cosmos, container: Container) -> None:
    for i in range(3000):
        server.put_raw(container, json.dumps({"id": "3", "pk": "p3", "n": i}))
    found, _ = changes(rest, pk=["p3"])
    assert [row["n"] for row in found] == [26, 49, 72, 95, 2999]
    assert len(container._changes) < 1500
