# SPDX-License-Identifier: MIT
"""Writing: when a file is published, with what, and what others see before and after."""
import errno
import os
import subprocess
import sys
import threading
import time

import pytest
from azure.storage.blob import ContentSettings

from tests.support.mount import errno_of
from tests.support.process import wait_until
from tests.support.seal import REGION, random_plaintext
from tests.support.writing import (
    DOUBTS,
    RW,
    etag,
    metadata,
    opened,
    published,
    published_in_cloud,
    publishes,
    python,
    shell,
    wrapped_key,
)

OLD, NEW = b"the old bytes", b"the new and longer bytes"


# ---- when


def test_close_publishes(local):
    m = local.mount(*RW)
    with opened(m.path("x")) as fd:
        os.write(fd, NEW)
        assert published(local, "x") is None
    assert published(local, "x") == NEW


@pytest.mark.parametrize("sync", (os.fsync, os.fdatasync))
def test_fsync_publishes_and_the_file_stays_open(local, sync):
    m = local.mount(*RW)
    with opened(m.path("x")) as fd:
        os.write(fd, b"one")
        sync(fd)
        assert published(local, "x") == b"one"
        os.write(fd, b"two")
        assert published(local, "x") == b"one"
        sync(fd)
        assert published(local, "x") == b"onetwo"
        last = etag(local, "x")
    assert etag(local, "x") == last


def test_nothing_is_seen_before_it_is_published(local):
    """Of a new file, and of new bytes of an old one: by another mount, and in the store."""
    local.put("old", OLD)
    m, other = local.mount(*RW), local.mount(*DOUBTS)
    with opened(m.path("new")) as new, opened(m.path("old"), os.O_WRONLY | os.O_TRUNC) as old:
        for _ in range(3):
            os.write(new, random_plaintext(1, REGION))
            os.write(old, random_plaintext(2, REGION))
            assert other.list() == ["old"]
            assert other.read("old") == OLD
            assert not other.path("new").exists()
    assert other.list() == ["new", "old"]
    assert other.read("new") == random_plaintext(1, REGION) * 3
    assert other.read("old") == random_plaintext(2, REGION) * 3


def test_other_mounts_see_one_version_or_another_and_no_mixture(local):
    versions = [bytes([i]) * (200000 + i) for i in range(40)]
    m, other = local.mount(*RW), local.mount(*DOUBTS)
    m.path("x").write_bytes(versions[0])
    done, seen = threading.Event(), []

    def read_on():
        while not done.is_set():
            try:
                seen.append(other.read("x"))
            except OSError as e:  # replaced while it was read: the next open has the new version
                assert e.errno == errno.ESTALE

    reader = threading.Thread(target=read_on)
    reader.start()
    try:
        for version in versions:
            m.path("x").write_bytes(version)
    finally:
        done.set()
        reader.join()
    assert len(set(seen)) > 1 and set(seen) <= set(versions)
    assert other.read("x") == versions[-1]


def test_readers_keep_the_version_that_they_opened(local):
    local.put("x", OLD)
    m, other = local.mount(*RW), local.mount()
    with other.open("x") as before:
        assert before.range(0, 100) == OLD
        m.path("x").write_bytes(NEW)
        assert before.range(0, 100) == OLD
        assert other.read("x") == NEW
        assert m.read("x") == NEW


def test_programs_on_the_same_mount_see_the_writer_s_bytes_at_once(local):
    local.put("x", OLD)
    m = local.mount(*RW)
    with opened(m.path("x"), os.O_WRONLY) as fd:
        os.pwrite(fd, b"THE", 0)
        assert subprocess.check_output(["cat", m.path("x")]) == b"THE" + OLD[3:]
        assert published(local, "x") == OLD


def test_a_file_that_is_not_changed_is_not_published_again(local):
    local.put("x", OLD)
    before = etag(local, "x")
    m = local.mount(*RW)
    with opened(m.path("x")) as fd:
        assert os.read(fd, 100) == OLD
        os.fsync(fd)
    with opened(m.path("x"), os.O_WRONLY | os.O_APPEND):
        pass
    assert etag(local, "x") == before


def test_a_command_that_is_done_has_published(local):
    """touch and redirects of nothing: what the next command on another machine would see is there."""
    m = local.mount(*RW)
    done = shell("touch a && : > b && > c && cp /dev/null d && printf x > e && mktemp -p . f.XXXX", m.point)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {n: published(local, n) for n in "abcde"} == {"a": b"", "b": b"", "c": b"", "d": b"", "e": b"x"}
    assert len(local.store.names()) == 6
    assert shell(": > e; touch b", m.point).returncode == 0
    assert published(local, "e") == published(local, "b") == b""


