# SPDX-License-Identifier: MIT
"""The part of Cosmos' SQL that a reader of documents uses.

    SELECT [TOP n] * | VALUE path | VALUE COUNT(1) | path [AS name], ...
    FROM alias [WHERE condition] [ORDER BY path [ASC | DESC]]

Conditions: AND OR NOT, parentheses, = != <> < > <= >=, [NOT] IN, IS_DEFINED, IS_NULL, STARTSWITH,
paths (c.a, c["a b"][0]), @parameters, literals. Comparing what cannot be compared gives undefined, which
is neither true nor false, as in the service. Anything else is an SqlError that says what it met.
Source: the service's language reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.cosmos_epk import UNDEFINED, as_double
from tests.emulators.cosmos_json import BadJson, members, parse, raw

Value = Callable[[Any], Any]
Path = tuple["str | int", ...]
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<parameter>@\w+)
    |(?P<word>[^\W\d]\w*)
    |(?P<sign><=|>=|!=|<>|[=<>(),.\[\]*]))""",
    re.VERBOSE,
)
_KEYWORDS = frozenset((
    "select", "top", "value", "from", "where", "order", "by", "as", "and", "or", "not", "in", "asc",
    "desc", "true", "false", "null", "undefined", "distinct", "join", "group", "offset", "limit",
    "like", "between", "exists",
))
_UNSUPPORTED = ("distinct", "join", "group", "offset", "limit", "like", "between", "exists")


class SqlError(ValueError):
    """A query that this engine does not know, or that is none."""


@dataclass
class Query:
    """A compiled query."""

    where: Value | None = None
    columns: list[tuple[str, Path]] = field(default_factory=list)   #: empty: the whole document
    value: Path | None = None             #: SELECT VALUE path
    count: bool = False                   #: SELECT VALUE COUNT(1)
    top: int | None = None
    order: Path | None = None
    descending: bool = False

    @property
    def whole(self) -> bool:
        """True where a row is the document itself."""
        return not self.columns and self.value is None and not self.count

    def matches(self, text: bytes) -> bool:
        """True where the condition is true; what is no JSON matches nothing."""
        try:
            return self.where is None or self.where(parse(text.decode())) is True
        except (BadJson, UnicodeDecodeError):
            return False

    def row(self, text: bytes) -> bytes | None:
        """What is selected of a document, as it stands in its text; None where nothing is."""
        if self.whole:
            return text
        document = text.decode()
        if self.value is not None:
            found = raw(document, self.value)
            return None if found is None else found.encode()
        spans = {m.name: document[m.at : m.end] for m in members(document)}
        shown = []
        for name, path in self.columns:
            value = _part(document, spans, path)
            if value is not None:
                shown.append(f"{json.dumps(name)}:{value}")
        return f"{{{','.join(shown)}}}".encode()

    def sort_key(self, text: bytes) -> tuple[int, Any]:
        """Orders values of all types as the service does: by type, then by value."""
        return _rank(_follow(parse(text.decode()), self.order or ()))


def compile_query(text: str, parameters: Any = None) -> Query:
    """A query ready to run, or SqlError."""
    return _Parser(text, _parameters(parameters)).query()


def _parameters(told: Any) -> dict[str, Any]:
    try:
        return {p["name"]: p.get("value", UNDEFINED) for p in told or ()}
    except (TypeError, KeyError, AttributeError) as error:
        raise SqlError("parameters must be a list of name and value") from error


