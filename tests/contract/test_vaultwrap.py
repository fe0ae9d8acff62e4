# SPDX-License-Identifier: MIT
"""What our vault provider wraps, the official client unwraps; and what it asks of the vault for that.

The C program test_vaultwrap.c wraps the content key 00..1f for protocol 2.0; the vault is the emulator that the
official clients judge in tests/interop/test_vault_sdks.py, under its real host name, by a tunnel.
"""
import base64
import os
import pathlib
import subprocess
import time

import pytest

from tests.emulators.tokens import DEFAULT_CLIENT, DEFAULT_SECRET, DEFAULT_TENANT
from tests.emulators.vault import ALL_PERMISSIONS
from tests.emulators.vault_keys import Key
from tests.interop import test_vault_sdks as sdks
from tests.support.tunnel import Tunnel

from azure.keyvault.keys.crypto import KeyWrapAlgorithm  # isort: skip  (the import above checks that it is there)

PROGRAM = pathlib.Path(os.environ.get("AZC_BUILD", "build")) / "tests" / "contract" / "test_vaultwrap"
PLAIN = b"2.0\0\0\0\0\0" + bytes(range(32))

authority = sdks.authority
make_world = sdks.make_world
world = sdks.world


@pytest.fixture(scope="module")
def key_material():
    state = {
        "rsa": {},
        "disabled": {"enabled": False},
        "expired": {"expires": time.time() - 60},
        "early": {"not_before": time.time() + 3600},
        "no-wrap": {"operations": ("unwrapKey",)},
        "no-get": {"permissions": frozenset({"wrapKey", "unwrapKey"})},
        "no-get-disabled": {"permissions": frozenset({"wrapKey", "unwrapKey"}), "enabled": False},
        "no-get-expired": {"permissions": frozenset({"wrapKey", "unwrapKey"}), "expires": time.time() - 60},
        "unwrap-only": {"permissions": frozenset({"unwrapKey"})},
    }
    made = [Key.generate_rsa(name, **told) for name, told in state.items()]
    return [*made, *(Key.generate_oct(f"oct-{bits}", bits) for bits in (128, 192, 256))]


def run(world, *wanted):
    """The lines of the program, for keys "NAME[/VERSION][=ALGORITHM]"."""
    hosts = {world.host: world.vault.port, sdks.LOGIN_HOST: world.tokens.port}
    with Tunnel(hosts) as tunnel:
        environment = {
            "PATH": os.environ["PATH"], "AZC_CA": str(world.ca_file), "AZC_PROXY": tunnel.url,
            "AZURE_TENANT_ID": DEFAULT_TENANT, "AZURE_CLIENT_ID": DEFAULT_CLIENT, "AZURE_CLIENT_SECRET": DEFAULT_SECRET,
        }
        told = [PROGRAM, world.vault.public_url, *(f"{world.vault.public_url}/keys/{w}" for w in wanted)]
        done = subprocess.run(told, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def opened(world, line, algorithm):
    """What the official client, and the key itself, make of a line."""
    kid, alg, wrapped = line.split()
    assert alg == algorithm
    wrapped = base64.b64decode(wrapped, validate=True)
    name, version = kid.removeprefix(f"{world.vault.public_url}/keys/").split("/")
    assert world.vault.keys.find(name, version).unwrap(alg, wrapped) == PLAIN
    return world.crypto_client(name, version).unwrap_key(KeyWrapAlgorithm(alg), wrapped).key


def operations(world, name):
    return [op for op, kid in world.vault.operations if f"/keys/{name}/" in kid]


@pytest.mark.parametrize("algorithm", sdks.OAEP_ALGORITHMS)
def test_the_official_client_opens_what_wraps_with_the_public_half(world, algorithm):
    (line,) = run(world, f"rsa={algorithm}")
    assert line.split()[0] == world.vault.kid(world.vault.keys.find("rsa"))
    # One look at the key; wrapped here; the new keyring's unwrap is the only other call.
    assert operations(world, "rsa") == ["get", "unwrapKey"]
    assert opened(world, line, algorithm) == PLAIN


@pytest.mark.parametrize(("bits", "algorithm"), [(128, "A128KW"), (192, "A192KW"), (256, "A256KW")])
def test_the_official_client_opens_what_the_vault_wraps_with_a_symmetric_key(make_world, monkeypatch, bits, algorithm):
    host = f"hsm-{bits}.managedhsm.azure.net"
    world = make_world(public_url=f"https://{host}", resource="https://managedhsm.azure.net", host_name=host)
    sdks.map_hosts(monkeypatch, {host: world.vault.port, sdks.LOGIN_HOST: world.tokens.port})
    lines = run(world, f"oct-{bits}", f"oct-{bits}", f"oct-{bits}={algorithm}", f"oct-{bits}=RSA-OAEP")
    assert [opened(world, line, algorithm) for line in lines[:3]] == [PLAIN] * 3
    assert lines[3].startswith("policy.kek_alg EACCES ")
    assert operations(world, f"oct-{bits}")[:7] == ["get", *["wrapKey", "unwrapKey"] * 3]


def test_a_vault_does_not_wrap_with_what_only_a_managed_hsm_has(world):
    assert run(world, "rsa=A256KW")[0].startswith("policy.kek_alg EACCES ")
    assert world.vault.log() == []


@pytest.mark.parametrize("algorithm", sdks.OAEP_ALGORITHMS)
def test_without_the_right_to_read_the_vault_wraps(world, algorithm):
    (line,) = run(world, f"no-get={algorithm}")
    assert opened(world, line, algorithm) == PLAIN
    assert operations(world, "no-get")[:2] == ["wrapKey", "unwrapKey"]


def test_a_versionless_id_names_one_version_for_the_process(world):
    old = world.vault.keys.find("rsa")
    current = world.vault.keys.rotate("rsa")
    lines = run(world, "rsa", "rsa", f"rsa/{old.version}", f"rsa/{current.version}")
    assert [line.split()[0] for line in lines] == [world.vault.kid(k) for k in (current, current, old, current)]
    assert operations(world, "rsa").count("get") == 3
    assert [opened(world, line, "RSA-OAEP") for line in lines] == [PLAIN] * 4


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("disabled", "key.disabled ENOKEY"),
        ("expired", "key.expired ENOKEY"),
        ("early", "key.expired ENOKEY"),
        ("no-wrap", "auth.vault EACCES"),
        ("no-get-disabled", "key.disabled ENOKEY"),
        ("no-get-expired", "key.expired ENOKEY"),
        ("unwrap-only", "auth.vault EACCES"),
        ("nobody", "key.missing ENOKEY"),
    ],
)
def test_what_the_vault_would_not_wrap_is_not_wrapped(world, name, answer):
    first, second = run(world, name, name)
    assert first.startswith(f"{answer} ") and second == first
    assert "wrapKey" not in operations(world, name)
    refused = [e for e in world.vault.log() if f"/keys/{name}" in e["path"]]
    assert len(refused) == (2 if name in ("no-get-disabled", "no-get-expired", "unwrap-only") else 1), "remembered"


def test_the_emulator_keeps_get_and_wrap_apart(world):
    world.vault.permissions = ALL_PERMISSIONS - {"get"}
    assert opened(world, run(world, "rsa")[0], "RSA-OAEP") == PLAIN
    world.vault.permissions = ALL_PERMISSIONS - {"wrapKey"}
    assert opened(world, run(world, "rsa")[0], "RSA-OAEP") == PLAIN
    world.vault.permissions = ALL_PERMISSIONS - {"get", "wrapKey"}
    assert run(world, "rsa")[0].startswith("auth.vault EACCES this identity may not wrap with the key")