# ---- with what


def test_each_publish_has_a_content_key_of_its_own(local):
    m = local.mount(*RW)
    keys = set()
    with opened(m.path("x")) as fd:
        for i in range(3):
            os.pwrite(fd, b"same", 0)
            os.fsync(fd)
            keys.add(wrapped_key(metadata(local, "x")))
            assert len(keys) == i + 1
        os.pwrite(fd, b"same", 0)
    keys.add(wrapped_key(metadata(local, "x")))
    assert len(keys) == 4


def test_content_type_and_other_metadata_survive_an_overwrite(cloud):
    cloud.put("x", OLD)
    client = cloud.azurite.service.get_blob_client(cloud.container, "x")
    client.set_http_headers(ContentSettings(content_type="text/x-poem"))
    items = client.get_blob_properties().metadata
    client.set_blob_metadata({**items, "owner": "somebody", "Project": "x"})
    m = cloud.mount(*RW)
    m.path("x").write_bytes(NEW)
    found = client.get_blob_properties()
    assert published_in_cloud(cloud, "x") == NEW
    assert found.content_settings.content_type == "text/x-poem"
    assert {k: v for k, v in found.metadata.items() if k not in ("encryptiondata", "azcryptbind", "mtime")} == {
        "owner": "somebody",
        "Project": "x",
    }
    assert found.metadata["encryptiondata"] != items["encryptiondata"]


def test_what_an_overwrite_keeps_in_a_directory(local):
    local.put("x", OLD, content_type="text/x-poem")
    local.store.edit("x", metadata={**metadata(local, "x"), "owner": "somebody"})
    local.mount(*RW).path("x").write_bytes(NEW)
    assert metadata(local, "x")["owner"] == "somebody"
    assert local.store.get("x")[1]["content_type"] == "text/x-poem"


# ---- with how many requests


def test_a_small_file_is_published_with_one_request(cloud):
    m = cloud.mount(*RW)
    m.path("x").write_bytes(NEW)
    assert [r["method"] for r in cloud.requests(path="/x")].count("PUT") == 1
    assert len(publishes(cloud, "x")) == 1
    assert published_in_cloud(cloud, "x") == NEW


def test_a_file_that_is_written_forwards_is_sent_meanwhile(cloud):
    m = cloud.mount(*RW)
    plain = random_plaintext("forwards", 5 * REGION + 100)
    with opened(m.path("x"), os.O_WRONLY | os.O_CREAT) as fd:
        os.write(fd, plain)
        wait_until(lambda: len(cloud.requests("PUT", "comp=block&")) >= 4, 20, "blocks before close")
        assert publishes(cloud, "x") == []
        assert cloud.azurite.service.get_blob_client(cloud.container, "x").exists() is False
    assert len(publishes(cloud, "x")) == 1
    assert published_in_cloud(cloud, "x") == plain


def test_a_write_into_what_was_sent_starts_over_under_another_key(cloud):
    """As zip does, which comes back to the head of its file: no block of the first key is published."""
    m = cloud.mount(*RW)
    plain = bytearray(random_plaintext("back", 4 * REGION + 100))
    with opened(m.path("x"), os.O_WRONLY | os.O_CREAT) as fd:
        os.write(fd, plain)
        wait_until(lambda: len(cloud.requests("PUT", "comp=block&")) >= 2, 20, "blocks before close")
        plain[10:20] = b"0123456789"
        os.pwrite(fd, b"0123456789", 10)
        os.pwrite(fd, b"end", len(plain))
        plain += b"end"
    assert len(publishes(cloud, "x")) == 1
    assert published_in_cloud(cloud, "x") == plain


def test_a_redirect_of_several_commands_publishes_once(cloud):
    """Each command that ends closes the file that the shell has open too."""
    m = cloud.mount(*RW)
    done = shell("{ echo 1; /bin/echo 2; (echo 3); /bin/echo 4 | cat; } > x", m.point)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(publishes(cloud, "x")) == 1
    assert published_in_cloud(cloud, "x") == b"1\n2\n3\n4\n"


def test_a_copied_descriptor_publishes_with_its_last(local):
    m = local.mount(*RW)
    with opened(m.path("x")) as fd:
        os.write(fd, b"half")
        for _ in range(4):
            os.close(os.dup(fd))
        assert published(local, "x") is None
        os.write(fd, b" and half")
    assert published(local, "x") == b"half and half"


