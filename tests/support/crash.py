# SPDX-License-Identifier: MIT
"""Daemons that are killed at a chosen moment, and what the official client then finds in the container."""
import concurrent.futures
import errno
import os
import subprocess
import threading

from azure.core.exceptions import AzureError

from tests.support.blobsdk import Reader
from tests.support.mount import errno_of
from tests.support.process import SLOW, wait_until


def meanwhile(call, *arguments):
    """Runs call in a thread: a Future of the errno's name, or of None."""
    future = concurrent.futures.Future()

    def work():
        try:
            future.set_result(errno_of(call, *arguments))
        except BaseException as e:  # whatever it is, it is the caller's
            future.set_exception(e)

    threading.Thread(target=work, daemon=True).start()
    return future


def kill(m):
    """kill -9 of the daemon.  The mount point is dead until it is unmounted, which is done here."""
    daemon, m.daemon = m.daemon, None
    daemon.kill()
    daemon.wait(10 * SLOW)
    assert errno_of(os.statvfs, m.point) == "ENOTCONN"
    subprocess.run(["fusermount3", "-u", "-z", str(m.point)], check=True)
    assert not m.mounted()


def ended(m, status):
    """The mount ends by itself, with that exit status."""
    daemon, m.daemon = m.daemon, None
    assert daemon.wait(20 * SLOW) == status, m.log()
    wait_until(lambda: not m.mounted(), 5, "the end of the mount")


class Container:
    """What the official client reads in a container: every blob under a prefix, decrypted."""

    def __init__(self, cloud, *keys):
        self._cloud = cloud
        self._reader = Reader(cloud.azurite.connection_string, *keys)
        self._client = cloud.azurite.service.get_container_client(cloud.container)

    def names(self, prefix=""):
        return [blob.name for blob in self._client.list_blobs(name_starts_with=prefix)]

    def read(self, name):
        """The plain bytes, or None where there is nothing."""
        try:
            return self._reader.read(self._cloud.container, name)
        except AzureError as e:
            if getattr(e, "status_code", None) == 404:
                return None
            raise

    def state(self, prefix):
        """{what follows the prefix: plain bytes}."""
        return {name[len(prefix) :]: self.read(name) for name in self.names(prefix)}

    def metadata(self, name):
        return self._client.get_blob_client(name).get_blob_properties().metadata

    def blob(self, name):
        return self._client.get_blob_client(name)


def closed(*fds):
    """Closes descriptors of a mount that may be dead: nobody is told."""
    for fd in fds:
        try:
            os.close(fd)
        except OSError as e:
            assert e.errno != errno.EBADF
