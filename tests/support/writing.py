# SPDX-License-Identifier: MIT
"""Writable mounts, and what the store keeps of what is written there, opened without the program."""
import contextlib
import json
import os
import subprocess
import sys

from tests.support import seal
from tests.support.sealed import KEK

RW = ("rw", f"kek={KEK.kid}")
# Believes nothing: what such a mount shows is what is in the store.
DOUBTS = ("attr_timeout=0", "negative_timeout=0")


def published(local, name):
    """The plain bytes of what the store keeps under that name; None: nothing."""
    try:
        stored, entry = local.store.get(name)
    except KeyError:
        return None
    return seal.unseal(stored, entry["metadata"], KEK)


def metadata(local, name):
    return local.store.get(name)[1]["metadata"]


def etag(local, name):
    return local.store.get(name)[1]["etag"]


def wrapped_key(items):
    """The wrapped content key of a blob's metadata.  Another one is another content key: A256KW has no randomness."""
    return json.loads(items["encryptiondata"])["WrappedContentKey"]["EncryptedKey"]


def published_in_cloud(cloud, name):
    return seal.unseal(*cloud.azurite.get(cloud.container, name), KEK)


def publishes(cloud, name):
    """The requests since the mount that publish a blob of that name, and not only bytes of it."""
    path = rf"/{name}($|\?)"
    return [r for r in cloud.requests("PUT", path) if "comp=block&" not in r["path"] and "comp=metadata" not in r["path"]]


@contextlib.contextmanager
def opened(path, flags=os.O_RDWR | os.O_CREAT):
    """A descriptor; closed on the way out, which may fail."""
    fd = os.open(path, flags | os.O_CLOEXEC, 0o644)
    try:
        yield fd
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)


def shell(script, directory):
    """Runs a script of sh in a directory: (status, stdout, stderr) of bytes."""
    return subprocess.run(["/bin/sh", "-c", script], cwd=directory, capture_output=True, timeout=60, check=False)


def python(script, *arguments, **options):
    """Starts a Python program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", script, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options
    )


# Python's own mmap keeps a descriptor; this mapping is alone once the file is closed.
MAP_AND_CLOSE = """
import ctypes, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
at = libc.mmap(None, 4096, 3, 1, fd, 0)
os.close(fd)
ctypes.memmove(at, b"late", 4)
"""


def write_after_close(path):
    """The first four bytes of a file become "late", by a shared mapping whose descriptor is closed already."""
    assert python(MAP_AND_CLOSE, path).wait(60) == 0
