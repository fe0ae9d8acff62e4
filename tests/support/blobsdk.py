# SPDX-License-Identifier: MIT
"""The official Python client as a reader of encrypted blobs, whole and in ranges."""
import hashlib

from azure.storage.blob import BlobClient


class Reader:
    """keys: anything with kid, unwrap_key...; it finds them by the key id that the blob names."""

    def __init__(self, connection_string, *keys):
        self._connection_string = connection_string
        self._keys = {k.kid: k for k in keys}

    def _client(self, container, name):
        client = BlobClient.from_connection_string(
            self._connection_string, container, name, require_encryption=True, encryption_version="2.0",
            key_resolver_function=self._keys.get,
        )  # fmt: skip
        client.key_resolver_function = self._keys.get
        return client

    def read(self, container, name):
        return self._client(container, name).download_blob().readall()

    def ranges(self, container, name, ranges):
        """The bytes of each (offset, length)."""
        client = self._client(container, name)
        return [client.download_blob(offset=offset, length=length).readall() for offset, length in ranges]


def digest(data):
    """(length, SHA-256), as the Java reader tells it."""
    return len(data), hashlib.sha256(data).hexdigest()
