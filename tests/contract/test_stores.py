# SPDX-License-Identifier: MIT
"""Runs the C suite of stores (test_stores.c) with a real Azurite at its side."""
import os
import pathlib
import subprocess

import pytest

from tests.support.azurite import Azurite

PROGRAM = pathlib.Path(os.environ.get("AZC_BUILD", "build")) / "tests" / "contract" / "test_stores"


@pytest.fixture
def azurite(tmp_path):
    server = Azurite(tmp_path / "azurite").start()
    yield server
    server.stop()


def test_every_store_keeps_the_contract(azurite):
    environment = {**os.environ, "AZC_AZURITE_URL": azurite.endpoint, "AZC_AZURITE_KEY": azurite.key}
    run = subprocess.run([PROGRAM], env=environment, capture_output=True, timeout=300, check=False)
    output = (run.stdout + run.stderr).decode(errors="replace")
    assert run.returncode == 0, output
    assert "SKIPPED" not in output
    assert "azblob: conditions pin a version" in output
