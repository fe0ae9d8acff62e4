# SPDX-License-Identifier: MIT
"""Somebody writes to the storage account, without a key: envelopes that are missing, broken or lie.

Nothing of this may cost a call to a vault, show ciphertext, or spoil the listing around it.
"""
import base64
import json
import os
import stat

import pytest

from tests.attack.forged import DELETE, KEK, edited
from tests.support import cloud, seal
from tests.support.expect import failure, unreadable
from tests.support.mount import errno_of

PLAIN = b"the plain bytes"
SNOWFLAKE = {
    "EncryptionMode": "FullBlob",
    "WrappedContentKey": {"KeyId": "symmKey1", "EncryptedKey": base64.b64encode(bytes(24)).decode(), "Algorithm": "AES_CBC_256"},
    "EncryptionAgent": {"Protocol": "1.0", "EncryptionAlgorithm": "AES_CBC_128"},
    "ContentEncryptionIV": base64.b64encode(bytes(16)).decode(),
    "KeyWrappingMetadata": {"EncryptionLibrary": "Java 5.3.0"},
}  # fmt: skip


def listing_is_whole(m):
    """The object in question, and its sound neighbours, in one listing with attributes."""
    assert m.list() == ["sound1", "sound2", "x"]
    assert m.path("sound1").stat().st_size == len(PLAIN)
    assert m.read("sound1") == m.read("sound2") == PLAIN
    with os.scandir(m.point) as entries:
        assert all(stat.S_ISREG(e.stat().st_mode) for e in entries)


@pytest.fixture
def among(attacked, dirstore):
    """among(stored, metadata, option...): mounted with "x" as given between two sound blobs."""

    def mounted(stored, metadata, *options, **more):
        for name in ("sound1", "sound2"):
            dirstore.put(name, *seal.seal(PLAIN, KEK))
        dirstore.put("x", stored, metadata)
        m = attacked(*options, **more)
        listing_is_whole(m)
        return m

    return mounted


# ---- A09: no envelope, or none that can be read


@pytest.mark.parametrize("metadata", [{}, {"other": "1"}, {"encryptiondat": "{}"}])
def test_a09_a_blob_without_an_envelope_is_not_shown(among, metadata):
    stored, _ = seal.seal(PLAIN, KEK)
    m = among(stored, metadata)
    unreadable(m, "x", "EACCES", "policy.unencrypted", "not encrypted", "unencrypted=show")


def test_a09_shown_on_request_it_is_what_is_stored(among):
    m = among(b"clear text", {}, "unencrypted=show")
    assert m.read("x") == b"clear text"


def test_a09_shown_on_request_in_pieces(among):
    """Larger than what is fetched at once, by ranges, and whole."""
    plain = seal.random_plaintext("clear", (9 << 20) + 5)
    m = among(plain, {}, "unencrypted=show")
    with m.open("x") as f:
        assert f.size == len(plain)
        for at in (len(plain) - 3, 0, (4 << 20) - 1, 8 << 20):
            assert f.range(at, 4096) == plain[at : at + 4096]
    assert m.read("x") == plain


BROKEN = {
    "cut": '{"a":', "empty": "", "not JSON": "{{{", "array": "[]", "number": "1", "null": "null",
    "twice": '{"EncryptionMode":"FullBlob","EncryptionMode":"FullBlob"}', "garbage behind": "{} {}",
    "deep": "[" * 5000 + "]" * 5000, "NUL": '{"WrappedContentKey":"\\u0000"}',
}  # fmt: skip


@pytest.mark.parametrize("show", ["deny", "show"])
@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a09_a_broken_envelope_is_an_error_not_clear_text(among, text, show):
    """With unencrypted=show too: what claims to be encrypted is never shown as it is stored."""
    stored, _ = seal.seal(PLAIN, KEK)
    m = among(stored, {"encryptiondata": text}, f"unencrypted={show}")
    unreadable(m, "x", "EBADMSG", "integrity.metadata", "encryptiondata")


MISSING = [
    "WrappedContentKey", "WrappedContentKey.EncryptedKey", "WrappedContentKey.Algorithm",
    "EncryptionAgent", "EncryptionAgent.Protocol", "EncryptionAgent.EncryptionAlgorithm",
    "EncryptedRegionInfo", "EncryptedRegionInfo.DataLength", "EncryptedRegionInfo.NonceLength",
]  # fmt: skip


