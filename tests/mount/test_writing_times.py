# SPDX-License-Identifier: MIT
"""Writing: modes, owners, times, extended attributes and statfs of a mount that can be written."""
import os
import subprocess
import time

import pytest

from tests.support.mount import errno_of
from tests.support.process import wait_until
from tests.support.writing import DOUBTS, RW, etag, metadata, opened, published, wrapped_key

OLD, NEW = b"the old bytes", b"the new and longer bytes"
WHEN = 1234567890123456789  # 2009-02-13T23:31:30.123456789Z
WHEN_TEXT = "2009-02-13T23:31:30.123456789Z"


@pytest.fixture
def m(local):
    return local.mount(*RW)


# ---- modes, owners, attributes


def test_chmod_and_chown_succeed_and_are_not_kept(local, m):
    m.path("x").write_bytes(OLD)
    before = etag(local, "x")
    os.chmod(m.path("x"), 0o600)
    os.chown(m.path("x"), 1234, 5678)
    with opened(m.path("x")) as fd:
        os.fchmod(fd, 0o400)
    found = m.path("x").stat()
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o644, os.geteuid(), os.getegid())
    assert etag(local, "x") == before


def test_the_mode_of_a_new_file_is_not_kept(local, m):
    os.close(os.open(m.path("x"), os.O_WRONLY | os.O_CREAT, 0o400))
    os.mkdir(m.path("d"), 0o700)
    assert [m.path(n).stat().st_mode & 0o7777 for n in "xd"] == [0o644, 0o755]


def test_setting_extended_attributes_is_not_supported(m):
    m.path("x").write_bytes(OLD)
    assert errno_of(os.setxattr, m.path("x"), "user.x", b"1") == "EOPNOTSUPP"
    assert errno_of(os.setxattr, m.path("x"), "user.azcrypt.etag", b"1") == "EOPNOTSUPP"
    assert errno_of(os.removexattr, m.path("x"), "user.azcrypt.etag") == "EOPNOTSUPP"


def test_extended_attributes_of_a_file_are_those_of_the_published_version(local, m):
    m.path("x").write_bytes(OLD)
    assert os.getxattr(m.path("x"), "user.azcrypt.etag").decode() == etag(local, "x")
    assert os.getxattr(m.path("x"), "user.azcrypt.protocol") == b"2.0"
    with opened(m.path("new")) as fd:
        os.write(fd, NEW)
        assert errno_of(os.getxattr, m.path("new"), "user.azcrypt.etag") == "ENODATA"
        os.fsync(fd)
        assert os.getxattr(m.path("new"), "user.azcrypt.etag").decode() == etag(local, "new")
        os.write(fd, NEW)
        assert errno_of(os.getxattr, m.path("new"), "user.azcrypt.etag") == "ENODATA"


def test_an_extended_attribute_says_whether_what_is_open_for_writing_is_published(local, m):
    with opened(m.path("x")) as fd:
        os.write(fd, NEW)
        assert os.listxattr(m.path("x")) == ["user.azcrypt.draft"]
        assert os.getxattr(m.path("x"), "user.azcrypt.draft") == b"unpublished"
        os.fsync(fd)
        assert os.getxattr(fd, "user.azcrypt.draft") == b"published"
    wait_until(lambda: errno_of(os.getxattr, m.path("x"), "user.azcrypt.draft") == "ENODATA", 5, "the kernel's release")


def test_statfs_of_a_writable_mount_says_that_there_is_room(m):
    found = os.statvfs(m.point)
    assert found.f_bavail * found.f_frsize >= 1 << 50 and found.f_favail > 1 << 30
    assert not found.f_flag & os.ST_RDONLY


def test_the_mount_table_says_rw_nosuid_nodev_noexec(m):
    (line,) = [line for line in open("/proc/self/mountinfo", encoding="utf-8") if line.split()[4] == str(m.point.resolve())]
    assert {"rw", "nosuid", "nodev", "noexec"} <= set(line.split()[5].split(","))


# ---- times


