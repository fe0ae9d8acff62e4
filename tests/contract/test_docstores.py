# SPDX-License-Identifier: MIT
"""Runs the C suite of document stores (test_docstores.c) with a gateway at its side, and with directories that were not
written by the C code."""
import os
import pathlib
import subprocess

import pytest

from tests.emulators.cosmos import Cosmos
from tests.support import docstore

PROGRAM = pathlib.Path(os.environ.get("AZC_BUILD", "build")) / "tests" / "contract" / "test_docstores"
ODD = ["p", "", "\x00\x01\b\t\n\f\r\"\\/\x7f\x80é日😀", 1, -2, 1.5, 0.1, 1e-7, 123456789012, True, False, None, docstore.ABSENT]


def write_odd(store):
    """Documents whose partitions are hard to spell."""
    store.put_container("shop", {"id": "odd", "_rid": "odd=", "partitionKey": {"kind": "Hash", "paths": ["/a/b"]}})
    for i, value in enumerate(ODD):
        a = {} if value is docstore.ABSENT else {"b": value}
        store.put_document("shop", "odd", {"id": f"{i} %/\\é", "a": a, "_ts": 1700000000 + i, "_etag": f'"{i}"'})


@pytest.fixture
def exports(tmp_path):
    """Directories: one for each set of vectors, the first with odd partitions."""
    made = {name: docstore.write_vectors(tmp_path / name, name) for name in ("cosmos-js", "cosmos-java")}
    write_odd(made["cosmos-js"])
    return made


@pytest.fixture
def cosmos(ca):
    with Cosmos(ranges=4, tls=ca.issue().context()) as server:
        yield server


def files(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def run(cosmos, ca_file, **more):
    environment = {
        **os.environ,
        "AZC_COSMOS_URL": cosmos.url,
        "AZC_COSMOS_KEY": cosmos.key,
        "AZC_COSMOS_CA": str(ca_file),
        **more,
    }
    done = subprocess.run([PROGRAM], env=environment, capture_output=True, timeout=300, check=False)
    output = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, output
    assert cosmos.errors == []
    return output


# The writes of the suite itself do not ask for a minimal answer.
OURS = {"header": {"prefer": "return=minimal"}, "path": "/docs"}
DELETES = {"method": "DELETE", "path": "/docs/"}
LOST = [{"drop": "response"}, {"drop": "request"}, {"status": 503, "done": True}, {"status": 500}]
AGAIN = [{"status": 449}, {"status": 429, "headers": {"x-ms-retry-after-ms": "5"}},
         {"status": 410, "headers": {"x-ms-substatus": "1002"}}]


@pytest.mark.parametrize("pattern", ["cosmos: documents are *", "cosmos: of many *"])
def test_writes_whose_answers_are_lost(cosmos, ca_file, pattern):
    faults = [cosmos.faults.add(**which, **what, nth=i + 1, every=11, times=None)
              for i, what in enumerate(LOST + AGAIN) for which in (OURS, DELETES)]
    assert "cosmos: " in run(cosmos, ca_file, AZC_DOCSTORES=pattern, AZC_LOST_ANSWERS="1")
    assert all(fault.hits > 0 for fault in faults if fault.method is None)


def test_every_document_store_keeps_the_contract(exports, cosmos, ca_file):
    output = run(cosmos, ca_file, AZC_DOCDIRS=":".join(str(store.root) for store in exports.values()))
    assert "SKIPPED" not in output
    assert "cosmos: many threads" in output
    for store in exports.values():
        copy = store.root.with_name(store.root.name + ".copy")
        assert files(copy) == files(store.root)
        assert {p.stat().st_mode & 0o777 for p in copy.rglob("*") if p.is_file()} == {0o600}
        assert {p.stat().st_mode & 0o777 for p in [copy, *copy.rglob("*")] if p.is_dir()} == {0o700}
        for container in (store.root / "databases").glob("*.d/containers/*.d"):
            count = len(list(container.glob("documents/??/*.json")))
            assert f"{store.root} {container.name[:-2]}: {count} documents" in output
