# SPDX-License-Identifier: MIT
"""The official Java clients as readers of blobs and documents (tests/interop/java), in one JVM for all of them.

    with Oracle(directory, keys=[kek]) as java:
        java.blob(azurite.connection_string, container, name, [(0, 16)])     -> ((length, sha256), [(length, sha256)])
        java.account(cosmos)
        java.query("db", "container")                                        -> documents

A read that the client refuses raises JavaRefused with the classes and messages of its exceptions.
tests/support/setup_java.sh puts the clients in place; `make interop` calls it.
"""
import json
import os
import pathlib
import queue
import shutil
import subprocess
import threading

import pytest
from cryptography.hazmat.primitives import serialization

from tests.support import seal, truststore
from tests.support.process import SLOW

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
JAVA = pathlib.Path(os.environ.get("AZC_JAVA_DIR", ROOT / "build" / "java"))


def need_java():
    """Skips where the clients are not set up; `make interop` says that they must be."""
    why = None
    if not (JAVA / ".stamp").exists():
        why = f"the official Java clients are not in {JAVA} (make interop sets them up)"
    elif shutil.which("java") is None:
        why = "there is no java"
    if why and os.environ.get("AZC_REQUIRE_JAVA") == "1":
        pytest.fail(why)
    if why:
        pytest.skip(why)


class JavaRefused(Exception):
    """The client did not read it."""


def jwk_of(key):
    """The JWK of anything with jwk(), its secret in it rather than in a PEM file."""
    jwk = key.jwk()
    if "pem" not in jwk:
        return jwk
    pem = pathlib.Path(jwk["pem"]).read_bytes()
    return seal.rsa_jwk(jwk["kid"], serialization.load_pem_private_key(pem, None))


class Oracle:
    """keys: every key-encryption key that it may be asked for.  ca_file: who signed the Cosmos account's certificate."""

    def __init__(self, directory, keys=(), ca_file=None):
        self._log_path = pathlib.Path(directory) / "java.log"
        self._keys = [jwk_of(k) for k in keys]
        self._options = ["-Xshare:auto", "-XX:+UseSerialGC", "-Xmx1g"]
        if ca_file:
            store = truststore.write(ca_file, pathlib.Path(directory) / "trust.p12")
            self._options += [f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={truststore.PASSWORD}"]
        self._process = None

    def __enter__(self):
        classes = os.pathsep.join([str(JAVA / "classes"), f"{JAVA / 'lib'}/*"])
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                [shutil.which("java"), *self._options, "-cp", classes, "Oracle"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, encoding="utf-8", env={"PATH": os.defpath},
            )  # fmt: skip
        self._answers = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()
        self.ask({"do": "keys", "keys": self._keys})
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _listen(self, lines):
        try:
            for line in lines:
                self._answers.put(line)
        except ValueError:  # closed by __exit__ after a kill
            pass
        self._answers.put(None)

    def ask(self, told, seconds=120):
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=seconds * SLOW)
        except queue.Empty:
            self._process.kill()
            raise TimeoutError(f"Java: {told['do']}: no answer\n{self.log()}") from None
        if line is None:
            raise RuntimeError(f"Java ended\n{self.log()}")
        outcome = json.loads(line)
        if "error" in outcome:
            raise JavaRefused(outcome["error"])
        return outcome["value"]

    def log(self):
        return self._log_path.read_text(errors="replace")[-4000:]

    def blob(self, connection_string, container, name, ranges=()):
        """(length, SHA-256) of the whole, and of each range (offset, length)."""
        answer = self.ask({
            "do": "blob", "connection": connection_string, "container": container, "name": name, "ranges": list(ranges),
        })  # fmt: skip
        return _pair(answer["whole"]), [_pair(r) for r in answer["ranges"]]

    def account(self, server):
        """The account that read and query are about."""
        self.ask({"do": "account", "endpoint": server.public_url, "key": server.key})

    def read(self, database, container, id, key):
        """One document; key is the list of its partition key's values."""
        return self.ask({"do": "read", "database": database, "container": container, "id": id, "key": key})

    def query(self, database, container, text=None):
        told = {"do": "query", "database": database, "container": container}
        return self.ask({**told, "text": text} if text else told)


def _pair(told):
    return told["length"], told["sha256"]
