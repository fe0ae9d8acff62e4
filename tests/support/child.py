# SPDX-License-Identifier: MIT
"""One call on one file, made by a process of its own: what it gives is printed as one word or line.

    python child.py WHAT PATH

SIGUSR1 is handled and interrupts the call: a call that ends with EINTR prints EINTR.  Not a test; it needs
nothing but the standard library, so that 64 of them start quickly.
"""
import ctypes
import errno
import os
import signal
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.pread.restype = ctypes.c_ssize_t


def call(function, *arguments):
    """By libc: Python's own wrappers try again after EINTR."""
    result = function(*arguments)
    if result < 0:
        return errno.errorcode[ctypes.get_errno()]
    return str(result)


def no_restart():
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.siginterrupt(signal.SIGUSR1, True)


def opened(path, flags=0):
    return os.open(path, os.O_RDONLY | flags)


def read(path):
    return call(LIBC.pread, opened(path), ctypes.create_string_buffer(4096), 4096, ctypes.c_long(0))


def read_direct(path):
    return call(LIBC.pread, opened(path, os.O_DIRECT), ctypes.create_string_buffer(4096), 4096, ctypes.c_long(0))


def open_only(path):
    result = call(LIBC.open, os.fsencode(path), os.O_RDONLY)
    return "opened" if result.isdigit() else result


def stat(path):
    return call(LIBC.access, os.fsencode(path), 0)


WHAT = {"read": read, "read-direct": read_direct, "open": open_only, "stat": stat}

if __name__ == "__main__":
    no_restart()
    try:
        print(WHAT[sys.argv[1]](sys.argv[2]), flush=True)
    except OSError as e:
        print(errno.errorcode[e.errno], flush=True)
