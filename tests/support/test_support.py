# SPDX-License-Identifier: MIT
"""The tests' own tools, each against something that did not make it."""
import hashlib
import json
import os

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient

from tests.support import dirstore, mount, ranges, seal, vectors

BLOBS = [b for s in vectors.all_sets() for b in s.blobs]
KEKS = {a: seal.make_kek(a) for a in seal.ALGORITHMS}


# ---- vectors


@pytest.mark.parametrize("blob", BLOBS, ids=str)
def test_stored_bytes_and_plaintext_of_a_vector_have_their_checksums(blob):
    assert len(blob.stored) == blob.entry["stored"]["length"]
    assert len(blob.plaintext) == blob.length


@pytest.mark.parametrize("blob", BLOBS, ids=str)
def test_ranges_of_a_vector_lie_in_its_plaintext(blob):
    for offset, length, sha256 in blob.ranges:
        assert hashlib.sha256(blob.plaintext[offset : offset + length]).hexdigest() == sha256


def test_a_vector_with_a_wrong_checksum_is_refused():
    entry = json.loads(json.dumps(vectors.load("java").blob("v2-1").entry))
    entry["stored"]["sha256"] = "0" * 64
    with pytest.raises(ValueError):
        _ = vectors.Blob(vectors.load("java"), entry).stored


def test_every_range_belongs_to_a_blob():
    for vector_set in vectors.all_sets():
        assert set(vector_set.ranges) <= {b.name for b in vector_set.blobs}


def test_names_of_damaged_blobs_are_different_files():
    for vector_set in vectors.all_sets():
        slugs = [a.slug for a in vector_set.damaged + vector_set.variants]
        assert len(slugs) == len(set(slugs))


def test_written_keys_are_secret_and_name_files_beside_them(tmp_path):
    path = vectors.write_keys(tmp_path / "keys.json", [k.jwk() for k in vectors.load("java").keys])
    for entry in json.loads(path.read_text())["keys"]:
        if "pem" in entry:
            assert (tmp_path / entry["pem"]).stat().st_mode & 0o777 == 0o600
        else:
            assert entry["kty"] == "oct"
    assert path.stat().st_mode & 0o777 == 0o600


# ---- the sealer


@pytest.mark.parametrize("algorithm", seal.ALGORITHMS)
@pytest.mark.parametrize("protocol", ["1.0", "2.0", "2.1"])
def test_what_is_sealed_unseals(algorithm, protocol):
    for length in (0, 1, 15, 16, 17, 100, 3005):
        plain = seal.random_plaintext(length, length)
        stored, metadata = seal.seal(plain, KEKS[algorithm], protocol, region=100)
        assert seal.unseal(stored, metadata, KEKS[algorithm]) == plain


def test_a_blob_sealed_with_a_vectors_key_has_the_vectors_bytes():
    """The three nonce dialects, and V1, against what the clients stored."""
    for blob in (b for b in BLOBS if b.length <= 1 << 20):
        key = bytes.fromhex(blob.entry["contentKeyHex"])
        if blob.protocol == "1.0":
            iv = bytes.fromhex(blob.entry["ivHex"])
            made = seal.stored_v1(blob.plaintext, key, iv, padded=blob.blob_type != "PageBlob")
        else:
            empty = bool(blob.stored) and blob.length == 0
            made = seal.stored_v2(blob.plaintext, key, blob.region_length, blob.set.name, empty)
        assert made == blob.stored, blob


@pytest.mark.parametrize("algorithm", seal.ALGORITHMS)
@pytest.mark.parametrize("protocol", ["1.0", "2.0", "2.1"])
def test_the_official_client_reads_what_the_sealer_made(azurite, container, algorithm, protocol):
    kek = KEKS[algorithm]
    for length, region, dialect in ((0, 16, "python"), (1, 16, "java"), (53, 16, "java"), (4097, 1000, "dotnet")):
        plain = seal.random_plaintext(length, length)
        name = f"{algorithm}-{protocol}-{length}"
        stored, metadata = seal.seal(plain, kek, protocol, region, dialect)
        azurite.put(container, name, stored, metadata)
        assert azurite.get(container, name) == (stored, metadata)
        assert sdk_blob(azurite, container, name, kek).download_blob().readall() == plain


def test_the_official_client_refuses_what_the_sealer_made_and_we_damaged(azurite, container):
    kek = KEKS["A256KW"]
    stored, metadata = seal.seal(bytes(3000), kek, "2.1", 1000)
    azurite.put(container, "tag", stored[:-1] + bytes([stored[-1] ^ 1]), metadata)
    with pytest.raises(HttpResponseError):
        sdk_blob(azurite, container, "tag", kek, retry_total=0).download_blob().readall()


