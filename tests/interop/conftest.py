# SPDX-License-Identifier: MIT
"""The official Java clients, for a test file at a time."""
import pytest

from tests.support import java as java_module


@pytest.fixture(scope="module")
def java_with(tmp_path_factory):
    """java_with(key, ..., ca_file=None) -> the clients with these keys, until the end of the test file."""
    java_module.need_java()
    started = []

    def start(*keys, ca_file=None):
        oracle = java_module.Oracle(tmp_path_factory.mktemp("java"), keys, ca_file)
        started.append(oracle.__enter__())
        return oracle

    yield start
    for oracle in started:
        oracle.__exit__()
