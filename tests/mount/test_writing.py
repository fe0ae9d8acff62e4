# SPDX-License-Identifier: MIT
"""Writing: what the bytes of a file are, while it is written and when it is published."""
import errno
import fcntl
import mmap
import os
import random
import stat

import pytest

from tests.support.mount import errno_of
from tests.support.process import wait_until
from tests.support.seal import REGION, random_plaintext
from tests.support.writing import DOUBTS, RW, opened, published, python, write_after_close

EDGES = (0, 1, 4095, 4097, REGION - 1, REGION, REGION + 1, 2 * REGION, 2 * REGION + 12345)
FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2


@pytest.fixture(scope="module")
def files(module_local):
    return module_local


@pytest.fixture(scope="module")
def m(files):
    return files.mount(*RW)


@pytest.fixture
def name(request):
    """A name that no other test of the mount has."""
    return request.node.name.replace("[", "-").rstrip("]")


# ---- who may


def test_a_mount_with_rw_needs_a_key_to_seal_with(local, run, tmp_path):
    (tmp_path / "point").mkdir()
    done = run("mount", "-f", "-o", f"rw,keys={local.keys}", local.source, tmp_path / "point")
    assert done.returncode == 2 and b"rw needs kek=KEYID" in done.stderr


def test_files_are_0644_and_directories_0755_where_they_can_be_written(files, m, name):
    files.put(f"{name}/file", b"x")
    assert oct(m.path(f"{name}/file").stat().st_mode) == oct(stat.S_IFREG | 0o644)
    assert oct(m.path(name).stat().st_mode) == oct(stat.S_IFDIR | 0o755)
    with opened(m.path(f"{name}/new")) as fd:
        assert oct(os.fstat(fd).st_mode) == oct(stat.S_IFREG | 0o644)
    private = files.mount(*RW, "umask=0077")
    assert oct(private.path(f"{name}/new").stat().st_mode) == oct(stat.S_IFREG | 0o600)


def test_access_tells_that_files_can_be_written(files, m, name):
    files.put(name, b"x")
    assert os.access(m.path(name), os.W_OK) and os.access(m.path(), os.W_OK | os.X_OK)
    assert not os.access(m.path(name), os.X_OK)


# ---- bytes


@pytest.mark.parametrize("size", EDGES)
def test_a_new_file_has_the_bytes_that_were_written(files, m, name, size):
    plain = random_plaintext(size, size)
    m.path(name).write_bytes(plain)
    assert published(files, name) == plain
    assert m.read(name) == plain
    assert files.mount().read(name) == plain


def test_an_overwrite_replaces_every_byte(files, m, name):
    for size in (100, 70000, 3, REGION + 5, 0):
        m.path(name).write_bytes(random_plaintext(f"{name}{size}", size))
        assert published(files, name) == m.read(name) == random_plaintext(f"{name}{size}", size)


def test_an_append_keeps_what_is_there(files, m, name):
    before = random_plaintext(name, REGION + 10)
    files.put(name, before)
    with open(m.path(name), "ab") as f:
        f.write(b"more")
        assert f.tell() == REGION + 14
    assert published(files, name) == before + b"more"


def test_writes_at_any_place_change_those_bytes_only(files, m, name):
    chance = random.Random(name)
    wanted = bytearray(random_plaintext(name, 2 * REGION + 4321))
    files.put(name, bytes(wanted))
    with opened(m.path(name)) as fd:
        for i in range(200):
            at, piece = chance.randrange(len(wanted)), random_plaintext(i, chance.choice((1, 10, 4096, 70000)))
            assert os.pwrite(fd, piece, at) == len(piece)
            wanted[at : at + len(piece)] = piece
            at = chance.randrange(len(wanted))
            assert os.pread(fd, 5000, at) == wanted[at : at + 5000]
    assert published(files, name) == m.read(name) == wanted


def test_what_was_written_is_read_back_while_the_file_is_open(m, name):
    with opened(m.path(name)) as fd:
        os.write(fd, b"0123456789")
        assert os.pread(fd, 100, 3) == b"3456789"
        assert m.read(name) == b"0123456789"
        assert os.fstat(fd).st_size == m.path(name).stat().st_size == 10
        os.pwrite(fd, b"x", 20)
        assert m.read(name) == b"0123456789" + bytes(10) + b"x"


