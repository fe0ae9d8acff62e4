# SPDX-License-Identifier: MIT
"""docdata.py DIRECTORY COUNT: what the account of the document rows holds, and the keys to it.

Made from a document that document.c has left in DIRECTORY; run with the Python of the tests, whose code seals.
"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.emulators.cosmos_auth import DEFAULT_KEY  # noqa: E402
from tests.support import seal  # noqa: E402
from tests.support.cells import Dek  # noqa: E402
from tests.support.vectors import write_keys, write_secret  # noqa: E402

KID = "https://bench.vault.azure.net/keys/kek/0123456789abcdef0123456789abcdef"
#: name, partition key path, partition key of a document, feed ranges
CONTAINERS = (("ranges", "/id", "f{n}", 4), ("one", "/id", "f{n}", 1), ("partition", "/pk", "p", 1))
SYSTEM = '"_etag":"\\"00000000-0000-0000-0000-000000000000\\"","_ts":'


def template(text, path):
    """The document, with a number in place of its id."""
    head = '{"id":"f{n}"' + (',"pk":"p"' if path == "/pk" else "")
    return text.replace('{"id":"bench"', head, 1).replace('"_ts":', SYSTEM, 1)


def container(told, text, count, policy):
    name, path, key, ranges = told
    return {
        "id": name, "ranges": ranges, "clientEncryptionPolicy": policy,
        "partitionKey": {"paths": [path], "kind": "Hash", "version": 2},
        "generate": {"template": template(text, path), "count": count, "id": "f{n}", "key": key},
    }  # fmt: skip


def main():
    directory, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    made = json.loads((directory / "container.json").read_text())
    text = (directory / "small-1.json").read_text()
    kek = seal.make_kek("RSA-OAEP", KID)
    dek = Dek("dek", kek, bytes.fromhex(made["key"]))
    database = {
        "id": "bench", "keys": [dek.record()],
        "containers": [container(c, text, count, made["policy"]) for c in CONTAINERS],
    }  # fmt: skip
    write_keys(directory / "keys.json", [kek.jwk()])
    write_secret(directory / "account.key", DEFAULT_KEY.encode())
    # Requests that are sent again carry a signature that is no longer good.
    config = {"check_signatures": False, "databases": [database]}
    (directory / "account.json").write_text(json.dumps(config))


main()
