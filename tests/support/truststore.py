# SPDX-License-Identifier: MIT
"""A PEM file's certificates as a store that Java trusts; its password, "public", hides nothing.

    python -m tests.support.truststore CA.pem STORE.p12
"""
import pathlib
import sys
import warnings

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

PASSWORD = "public"


def write(pem, store):
    """Returns the path of the store."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some roots that systems trust have odd serial numbers
        certificates = x509.load_pem_x509_certificates(pathlib.Path(pem).read_bytes())
    entries = [pkcs12.PKCS12Certificate(c, f"ca{i}".encode()) for i, c in enumerate(certificates)]
    made = pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(PASSWORD.encode()))
    pathlib.Path(store).write_bytes(made)
    return pathlib.Path(store)


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2])
