#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the sample store of this folder anew: examples/store, examples/keys, examples/SHA256SUMS.

The texts are sealed by the official Python client, which uploads them to a local Azurite; what the official .NET and
Java clients sealed comes from tests/vectors. Run it from the top with the Python of the tests:

    make build/.venv && PYTHONPATH=. build/venv/bin/python examples/make-store.py
"""
import hashlib
import json
import pathlib
import shutil
import tempfile

from azure.storage.blob import BlobClient

from tests.support import seal, vectors
from tests.support.azurite import Azurite
from tests.support.dirstore import DirStore

HERE = pathlib.Path(__file__).resolve().parent
VAULT = "https://sample-vault.vault.azure.net/keys/"
WHEN = "2026-11-20T12:00:00Z"

WELCOME = """\
This text lies in a container as 2.0 ciphertext. The key of its content is wrapped by a key that
would be in a vault; here it is in keys.json. No program that reads this file knows any of that.
"""


def readings(month):
    rows = ["time,station,celsius"]
    for hour in range(24 * 28):
        celsius = 14 - month + 6 * ((hour * 7919 + month) % 101) / 101
        rows.append(f"2026-{month:02}-{hour // 24 + 1:02}T{hour % 24:02}:00Z,north-{hour % 3},{celsius:.2f}")
    return "\n".join(rows) + "\n"


def log_lines():
    return "".join(f"line {i:05}: the quick brown fox jumps over lazy dog {i % 7}\n" for i in range(1, 1001))


TEXTS = {
    "welcome.txt": (WELCOME, "rsa"),
    "letters/Grüße aus München.txt": ("Liebe Grüße! Blob names may hold blanks, umlauts and 100 % signs.\n", "aes"),
    "readings/2026-10.csv": (readings(10), "rsa256"),
    "readings/2026-11.csv": (readings(11), "rsa256"),
    "service.log": (log_lines(), "aes"),
}
# Of other clients: (name, set of vectors, name there).
OTHERS = (
    ("from-dotnet/stream.bin", "dotnet", "v2-stream"),
    ("from-dotnet/uploaded.bin", "dotnet", "v2-60000"),
    ("from-java/regions-of-1000.bin", "java", "v21-region1000-3005"),
    ("from-java/regions-of-65536.bin", "java", "v21-region65536-65537"),
    ("old/protocol-1.0.bin", "python", "v1-1000"),
)


def sealed_texts():
    """{name: (plain, stored, metadata)} and the keys, by way of the official client and a server."""
    keks = {
        "rsa": seal.make_kek("RSA-OAEP", VAULT + "sample-rsa/" + "1" * 32),
        "rsa256": seal.make_kek("RSA-OAEP-256", VAULT + "sample-rsa256/" + "2" * 32),
        "aes": seal.make_kek("A256KW", VAULT.replace("vault.azure", "managedhsm.azure") + "sample-aes/" + "3" * 32),
    }
    made = {}
    with tempfile.TemporaryDirectory() as directory:
        azurite = Azurite(directory).start()
        try:
            container = azurite.make_container()
            for name, (text, kek) in TEXTS.items():
                connection = azurite.connection_string
                writer = BlobClient.from_connection_string(
                    connection, container, name, require_encryption=True, encryption_version="2.0"
                )
                writer.key_encryption_key = keks[kek]
                writer.upload_blob(text.encode())
                reader = BlobClient.from_connection_string(connection, container, name)
                stored = reader.download_blob().readall()
                made[name] = (text.encode(), stored, reader.get_blob_properties().metadata)
        finally:
            azurite.stop()
    return made, list(keks.values())


def put(store, name, stored, metadata):
    etag = "0x" + hashlib.sha256(stored + name.encode()).hexdigest()[:16].upper()
    store.put(name, stored, metadata, etag=etag, last_modified=WHEN)


def write_keys(keks, used):
    """The symmetric keys are in the set itself; the RSA keys of the texts are PEM files beside it."""
    directory = HERE / "keys"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    entries = []
    for kek in keks:
        if hasattr(kek, "pem"):
            name = kek.kid.split("/")[-2] + ".pem"
            (directory / name).write_bytes(kek.pem())
            entries.append({"kid": kek.kid, "pem": name})
        else:
            entries.append(kek.jwk())
    for key in used:
        jwk = key.jwk()
        if "pem" in jwk:
            name = key.kid.split("/")[-2] + ".pem"
            shutil.copyfile(jwk["pem"], directory / name)
            (directory / name).chmod(0o600)
            jwk = {**jwk, "pem": name}
        entries.append(jwk)
    (directory / "keys.json").write_text(json.dumps({"keys": entries}, indent=1) + "\n")
    for file in directory.iterdir():
        file.chmod(0o600)


def main():
    shutil.rmtree(HERE / "store", ignore_errors=True)
    store = DirStore(HERE / "store")
    texts, keks = sealed_texts()
    sums, used = {}, {}
    for name, (plain, stored, metadata) in texts.items():
        put(store, name, stored, metadata)
        sums[name] = hashlib.sha256(plain).hexdigest()
    for name, set_name, there in OTHERS:
        found = vectors.load(set_name)
        blob = next(b for b in found.blobs if b.name == there)
        put(store, name, blob.stored, blob.metadata)
        sums[name] = hashlib.sha256(blob.plaintext).hexdigest()
        kid = json.loads(blob.metadata["encryptiondata"])["WrappedContentKey"]["KeyId"]
        used.update((k.kid, k) for k in found.keys if k.kid == kid)
    tampered = bytearray(texts["readings/2026-11.csv"][1])
    tampered[5000] ^= 1
    put(store, "tampered/2026-11.csv", bytes(tampered), texts["readings/2026-11.csv"][2])
    write_keys(keks, used.values())
    lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items()) if not name.startswith("old/")]
    (HERE / "SHA256SUMS").write_text("".join(lines))


if __name__ == "__main__":
    main()
