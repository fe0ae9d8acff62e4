# SPDX-License-Identifier: MIT
"""azcryptfs feed: what comes out, where it goes on, and that no end of a run loses a line."""
import collections
import json
import os
import pty
import random
import signal
import subprocess
import time

import pytest

from tests.emulators.cosmos import Cosmos
from tests.support import mount as mounting
from tests.support.cosmosdocs import CosmosDocuments
from tests.support.dirstore import DirStore
from tests.support.process import SLOW, wait_until
from tests.support.sealeddocs import LocalDocuments, text_of

SEALED = {"note": ("a", False)}


class Place:
    """Containers of one kind of store, and how the program gets in."""

    def __init__(self, documents, env, home):
        self.documents, self.env, self.home = documents, env, home

    def container(self, name="c", **more):
        return self.documents.container(name, SEALED, **more)

    def start(self, *arguments, out=subprocess.PIPE, **more):
        return subprocess.Popen(
            mounting.command("feed", *arguments), env=mounting.environment(self.home, self.env), stdout=out,
            stderr=more.pop("err", subprocess.PIPE), **more,
        )  # fmt: skip


@pytest.fixture
def local(tmp_path):
    documents = LocalDocuments(tmp_path, None)
    return Place(documents, {"AZCRYPTFS_KEYS": documents.keys}, tmp_path)


@pytest.fixture
def server():
    with Cosmos() as running:
        yield running


@pytest.fixture
def remote(server, tmp_path):
    documents = CosmosDocuments(server, tmp_path)
    return Place(documents, documents.env, tmp_path)


@pytest.fixture(params=["local", "remote"])
def place(request):
    return request.getfixturevalue(request.param)


def lines(data):
    return [json.loads(line) for line in data.splitlines()]


def ids(data):
    return sorted(d["id"] for d in lines(data))


def said(done):
    return done.stderr.decode()


def put(c, names, **more):
    for name in names:
        c.put({"id": f"{name}", "pk": f"p{name}", "note": f"note {name}", **more})


def crowd(c, count, pad=200):
    """Many documents with one cell, since sealing takes long."""
    cell = c.sealed["note"][0].seal("a note", False)
    for i in range(count):
        c.put_raw(text_of({"id": f"{i}", "pk": f"p{i}", "note": cell, "pad": "x" * pad}))
    return {f"{i}" for i in range(count)}


# ---- what comes out


def test_from_the_beginning_every_document_is_a_line(run, place):
    c = place.container()
    put(c, range(20))
    done = run("feed", c.source, env=place.env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert ids(done.stdout) == sorted(f"{i}" for i in range(20))
    assert all(d["note"] == f"note {d['id']}" for d in lines(done.stdout))
    whole = lines(run("cat", f"{c.source}/all.jsonl", env=place.env).stdout)
    by_id = {d["id"]: d for d in lines(done.stdout)}
    assert all(by_id[d["id"]].items() >= d.items() for d in whole)  # the service adds its _lsn to a change


def test_an_empty_container_is_no_line(run, place):
    done = run("feed", place.container().source, env=place.env)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_several_pages_of_several_ranges_are_all_there(run, remote):
    c = remote.container(ranges=4)
    wanted = crowd(c, 2500)
    done = run("feed", c.source, env=remote.env)
    assert collections.Counter(ids(done.stdout)) == collections.Counter(wanted)


def test_of_a_document_only_its_current_version_comes(run, place):
    c = place.container()
    put(c, "ab")
    c.put({"id": "a", "pk": "pa", "note": "newer"})
    assert [(d["id"], d["note"]) for d in lines(run("feed", c.source, env=place.env).stdout)] == [("b", "note b"), ("a", "newer")]


def test_it_can_begin_at_a_time(run, place):
    c = place.container()
    put(c, "abc")
    shown = lines(run("feed", c.source, env=place.env).stdout)
    at = next(d["_ts"] for d in shown if d["id"] == "b")
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    assert set(ids(run("feed", "--from", when, c.source, env=place.env).stdout)) == {"b", "c"}


def test_parts_are_apart_and_together_the_whole(run, place):
    c = place.container()
    wanted = crowd(c, 50)
    halves = [run("feed", "--part", part, c.source, env=place.env).stdout for part in ("0-1F", "1F-FF")]
    assert sorted(ids(halves[0]) + ids(halves[1])) == sorted(wanted)
    assert all(halves)


def test_a_container_can_be_named_by_its_path(run, local):
    c = local.container()
    put(c, "a")
    assert ids(run("feed", f"{local.documents.store.source}/db/c", env=local.env).stdout) == ["a"]
    assert run("feed", local.documents.store.source, env=local.env).returncode == 2
    assert run("feed", f"{c.source}/items", env=local.env).returncode == 2
    assert run("feed", f"{local.documents.store.source}/db/no", env=local.env).returncode == 3


def test_blobs_have_no_feed(run, tmp_path):
    done = run("feed", DirStore(tmp_path / "blobs").source)
    assert done.returncode == 2
    assert "not one of documents" in said(done)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "one SOURCE"),
        (["dir:/a", "dir:/b"], "one SOURCE"),
        (["--from", "yesterday", "dir:/a"], "2026-11-20T00:00:00Z"),
        (["--interval", "0", "dir:/a"], "at least 0.1"),
        (["--interval", "often", "dir:/a"], "--interval"),
        (["--part", "FF-0", "dir:/a"], "MIN-MAX"),
        (["--part", "0-FF.jsonl", "dir:/a"], "MIN-MAX"),
    ],
)
def test_a_wrong_command_line_is_2(run, arguments, says):
    done = run("feed", *arguments)
    assert done.returncode == 2
    assert says in said(done)


