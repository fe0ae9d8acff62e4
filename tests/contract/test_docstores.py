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


def test_every_document_store_keeps_the_contract(exports, cosmos, ca_file):
    environment = {
        **os.environ,
        "AZC_DOCDIRS": ":".join(str(store.root) for store in exports.values()),
        "AZC_COSMOS_URL": cosmos.url,
        "AZC_COSMOS_KEY": cosmos.key,
        "AZC_COSMOS_CA": str(ca_file),
    }
    run = subprocess.run([PROGRAM], env=environment, capture_output=True, timeout=300, check=False)
    output = (run.stdout + run.stderr).decode(errors="replace")
    assert run.returncode == 0, output
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