def test_a_forked_child_that_ends_publishes_nothing(local):
    m = local.mount(*RW)
    script = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
        "os.write(fd, b'half')\n"
        "if os.fork() == 0: os.close(fd); os._exit(0)\n"
        "os.wait()\n"
        "print('forked', flush=True); sys.stdin.read(1)\n"
        "os.write(fd, b' and half')\n"
    )
    parent = python(script, m.path("x"))
    assert parent.stdout.readline() == b"forked\n"
    time.sleep(0.2)
    assert published(local, "x") is None
    parent.communicate(b"\n")
    wait_until(lambda: published(local, "x") is not None, 5, "the parent's publish")
    assert published(local, "x") == b"half and half"


def test_a_file_that_a_child_was_left_with_is_published_at_its_end(local):
    m = local.mount(*RW)
    with open(m.path("x"), "wb", buffering=0) as f:
        f.write(b"parent ")
        child = subprocess.Popen([sys.executable, "-c", "input(); print('child')"], stdin=subprocess.PIPE, stdout=f)
    assert published(local, "x") == b"parent "
    child.communicate(b"\n")
    wait_until(lambda: published(local, "x") == b"parent child\n", 5, "the child's bytes")


# ---- what comes of it


def test_close_tells_that_publishing_failed(cloud):
    cloud.put("x", OLD)
    m = cloud.mount(*RW)
    fd = os.open(m.path("x"), os.O_WRONLY | os.O_TRUNC)
    os.write(fd, NEW)
    cloud.proxy.faults.add(method="PUT", path="/x", status=403, code="AuthorizationPermissionMismatch", times=None)
    assert errno_of(os.close, fd) == "EACCES"
    assert published_in_cloud(cloud, "x") == OLD


def test_who_was_told_can_try_again(cloud):
    cloud.put("x", OLD)
    m = cloud.mount(*RW)
    with opened(m.path("x"), os.O_WRONLY | os.O_TRUNC) as fd:
        os.write(fd, NEW)
        cloud.proxy.faults.add(method="PUT", path="/x", status=403, code="AuthorizationPermissionMismatch", times=None)
        assert errno_of(os.fsync, fd) == "EACCES"
        cloud.proxy.faults.clear()
        os.fsync(fd)
        assert published_in_cloud(cloud, "x") == NEW


def test_a_lost_race_over_a_new_name_is_eexist(local):
    m = local.mount(*RW)
    fd = os.open(m.path("x"), os.O_WRONLY | os.O_CREAT)
    os.write(fd, NEW)
    local.put("x", OLD)
    before = local.store.get("x")
    assert errno_of(os.close, fd) == "EEXIST"
    assert local.store.get("x") == before
    wait_until(lambda: m.read("x") == OLD, 5, "the winner's bytes here")


@pytest.mark.parametrize("end", (os.close, os.fsync))
def test_a_lost_race_over_a_version_is_estale(local, end):
    local.put("x", OLD)
    m = local.mount(*RW)
    fd = os.open(m.path("x"), os.O_WRONLY | os.O_TRUNC)
    os.write(fd, NEW)
    local.put("x", b"of somebody else")
    before = local.store.get("x")
    assert errno_of(end, fd) == "ESTALE"
    assert local.store.get("x") == before
    if end == os.fsync:
        assert errno_of(os.close, fd) == "ESTALE"
    assert local.store.get("x") == before
    wait_until(lambda: m.read("x") == b"of somebody else", 5, "the winner's bytes here")
    m.path("x").write_bytes(b"next try")
    assert published(local, "x") == b"next try"


def test_a_lost_race_against_a_removal_is_estale(local):
    local.put("x", OLD)
    m = local.mount(*RW)
    fd = os.open(m.path("x"), os.O_WRONLY | os.O_TRUNC)
    os.write(fd, NEW)
    local.store.remove("x")
    assert errno_of(os.close, fd) == "ESTALE"
    assert local.store.names() == []


def test_of_two_mounts_that_write_one_file_one_is_told(local):
    local.put("x", OLD)
    one, two = local.mount(*RW), local.mount(*RW)
    fds = [os.open(m.path("x"), os.O_WRONLY | os.O_TRUNC) for m in (one, two)]
    os.write(fds[0], b"one")
    os.write(fds[1], b"two")
    assert [errno_of(os.close, fd) for fd in fds] == [None, "ESTALE"]
    assert published(local, "x") == b"one"