def test_no_line_of_a_page_with_a_damaged_document_comes_out(run, place, tmp_path):
    c = place.container()
    put(c, "a")
    cell, state = c.sealed["note"][0].seal("x", False), tmp_path / "state"
    flipped = cell[:30] + ("B" if cell[30] == "A" else "A") + cell[31:]
    c.put_raw(text_of({"id": "bad", "pk": "p", "note": flipped}))
    done = run("feed", "--state", state, c.source, env=place.env)
    assert (done.returncode, done.stdout) == (6, b"")
    assert "EBADMSG" in said(done) and "bad" in said(done)
    assert not state.exists()


def test_a_summary_goes_to_a_terminal(local):
    c = local.container()
    put(c, "ab")
    main, side = pty.openpty()
    done = local.start(c.source, err=side)
    os.close(side)
    out = done.communicate(timeout=20 * SLOW)[0]
    assert done.returncode == 0
    assert f"2 documents, {len(out)} B, 0.0 request units" in os.read(main, 4096).decode()
    os.close(main)


# ---- the state


def test_a_state_goes_on_where_the_last_run_ended(run, place, tmp_path):
    c, state = place.container(), tmp_path / "state"
    put(c, "abc")
    feed = ("feed", "--state", state, c.source)
    assert ids(run(*feed, env=place.env).stdout) == ["a", "b", "c"]
    assert state.stat().st_mode & 0o777 == 0o600
    assert run(*feed, env=place.env).stdout == b""
    put(c, "bd", more=1)
    assert ids(run(*feed, env=place.env).stdout) == ["b", "d"]
    assert run(*feed, "--from", "beginning", env=place.env).stdout == b""


def test_from_now_has_what_comes_after_the_first_run(run, place, tmp_path):
    c, state = place.container(), tmp_path / "state"
    put(c, "ab")
    feed = ("feed", "--from", "now", "--state", state, c.source)
    assert run(*feed, env=place.env).stdout == b""
    put(c, "c")
    assert ids(run(*feed, env=place.env).stdout) == ["c"]


def test_a_state_of_another_container_or_part_is_refused(run, place, tmp_path):
    c, other, state = place.container(), place.container("other"), tmp_path / "state"
    put(c, "a")
    put(other, "b")
    assert run("feed", "--state", state, c.source, env=place.env).returncode == 0
    before = state.read_bytes()
    done = run("feed", "--state", state, other.source, env=place.env)
    assert (done.returncode, done.stdout) == (8, b"")
    assert "another container" in said(done) and "state file" in said(done)
    done = run("feed", "--state", state, "--part", "0-80", c.source, env=place.env)
    assert (done.returncode, done.stdout) == (2, b"")
    assert "--part" in said(done)
    assert state.read_bytes() == before


def test_a_state_of_a_container_that_was_made_anew_is_refused(run, remote, server, tmp_path):
    c, state = remote.container(), tmp_path / "state"
    put(c, "a")
    assert run("feed", "--state", state, c.source, env=remote.env).returncode == 0
    server.recreate("db", "c")
    assert run("feed", "--state", state, c.source, env=remote.env).returncode == 8


def test_two_runs_do_not_share_a_state(run, place, tmp_path):
    c, state = place.container(), tmp_path / "state"
    put(c, "a")
    first = place.start("--follow", "--state", state, c.source)
    first.stdout.readline()
    done = run("feed", "--state", state, c.source, env=place.env)
    assert (done.returncode, done.stdout) == (13, b"")
    assert "another feed is using it" in said(done)
    first.send_signal(signal.SIGTERM)
    assert first.wait(20 * SLOW) == 0
    assert run("feed", "--state", state, c.source, env=place.env).returncode == 0


# ---- following


def test_new_writes_appear_and_a_signal_ends_it_cleanly(run, place, tmp_path):
    c, state = place.container(), tmp_path / "state"
    put(c, "ab")
    following = place.start("--follow", "--interval", "0.1", "--state", state, c.source)
    assert {json.loads(following.stdout.readline())["id"] for _ in "ab"} == {"a", "b"}
    for name in "cd":
        put(c, name)
        assert json.loads(following.stdout.readline())["id"] == name
    following.send_signal(signal.SIGINT)
    out, err = following.communicate(timeout=20 * SLOW)
    assert (following.returncode, out, err) == (0, b"", b"")
    assert run("feed", "--state", state, c.source, env=place.env).stdout == b""