def test_a_written_file_has_the_time_of_its_last_write(local, m):
    before = time.time_ns()
    with opened(m.path("x")) as fd:
        os.write(fd, OLD)
        shown = os.fstat(fd).st_mtime_ns
        assert before - 10**7 <= shown <= time.time_ns()
    assert abs(m.path("x").stat().st_mtime_ns - shown) < 10**9
    assert local.mount().path("x").stat().st_mtime_ns == m.path("x").stat().st_mtime_ns


def test_utimens_is_kept_as_the_metadata_item_mtime(local, m):
    m.path("x").write_bytes(OLD)
    key = wrapped_key(metadata(local, "x"))
    os.utime(m.path("x"), ns=(0, WHEN))
    assert metadata(local, "x")["mtime"] == WHEN_TEXT
    assert wrapped_key(metadata(local, "x")) == key
    assert published(local, "x") == m.read("x") == OLD
    assert m.path("x").stat().st_mtime_ns == WHEN


def test_a_kept_mtime_is_shown_by_stat_and_listings_of_other_mounts(local, m):
    m.path("x").write_bytes(OLD)
    os.utime(m.path("x"), ns=(0, WHEN))
    other = local.mount()
    assert next(os.scandir(other.point)).stat().st_mtime_ns == WHEN
    assert local.mount().path("x").stat().st_mtime_ns == WHEN


def test_a_kept_mtime_is_shown_from_the_service(cloud):
    m = cloud.mount(*RW)
    m.path("x").write_bytes(OLD)
    os.utime(m.path("x"), ns=(0, WHEN))
    assert m.path("x").stat().st_mtime_ns == WHEN
    assert cloud.azurite.get(cloud.container, "x")[1]["mtime"] == WHEN_TEXT
    assert next(os.scandir(cloud.mount().point)).stat().st_mtime_ns == WHEN
    lookup = cloud.mount()
    assert lookup.path("x").stat().st_mtime_ns == WHEN and lookup.read("x") == OLD


@pytest.mark.parametrize("text", ["2009-02-13T23:31:30Z", "2009-02-13T23:31:30.5Z", "2009-02-13T23:31:30.123456789Z"])
def test_the_mtime_of_other_programs_is_shown(local, text):
    local.put("x", OLD)
    local.store.edit("x", metadata={**metadata(local, "x"), "mtime": text})
    fraction = float("0" + text[19:-1]) if "." in text else 0
    assert abs(local.mount().path("x").stat().st_mtime - 1234567890 - fraction) < 1e-6


@pytest.mark.parametrize("text", ["", "yesterday", "2009-02-13", "2009-02-31T00:00:00Z", "9" * 40, "2009-02-13T23:31:30.1234567890Z"])
def test_an_mtime_that_is_no_time_is_passed_over(local, text):
    local.put("x", OLD, last_modified="2024-02-03T04:05:06Z")
    local.store.edit("x", metadata={**metadata(local, "x"), "mtime": text})
    assert local.mount().path("x").stat().st_mtime == 1706933106


def test_a_time_that_is_set_while_the_file_is_open_is_published_with_it(local, m):
    """What cp -p and tar do: they set the time by the descriptor, then close."""
    with opened(m.path("x")) as fd:
        os.write(fd, OLD)
        os.utime(fd, ns=(0, WHEN))
    assert metadata(local, "x")["mtime"] == WHEN_TEXT
    assert m.path("x").stat().st_mtime_ns == WHEN


def test_a_time_that_is_set_by_name_is_published_at_once_beside_a_writer_that_has_nothing_unpublished(local, m):
    with opened(m.path("x")) as fd:
        os.write(fd, OLD)
        os.utime(m.path("x"), ns=(0, WHEN))
        assert "x" not in local.store.names()
        os.fsync(fd)
        assert metadata(local, "x")["mtime"] == WHEN_TEXT
        os.utime(m.path("x"), ns=(0, 10**9))
        assert metadata(local, "x")["mtime"] == "1970-01-01T00:00:01Z"


