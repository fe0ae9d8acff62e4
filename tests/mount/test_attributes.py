# SPDX-License-Identifier: MIT
"""What stat, statfs, xattrs and the mount table say, and for how long it is believed."""
import datetime
import errno
import os
import pathlib
import stat
import subprocess
import tempfile
import time

import pytest

from tests.support.sealed import KEK
from tests.support import mount as mount_module
from tests.support.mount import errno_of
from tests.support.process import wait_until

NOBODY = 65534


@pytest.fixture(scope="module")
def files(module_local):
    module_local.put("a", b"x" * 1000, last_modified="2024-02-03T04:05:06Z")
    module_local.put("empty", b"")
    module_local.put("folder/b", b"y" * 5000)
    return module_local


@pytest.fixture(scope="module")
def m(files):
    return files.mount()


# ---- stat


def test_files_are_0444_and_directories_0555(m):
    assert oct(m.path("a").stat().st_mode) == oct(stat.S_IFREG | 0o444)
    assert oct(m.path("folder").stat().st_mode) == oct(stat.S_IFDIR | 0o555)
    assert oct(m.path().stat().st_mode) == oct(stat.S_IFDIR | 0o555)


def test_all_belongs_to_who_mounted(m):
    for name in ("", "a", "folder"):
        assert (m.path(name).stat().st_uid, m.path(name).stat().st_gid) == (os.geteuid(), os.getegid())


def test_uid_gid_and_umask_are_options(files):
    m = files.mount("uid=1234", "gid=5678", "umask=0027")
    for name, mode in (("a", 0o440), ("folder", 0o550), ("", 0o550)):
        found = m.path(name).stat()
        assert (found.st_uid, found.st_gid, oct(stat.S_IMODE(found.st_mode))) == (1234, 5678, oct(mode))


@pytest.mark.parametrize(("size", "blocks"), [(0, 0), (1, 1), (511, 1), (512, 1), (513, 2), (5000, 10)])
def test_blocks_come_from_the_plain_size(local, size, blocks):
    local.put("x", bytes(size))
    found = local.mount().path("x").stat()
    assert (found.st_size, found.st_blocks) == (size, blocks)


def test_times_are_those_of_the_blob(m):
    wanted = datetime.datetime(2024, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc).timestamp()
    found = m.path("a").stat()
    assert (found.st_mtime, found.st_ctime, found.st_atime) == (wanted, wanted, wanted)


def test_times_come_from_last_modified_of_the_service(cloud):
    cloud.put("x", b"x")
    wanted = cloud.azurite.service.get_blob_client(cloud.container, "x").get_blob_properties().last_modified
    assert cloud.mount().path("x").stat().st_mtime == wanted.timestamp()


def test_a_directory_has_one_link_so_that_find_looks_into_it(m):
    assert m.path("a").stat().st_nlink == m.path("folder").stat().st_nlink == m.path().stat().st_nlink == 1
    assert subprocess.check_output(["find", m.point, "-name", "b"]).decode().split() == [str(m.path("folder/b"))]


def test_an_inode_number_belongs_to_the_name(local):
    """The same after a remount, for a replaced blob, in stat and in a listing; others have another."""
    local.put("a", b"1")
    local.put("b", b"1")
    local.put("d/a", b"1")
    first = local.mount()
    numbers = {name: first.path(name).stat().st_ino for name in ("a", "b", "d", "d/a")}
    assert len(set(numbers.values())) == 4
    local.put("a", b"replaced")
    second = local.mount()
    assert {entry.name: entry.inode() for entry in os.scandir(second.point)} == {n: numbers[n] for n in ("a", "b", "d")}
    assert second.path("a").stat().st_size == 8
    assert {name: second.path(name).stat().st_ino for name in numbers} == numbers


def test_a_v1_size_is_an_upper_bound_until_the_file_is_open(local):
    local.put("v1", b"x" * 100, protocol="1.0")
    m = local.mount("v1=read")
    assert m.path("v1").stat().st_size == 111
    with m.open("v1") as f:
        assert f.size == 100
    assert m.path("v1").stat().st_size == 100


# ---- statfs, xattrs


def test_statfs_says_that_nothing_is_free(m):
    found = os.statvfs(m.point)
    assert found.f_blocks * found.f_frsize >= 1 << 50
    assert (found.f_bfree, found.f_bavail, found.f_ffree, found.f_namemax) == (0, 0, 0, 255)
    assert found.f_flag & os.ST_RDONLY


