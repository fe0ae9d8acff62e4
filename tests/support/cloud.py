# SPDX-License-Identifier: MIT
"""Keys in the vault emulator that blobs are sealed for, and identities that may use them.

The emulators' certificates are of the tests' own authority, so a mount names it with ca_file=.
"""
from tests.emulators import tokens as tokens_module
from tests.emulators.vault_keys import Key
from tests.support import seal

VAULT = "https://vault.azure.net"
STORAGE = "https://storage.azure.com"


class VaultKek(seal.Kek):
    """A key of a vault, to seal with: wrapping needs no request, unwrapping is what the vault is for."""

    def __init__(self, vault, key, algorithm, versionless=False):
        kid = vault.kid(key)
        super().__init__(kid.rpartition("/")[0] if versionless else kid, algorithm)
        self.key = key

    def wrap_key(self, key, algorithm=None):
        return self.key.wrap(algorithm or self.algorithm, key)


def add_key(vault, name="kek", algorithm="RSA-OAEP", versionless=False, **state):
    """Makes a key in the vault; returns it as something that seals."""
    if algorithm.startswith("RSA"):
        key = Key.generate_rsa(name, **state)
    else:
        key = Key.generate_oct(name, int(algorithm[1:4]), **state)
    vault.keys.add(key)
    return VaultKek(vault, key, algorithm, versionless)


def client_secret(tokens, **more):
    """The environment of a service principal with a secret."""
    return {
        "AZURE_AUTHORITY_HOST": tokens.url,
        "AZURE_TENANT_ID": tokens_module.DEFAULT_TENANT,
        "AZURE_CLIENT_ID": tokens_module.DEFAULT_CLIENT,
        "AZURE_CLIENT_SECRET": tokens_module.DEFAULT_SECRET,
        **more,
    }


def asked(vault, operation="unwrapkey"):
    """The requests for an operation that reached the vault, whatever became of them."""
    return [entry for entry in vault.log() if f"/{operation}" in entry["path"]]
