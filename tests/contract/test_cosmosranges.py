# SPDX-License-Identifier: MIT
"""Runs test_cosmosranges.c with a gateway at its side whose ranges can be moved."""
import os
import pathlib
import subprocess

import pytest

from tests.emulators.cosmos import Cosmos

PROGRAM = pathlib.Path(os.environ.get("AZC_BUILD", "build")) / "tests" / "contract" / "test_cosmosranges"


@pytest.mark.parametrize("empty_page_every", [0, 3])
def test_walks_while_ranges_split_and_merge(ca, ca_file, empty_page_every):
    with Cosmos(ranges=3, tls=ca.issue().context(), empty_page_every=empty_page_every) as server:
        environment = {**os.environ, "AZC_COSMOS_URL": server.url, "AZC_COSMOS_KEY": server.key, "AZC_COSMOS_CA": str(ca_file)}
        run = subprocess.run([PROGRAM], env=environment, capture_output=True, timeout=300, check=False)
        statuses = [entry["status"] for entry in server.log()]
    output = (run.stdout + run.stderr).decode(errors="replace")
    assert run.returncode == 0, output
    assert "SKIPPED" not in output
    # Ranges were gone under a walk, and parts of merged ones were asked for.
    assert statuses.count(410) > 10
    assert any("x-ms-start-epk" in entry["headers"] for entry in server.log())
