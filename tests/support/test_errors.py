# SPDX-License-Identifier: MIT
"""docs/ERRORS.md and the source name the same events and the same exit codes: neither may know one that the other
does not.  And what docs/SECURITY.md says to be proven by a test is.
"""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "ERRORS.md").read_text()
HOUSES = ("base", "crypto", "backend", "fs", "cli")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
EVENT = re.compile(r"[a-z0-9]+\.[a-z0-9_]+")
# The name that the program goes by under mount(8) looks like an event, and is none.
OTHER_NAMES = {"mount.azcryptfs"}


def sources():
    for house in HOUSES:
        for path in sorted((ROOT / house).rglob("*.c")):
            yield path, COMMENT.sub("", path.read_text())


def families():
    return {event.partition(".")[0] for event in documented()}


def documented():
    """The first cell of each row of a table of events."""
    return set(re.findall(r"^\| `([a-z0-9]+\.[a-z0-9_]+)` \|", PAGE, re.MULTILINE))


def emitted():
    """Every string of the source that is an event's name, and where it stands."""
    found = {}
    for path, text in sources():
        for name in re.findall(r'"([^"\\\n]*)"', text):
            if EVENT.fullmatch(name) and name.partition(".")[0] in families() and name not in OTHER_NAMES:
                found.setdefault(name, path.relative_to(ROOT))
    return found


def marked():
    """What is handed to the functions that name events, of whatever family."""
    calls = re.compile(r'\b(?:err_mark\(\s*[^,]+,|log_event\(\s*[^,]+,)\s*"([^"\n]*)"')
    return {name for _, text in sources() for name in calls.findall(text)}


def test_every_event_of_the_source_is_documented():
    missing = {name: str(path) for name, path in emitted().items() if name not in documented()}
    assert not missing
    assert not marked() - documented()


def test_every_documented_event_is_in_the_source():
    assert not documented() - set(emitted())


def test_the_source_was_looked_at():
    assert len(emitted()) > 30
    assert {"integrity.region", "net.tls", "mount.ready"} <= marked() | set(emitted())


def test_no_event_is_documented_twice():
    rows = re.findall(r"^\| `([a-z0-9]+\.[a-z0-9_]+)` \|", PAGE, re.MULTILINE)
    assert len(rows) == len(set(rows))


def exit_codes():
    header = COMMENT.sub("", (ROOT / "cli" / "exit.h").read_text())
    return {int(n): name for name, n in re.findall(r"\b(EXIT_[A-Z_]+)\s*=\s*(\d+)", header)}


def test_exit_codes_are_those_of_the_source():
    table = PAGE.partition("## Exit codes")[2]
    rows = {int(n): text for n, text in re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE)}
    assert rows.keys() == exit_codes().keys()
    lost = 75  # EX_TEMPFAIL of sysexits.h
    assert sorted(rows) == [*range(len(rows) - 1), lost]


@pytest.mark.parametrize("event", sorted(documented()))
def test_an_event_names_an_errno_or_a_level(event):
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{event}` |")]
    second = row.split("|")[2].strip()
    assert re.fullmatch(r"E[A-Z]+( and others)?|[WIDE]", second), row


def test_what_the_security_page_claims_has_a_test():
    """Ids of attacks (A, B, F) and of failures (R), in the names or tables of the tests."""
    page = (ROOT / "docs" / "SECURITY.md").read_text()
    claimed = set(re.findall(r"\b[ABFR]\d\d\b", page))
    tests = [*(ROOT / "tests" / "attack").glob("test_*.py"), ROOT / "tests" / "mount" / "test_vault.py"]
    text = "".join(p.read_text() for p in tests).upper()
    assert len(claimed) > 30
    assert not {i for i in claimed if i not in text}
