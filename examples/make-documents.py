#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the sample documents of this folder anew: examples/documents/store and examples/documents/keys.

All of it was written by the official JavaScript client and comes from tests/vectors. Run it from the top:

    PYTHONPATH=. python3 examples/make-documents.py
"""
import json
import pathlib
import shutil

from tests.support import docstore

HERE = pathlib.Path(__file__).resolve().parent / "documents"
CONTAINERS = ("strings-rand", "mixed-det", "id-and-pk", "hierarchical", "rotated-key")


def write_keys():
    directory = HERE / "keys"
    directory.mkdir()
    entries = []
    for key in docstore.vector_keys("cosmos-js"):
        pem = pathlib.Path(key["pem"])
        shutil.copyfile(pem, directory / pem.name)
        entries.append({"kid": key["kid"], "pem": pem.name})
    (directory / "keys.json").write_text(json.dumps({"keys": entries}, indent=1) + "\n")
    for file in directory.iterdir():
        file.chmod(0o600)


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    docstore.write_vectors(HERE / "store", "cosmos-js", containers=CONTAINERS)
    write_keys()


if __name__ == "__main__":
    main()
