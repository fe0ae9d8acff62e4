# SPDX-License-Identifier: MIT
"""Sealed blobs of one key, in a dir: store or in Azurite behind a proxy that counts; and children that read a
mount and may get stuck there.  Fixtures of these are in tests/mount/conftest.py.
"""
import concurrent.futures
import datetime
import http.client
import pathlib
import re
import signal
import subprocess
import sys
import urllib.parse

from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from tests.conftest import make_keys_file
from tests.support import seal
from tests.support.dirstore import DirStore
from tests.support.process import SLOW, wait_until

KEK = seal.make_kek("A256KW")


# ---- dir: stores


class Local:
    """A dir: store whose blobs are sealed with one key."""

    def __init__(self, directory, mount):
        self.store = DirStore(directory / "store")
        self.source = self.store.source
        self.keys = make_keys_file(directory, KEK)
        self._mount = mount

    def put(self, name, plain, region=seal.REGION, protocol=None, **more):
        protocol = protocol or ("2.0" if region == seal.REGION else "2.1")
        stored, metadata = seal.seal(plain, KEK, protocol, region, empty_region=True)
        return self.store.put(name, stored, metadata, **more)

    def damage(self, name, offset):
        """One bit of the stored bytes is wrong from now on; ETag and length stay."""
        with open(self.store.content_path(name), "r+b") as f:
            f.seek(offset)
            byte = f.read(1)
            f.seek(offset)
            f.write(bytes([byte[0] ^ 1]))

    def mount(self, *options, **more):
        return self._mount(self.source, f"keys={self.keys}", *options, **more)


# ---- Azurite behind the proxy


class Cloud:
    """A container behind the counting proxy."""

    def __init__(self, azurite, proxy, directory, mount, kek=KEK):
        self.azurite, self.proxy, self.kek = azurite, proxy, kek
        self.container = azurite.make_container()
        self.keys = make_keys_file(directory, KEK)
        self._mount = mount

    @property
    def environment(self):
        account = f"AccountName={self.azurite.account};AccountKey={self.azurite.key}"
        protocol = "DefaultEndpointsProtocol=http"
        return {"AZURE_STORAGE_CONNECTION_STRING": f"{protocol};{account};BlobEndpoint={self.proxy.endpoint};"}

    def source(self, path=""):
        return f"blob:{self.proxy.endpoint}/{self.container}" + (f"/{path}" if path else "")

    def mount(self, *options, path="", env=None, keys=True):
        keys = [f"keys={self.keys}"] if keys else []
        made = self._mount(self.source(path), *keys, *options, env={**self.environment, **(env or {})})
        self.proxy.clear_log()
        return made

    def put(self, name, plain, region=seal.REGION, protocol=None):
        protocol = protocol or ("2.0" if region == seal.REGION else "2.1")
        stored, metadata = seal.seal(plain, self.kek, protocol, region, empty_region=True)
        return self.azurite.put(self.container, name, stored, metadata)

    def put_many(self, names, plain=b"x"):
        """The same small blob under many names, by plain requests: the client would take minutes."""
        stored, metadata = seal.seal(plain, self.kek)
        names = list(names)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda half: self._put_all(half, stored, metadata), (names[::2], names[1::2])))

    def _put_all(self, names, stored, metadata):
        sas = generate_container_sas(
            self.azurite.account, self.container, account_key=self.azurite.key,
            permission=ContainerSasPermissions(write=True, create=True),
            expiry=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1),
        )  # fmt: skip
        headers = {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2021-08-06"}
        headers |= {f"x-ms-meta-{k}": v for k, v in metadata.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.azurite.port, timeout=60)
        for name in names:
            path = f"/{self.azurite.account}/{self.container}/{urllib.parse.quote(name, safe='/~')}?{sas}"
            connection.request("PUT", path, stored, headers)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 201, body

    def delete(self, name):
        self.azurite.service.get_blob_client(self.container, name).delete_blob()

    # ---- what was asked

    def requests(self, method=None, path=None):
        """The requests since the mount (or since forget) whose target has the regular expression."""
        log = [entry for entry in self.proxy.log() if method in (None, entry["method"])]
        return [entry for entry in log if path is None or re.search(path, entry["path"])]

    def listings(self):
        return self.requests("GET", "comp=list")

    def other_requests(self):
        return [entry for entry in self.requests() if "comp=list" not in entry["path"]]

    def forget(self):
        self.proxy.clear_log()


# ---- children that do one thing to a file, and may hang there


CHILD = pathlib.Path(__file__).with_name("child.py")


class Children:
    """children("read", PATH): processes that touch the mount, so that the test itself never hangs in it."""

    def __init__(self):
        self.started = []

    def __call__(self, what, path):
        child = subprocess.Popen(
            [sys.executable, "-S", "-E", str(CHILD), what, str(path)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.started.append(child)
        return child

    def many(self, what, paths):
        return [self(what, path) for path in paths]

    def stop(self):
        for child in self.started:
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
        for child in self.started:
            child.wait(10 * SLOW)
            child.stdout.close()


def vm(pid, field):
    """A line of /proc/PID/status in bytes."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)[1]) << 10


def in_flight(cloud, count, path):
    """Waits until so many requests for the path have reached the proxy."""
    wait_until(lambda: len(cloud.requests("GET", path)) >= count, 20, f"{count} requests for {path}")
