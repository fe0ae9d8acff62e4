# SPDX-License-Identifier: MIT
"""Runs the C suite of key providers (test_providers.c); its peers are its own."""
import os
import pathlib
import subprocess

PROGRAM = pathlib.Path(os.environ.get("AZC_BUILD", "build")) / "tests" / "contract" / "test_providers"


def test_every_provider_keeps_the_contract():
    run = subprocess.run([PROGRAM], capture_output=True, timeout=300, check=False)
    output = (run.stdout + run.stderr).decode(errors="replace")
    assert run.returncode == 0, output
    assert "SKIPPED" not in output
