# SPDX-License-Identifier: MIT
"""An emulated Cosmos DB account full of documents, mounts of it, and its official client; see README.md.

The emulator is that of the tests, in a process of its own; it and what seals its documents run with the tests' Python.
"""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import urllib.request

from sampler import Failed
from world import HERE, Mount, World, clean_environment, run_quietly, stop, tail

ROOT = HERE.parent
BUILD = ROOT / "build"
DATABASE = "bench"
LOADING = 300  # seconds, for an account of 300,000 documents
HOP_BY_HOP = ("host", "authorization", "content-length", "connection")


def python_of_tests():
    """The Python that can run the emulator, or None."""
    path = BUILD / "venv" / "bin" / "python"
    return path if path.exists() else None


def client():
    """(node, its modules) with the official client, or None."""
    node = os.environ.get("AZC_NODE") or next((str(p) for p in [BUILD / "node" / "node"] if p.exists()), shutil.which("node"))
    modules = pathlib.Path(os.environ.get("AZC_NODE_MODULES", BUILD / "node" / "node_modules")).resolve()
    return (node, modules) if node and (modules / "@azure" / "cosmos").is_dir() else None


class Account:
    """The emulator's process."""

    def __init__(self, config, run):
        self._config, self._log = config, run / "account.log"
        self._process, self.url = None, None

    def start(self):
        argv = [python_of_tests(), "-m", "tests.emulators.cosmos", "--config", self._config]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                list(map(str, argv)), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        ready = self._process.stdout.readline()
        if not ready:
            raise Failed(f"the emulated account ended: {tail(self._log)}")
        self.url = json.loads(ready)["url"]

    def stop(self):
        if self._process:
            stop(self._process)

    def pids(self):
        return [self._process.pid]

    def _control(self, method):
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_test/log", method=method), timeout=60) as answer:
            return json.load(answer)

    @contextlib.contextmanager
    def counting(self):
        """Yields a list that afterwards holds the requests as the emulator logs them."""
        requests = []
        self._control("DELETE")
        yield requests
        requests += self._control("GET")


class DocumentWorld:
    """All of it, in build/bench/documents."""

    def __init__(self, directory, binary, count):
        self.directory, self.binary, self.count = directory, binary, count
        self.data = directory / "documents"
        self.run = directory / f"run-documents-{os.getpid()}"
        self.account = None
        self.client = client()

    has_fuse = staticmethod(World.has_fuse)

    def __enter__(self):
        (self.run / "mnt").mkdir(parents=True)
        self.data.mkdir(exist_ok=True)
        try:
            run_quietly([self.document_program(), 1, self.data])
            run_quietly([python_of_tests(), HERE / "docdata.py", self.data, self.count])
            self.account = Account(self.data / "account.json", self.run)
            self.account.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.account:
            self.account.stop()
        if not any(os.path.ismount(p) for p in (self.run / "mnt").iterdir()):
            shutil.rmtree(self.run, ignore_errors=True)

    def program(self, name):
        return self.directory / "bin" / name

    def document_program(self):
        return self.binary.parent / "bench" / "document"

    # ---- us

    def source(self, container):
        return f"cosmos:{self.account.url}/{DATABASE}/{container}"

    def options(self):
        return f"keys={self.data / 'keys.json'},cosmos_key_file={self.data / 'account.key'}"

    def ours(self, container):
        argv = [self.binary, "mount", "-f", "-o", self.options(), self.source(container), "{}"]
        return Mount("documents", argv, self.run, clean_environment(self.run))

    # ---- the client

    def node_argv(self, *arguments):
        node, modules = self.client
        return ["env", f"AZC_NODE_MODULES={modules}", node, HERE / "documents.mjs", *arguments]

    def stream_argv(self, container, count):
        secrets = self.data / "account.key", self.data / "keys.json"
        return self.node_argv("stream", self.account.url, DATABASE, container, count, *secrets)

    # ---- the limit

    def write_replay(self, name, requests):
        """The same requests, for replay.c; their dates are old and their signatures left out."""
        with open(self.data / f"{name}.requests", "w", encoding="utf-8") as f:
            for r in requests:
                f.write(f"{r['method']} {self.account.url}{r['path']}\n")
                headers = {k: v for k, v in r["headers"].items() if k not in HOP_BY_HOP}
                headers["authorization"] = "type%3Dmaster%26ver%3D1.0%26sig%3Dnone"
                f.writelines(f"{k}: {v}\n" for k, v in headers.items())
                f.write("\n" + (json.dumps(r["body"]) if r["body"] is not None else "") + "\n")

    def replay_argv(self, name):
        return [self.program("replay"), self.data / f"{name}.requests", 1]
