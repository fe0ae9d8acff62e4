# SPDX-License-Identifier: MIT
"""Fixtures of the mount tests: see tests/support/sealed.py and tests/support/sealeddocs.py."""
import pytest

from tests.emulators.cosmos import Cosmos
from tests.support.cosmosservice import CosmosService
from tests.support.sealed import Children, Cloud, Local
from tests.support.sealeddocs import LocalDocuments, VaultDocuments


@pytest.fixture
def local(tmp_path, mount):
    return Local(tmp_path, mount)


@pytest.fixture(scope="module")
def module_local(tmp_path_factory, module_mount):
    return Local(tmp_path_factory.mktemp("local"), module_mount)


@pytest.fixture
def cloud(azurite, blobproxy, tmp_path, mount):
    return Cloud(azurite, blobproxy, tmp_path, mount)


@pytest.fixture(scope="module")
def module_proxy(azurite):
    from tests.emulators.blobproxy import BlobProxy

    with BlobProxy(azurite.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def module_cloud(azurite, module_proxy, tmp_path_factory, module_mount):
    return Cloud(azurite, module_proxy, tmp_path_factory.mktemp("cloud"), module_mount)


@pytest.fixture
def children():
    made = Children()
    yield made
    made.stop()


@pytest.fixture
def documents(tmp_path, mount):
    return LocalDocuments(tmp_path, mount)


@pytest.fixture(scope="module")
def module_documents(tmp_path_factory, module_mount):
    return LocalDocuments(tmp_path_factory.mktemp("documents"), module_mount)


@pytest.fixture
def vault_documents(tmp_path, mount, vault, tokens, ca_file):
    return VaultDocuments(tmp_path, mount, vault, tokens, ca_file)


@pytest.fixture
def service(tmp_path, mount):
    """Documents in the Cosmos emulator."""
    with Cosmos() as server:
        yield CosmosService(server, tmp_path, mount)