@pytest.mark.parametrize("member", MISSING)
@pytest.mark.parametrize("value", [DELETE, None, 5, [], ""], ids=["missing", "null", "number", "array", "empty"])
def test_a09_a_member_that_is_missing_or_of_another_kind(among, member, value):
    stored, metadata = seal.seal(PLAIN, KEK)
    if member.endswith("Length") and value == 5:
        value = "5"
    m = among(stored, edited(metadata, {member: value}))
    found = errno_of(m.read, "x")
    # An empty name of an algorithm or version is one that nobody knows.
    assert found == "EBADMSG" or (value == "" and found == "EOPNOTSUPP"), found
    assert m.events("integrity.metadata") or m.events("policy.unsupported"), m.log()


@pytest.mark.parametrize("value", [DELETE, None, ""], ids=["missing", "null", "empty"])
def test_a09_a_wrapping_key_without_a_name(among, value):
    """Clients write that for keys that have none; which key it is, nobody can tell."""
    stored, metadata = seal.seal(PLAIN, KEK)
    unreadable(among(stored, edited(metadata, {"WrappedContentKey.KeyId": value})), "x", "ENOKEY", "key.missing", "name")


def test_a09_the_name_of_the_metadata_may_be_in_any_case(attacked, dirstore):
    """Services keep the case of a name and clients do not: it must not count as missing."""
    stored, metadata = seal.seal(PLAIN, KEK)
    dirstore.put("x", stored, {"EncryptionData": metadata["encryptiondata"]})
    assert attacked().read("x") == PLAIN


UNKNOWN = [
    ("EncryptionAgent.Protocol", "9.9"), ("EncryptionAgent.Protocol", "2.2"), ("EncryptionAgent.Protocol", "3.0"),
    ("EncryptionAgent.EncryptionAlgorithm", "AES_GCM_512"), ("WrappedContentKey.Algorithm", "none"),
    ("WrappedContentKey.Algorithm", "RSA_9"),
]  # fmt: skip


@pytest.mark.parametrize(("member", "value"), UNKNOWN)
def test_a09_an_unknown_version_or_algorithm_is_refused_by_name(among, member, value):
    stored, metadata = seal.seal(PLAIN, KEK)
    m = among(stored, edited(metadata, {member: value}))
    failure(m, lambda: m.read("x"), "EOPNOTSUPP", "policy.unsupported", value)


# ---- A10: hostile numbers

NUMBERS = [
    ("DataLength", n) for n in (0, -28, 1, 15, 1 << 31, 1 << 53, (1 << 64) - 1, 1 << 64, "4194304", 4194304.0, 1e300, True)
] + [("NonceLength", n) for n in (0, 11, 13, 28, -1, "12", 12.0)]  # fmt: skip


@pytest.fixture
def vaulted(mount, dirstore, vault, tokens, ca_file):
    """vaulted(option...): the store, mounted with keys from the vault."""
    return lambda *options: mount(
        dirstore.source, f"vault={vault.url}", f"ca_file={ca_file}", *options, env=cloud.client_secret(tokens)
    )


@pytest.mark.parametrize("plain", [PLAIN, PLAIN * 1000], ids=["small", "large"])
@pytest.mark.parametrize(("member", "value"), NUMBERS)
def test_a10_hostile_numbers_cost_no_call_and_show_no_bytes(vaulted, dirstore, vault, tokens, member, value, plain):
    """What is no possible length is refused before a vault is asked; a possible one fails at the tag."""
    kek = cloud.add_key(vault)
    stored, metadata = seal.seal(plain, kek)
    dirstore.put("x", stored, edited(metadata, {f"EncryptedRegionInfo.{member}": value}))
    m = vaulted()
    assert m.list() == ["x"]
    assert m.path("x").stat().st_size <= len(stored)
    found = errno_of(m.read, "x")
    if found is None:  # 15 bytes in a region of 15
        assert (value, plain) == (15, PLAIN) and m.read("x") == plain
        return
    assert found == "EBADMSG", found
    events = {e for level, e, _ in m.events() if level == "E"}
    assert len(events) == 1 and events <= {"integrity.metadata", "integrity.size", "integrity.region"}, m.log()
    if "integrity.region" not in events:
        assert vault.connections == tokens.connections == 0


