# SPDX-License-Identifier: MIT
"""The SQL subset: what it selects, what it is silent about, what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.emulators.cosmos_sql import SqlError, compile_query

DOCUMENT = (
    '{"id":"1","n":1.0,"big":12345678901234567890,"s":"text","t":true,"f":false,"z":null,'
    '"a b":{"c":[10, 20]},"o":{"x":1,"y":[1,"2"]},"e":"\\u00e9"}'
)


def matches(condition: str, parameters: Any = None) -> bool:
    query = compile_query(f"SELECT * FROM c WHERE {condition}", parameters)
    return query.matches(DOCUMENT.encode())


@pytest.mark.parametrize("condition", [
    "c.n = 1", "c.n = 1.0", "c.n != 2", "c.n <> 2", "c.n < 1.5", "c.n >= 1", "c.s = 'text'", 'c["s"] = "text"',
    "c.t", "c.t = true", "NOT c.f", "c.z = null", "IS_NULL(c.z)", "is_defined(c.z)", "NOT IS_DEFINED(c.q)",
    "c['a b'].c[1] = 20", 'c["a b"]["c"][0] = 10', "STARTSWITH(c.s, 'te')", "STARTSWITH(c.s, 'TE', true)",
    "c.s IN ('x', 'text')", "c.s NOT IN ('x', 'y')", "c.n = 1 AND (c.s = 'x' OR c.t)", "c.q = 1 OR c.t",
    "NOT (c.n = 1 AND c.f)", "c.s > 'tex'", "c.e = 'é'", "c.e = \"\\u00e9\"", "1 = c.n", "c.f < c.t",
    "'it\\'s' = \"it's\"", "c.n=1and c.t",
])
def test_true(condition: str) -> None:
    assert matches(condition)


@pytest.mark.parametrize("condition", [
    "c.n = 2", "c.n = '1'", "c.n != '1'", "NOT (c.n = '1')", "c.q = 1", "c.q != 1", "NOT (c.q = 1)",
    "c.s", "NOT c.s",
    "c.n < 'a'", "c.s < 1", "c.o < c.o", "c.t = 1", "c.t IN (1)", "IS_NULL(c.q)", "c.q = undefined",
    "undefined = undefined", "STARTSWITH(c.n, '1')", "STARTSWITH(c.s, 'TE')", "c['a b'].c[2] = 1",
    "c.s.x = 1", "c.n[0] = 1",
    "c.q AND c.t", "c.f OR c.q", "c.s = 'Text'", "c.N = 1",
])
def test_not_true(condition: str) -> None:
    """False or undefined: either selects nothing."""
    assert not matches(condition)


@pytest.mark.parametrize(("condition", "value", "wanted"), [
    ("c.s = @p", "text", True), ("c.s = @p", "te", False), ("c.n IN (@p, 7)", 1, True),
    ("c.o = @p", {"y": [1, "2"], "x": 1.0}, True), ("c.o = @p", {"x": 1}, False),
    ("c.o.y = @p", [1, "2"], True), ("c.o.y = @p", ["2", 1], False), ("c.o.y = @p", [True, "2"], False),
    ("c.z = @p", None, True), ("c.t = @p", True, True), ("c.big = @p", 12345678901234567890, True),
])
def test_parameters(condition: str, value: Any, wanted: bool) -> None:
    assert matches(condition, [{"name": "@p", "value": value}]) is wanted


@pytest.mark.parametrize(("selection", "row"), [
    ("*", DOCUMENT), ("VALUE c", DOCUMENT), ("VALUE c.big", "12345678901234567890"), ("VALUE c.n", "1.0"),
    ("c.id", '{"id":"1"}'), ("c.n, c.big AS b", '{"n":1.0,"b":12345678901234567890}'),
    ('c["a b"]["c"]', '{"c":[10, 20]}'), ("c.e, c.q", '{"e":"\\u00e9"}'), ("c.q", "{}"),
    ("VALUE c['a b'].c[1]", "20"), ("VALUE c.q", None), ("c.o.y AS list", '{"list":[1,"2"]}'),
])
def test_selected_text_is_the_documents_own(selection: str, row: str | None) -> None:
    found = compile_query(f"SELECT {selection} FROM c").row(DOCUMENT.encode())
    assert found == (None if row is None else row.encode())


@pytest.mark.parametrize("text", [
    "SELECT * FROM root", "select * from Families f where f.n = 1", "SELECT * FROM x AS y WHERE y.n=1",
])
def test_aliases(text: str) -> None:
    assert compile_query(text).matches(DOCUMENT.encode())


def test_top_count_and_order() -> None:
    query = compile_query("SELECT TOP 3 * FROM c ORDER BY c.a.b DESC")
    assert (query.top, query.order, query.descending) == (3, ("a", "b"), True)
    assert compile_query("SELECT TOP @n * FROM c", [{"name": "@n", "value": 2}]).top == 2
    assert compile_query("SELECT VALUE COUNT(1) FROM c").count
    order = compile_query("SELECT * FROM c ORDER BY c.v")
    values = [None, False, True, -1, 0.5, "A", "a"]
    texts = [b"{}", *(json.dumps({"v": v}).encode() for v in values)]
    assert sorted(reversed(texts), key=order.sort_key) == texts


def test_what_is_no_json_matches_no_condition() -> None:
    query = compile_query("SELECT * FROM c WHERE c.n = 1")
    assert not query.matches(b"not json") and not query.matches(b"\xff")


@pytest.mark.parametrize(("text", "words"), [
    ("", "SELECT expected"), ("SELECT", "name expected"), ("SELECT * FROM", "name expected"),
    ("SELECT * FROM c x y", "end of|near 'y'"),
    ("SELECT * FROM c WHERE", "value expected"), ("SELECT * FROM c WHERE c.a = ", "value expected"),
    ("SELECT * FROM c WHERE d.a = 1", "'d' could not be resolved"),
    ("SELECT d.a FROM c", "'d' could not be resolved"),
    ("SELECT * FROM c WHERE CONTAINS(c.a, 'x')", "'CONTAINS' is not a supported function"),
    ("SELECT DISTINCT c.a FROM c", "DISTINCT is not supported"),
    ("SELECT * FROM c GROUP BY c.a", "GROUP is not supported"),
    ("SELECT * FROM c OFFSET 1 LIMIT 2", "OFFSET is not supported"),
    ("SELECT * FROM c JOIN d IN c.x", "JOIN is not supported"),
    ("SELECT * FROM c WHERE c.a LIKE 'x'", "LIKE is not supported"),
    ("SELECT * FROM c WHERE c.a BETWEEN 1 AND 2", "BETWEEN"),
    ("SELECT * FROM c WHERE c.a = @x", "@x has no value"),
    ("SELECT * FROM c WHERE IS_NULL()", "does not take 0"),
    ("SELECT SUM(c.a) FROM c", "SUM is not supported"), ("SELECT VALUE COUNT(c.a) FROM c", "COUNT"),
    ("SELECT * FROM c ORDER BY c.a, c.b", "more than one"),
    ("SELECT TOP x * FROM c", "whole number"), ("SELECT * FROM c WHERE c.a = 'x", "invalid token"),
    ("SELECT * FROM c WHERE c.a ? 1", "invalid token"),
    ("SELECT * FROM c WHERE c.a + 1 = 2", "invalid token|incorrect syntax"),
    ("SELECT * FROM c WHERE (c.a = 1", "\\) expected"),
])
def test_refusals_say_what_they_met(text: str, words: str) -> None:
    with pytest.raises(SqlError, match=words):
        compile_query(text)


def test_parameters_must_be_a_list_of_names() -> None:
    for wrong in ({"@a": 1}, ["@a"], 7):
        with pytest.raises(SqlError):
            compile_query("SELECT * FROM c", wrong)
