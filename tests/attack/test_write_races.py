# SPDX-License-Identifier: MIT
"""Several mounts write one name at once: whole versions of those who were told that they won, and no others.

Ids are those of the failure table in docs/SECURITY.md, "When things fail".
"""
import json

import pytest

from tests.support import seal
from tests.support.crash import Container
from tests.support.mount import errno_of
from tests.support.sealed import KEK, Cloud, Local
from tests.support.writing import DOUBTS, RW, published, published_in_cloud, python

WRITER = """
import errno, json, os, sys
path, who = sys.argv[1], int(sys.argv[2])
def content(r, n):
    return b"%02d-%05d " % (who, r) * n
def attempt(r, n, how):
    target = path if how == "direct" else "%s.%d" % (path, who)
    try:
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        done, data = 0, content(r, n)
        try:
            while done < len(data):
                done += os.write(fd, data[done:])
        finally:
            os.close(fd)
        if how == "rename":
            os.rename(target, path)
    except OSError as e:
        return errno.errorcode[e.errno]
    return "won"
for line in sys.stdin:
    print(attempt(*json.loads(line)), flush=True)
"""
READER = """
import os, sys
seen = set()
print("ready", flush=True)
os.set_blocking(0, False)
while True:
    try:
        if os.read(0, 1) == b"":
            break
    except BlockingIOError:
        pass
    try:
        with open(sys.argv[1], "rb", 0) as f:
            plain = f.read()
    except OSError as e:
        if e.errno not in (2, 116):
            seen.add("errno %d" % e.errno)
        continue
    unit = plain[:9]
    seen.add(unit.decode() if plain and plain == unit * (len(plain) // 9) else "mixture of %d bytes" % len(plain))
print("\\n".join(sorted(seen)))
"""
ERRNOS = {"ESTALE", "EEXIST", "ENOENT"}


class Race:
    """Writers of one name, some on each mount, and a reader on a mount of its own."""

    def __init__(self, mounts, per_mount, reading, name):
        points = [m for m in mounts for _ in range(per_mount)]
        self.writers = [python(WRITER, m.path(name), who, text=True, bufsize=1) for who, m in enumerate(points)]
        self.reader = python(READER, reading.path(name), text=True)
        assert self.reader.stdout.readline() == "ready\n"
        self.won, self.lost = {}, 0

    def round(self, number, n, how):
        """All at once; returns what the winners wrote."""
        for writer in self.writers:
            writer.stdin.write(json.dumps([number, n, how]) + "\n")
        told = [writer.stdout.readline().strip() for writer in self.writers]
        assert set(told) <= {"won", *ERRNOS}, told
        self.lost += len(told) - told.count("won")
        winners = {f"{who:02d}-{number:05d} " for who, result in enumerate(told) if result == "won"}
        assert winners, f"nobody won: {told}"
        self.won[number] = winners
        return {unit.encode() * n for unit in winners}

    def seen(self):
        """What the reader has seen: units, and words about what is no version."""
        return set(self.reader.communicate(timeout=60)[0].split("\n")) - {""}

    def stop(self):
        for process in (*self.writers, self.reader):
            process.stdin.close()
            process.stdout.close()
            process.wait(20)


@pytest.fixture
def race():
    made = []

    def start(*arguments):
        made.append(Race(*arguments))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def check_readers(one):
    """Only whole versions of those who were told that they had won."""
    won = {unit.strip() for winners in one.won.values() for unit in winners}
    assert {unit.strip() for unit in one.seen()} <= won


@pytest.mark.parametrize("how", ["rename", "direct"])
def test_r35_of_eight_writers_on_two_mounts_the_winners_are_there_whole(azurite, blobproxy, tmp_path, mount, race, how):
    """Who writes on one mount shares the file while it is open, as on a disk: there each writes one of its own and renames it."""
    cloud = Cloud(azurite, blobproxy, tmp_path, mount)
    mounts = [cloud.mount(*RW, *DOUBTS) for _ in range(2 if how == "rename" else 8)]
    one = race(mounts, 8 // len(mounts), cloud.mount(*DOUBTS), "x")
    for number in range(50 if how == "direct" else 20):
        wanted = one.round(number, (50, 3000)[number % 2], how)
        assert published_in_cloud(cloud, "x") in wanted
    check_readers(one)
    assert one.lost > 0 or how == "rename", "there was no race"
    assert set(Container(cloud, KEK).names()) <= {"x", *(f"x.{who}" for who in range(8))}


def test_r35_blocks_of_two_writers_never_mix(azurite, blobproxy, tmp_path, mount, race):
    cloud = Cloud(azurite, blobproxy, tmp_path, mount)
    mounts = [cloud.mount(*RW, *DOUBTS) for _ in range(2)]
    one = race(mounts, 1, cloud.mount(*DOUBTS), "x")
    for number in range(8):
        wanted = one.round(number, seal.REGION // 9 + 5000, "direct")
        assert published_in_cloud(cloud, "x") in wanted
    check_readers(one)
    assert one.lost > 0, "there was no race"


def test_r35_the_same_in_a_dir_store(tmp_path, mount, race):
    local = Local(tmp_path, mount)
    one = race([local.mount(*RW, *DOUBTS) for _ in range(4)], 1, local.mount(*DOUBTS), "x")
    for number in range(50):
        wanted = one.round(number, (50, 3000)[number % 2], "direct")
        assert published(local, "x") in wanted
    check_readers(one)
    assert one.lost > 0, "there was no race"


def test_r36_a_reader_keeps_the_version_that_it_opened(tmp_path, mount):
    """On another mount, and on the writer's own: old bytes, or ESTALE where they had not been fetched; never new ones."""
    local = Local(tmp_path, mount)
    old, new = seal.random_plaintext("old", 2 * seal.REGION), seal.random_plaintext("new", 50_000)
    local.put("x", old)
    m, other = local.mount(*RW), local.mount(*DOUBTS)
    with other.open("x") as there, m.open("x") as here:
        assert there.range(0, 100) == here.range(0, 100) == old[:100]
        m.path("x").write_bytes(new)
        assert other.read("x") == m.read("x") == new
        for reader in (there, here):
            assert reader.range(0, 100) == old[:100], "what it had read"
            if errno_of(reader.range, seal.REGION + 50, 100) != "ESTALE":
                assert reader.range(seal.REGION + 50, 100) == old[seal.REGION + 50 :][:100]