@pytest.mark.parametrize("length", [1 << 20, 1 << 24, 1 << 30])
def test_a10_a_region_longer_than_the_blob_is_legal(attacked, forge, length):
    """It costs what is stored, not what it claims."""
    forge("x", {"EncryptedRegionInfo.DataLength": length}, PLAIN * 1000, protocol="2.1")
    assert attacked("memory=64M").read("x") == PLAIN * 1000


def test_a10_a_region_over_max_region_is_refused_without_a_call(vaulted, dirstore, vault, tokens):
    stored, metadata = seal.seal(bytes(3 << 20), cloud.add_key(vault))
    dirstore.put("x", stored, metadata)
    m = vaulted("max_region=2M")
    unreadable(m, "x", "EFBIG", "policy.max_region", "max_region=")
    assert vault.connections == tokens.connections == 0


# ---- A11: one version relabelled as another

LABELS = [("1.0", "2.0"), ("1.0", "2.1"), ("2.0", "1.0"), ("2.1", "1.0"), ("2.0", "2.1"), ("2.1", "2.0")]


@pytest.mark.parametrize(("sealed", "label"), LABELS)
def test_a11_a_version_cannot_be_relabelled(attacked, dirstore, sealed, label):
    """All that the other version wants is there; the wrapped key tells: by its length, or by its prefix."""
    stored, metadata = seal.seal(PLAIN, KEK, sealed)
    changes = {"EncryptionAgent.Protocol": label}
    if label == "1.0":
        changes |= {"EncryptionAgent.EncryptionAlgorithm": "AES_CBC_256"}
        changes |= {"ContentEncryptionIV": base64.b64encode(bytes(16)).decode()}
        stored = stored[: len(stored) // 16 * 16]
    else:
        changes |= {"EncryptionAgent.EncryptionAlgorithm": "AES_GCM_256"}
        changes |= {"EncryptedRegionInfo": {"DataLength": seal.REGION, "NonceLength": 12}}
        stored = stored.ljust(64, b"\0")
    dirstore.put("x", stored, edited(metadata, changes))
    m = attacked("v1=read")
    unreadable(m, "x", "EBADMSG", "integrity.metadata" if "1.0" in (sealed, label) else "integrity.cek")


@pytest.mark.parametrize("kek_name", ["RSA-OAEP", "RSA-OAEP-256"])
def test_a11_a_relabelled_key_is_refused_from_the_cache_too(mount, dirstore, keys_file, kek_name):
    """The V2 key is in the cache when the V1 label asks for it; an RSA wrap does not tell its length beforehand."""
    kek = seal.make_kek(kek_name)
    stored, metadata = seal.seal(PLAIN * 100, kek)
    dirstore.put("x", stored, metadata)
    changes = {
        "EncryptionAgent.Protocol": "1.0", "EncryptionAgent.EncryptionAlgorithm": "AES_CBC_256",
        "ContentEncryptionIV": base64.b64encode(bytes(16)).decode(),
    }  # fmt: skip
    dirstore.put("y", stored[: len(stored) // 16 * 16], edited(metadata, changes))
    m = mount(dirstore.source, f"keys={keys_file(kek)}", "v1=read")
    assert m.read("x") == PLAIN * 100
    unreadable(m, "y", "EIO", "integrity.v1")


@pytest.mark.parametrize("algorithm", ["AES_CBC_256", "AES_GCM_256"])
def test_a11_version_and_content_algorithm_must_agree(attacked, forge, algorithm):
    """V1 with GCM (which one client takes for CBC), V2 with CBC."""
    forge("x", {"EncryptionAgent.EncryptionAlgorithm": algorithm}, protocol="1.0" if algorithm == "AES_GCM_256" else "2.0")
    m = attacked("v1=read")
    found = errno_of(m.read, "x")
    assert found in ("EBADMSG", "EOPNOTSUPP", "EIO"), found
    assert m.events("integrity.metadata") or m.events("policy.unsupported") or m.events("integrity.v1"), m.log()


# ---- A13: wrap algorithms


@pytest.mark.parametrize(("algorithm", "errno", "event"), [
    ("RSA1_5", "EACCES", "policy.kek_alg"), ("none", "EOPNOTSUPP", "policy.unsupported"), ("dir", "EOPNOTSUPP", "policy.unsupported"),
    ("rsa-oaep", "EOPNOTSUPP", "policy.unsupported"), ("RSA-OAEP-512", "EOPNOTSUPP", "policy.unsupported"),
])  # fmt: skip
def test_a13_an_algorithm_that_is_not_on_the_list_costs_no_call(vaulted, dirstore, vault, tokens, algorithm, errno, event):
    stored, metadata = seal.seal(PLAIN, cloud.add_key(vault))
    dirstore.put("x", stored, edited(metadata, {"WrappedContentKey.Algorithm": algorithm}))
    m = vaulted()
    found = errno_of(m.read, "x")
    assert found in (errno, "EOPNOTSUPP"), found
    assert m.events(event) or m.events("policy.unsupported"), m.log()
    assert vault.connections == tokens.connections == 0


@pytest.mark.parametrize("algorithm", ["RSA-OAEP", "A256KW"])
def test_a13_kek_alg_narrows_the_list(vaulted, dirstore, vault, tokens, algorithm):
    dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(vault, algorithm=algorithm)))
    m = vaulted("kek_alg=RSA-OAEP-256")
    unreadable(m, "x", "EACCES", "policy.kek_alg", algorithm, "kek_alg=")
    assert vault.connections == tokens.connections == 0


def test_a13_an_algorithm_of_another_kind_of_key(mount, dirstore, keys_file):
    """An RSA key asked to unwrap by AES."""
    kek = seal.make_kek("RSA-OAEP")
    stored, metadata = seal.seal(PLAIN, kek)
    wrapped = base64.b64encode(bytes(48)).decode()
    changes = {"WrappedContentKey.Algorithm": "A256KW", "WrappedContentKey.EncryptedKey": wrapped}
    dirstore.put("x", stored, edited(metadata, changes))
    m = mount(dirstore.source, f"keys={keys_file(kek)}")
    unreadable(m, "x", "EACCES", "policy.kek_alg", kek.kid)


# ---- A14: wrapped keys that cannot be

WRAPPED = {
    "one byte": b"\1", "255 bytes": bytes(255), "2049 bytes": bytes(2049), "20 KiB": bytes(20 << 10), "none": b"",
}  # fmt: skip


@pytest.mark.parametrize("wrapped", WRAPPED.values(), ids=WRAPPED.keys())
def test_a14_a_wrapped_key_of_an_impossible_length_costs_no_call(vaulted, dirstore, vault, tokens, wrapped):
    stored, metadata = seal.seal(PLAIN, cloud.add_key(vault))
    text = base64.b64encode(wrapped).decode()
    dirstore.put("x", stored, edited(metadata, {"WrappedContentKey.EncryptedKey": text}))
    m = vaulted()
    assert errno_of(m.read, "x") == "EBADMSG"
    assert m.events("integrity.cek") or m.events("integrity.metadata"), m.log()
    assert vault.connections == tokens.connections == 0


@pytest.mark.parametrize("text", ["***", "AAA=AAAA", "AAAA====", "A", "AA AA", "AAAA\n", "AB=="])
def test_a14_a_wrapped_key_that_is_not_base64(vaulted, dirstore, vault, text):
    stored, metadata = seal.seal(PLAIN, cloud.add_key(vault))
    dirstore.put("x", stored, edited(metadata, {"WrappedContentKey.EncryptedKey": text}))
    m = vaulted()
    assert errno_of(m.read, "x") == "EBADMSG"
    assert m.events("integrity.metadata") or m.events("integrity.cek"), m.log()
    assert vault.connections == 0


def test_a14_a_wrapped_key_of_another_key(vaulted, dirstore, vault):
    mine, other = cloud.add_key(vault), cloud.add_key(vault, "other")
    stored, metadata = seal.seal(PLAIN, other)
    dirstore.put("x", stored, edited(metadata, {"WrappedContentKey.KeyId": mine.kid}))
    m = vaulted()
    unreadable(m, "x", "EBADMSG", "integrity.cek", mine.kid, "request=")


# ---- A15


def test_a15_who_knows_the_public_key_can_forge_a_blob(vaulted, dirstore, vault):
    """The limit of the format (docs/SECURITY.md): wrapping needs the public half only, and says not who wrapped."""
    kek = cloud.add_key(vault)
    dirstore.put("x", *seal.seal(b"not what the owner wrote", kek))  # wrap_key of an RSA key uses its public half
    assert vaulted().read("x") == b"not what the owner wrote"


# ---- A20, A21, A23


def test_a20_a_content_encoding_changes_nothing(proxied, upload, azurite, container):
    """The service repeats what a writer has set; sealed bytes are taken as they are."""
    from azure.storage.blob import ContentSettings

    upload("x", PLAIN * 1000)
    client = azurite.service.get_blob_client(container, "x")
    client.set_http_headers(ContentSettings(content_encoding="gzip"))
    m = proxied()
    assert m.read("x") == PLAIN * 1000


def test_a20_nobody_is_asked_for_a_compressed_answer(proxied, upload, blobproxy):
    upload("x", PLAIN)
    m = proxied()
    assert m.read("x") == PLAIN and m.list() == ["x"]
    assert blobproxy.log() and all("accept-encoding" not in e["headers"] for e in blobproxy.log())


@pytest.mark.parametrize("name", ["is_symlink", "hdi_issymlink", "hdi_isfolder", "posix_mode"])
def test_a21_metadata_of_other_tools_makes_no_special_file(attacked, dirstore, name):
    stored, metadata = seal.seal(b"/etc/shadow", KEK)
    dirstore.put("x", stored, {**metadata, name: "true"})
    m = attacked()
    found = os.lstat(m.path("x"))
    assert stat.S_ISREG(found.st_mode) and found.st_mode & 0o7777 == 0o444
    assert errno_of(os.readlink, m.path("x")) == "EINVAL"
    assert m.read("x") == b"/etc/shadow"


def test_a23_nothing_can_be_executed_or_written(attacked, dirstore):
    dirstore.put("x", *seal.seal(b"#!/bin/sh\n", KEK))
    m = attacked()
    assert m.list() == ["x"]
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        options = next(line for line in f if str(m.point.resolve()) in line).split()[5].split(",")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options)
    assert errno_of(os.chmod, m.path("x"), 0o755) == "EROFS"
    assert errno_of(os.unlink, m.path("x")) == "EROFS"
    assert errno_of(os.open, m.path("x"), os.O_WRONLY) == "EROFS"
    assert errno_of(os.open, m.path("y"), os.O_CREAT | os.O_WRONLY) == "EROFS"
    assert errno_of(os.execv, m.path("x"), ["x"]) == "EACCES"