def xattrs(path):
    return {name: os.getxattr(path, name).decode() for name in os.listxattr(path)}


def test_xattrs_say_how_a_blob_is_sealed(local):
    etag = local.put("x", b"x" * 100, region=64)
    assert xattrs(local.mount().path("x")) == {
        "user.azcrypt.etag": etag,
        "user.azcrypt.stored_size": str(100 + 2 * 28),
        "user.azcrypt.protocol": "2.1",
        "user.azcrypt.key_id": KEK.kid,
        "user.azcrypt.algorithm": "A256KW",
        "user.azcrypt.integrity": "regions",
        "user.azcrypt.region_length": "64",
    }


def test_xattrs_say_that_a_v1_blob_has_no_integrity(local):
    local.put("x", b"x", protocol="1.0")
    found = xattrs(local.mount().path("x"))
    assert (found["user.azcrypt.protocol"], found["user.azcrypt.integrity"]) == ("1.0", "none")


def test_xattrs_of_what_cannot_be_read(local):
    local.store.put("clear", b"x", {})
    local.store.put("broken", b"x", {"encryptiondata": "{"})
    m = local.mount()
    assert xattrs(m.path("clear"))["user.azcrypt.protocol"] == "none"
    assert xattrs(m.path("broken"))["user.azcrypt.protocol"] == "unreadable"


def test_xattrs_that_are_not_there(m):
    assert os.listxattr(m.path("folder")) == []
    assert errno_of(os.getxattr, m.path("a"), "user.azcrypt.wrapped_key") == "ENODATA"
    assert errno_of(os.getxattr, m.path("a"), "security.selinux") in ("ENODATA", "EOPNOTSUPP")


def test_xattrs_cost_no_request(cloud):
    cloud.put("x", b"x")
    m = cloud.mount()
    m.list()
    m.path("x").stat()
    cloud.forget()
    assert xattrs(m.path("x"))["user.azcrypt.protocol"] == "2.0"
    assert cloud.requests() == []


# ---- the mount itself


