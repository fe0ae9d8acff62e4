# SPDX-License-Identifier: MIT
"""Runs test_azwrite.c, what only a blob service has, with a real Azurite at its side."""
import datetime
import os
import pathlib
import subprocess

import pytest
from azure.storage.blob import BlobBlock, ContainerSasPermissions, generate_container_sas

from tests.support.azurite import Azurite

PROGRAM = pathlib.Path(os.environ.get("AZC_BUILD", "build")) / "tests" / "contract" / "test_azwrite"


@pytest.fixture
def azurite(tmp_path):
    server = Azurite(tmp_path / "azurite").start()
    yield server
    server.stop()


def fill(azurite, container):
    """What the program finds there: blobs that are in the way of a writer."""
    azurite.make_container(container)
    azurite.put(container, "page", bytes(512), blob_type="PageBlob")
    azurite.put(container, "snapshots", b"1")
    azurite.service.get_blob_client(container, "snapshots").create_snapshot()
    azurite.put(container, "leased", b"1")
    azurite.service.get_blob_client(container, "leased").acquire_lease()
    azurite.put(container, "trail/", b"")
    client = azurite.service.get_blob_client(container, "unfinished")
    client.stage_block("short", b"1")
    client = azurite.service.get_blob_client(container, "typed")
    client.stage_block("abcd", b"1")
    client.commit_block_list([BlobBlock("abcd")], metadata={"_a": "1", "A0": "2", "a_b": "3", "aB": "4"})


def test_what_only_a_blob_service_has(azurite):
    fill(azurite, "full")
    expiry = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    permission = ContainerSasPermissions(read=True, write=True, create=True, delete=True, list=True)
    sas = generate_container_sas(azurite.account, "full", account_key=azurite.key, permission=permission, expiry=expiry)
    environment = {**os.environ, "AZC_AZURITE_URL": azurite.endpoint, "AZC_AZURITE_KEY": azurite.key, "AZC_AZURITE_SAS": sas}
    run = subprocess.run([PROGRAM], env=environment, capture_output=True, timeout=120, check=False)
    output = (run.stdout + run.stderr).decode(errors="replace")
    assert run.returncode == 0, output
    assert "SKIPPED" not in output
    assert sas.partition("sig=")[2][:16] not in output
    stored, metadata = azurite.get("full", "blocks")
    assert stored == b"".join(bytes([n]) * (1000 + n) for n in range(3))
    assert metadata["encryptiondata"] == '{"a":"b=+/"}'
    settings = azurite.service.get_blob_client("full", "blocks").get_blob_properties().content_settings
    assert (settings.content_type, settings.cache_control) == ("text/x-a; charset=utf-8", "no-store")
