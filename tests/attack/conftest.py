# SPDX-License-Identifier: MIT
"""What the attack tests share: stores that an attacker may write to, mounted with a key of ours."""
import pytest

from tests.attack.forged import KEK, edited
from tests.support import seal
from tests.support.sealeddocs import LocalDocuments, VaultDocuments


@pytest.fixture
def attacked(mount, dirstore, keys_file):
    """attacked(option...): the dir: store, mounted with the key; what was put there is what an attacker left."""
    return lambda *options, **more: mount(dirstore.source, f"keys={keys_file(KEK)}", *options, **more)


@pytest.fixture
def forge(dirstore):
    """forge(name, {member path: value or DELETE}, ...): a sound blob whose envelope was edited afterwards."""

    def put(name, changes, plain=b"plain", **how):
        stored, metadata = seal.seal(plain, KEK, **how)
        dirstore.put(name, stored, edited(metadata, changes))

    return put


@pytest.fixture
def documents(tmp_path, mount):
    """A database in a dir: store; what is put there is what an attacker left.  .mount(container, option...)."""
    return LocalDocuments(tmp_path, mount)


@pytest.fixture
def vault_documents(tmp_path, mount, vault, tokens, ca_file):
    """The same with a key of the vault emulator."""
    return VaultDocuments(tmp_path, mount, vault, tokens, ca_file)


@pytest.fixture
def proxied(mount, azurite, container, blobproxy, keys_file):
    """proxied(option...): the container at Azurite behind the fault proxy, mounted with the key."""
    connection = azurite.connection_string.replace(azurite.endpoint, blobproxy.endpoint)

    def mounted(*options, env=None):
        env = {"AZURE_STORAGE_CONNECTION_STRING": connection, **(env or {})}
        return mount(f"blob:{blobproxy.endpoint}/{container}", f"keys={keys_file(KEK)}", *options, env=env)

    return mounted


@pytest.fixture
def upload(azurite, container):
    """upload(name, plain, ...): a blob sealed for the key, in the container."""
    return lambda name, plain, **how: azurite.put(container, name, *seal.seal(plain, KEK, **how))


@pytest.fixture
def refused(run, tmp_path):
    """refused(source, option..., env=...): a mount that must not come about; (exit status, what it said)."""

    def attempt(source, *options, env=None):
        point = tmp_path / "refused"
        point.mkdir(exist_ok=True)
        done = run("mount", "-f", *(["-o", ",".join(map(str, options))] if options else []), source, point, env=env)
        assert done.returncode != 0 and done.stderr
        return done.returncode, done.stderr.decode()

    return attempt