def mount_table(m):
    """(per-mount flags, type, superblock options) of the mount."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[4] == str(m.point.resolve()):
            tail = fields[fields.index("-") + 1 :]
            return set(fields[5].split(",")), tail[0], set(tail[2].split(","))
    raise AssertionError("not mounted")


def test_the_mount_is_ro_nosuid_nodev_noexec(m):
    flags, kind, _ = mount_table(m)
    assert {"ro", "nosuid", "nodev", "noexec"} <= flags
    assert kind == "fuse.azcryptfs"


WRITES = {
    "open for writing": lambda p: os.open(p / "a", os.O_WRONLY),
    "open for both": lambda p: os.open(p / "a", os.O_RDWR),
    "append": lambda p: os.open(p / "a", os.O_WRONLY | os.O_APPEND),
    "truncate on open": lambda p: os.open(p / "a", os.O_RDONLY | os.O_TRUNC),
    "create": lambda p: os.open(p / "new", os.O_WRONLY | os.O_CREAT),
    "truncate": lambda p: os.truncate(p / "a", 0),
    "unlink": lambda p: os.unlink(p / "a"),
    "rename": lambda p: os.rename(p / "a", p / "b"),
    "mkdir": lambda p: os.mkdir(p / "new"),
    "rmdir": lambda p: os.rmdir(p / "folder"),
    "symlink": lambda p: os.symlink("a", p / "new"),
    "link": lambda p: os.link(p / "a", p / "new"),
    "mknod": lambda p: os.mkfifo(p / "new"),
    "chmod": lambda p: os.chmod(p / "a", 0o777),
    "chown": lambda p: os.chown(p / "a", 0, 0),
    "utime": lambda p: os.utime(p / "a", (0, 0)),
    "setxattr": lambda p: os.setxattr(p / "a", "user.azcrypt.etag", b"x"),
    "removexattr": lambda p: os.removexattr(p / "a", "user.azcrypt.etag"),
}


@pytest.mark.parametrize("what", WRITES)
def test_every_way_to_write_gives_erofs(m, what):
    m.list()  # of a new name that nothing is known of the kernel may say EISDIR
    assert errno_of(WRITES[what], m.point) == "EROFS"
    assert m.read("a") == b"x" * 1000


def test_access_tells_what_is_possible(m):
    assert os.access(m.path("a"), os.R_OK) and os.access(m.path("folder"), os.R_OK | os.X_OK)
    assert not os.access(m.path("a"), os.W_OK) and not os.access(m.path("a"), os.X_OK)


@pytest.fixture
def open_mount(files):
    """A mount under a directory that everybody may enter."""
    made = []

    def start(*options):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="azcryptfs-"))
        directory.chmod(0o755)
        m = mount_module.Mount(files.source, directory, [f"keys={files.keys}", *options])
        made.append(m)
        return m.start()

    yield start
    for m in made:
        m.stop()
        m.log_path.unlink()
        m.point.rmdir()
        m.directory.rmdir()


def as_nobody(*command):
    return subprocess.run(command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, check=False)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


@needs_root
def test_another_user_sees_nothing_without_allow_other(open_mount):
    found = as_nobody("ls", open_mount().point)
    assert found.returncode != 0 and os.strerror(errno.EACCES).encode() in found.stderr


@needs_root
def test_allow_other_implies_default_permissions(open_mount):
    m = open_mount("allow_other", "umask=0077")
    assert {"allow_other", "default_permissions"} <= mount_table(m)[2]
    assert as_nobody("ls", m.point).returncode != 0
    assert as_nobody("cat", m.path("a")).returncode != 0
    assert as_nobody("cat", open_mount("allow_other").path("a")).stdout == b"x" * 1000
    assert as_nobody("cat", open_mount("allow_other", "umask=0004").path("a")).returncode != 0


# ---- for how long it is believed


def test_attributes_are_believed_for_attr_timeout(cloud):
    cloud.put("x", b"1")
    m = cloud.mount("attr_timeout=2")
    m.path("x").stat()
    asked = len(cloud.requests())
    for _ in range(20):
        m.path("x").stat()
    assert len(cloud.requests()) == asked
    time.sleep(2.2)
    m.path("x").stat()
    assert len(cloud.requests()) == asked + 1


def test_attr_timeout_0_believes_nothing(cloud):
    cloud.put("x", b"1")
    m = cloud.mount("attr_timeout=0")
    sizes = []
    for size in (1, 2, 3):
        cloud.put("x", bytes(size))
        sizes.append(m.path("x").stat().st_size)
    assert sizes == [1, 2, 3]


def test_a_missing_name_is_believed_for_negative_timeout(cloud):
    m = cloud.mount("negative_timeout=2")
    assert not m.path("x").exists()
    asked = len(cloud.requests())
    cloud.put("x", b"1")
    for _ in range(20):
        assert not m.path("x").exists()
    assert len(cloud.requests()) == asked
    time.sleep(2.2)
    assert m.read("x") == b"1"


def test_negative_timeout_0_believes_nothing(local):
    m = local.mount("negative_timeout=0")
    assert not m.path("x").exists()
    local.put("x", b"1")
    assert m.read("x") == b"1"


def test_a_new_blob_appears_within_attr_timeout(local):
    local.put("old", b"1")
    m = local.mount()
    assert m.list() == ["old"]
    local.put("new", b"1")
    wait_until(lambda: m.list() == ["new", "old"], 1.2, "the new blob in the listing")
    assert m.read("new") == b"1"


def test_a_deleted_blob_goes_within_attr_timeout(local):
    for name in ("gone", "kept", "folder/gone"):
        local.put(name, b"1")
    m = local.mount()
    assert m.list() == ["folder", "gone", "kept"] and m.list("folder") == ["gone"]
    m.path("gone").stat()
    local.store.remove("gone")
    local.store.remove("folder/gone")
    wait_until(lambda: not m.path("gone").exists(), 1.2, "the blob's end")
    wait_until(lambda: not m.path("folder").exists(), 1.2, "the directory's end")
    assert m.list() == ["kept"]


def test_a_file_that_becomes_a_directory_and_back(local):
    local.put("x", b"file")
    m = local.mount("attr_timeout=0", "negative_timeout=0")
    assert m.read("x") == b"file"
    local.store.remove("x")
    local.put("x/y", b"below")
    assert m.read("x/y") == b"below"
    local.store.remove("x/y")
    local.put("x", b"again")
    assert m.read("x") == b"again"
