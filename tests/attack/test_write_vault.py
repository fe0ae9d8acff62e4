# SPDX-License-Identifier: MIT
"""Writing under a key of a vault: what it is asked, what it can refuse, and what goes on without it.

Ids are those of the failure table in docs/SECURITY.md, "When things fail".
"""
import base64
import json
import time

import pytest

from tests.emulators.vault import ALL_PERMISSIONS
from tests.support import cloud, seal
from tests.support.mount import errno_of

PLAIN = seal.random_plaintext("vault", 16 << 10)


@pytest.fixture
def shelf(mount, dirstore, vault, tokens, ca_file):
    """shelf(kek, option...): the dir: store, writable under a key of the vault."""

    def mounted(kek, *options):
        return mount(
            dirstore.source, "rw", f"kek={kek.kid}", f"vault={vault.url}", f"ca_file={ca_file}", *options, env=cloud.client_secret(tokens)
        )

    return mounted


@pytest.fixture
def refusal(refused, dirstore, vault, tokens, ca_file):
    """(exit status, what is said) of a writable mount that must not come about."""
    return lambda kek, *options: refused(
        dirstore.source, "rw", f"kek={kek.kid}", f"vault={vault.url}", f"ca_file={ca_file}", *options, env=cloud.client_secret(tokens)
    )


def operations(vault):
    return [operation for operation, _ in vault.operations]


def published(dirstore, name, kek):
    """The plain bytes, opened with the private key itself."""

    class Private(seal.Kek):
        def unwrap_key(self, key, algorithm):
            return kek.key.unwrap(algorithm, key)

    stored, entry = dirstore.get(name)
    return seal.unseal(stored, entry["metadata"], Private(kek.kid, kek.algorithm))


def wrapped(dirstore, name):
    return json.loads(dirstore.get(name)[1]["metadata"]["encryptiondata"])["WrappedContentKey"]


@pytest.mark.parametrize(("algorithm", "count"), [("RSA-OAEP", 1000), ("RSA-OAEP-256", 50)])
def test_a_thousand_files_cost_one_read_of_the_public_key(shelf, vault, dirstore, algorithm, count):
    """Nothing is wrapped by the vault, nor unwrapped to read back on the same mount what was written there."""
    kek = cloud.add_key(vault)
    m = shelf(kek, f"wrap_alg={algorithm}")
    for i in range(count):
        m.path(f"f{i}").write_bytes(i.to_bytes(2, "big") + PLAIN)
    assert operations(vault) == ["get"] and not cloud.asked(vault) and not cloud.asked(vault, "wrapkey")
    for i in (0, 1, count // 2, count - 1):
        assert m.read(f"f{i}") == i.to_bytes(2, "big") + PLAIN
        assert published(dirstore, f"f{i}", kek) == i.to_bytes(2, "big") + PLAIN
    assert operations(vault) == ["get"]
    keys = [wrapped(dirstore, f"f{i}") for i in range(count)]
    assert {key["Algorithm"] for key in keys} == {algorithm} and {key["KeyId"] for key in keys} == {kek.kid}
    assert len({kek.key.unwrap(key["Algorithm"], base64.b64decode(key["EncryptedKey"])) for key in keys}) == count


def test_r14_without_the_permission_to_get_the_vault_wraps(shelf, vault, dirstore):
    kek = cloud.add_key(vault)
    vault.permissions = frozenset(ALL_PERMISSIONS) - {"get"}
    m = shelf(kek)
    for i in range(3):
        m.path(f"f{i}").write_bytes(PLAIN)
        assert m.read(f"f{i}") == published(dirstore, f"f{i}", kek) == PLAIN
    assert set(operations(vault)) == {"wrapKey"} and 3 <= len(vault.operations) <= 4


def test_a_key_that_never_leaves_wraps_in_the_vault(shelf, vault, dirstore):
    kek = cloud.add_key(vault, algorithm="A256KW")
    m = shelf(kek)
    m.path("x").write_bytes(PLAIN)
    assert m.read("x") == published(dirstore, "x", kek) == PLAIN
    assert "unwrapKey" not in operations(vault) and "wrapKey" in operations(vault)


STATES = {
    "disabled": ({"enabled": False}, 5, "disabled"), "expired": ({"expires": time.time() - 60}, 5, "expired"),
    "not yet valid": ({"not_before": time.time() + 3600}, 5, "valid"),
    "not for wrapping": ({"operations": ("unwrapKey",)}, 4, "wrapKey"),
}  # fmt: skip


@pytest.mark.parametrize(("state", "status", "word"), STATES.values(), ids=STATES)
def test_r14_a_key_that_cannot_wrap_is_told_of_before_the_mount_is_there(refusal, vault, dirstore, state, status, word):
    kek = cloud.add_key(vault, **state)
    found, said = refusal(kek)
    assert found == status and word in said and kek.kid.rpartition("/")[0] in said, (found, said)
    assert dirstore.names() == []


def test_r14_a_key_that_is_not_there_and_a_vault_that_refuses(refusal, vault):
    kek = cloud.add_key(vault)
    gone = seal.Kek(kek.kid.replace("/kek/", "/other/"), "RSA-OAEP")
    found, said = refusal(gone)
    assert found == 5 and "other" in said, said
    vault.permissions = frozenset()
    found, said = refusal(kek)
    assert found == 4 and kek.kid in said, said


def test_r13_writing_goes_on_while_the_vault_is_down(shelf, vault, dirstore):
    kek = cloud.add_key(vault)
    m = shelf(kek)
    m.path("before").write_bytes(PLAIN)
    vault.stop()
    began = time.monotonic()
    for i in range(20):
        m.path(f"f{i}").write_bytes(PLAIN)
        assert m.read(f"f{i}") == PLAIN
    m.path("before").write_bytes(PLAIN[:100])
    assert m.read("before") == published(dirstore, "before", kek) == PLAIN[:100]
    assert time.monotonic() - began < 5
    vault.start()


def test_r13_a_vault_that_is_down_and_has_to_wrap_fails_close_and_changes_nothing(shelf, vault, dirstore):
    kek = cloud.add_key(vault, algorithm="A256KW")
    m = shelf(kek, "timeout=2")
    m.path("x").write_bytes(PLAIN)
    before = dirstore.get("x")
    refusing = vault.faults.add(path="wrapkey", status=403, times=None)
    assert errno_of(m.path("x").write_bytes, b"new") == "EACCES"
    assert refusing.hits >= 1 and dirstore.get("x") == before
    vault.faults.clear()
    assert m.read("x") == PLAIN


def test_a_versionless_key_stays_with_its_version(shelf, vault, dirstore):
    """Rotation is for the next mount."""
    kek = cloud.add_key(vault, versionless=True)
    first = vault.kid(kek.key)
    m = shelf(kek)
    m.path("x").write_bytes(PLAIN)
    second = vault.kid(vault.keys.rotate("kek"))
    assert first != second
    m.path("y").write_bytes(PLAIN)
    assert wrapped(dirstore, "x")["KeyId"] == wrapped(dirstore, "y")["KeyId"] == first
    assert m.read("y") == PLAIN
    m.stop()
    later = shelf(kek)
    later.path("z").write_bytes(PLAIN)
    assert wrapped(dirstore, "z")["KeyId"] == second
    assert later.read("x") == later.read("y") == later.read("z") == PLAIN