@pytest.mark.parametrize("ns", [0, 1, 10**9])
def test_the_first_moment_of_1970_is_a_time_too(local, m, ns):
    """What ostree and others give all their files, by handle."""
    with opened(m.path("x")) as fd:
        os.write(fd, OLD)
        os.utime(fd, ns=(ns, ns))
    assert m.path("x").stat().st_mtime_ns == local.mount().path("x").stat().st_mtime_ns == ns
    assert metadata(local, "x")["mtime"].startswith("1970-01-01T00:00:0")


def test_a_write_after_utimens_gives_a_new_time(local, m):
    with opened(m.path("x")) as fd:
        os.utime(fd, ns=(0, WHEN))
        os.write(fd, OLD)
    assert m.path("x").stat().st_mtime > time.time() - 60
    assert metadata(local, "x")["mtime"] > "2020"


def test_an_overwrite_gives_a_new_time(local, m):
    m.path("x").write_bytes(OLD)
    os.utime(m.path("x"), ns=(0, WHEN))
    m.path("x").write_bytes(NEW)
    assert m.path("x").stat().st_mtime > time.time() - 60
    assert local.mount().path("x").stat().st_mtime == m.path("x").stat().st_mtime


@pytest.mark.parametrize(
    ("given", "kept"),
    [(0, 0), (1, 1), (9 * 10**18, 9 * 10**18), (-1, 0), (-(10**18), 0), (253402300799 * 10**9, (2**63 // 10**9 - 1) * 10**9)],
)
def test_times_from_1970_to_2262_are_kept(local, m, given, kept):
    """Others become the nearest that can be."""
    m.path("x").write_bytes(OLD)
    os.utime(m.path("x"), ns=(0, given))
    assert local.mount().path("x").stat().st_mtime_ns == kept


def test_touch_of_an_old_file_changes_its_time_only(local):
    local.put("x", OLD, last_modified="2024-02-03T04:05:06Z")
    key, m = wrapped_key(metadata(local, "x")), local.mount(*RW)
    subprocess.run(["touch", m.path("x")], check=True)
    assert m.path("x").stat().st_mtime > time.time() - 60
    assert local.mount().path("x").stat().st_mtime == m.path("x").stat().st_mtime
    assert wrapped_key(metadata(local, "x")) == key and published(local, "x") == OLD
    subprocess.run(["touch", "-d", "@1234567890", m.path("x")], check=True)
    assert local.mount().path("x").stat().st_mtime == 1234567890


def test_utimens_over_a_version_that_somebody_replaced(local, m):
    """The time becomes that of what is there now, never of a version that is gone."""
    m.path("x").write_bytes(OLD)
    assert m.path("x").stat().st_size == len(OLD)
    local.put("x", NEW)
    os.utime(m.path("x"), ns=(0, WHEN))
    assert published(local, "x") == NEW and metadata(local, "x")["mtime"] == WHEN_TEXT
    assert local.mount(*DOUBTS).path("x").stat().st_mtime_ns == WHEN


def test_times_of_directories_are_not_kept(local, m):
    m.path("d").mkdir()
    before = local.store.names()
    os.utime(m.path("d"), ns=(0, WHEN))
    assert local.store.names() == before
    assert m.path("d").stat().st_mtime_ns != WHEN


def test_an_access_time_alone_changes_nothing(local, m):
    m.path("x").write_bytes(OLD)
    before = etag(local, "x")
    subprocess.run(["touch", "-a", m.path("x")], check=True)
    assert etag(local, "x") == before


def test_a_file_whose_time_was_just_set_can_be_changed(local, m):
    m.path("x").write_bytes(OLD)
    os.utime(m.path("x"), ns=(0, WHEN))
    os.truncate(m.path("x"), 3)
    assert published(local, "x") == OLD[:3]
    os.utime(m.path("x"), ns=(0, WHEN))
    with opened(m.path("x"), os.O_WRONLY | os.O_APPEND) as fd:
        os.write(fd, NEW)
    assert published(local, "x") == OLD[:3] + NEW
