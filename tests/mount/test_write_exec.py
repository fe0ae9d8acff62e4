# SPDX-License-Identifier: MIT
"""An exec closes what was opened with O_CLOEXEC: whoever asks about the process then must not wait for it."""
import pytest

from tests.support.process import SLOW
from tests.support.writing import RW, published, python

OPENED = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
os.write(fd, b"bytes")
"""
BY_ITSELF = OPENED + 'os.execv("/bin/true", ["true"])'
BY_A_CHILD = (
    OPENED
    + """
child = os.fork()
if child == 0:
    os.execv("/bin/true", ["true"])
assert os.waitpid(child, 0) == (child, 0)
print("the child is done", flush=True)
sys.stdin.read()
"""
)


@pytest.fixture
def m(local):
    return local.mount(*RW)


def test_who_execs_publishes_what_it_wrote(local, m):
    assert python(BY_ITSELF, m.path("file")).wait(10 * SLOW) == 0
    assert published(local, "file") == b"bytes"


def test_a_child_that_execs_publishes_nothing_and_does_not_hang(local, m):
    writer = python(BY_A_CHILD, m.path("file"))
    assert writer.stdout.readline() == b"the child is done\n"
    assert published(local, "file") is None
    writer.stdin.close()
    assert writer.wait(10 * SLOW) == 0
    assert published(local, "file") == b"bytes"
