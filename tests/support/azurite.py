# SPDX-License-Identifier: MIT
"""The real Azurite, on an ephemeral port of loopback, in memory.

It is started with the node binary itself: the one in the venv's bin/ is a wrapper, and a signal to it
leaves the server running.  tests/support/setup.sh puts both in place.
"""
import base64
import os
import pathlib
import subprocess
import uuid

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContentSettings

from tests.support import process

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NODE = pathlib.Path(os.environ.get("AZC_NODE_DIR", ROOT / "build" / "node"))
MAIN = NODE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


class Azurite:
    """Azurite(tls=(CERT, KEY), oauth=True) speaks https and takes bearer tokens beside the account key."""

    def __init__(self, directory, tls=None, oauth=False, ca_file=None, account="azcrypt"):
        self.directory = pathlib.Path(directory)
        self.tls, self.oauth, self.ca_file = tls, oauth, ca_file
        self.account = account
        self.key = base64.b64encode(os.urandom(64)).decode()
        self.port = self._process = None

    # ---- life

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        for _ in range(3):  # between free_port and the bind somebody else may take the port
            self.port = process.free_port()
            self._spawn()
            process.wait_until(lambda: self._process.poll() is not None or process.listens(self.port), 30, "Azurite")
            if self._process.poll() is None:
                return self
        raise RuntimeError(f"Azurite does not start:\n{self.log()}")

    def _spawn(self):
        command = [NODE / "node", MAIN, "--blobHost", "127.0.0.1", "--blobPort", str(self.port)]
        command += ["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent"]
        if self.tls:
            command += ["--cert", self.tls[0], "--key", self.tls[1]]
        if self.oauth:
            command += ["--oauth", "basic"]
        environment = {"PATH": os.defpath, "HOME": str(self.directory), "AZURITE_ACCOUNTS": f"{self.account}:{self.key}"}
        with open(self._log_path, "ab") as log:
            self._process = subprocess.Popen(command, cwd=self.directory, env=environment, stdout=log, stderr=log)

    def stop(self):
        if self._process:
            process.stop(self._process)
            self._process = None

    def log(self):
        return self._log_path.read_text(errors="replace")

    @property
    def _log_path(self):
        return self.directory / "azurite.log"

    # ---- where and who

    @property
    def endpoint(self):
        """The account's URL, path-style."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/{self.account}"

    @property
    def url(self):
        return self.endpoint

    @property
    def connection_string(self):
        scheme = self.endpoint.split(":")[0]
        return (
            f"DefaultEndpointsProtocol={scheme};AccountName={self.account};AccountKey={self.key};"
            f"BlobEndpoint={self.endpoint};"
        )

    def environment(self):
        """What the program under test needs to get in with the account key."""
        return {"AZURE_STORAGE_CONNECTION_STRING": self.connection_string}

    def source(self, container, prefix=""):
        """The SOURCE of a mount."""
        return f"blob:{self.endpoint}/{container}" + (f"/{prefix}" if prefix else "")

    # ---- contents, by the official client

    @property
    def service(self):
        return self.client()

    def client(self, **options):
        if self.ca_file:
            options.setdefault("connection_verify", str(self.ca_file))
        return BlobServiceClient.from_connection_string(self.connection_string, **options)

    def make_container(self, name=None):
        name = name or f"c-{uuid.uuid4().hex[:12]}"
        try:
            self.service.create_container(name)
        except ResourceExistsError:
            pass
        return name

    def put(self, container, name, stored, metadata=None, blob_type="BlockBlob", content_type=None):
        """Stores bytes as they are, with metadata.  Returns the ETag."""
        client = self.service.get_blob_client(container, name)
        settings = ContentSettings(content_type=content_type) if content_type else None
        options = {"metadata": metadata or None, "overwrite": True, "content_settings": settings}
        client.upload_blob(stored, blob_type=blob_type, length=len(stored), **options)
        return client.get_blob_properties().etag

    def get(self, container, name):
        """(stored bytes, metadata)."""
        download = self.service.get_blob_client(container, name).download_blob()
        return download.readall(), download.properties.metadata