class _Parser:
    def __init__(self, text: str, parameters: dict[str, Any]):
        self._parameters = parameters
        self._tokens = _tokens(text)
        self._at = 0
        self._alias = ""

    # Tokens.

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _takes(self, *texts: str) -> str | None:
        """The next token when it is one of these keywords or signs."""
        kind, text = self._peek()
        low = text.lower() if kind == "word" else text
        if kind in ("word", "sign") and low in texts:
            self._at += 1
            return low
        return None

    def _needs(self, text: str) -> None:
        if self._takes(text) is None:
            raise self._unexpected(f"{text.upper()} expected")

    def _unexpected(self, what: str = "unexpected") -> SqlError:
        kind, text = self._peek()
        return SqlError(f"Syntax error, incorrect syntax near {text or 'end of query'!r}: {what}")

    # The query.

    def query(self) -> Query:
        query = Query()
        self._needs("select")
        if self._takes("top"):
            query.top = self._whole_number()
        self._select(query)
        self._needs("from")
        alias = self._name()
        if self._takes("as") or (self._peek()[0] == "word" and not self._keyword()):
            alias = self._name()
        self._resolve(query, alias)
        if self._takes("where"):
            query.where = self._or()
        if self._takes("order"):
            self._needs("by")
            query.order = self._path()
            query.descending = self._takes("asc", "desc") == "desc"
            if self._peek()[1] == ",":
                raise SqlError("ORDER BY of more than one path is not supported")
        if self._peek()[0] != "end":
            raise self._unexpected()
        return query

    def _keyword(self) -> bool:
        word = self._peek()[1].lower()
        if word in _UNSUPPORTED:
            raise SqlError(f"{word.upper()} is not supported")
        return word in _KEYWORDS

    def _whole_number(self) -> int:
        kind, text = self._next()
        value: Any = text
        if kind == "parameter":
            value = self._parameters.get(text)
        if isinstance(value, bool) or not str(value).isdigit():
            raise SqlError("TOP needs a whole number")
        return int(value)

    def _select(self, query: Query) -> None:
        """The paths begin with an alias that FROM tells later: see _resolve."""
        if self._takes("*"):
            return
        if self._peek()[1].lower() in _UNSUPPORTED:
            self._keyword()
        if self._takes("value"):
            if self._peek()[1].lower() == "count":
                for text in ("count", "(", "1", ")"):
                    if self._next()[1].lower() != text:
                        raise SqlError("only COUNT(1) is supported")
                query.count = True
            else:
                query.value = self._any_path()
            return
        while True:
            path = self._any_path()
            name = self._name() if self._takes("as") else None
            if name is None:
                name = next((s for s in reversed(path) if isinstance(s, str)), "")
            query.columns.append((name, path))
            if not self._takes(","):
                return

    def _resolve(self, query: Query, alias: str) -> None:
        self._alias = alias
        for path in [*(p for _, p in query.columns), *([query.value] if query.value else [])]:
            if path[0] != alias:
                raise SqlError(f"Identifier {path[0]!r} could not be resolved.")
        query.columns = [(name, path[1:]) for name, path in query.columns]
        query.value = query.value[1:] if query.value else None

    def _name(self) -> str:
        kind, text = self._peek()
        if kind != "word" or self._keyword():
            raise self._unexpected("a name expected")
        return self._next()[1]

    def _any_path(self) -> Path:
        path: list[str | int] = [self._name()]
        if self._peek()[1] == "(":
            raise SqlError(f"function {path[0]} is not supported here")
        while True:
            if self._takes("."):
                kind, text = self._next()
                if kind != "word":
                    raise self._unexpected("a name expected")
                path.append(text)
            elif self._takes("["):
                path.append(self._step())
                self._needs("]")
            else:
                return tuple(path)

    def _step(self) -> str | int:
        kind, text = self._next()
        if kind == "string":
            return _unquoted(text)
        if kind == "number" and text.isdigit():
            return int(text)
        raise self._unexpected("a quoted name or an index expected")

    def _path(self) -> Path:
        path = self._any_path()
        if path[0] != self._alias:
            raise SqlError(f"Identifier {path[0]!r} could not be resolved.")
        return path[1:]

    # Conditions.

    def _or(self) -> Value:
        left = self._and()
        while self._takes("or"):
            left = _either(left, self._and(), True)
        return left

    def _and(self) -> Value:
        left = self._not()
        while self._takes("and"):
            left = _either(left, self._not(), False)
        return left

    def _not(self) -> Value:
        if self._takes("not"):
            inner = self._not()
            return lambda d: _negated(inner(d))
        return self._comparison()

    def _comparison(self) -> Value:
        left = self._operand()
        if sign := self._takes("=", "!=", "<>", "<", ">", "<=", ">="):
            right, compare = self._operand(), _COMPARE[sign]
            return lambda d: compare(left(d), right(d))
        negated = self._takes("not")
        if self._takes("in"):
            inside = self._in(left)
            return (lambda d: _negated(inside(d))) if negated else inside
        if negated:
            raise self._unexpected("IN expected")
        self._keyword()
        return left

    def _in(self, left: Value) -> Value:
        self._needs("(")
        condition: Value | None = None
        while True:
            right = self._operand()
            equal = _equality(left, right)
            condition = equal if condition is None else _either(condition, equal, True)
            if self._takes(")"):
                return condition
            self._needs(",")

    def _operand(self) -> Value:
        kind, text = self._peek()
        if self._takes("("):
            inner = self._or()
            self._needs(")")
            return inner
        if kind in ("number", "string", "parameter"):
            self._at += 1
            return _constant(self._literal(kind, text))
        if kind != "word":
            raise self._unexpected("a value expected")
        word = text.lower()
        if word in ("true", "false", "null", "undefined"):
            self._at += 1
            return _constant({"true": True, "false": False, "null": None}.get(word, UNDEFINED))
        if self._tokens[self._at + 1][1] == "(":
            return self._function(word)
        path = self._path()
        return lambda d: _follow(d, path)

    def _literal(self, kind: str, text: str) -> Any:
        if kind == "string":
            return _unquoted(text)
        if kind == "number":
            return float(text)
        if text not in self._parameters:
            raise SqlError(f"parameter {text} has no value")
        return self._parameters[text]

    def _function(self, word: str) -> Value:
        known = _FUNCTIONS.get(word)
        if known is None:
            raise SqlError(f"'{word.upper()}' is not a supported function.")
        function, least, most = known
        self._at += 2
        arguments = [] if self._peek()[1] == ")" else [self._or()]
        while self._takes(","):
            arguments.append(self._or())
        self._needs(")")
        if not least <= len(arguments) <= most:
            raise SqlError(f"{word.upper()} does not take {len(arguments)} arguments")
        return lambda d: function(*(a(d) for a in arguments))


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise SqlError(f"Syntax error, invalid token near {text[at:at + 20]!r}")
        assert found.lastgroup is not None
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return [*tokens, ("end", ""), ("end", "")]


