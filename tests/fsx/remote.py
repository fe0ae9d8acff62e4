#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Somebody else who changes files that fsx works on: the official Python client, with a key of its own.

Reads "put NAME FILE" and "delete NAME", answers "ok" or what went wrong.

AZURE_STORAGE_CONNECTION_STRING  the account
FSX_CONTAINER                    where
FSX_KEK                          key id, blank, key in hexadecimal
"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent))

from azure.storage.blob import BlobClient  # noqa: E402

from tests.support.seal import AesKek  # noqa: E402


def client(name):
    kid, key = os.environ["FSX_KEK"].split()
    found = BlobClient.from_connection_string(
        os.environ["AZURE_STORAGE_CONNECTION_STRING"], os.environ["FSX_CONTAINER"], name,
        require_encryption=True, encryption_version="2.0",
    )  # fmt: skip
    found.key_encryption_key = AesKek(kid, "A256KW")
    found.key_encryption_key.secret = bytes.fromhex(key)
    return found


def do(word, name, file=None):
    if word == "delete":
        client(name).delete_blob()
    else:
        client(name).upload_blob(pathlib.Path(file).read_bytes(), overwrite=True)


for line in sys.stdin:
    try:
        do(*line.split())
        answer = "ok"
    except Exception as e:  # whatever it is, fsx is to be told
        answer = repr(e).replace("\n", " ")
    print(answer, flush=True)
