# SPDX-License-Identifier: MIT
"""Every promise of docs/SEMANTICS.md ends with a test, and the test exists."""
import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROMISE = re.compile(r"^- .*[^.] \(`(test_[a-z0-9_]+)`\)\.$")


def promises():
    text = (ROOT / "docs" / "SEMANTICS.md").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("- ")]


def python_tests():
    found = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")}
    return found


def test_every_promise_ends_with_its_test():
    assert len(promises()) > 50
    assert [line for line in promises() if not PROMISE.match(line)] == []


def test_the_test_of_every_promise_exists():
    there = python_tests()
    named = {PROMISE.match(line)[1] for line in promises() if PROMISE.match(line)}
    assert sorted(named - there) == []


def test_nothing_is_promised_outside_the_list():
    """Prose between the headings only introduces: what a program can rely on is a line of its own."""
    text = (ROOT / "docs" / "SEMANTICS.md").read_text(encoding="utf-8")
    stray = [line for line in text.splitlines() if "`test_" in line and not line.startswith("- ")]
    assert stray == []