# ---- another product's records


def test_a_snowflake_record_is_named_as_foreign(among):
    m = among(bytes(64), {"encryptiondata": json.dumps(SNOWFLAKE), "matdesc": "{}"}, "v1=read")
    unreadable(m, "x", "EOPNOTSUPP", "policy.foreign", "another product", "Snowflake")


def test_a_snowflake_record_is_named_as_foreign_where_v1_is_refused_too(among):
    m = among(bytes(64), {"encryptiondata": json.dumps(SNOWFLAKE), "matdesc": "{}"})
    unreadable(m, "x", "EOPNOTSUPP", "policy.foreign", "Snowflake")


# ---- names


def test_b08_a_name_cannot_forge_a_line_of_the_log(attacked, dirstore):
    """Nor a request: see test_network.py."""
    stored, _ = seal.seal(PLAIN, KEK)
    dirstore.put("a\n2026-01-01T00:00:00.000Z E integrity.forged open 'b'", stored, {})
    m = attacked()
    (name,) = m.list()
    failure(m, lambda: m.read(name), "EACCES", "policy.unencrypted")
    assert not m.events("integrity.forged"), m.log()


def test_b08_an_envelope_cannot_forge_a_line_of_the_log(attacked, forge):
    evil = "1.0\n2026-01-01T00:00:00.000Z E integrity.forged x\x1b[2J"
    forge("x", {"EncryptionAgent.Protocol": evil})
    forge("y", {"WrappedContentKey.KeyId": "https://v.example/keys/k\r\n2026-01-01T00:00:00.000Z E integrity.forged y"})
    m = attacked()
    assert errno_of(m.read, "x") in ("EOPNOTSUPP", "EBADMSG")
    assert errno_of(m.read, "y") in ("EACCES", "EBADMSG")
    assert len(m.log().splitlines()) == 3, m.log()
    assert not m.events("integrity.forged") and "\x1b" not in m.log()