def sdk_blob(azurite, container, name, kek, **options):
    client = BlobClient.from_connection_string(
        azurite.connection_string, container, name, require_encryption=True, encryption_version="2.0", **options
    )
    client.key_encryption_key = kek
    return client


# ---- the dir store

NAMES = [
    "a", "a/b", "a/b/c", "a.d/b", "a.m", "a.c", ".", "..", "../..", ".hidden", "x/./y", "/", "//", "a//b", "a/", "/a",
    "%", "%41", "blank and\nline", "ü/ñ+c", "\\", "A", "x" * 1024, "é" * 512, "/".join("y" * 100 for _ in range(10)),
    "." * 300, "a" * 200 + ".tmp-0123", "a" * 199 + "%" * 3, "a" * 200, "a" * 201, "CON", "tab\t", "\x01",
]  # fmt: skip


def test_the_dir_store_gives_back_every_name(tmp_path):
    store = dirstore.DirStore(tmp_path)
    for i, name in enumerate(NAMES):
        store.put(name, name.encode() * 2, {"i": str(i), "encryptiondata": "{}"})
    assert store.names() == sorted(NAMES, key=str.encode)
    for i, name in enumerate(NAMES):
        stored, entry = store.get(name)
        assert (stored, entry["metadata"]["i"], entry["length"]) == (name.encode() * 2, str(i), len(stored))


def test_no_file_name_of_the_dir_store_is_too_long_or_leaves_it(tmp_path):
    store = dirstore.DirStore(tmp_path / "s")
    for name in NAMES:
        store.put(name, b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["s"]
    for folder, directories, files in os.walk(store.objects):
        for file in directories + files:
            assert len(file.encode()) <= 240 and file.isascii(), (folder, file)


@pytest.mark.parametrize(
    ("component", "encoded"),
    [
        (b"", "%"), (b"a", "a"), (b".", "%2E"), (b"..", "%2E."), (b"a.b", "a.b"), (b"-_Z9", "-_Z9"), (b" ", "%20"),
        (b"%", "%25"), (b"\xc3\xbc", "%C3%BC"), (b"\x01", "%01"), (b"~", "%7E"), (b"\\", "%5C"),
    ],
)  # fmt: skip
def test_a_component_is_encoded_and_decoded(component, encoded):
    assert dirstore.encode_component(component) == encoded
    assert dirstore.decode_component(encoded) == component


@pytest.mark.parametrize("before", range(195, 205))
def test_an_escape_is_never_cut(before):
    encoded = dirstore.encode_component(b"a" * before + b"%%%")
    pieces = dirstore.cut(encoded)
    assert "".join(pieces) == encoded
    assert all(len(p) <= 200 for p in pieces)
    assert all(dirstore.decode_component(p) for p in pieces)
    assert b"".join(map(dirstore.decode_component, pieces)) == b"a" * before + b"%%%"


def test_replacing_an_object_leaves_no_old_content(tmp_path):
    store = dirstore.DirStore(tmp_path)
    first = store.put("d/x", b"one")
    second = store.put("d/x", b"two")
    assert first != second
    assert store.get("d/x")[0] == b"two"
    assert len(os.listdir(store.objects / "d.d")) == 2


# ---- the rest


def test_there_are_two_hundred_ranges_and_they_reach_every_region():
    for length in (0, 1, 16, 4096, 3 * 4096 + 5):
        chosen = ranges.pick(length, 4096)
        assert len(chosen) == 200
        assert all(offset >= 0 and size > 0 for offset, size in chosen)
        if length:
            assert {offset // 4096 for offset, _ in chosen} >= set(range(-(-length // 4096)))


def test_an_option_with_a_comma_is_refused(tmp_path):
    with pytest.raises(ValueError):
        mount.Mount("dir:/x", tmp_path, ["keys=/a,b"])


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("error integrity.region name: region 2", ("error", "integrity.region", "name: region 2")),
        ("2026-11-20T00:00:00Z warning policy.kek text", ("warning", "policy.kek", "text")),
        ("ERROR mount.failed x", ("ERROR", "mount.failed", "x")),
        ("azcryptfs: no such thing", None),
    ],
)
def test_log_lines_are_taken_apart(line, event):
    found = mount.LINE.match(line)
    assert (found and found.groups()) == event


@pytest.mark.parametrize(
    "text",
    [
        "==1==ERROR: AddressSanitizer: heap-use-after-free", "==1==ERROR: LeakSanitizer: detected memory leaks",
        "WARNING: ThreadSanitizer: data race", "x.c:3:4: runtime error: shift exponent", "==7== Invalid read of size 4",
    ],
)  # fmt: skip
def test_reports_of_sanitizers_are_seen(text):
    assert mount.REPORT.search(text)