def _unquoted(text: str) -> str:
    if text[0] == "'":
        text = '"' + text[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
    try:
        return str(json.loads(text))
    except ValueError as error:
        raise SqlError(f"Syntax error, invalid string literal {text}") from error


def _constant(value: Any) -> Value:
    return lambda _document: value


def _equality(left: Value, right: Value) -> Value:
    return lambda d: _equal(left(d), right(d))


def _follow(value: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step, UNDEFINED)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return UNDEFINED
    return value


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", dict: "object", list: "array", type(None): "null"}.get(
        type(value), "undefined"
    )


def _plain(value: Any) -> Any:
    """Numbers as doubles and told apart from booleans, at every depth."""
    kind = _type(value)
    if kind == "number":
        return as_double(value)
    if kind == "boolean":
        return ("boolean", value)
    if kind == "array":
        return [_plain(v) for v in value]
    if kind == "object":
        return {n: _plain(v) for n, v in value.items()}
    return value


def _part(document: str, spans: dict[str, str], path: Path) -> str | None:
    """The text at a path, where the document's own members are known already."""
    if not path or not isinstance(path[0], str):
        return raw(document, path)
    found = spans.get(path[0])
    return found if found is None or len(path) == 1 else raw(found, path[1:])


def _equal(left: Any, right: Any) -> Any:
    if _type(left) != _type(right) or left is UNDEFINED:
        return UNDEFINED
    return _plain(left) == _plain(right)


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def compare(left: Any, right: Any) -> Any:
        kind = _type(left)
        if kind != _type(right) or kind in ("undefined", "object", "array"):
            return UNDEFINED
        if kind == "null":
            return test(0, 0)
        return test(left, right)

    return compare


def _negated(value: Any) -> Any:
    return (not value) if isinstance(value, bool) else UNDEFINED


def _either(left: Value, right: Value, wins: bool) -> Value:
    """OR where `wins` is True, AND where it is False; undefined loses against it only."""

    def both(document: Any) -> Any:
        first = left(document)
        if first is wins:
            return wins
        second = right(document)
        if second is wins:
            return wins
        if isinstance(first, bool) and isinstance(second, bool):
            return not wins
        return UNDEFINED

    return both


def _starts_with(text: Any, prefix: Any, ignore_case: Any = False) -> Any:
    if not isinstance(text, str) or not isinstance(prefix, str) or not isinstance(ignore_case, bool):
        return UNDEFINED
    if ignore_case:
        return text.lower().startswith(prefix.lower())
    return text.startswith(prefix)


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": _equal,
    "!=": lambda a, b: _negated(_equal(a, b)),
    "<>": lambda a, b: _negated(_equal(a, b)),
    "<": _ordered(lambda a, b: a < b),
    ">": _ordered(lambda a, b: a > b),
    "<=": _ordered(lambda a, b: a <= b),
    ">=": _ordered(lambda a, b: a >= b),
}
_FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "is_defined": (lambda v: v is not UNDEFINED, 1, 1),
    "is_null": (lambda v: v is None, 1, 1),
    "startswith": (_starts_with, 2, 3),
}
_ORDER = ("undefined", "null", "boolean", "number", "string", "array", "object")


def _rank(value: Any) -> tuple[int, Any]:
    kind = _type(value)
    comparable = value if kind in ("boolean", "number", "string") else 0
    return _ORDER.index(kind), comparable