def test_a_file_can_be_listed_while_it_is_open(m, name):
    m.path(name).mkdir()
    with opened(m.path(f"{name}/f")) as fd:
        os.write(fd, b"123")
        assert m.list(name) == ["f"]
        assert next(os.scandir(m.path(name))).stat().st_size == 3


def test_handles_that_append_lose_nothing(files, m, name):
    """Two programs, each with a handle of its own: what each wrote is there, in its order."""
    script = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
        "for i in range(300): os.write(fd, b'%s%03d\\n' % (sys.argv[2].encode(), i))\n"
        "os.close(fd)\n"
    )
    with opened(m.path(name)):
        children = [python(script, m.path(name), who) for who in "ab"]
        assert [child.wait(60) for child in children] == [0, 0]
    lines = published(files, name).decode().splitlines()
    for who in "ab":
        assert [line for line in lines if line[0] == who] == [f"{who}{i:03d}" for i in range(300)]
    assert len(lines) == 600


def test_an_append_from_a_second_handle_goes_behind_the_first(files, m, name):
    with opened(m.path(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND) as a, opened(m.path(name), os.O_WRONLY | os.O_APPEND) as b:
        for fd, piece in ((a, b"1"), (b, b"22"), (a, b"333"), (b, b"4444")):
            os.write(fd, piece)
    assert published(files, name) == b"1223334444"


def test_o_trunc_empties_the_file(files, m, name):
    files.put(name, b"what was there")
    with opened(m.path(name), os.O_WRONLY | os.O_TRUNC) as fd:
        assert os.fstat(fd).st_size == 0
        assert published(files, name) == b"what was there"
    assert published(files, name) == b""


def test_o_excl_takes_a_name_once(files, m, name):
    exclusive = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with opened(m.path(name), exclusive):
        assert errno_of(os.open, m.path(name), exclusive) == "EEXIST"
    assert errno_of(os.open, m.path(name), exclusive) == "EEXIST"
    assert published(files, name) == b""


def test_holes_read_as_zeros(files, m, name):
    with opened(m.path(name)) as fd:
        os.pwrite(fd, b"end", REGION + 100)
        os.pwrite(fd, b"start", 0)
    assert published(files, name) == m.read(name) == b"start".ljust(REGION + 100, b"\0") + b"end"


def test_truncate_shortens_and_lengthens(files, m, name):
    plain = random_plaintext(name, REGION + 500)
    with opened(m.path(name)) as fd:
        os.write(fd, plain)
        os.ftruncate(fd, 1000)
        assert os.fstat(fd).st_size == 1000
        os.ftruncate(fd, 3000)
        assert os.pread(fd, 5000, 0) == plain[:1000] + bytes(2000)
    assert published(files, name) == plain[:1000] + bytes(2000)


@pytest.mark.parametrize("size", (0, 10, 100, 5000))
def test_truncate_by_name_is_published_when_it_returns(files, m, name, size):
    files.put(name, b"0123456789" * 10)
    os.truncate(m.path(name), size)
    assert published(files, name) == m.read(name) == (b"0123456789" * 10)[:size].ljust(size, b"\0")


def test_truncate_by_name_is_published_at_once_beside_a_writer_that_has_nothing_unpublished(files, m, name):
    with opened(m.path(name)) as fd:
        os.write(fd, b"0123456789")
        os.fsync(fd)
        os.truncate(m.path(name), 4)
        assert published(files, name) == b"0123"
        os.write(fd, b"x")
    assert published(files, name) == b"0123\0\0\0\0\0\0x"


def test_truncate_by_name_says_that_somebody_was_faster_also_beside_a_writer(local):
    m, other = local.mount(*RW), local.mount(*RW, *DOUBTS)
    fd = os.open(m.path("x"), os.O_RDWR | os.O_CREAT)
    os.write(fd, b"0123456789")
    os.fsync(fd)
    other.path("x").write_bytes(b"other")
    assert errno_of(os.truncate, m.path("x"), 4) == "ESTALE"
    assert errno_of(os.close, fd) == "ESTALE"
    assert published(local, "x") == b"other"


def test_truncate_by_name_publishes_no_half_of_what_a_writer_writes(files, m, name):
    files.put(name, b"the old bytes")
    with opened(m.path(name)) as fd:
        os.write(fd, b"0123456789")
        os.truncate(m.path(name), 4)
        assert published(files, name) == b"the old bytes"
    assert published(files, name) == b"0123"


def test_fallocate_lengthens_a_file(files, m, name):
    with opened(m.path(name)) as fd:
        os.write(fd, b"abc")
        os.posix_fallocate(fd, 0, 2)
        assert os.fstat(fd).st_size == 3
        os.posix_fallocate(fd, 1000, 24)
        assert os.fstat(fd).st_size == 1024
    assert published(files, name) == b"abc" + bytes(1021)


def test_only_plain_fallocate_works(m, name):
    """Keeping the size sets nothing aside; holes are not punched: programs then write zeros."""
    for mode, wanted in (("--keep-size", 0), ("--punch-hole", 1), ("--zero-range", 1), ("--collapse-range", 1)):
        m.path(name).write_bytes(b"x" * 10000)
        command = f"fallocate {mode} -o 0 -l 4096 {m.path(name)}"
        assert os.waitstatus_to_exitcode(os.system(f"{command} 2>/dev/null")) == wanted, mode
        assert m.read(name) == b"x" * 10000


def test_a_shared_mapping_is_published_by_msync_and_close(files, m, name):
    files.put(name, b"." * 10000)
    with opened(m.path(name)) as fd:
        with mmap.mmap(fd, 10000) as mapped:
            mapped[0:5] = b"first"
            mapped[9000:9004] = b"last"
            mapped.flush()
        assert os.pread(fd, 5, 0) == b"first"
    wanted = bytearray(b"." * 10000)
    wanted[0:5], wanted[9000:9004] = b"first", b"last"
    assert published(files, name) == wanted


def test_a_mapping_that_outlives_its_descriptor_is_published(files, m, name):
    """Pages that are changed after close reach the store when the mapping goes, without msync."""
    files.put(name, b"." * 5000)
    write_after_close(m.path(name))
    wait_until(lambda: published(files, name) == b"late" + b"." * 4996, 5, "the late bytes")
    assert m.read(name)[:5] == b"late."


def test_o_direct_writes_what_others_read(files, m, name):
    page = mmap.mmap(-1, 8192)
    page[:] = random_plaintext(name, 8192)
    with opened(m.path(name), os.O_RDWR | os.O_CREAT | os.O_DIRECT) as fd:
        assert os.write(fd, page) == 8192
        assert m.read(name) == page[:]
    assert published(files, name) == page[:]


def test_copy_file_range_copies(files, m, name):
    plain = random_plaintext(name, 300000)
    m.path(name).write_bytes(plain)
    with opened(m.path(name), os.O_RDONLY) as source, opened(m.path(name + ".copy")) as target:
        done = 0
        while done < len(plain):
            done += os.copy_file_range(source, target, len(plain) - done)
    assert published(files, name + ".copy") == plain


def test_locks_hold_within_the_mount(m, name):
    m.path(name).write_bytes(b"x")
    with opened(m.path(name)) as one, opened(m.path(name)) as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        assert errno_of(fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB) == "EAGAIN"
        fcntl.flock(one, fcntl.LOCK_UN)
        fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_files_without_a_name_cannot_be_made(m):
    assert errno_of(os.open, m.path(), os.O_TMPFILE | os.O_RDWR) == "EOPNOTSUPP"


def test_a_file_that_cannot_be_read_can_be_replaced_only(files, m, name):
    """Damage: appending needs the old bytes, overwriting does not."""
    files.put(name, b"x" * 100)
    files.damage(name, 50)
    before = files.store.get(name)

    def append():
        with opened(m.path(name), os.O_WRONLY | os.O_APPEND) as fd:
            os.write(fd, b"y")

    assert errno_of(append) == "EBADMSG"
    assert files.store.get(name) == before
    m.path(name).write_bytes(b"new")
    assert published(files, name) == b"new"


def test_a_descriptor_for_reading_cannot_write(files, m, name):
    files.put(name, b"x")
    with opened(m.path(name), os.O_RDONLY) as fd:
        with pytest.raises(OSError) as failed:
            os.write(fd, b"y")
    assert failed.value.errno == errno.EBADF


def test_twenty_files_are_written_at_once(files, m, name):
    plain = {f"{name}/{i}": random_plaintext(f"{name}{i}", 300000 + i) for i in range(20)}
    m.path(name).mkdir()
    fds = {n: os.open(m.path(n), os.O_WRONLY | os.O_CREAT) for n in plain}
    for at in range(0, 300020, 10000):
        for n, fd in fds.items():
            os.write(fd, plain[n][at : at + 10000])
    for fd in fds.values():
        os.close(fd)
    assert {n: published(files, n) for n in plain} == plain