def test_without_follow_a_signal_is_too_early_for_0(remote, server):
    c = remote.container()
    put(c, "a")
    server.faults.add(path="/docs", stall=True)
    stuck = remote.start(c.source)
    wait_until(lambda: any("/docs" in r["path"] for r in server.log()), 20, "the request")
    stuck.send_signal(signal.SIGTERM)
    assert stuck.wait(20 * SLOW) == 1
    server.faults.release()


def test_a_reader_that_takes_nothing_does_not_keep_it(local, tmp_path):
    c, state = local.container(), tmp_path / "state"
    crowd(c, 200, pad=4000)
    stuck = local.start("--follow", "--state", state, c.source)
    time.sleep(0.7 * SLOW)
    stuck.send_signal(signal.SIGTERM)
    assert stuck.wait(20 * SLOW) == 0
    assert not state.exists()


def test_what_may_be_over_soon_is_waited_for_when_following(run, remote, server):
    c = remote.container()
    put(c, "a")
    following = remote.start("--follow", "--interval", "0.1", "-o", "timeout=1", c.source)
    assert json.loads(following.stdout.readline())["id"] == "a"
    server.throttle_for(60)
    assert run("feed", "-o", "timeout=1", c.source, env=remote.env).returncode == 9
    assert b"feed" in following.stderr.readline()
    server.throttle_for(0)
    put(c, "b")
    assert json.loads(following.stdout.readline())["id"] == "b"
    following.send_signal(signal.SIGTERM)
    assert following.wait(20 * SLOW) == 0


def test_a_container_that_was_made_anew_ends_it(remote, server):
    c = remote.container()
    put(c, "a")
    following = remote.start("--follow", "--interval", "0.1", c.source)
    following.stdout.readline()
    server.recreate("db", "c")
    assert following.wait(20 * SLOW) == 8


def test_a_reader_that_goes_away_ends_it_as_any_filter(place, tmp_path):
    c, state = place.container(), tmp_path / "state"
    put(c, "a")
    following = place.start("--follow", "--state", state, c.source)
    following.stdout.readline()
    following.stdout.close()
    assert following.wait(20 * SLOW) == -signal.SIGPIPE
    assert following.stderr.read() == b""


def test_lines_that_did_not_go_out_are_not_in_the_state(run, place, tmp_path):
    c, state = place.container(), tmp_path / "state"
    wanted = crowd(c, 200, pad=4000)
    reading = place.start("--state", state, c.source)
    reading.stdout.read(10)
    reading.stdout.close()
    assert reading.wait(20 * SLOW) == -signal.SIGPIPE
    assert not state.exists()
    assert set(ids(run("feed", "--state", state, c.source, env=place.env).stdout)) == wanted


# ---- nothing is lost


def whole_lines(path):
    """What a killed run has left may end in the middle of a line."""
    return {json.loads(line)["id"] for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")}


def test_a_killed_run_loses_nothing(run, place, tmp_path):
    """Killed at any moment: what the outputs of all runs have together is everything."""
    c, state, seen = place.container(), tmp_path / "state", set()
    wanted, chance, kills = crowd(c, 3000), random.Random(7), 0
    for i in range(12):
        with open(tmp_path / f"out{i}", "wb") as out:
            running = place.start("--follow", "--interval", "0.1", "--state", state, c.source, out=out, err=subprocess.DEVNULL)
        put(c, [f"new{i}"])
        wanted.add(f"new{i}")
        time.sleep(chance.uniform(0.02, 0.25) * SLOW)
        running.send_signal(signal.SIGKILL)
        kills += running.wait() == -signal.SIGKILL
        seen |= whole_lines(tmp_path / f"out{i}")
    assert kills == 12
    seen |= set(ids(run("feed", "--state", state, c.source, env=place.env).stdout))
    assert seen == wanted


def test_a_split_loses_and_doubles_nothing(run, remote, server, tmp_path):
    c, state, at = remote.container(ranges=2), tmp_path / "state", collections.Counter()
    wanted = crowd(c, 1500)
    following = remote.start("--follow", "--interval", "0.1", "--state", state, c.source)
    for i in range(1500):
        at[json.loads(following.stdout.readline())["id"]] += 1
        if i == 200:
            server.split(c.raw, c.raw.ranges[0].id)
    put(c, [f"after{i}" for i in range(20)])
    for i in range(20):
        at[json.loads(following.stdout.readline())["id"]] += 1
    following.send_signal(signal.SIGTERM)
    out, _ = following.communicate(timeout=20 * SLOW)
    assert following.returncode == 0
    at.update(ids(out))
    server.split(c.raw, c.raw.ranges[-1].id)
    server.merge(c.raw, c.raw.ranges[0].id, c.raw.ranges[1].id)
    put(c, [f"later{i}" for i in range(20)])
    at.update(ids(run("feed", "--state", state, c.source, env=remote.env).stdout))
    wanted |= {f"{w}{i}" for w in ("after", "later") for i in range(20)}
    assert at == collections.Counter(wanted)
