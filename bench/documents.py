# SPDX-License-Identifier: MIT
"""Called by run.sh: documents.py DIRECTORY BINARY.  The rows of documents; see README.md."""
import dataclasses
import json
import os
import pathlib
import shlex
import signal
import sys

from docworld import DocumentWorld, client, python_of_tests
from run import Row, Table, progress, say, value
from sampler import Case, Failed, Rounds, run_number, spread

PAGE = 1000
POINTS = 1000
AROUND = 8  # requests for container, key and ranges


@dataclasses.dataclass
class Mode:
    count: int      # documents in each container
    js_count: int   # of them read by the official client, which is slow
    rounds: int
    unseal: int     # rounds of document.c
    js_unseal: float  # seconds for each document
    seconds: int    # after so long no sample is repeated


MODES = {"quick": Mode(10_000, 1_000, 3, 7, 0.25, 40), "full": Mode(100_000, 4_000, 5, 21, 0.5, 420)}
DOCUMENTS = [(f"{shape}-{size}", f"{size} KB, {what}", goal)
             for shape, what in (("small", "small properties"), ("ten", "ten properties"))
             for size, goal in ((1, 10), (10, 40), (100, 400))]  # fmt: skip


class Cases:
    def __init__(self, world, mode):
        self.w, self.mode = world, mode

    def _rd(self, *arguments):
        return [self.w.program("rd"), *arguments]

    # Limits and the client

    def replayed(self, s):
        for name in ("ranges", "one"):
            s.measure(f"{name}-seconds", self.w.replay_argv(f"stream-{name}"))
            s.note(f"{name}-limit", self.mode.count / s.values[f"{name}-seconds"])
        for name in ("one", "partition"):
            s.measure(f"list-{name}-limit", self.w.replay_argv(f"list-{name}"))
        s.measure("points-seconds", self.w.replay_argv("points"))
        s.note("points-limit", POINTS / s.values["points-seconds"])

    def js_stream(self, s):
        for name in ("ranges", "one"):
            s.measure(f"js-{name}", self.w.stream_argv(name, self.mode.js_count))

    def js_unseal(self, s):
        text, _ = s.run(self.w.node_argv("unseal", self.w.data, self.mode.js_unseal))
        for name, figure in json.loads(text).items():
            s.note(f"js-{name}", figure)

    # Us

    def unseal(self, s):
        text, _ = s.run([self.w.document_program(), self.mode.unseal])
        for (name, _, _), line in zip(DOCUMENTS, text.splitlines()[1:], strict=True):
            s.note(name, float(line.split()[-1]))

    def stream(self, s):
        for name in ("ranges", "one"):
            with self.w.ours(name) as m:
                s.measure(name, self._rd("lines", m.point / "all.jsonl", self.mode.count), m.pids)
                s.note(f"{name}-peak", m.peak_mib())

    def cat(self, s):
        cat = [self.w.binary, "cat", "-o", self.w.options(), f"{self.w.source('ranges')}/all.jsonl"]
        line = f"{shlex.join(map(str, cat))} | {shlex.join(map(str, self._rd('lines', '-', self.mode.count)))}"
        s.measure("cat", ["bash", "-o", "pipefail", "-c", line])

    def list(self, s):
        for name, path in (("one", "items"), ("partition", "items/p")):
            with self.w.ours(name) as m:
                before = m.resident_bytes()
                s.measure(f"list-{name}", self._rd("list", m.point / path, self.mode.count, 0), m.pids)
                s.note(f"entry-{name}", (m.resident_bytes() - before) / self.mode.count)

    def points(self, s):
        with self.w.ours("ranges") as m:
            s.measure("points", self._rd("points", m.point / "items", POINTS, self.mode.count // POINTS), m.pids)

    def all(self):
        cases = [Case("unseal", self.unseal)]
        if self.w.client:
            cases += [Case("js unseal", self.js_unseal), Case("js stream", self.js_stream)]
        if self.w.has_fuse():
            cases += [Case("requests alone", self.replayed), Case("stream", self.stream), Case("cat", self.cat),
                      Case("list", self.list), Case("points", self.points)]  # fmt: skip
        return cases


class Counts:
    """As in run.py; what is counted here is also what the limits send again."""

    def __init__(self, world, mode):
        self.w, self.mode, self.rows = world, mode, []

    def run(self):
        for name in ("ranges", "one"):
            self._stream(name)
        self._list("one", "items")
        self._list("partition", "items/p")
        self._points()

    def _counted(self, name, container, *arguments):
        with self.w.ours(container) as m, self.w.account.counting() as requests:
            run_number([self.w.program("rd"), arguments[0], m.point / arguments[1], *arguments[2:]])
        self.w.write_replay(name, requests)
        documents = [r["path"] for r in requests if "/docs/" in r["path"]]
        pages = sum(r["path"].endswith("/docs") for r in requests)
        return documents, pages, len(requests) - pages - len(documents)

    def _add(self, what, counted, most_pages, documents=0):
        singles, pages, other = counted
        good = len(singles) == len(set(singles)) == documents and pages <= most_pages and other <= AROUND
        text = f"{pages} pages, {len(singles)} for single documents, {other} other"
        self.rows.append((what, text, f"<= {most_pages}, {documents}, <= {AROUND}", good))

    def _pages(self, ranges=1):
        return -(-self.mode.count // PAGE) + ranges

    def _stream(self, name):
        counted = self._counted(f"stream-{name}", name, "lines", "all.jsonl", self.mode.count)
        self._add(f"D2 requests for all.jsonl of {self.mode.count}, {name}", counted, self._pages(8))

    def _list(self, name, path):
        counted = self._counted(f"list-{name}", name, "list", path, self.mode.count, 0)
        self._add(f"D4 requests for a listing of {self.mode.count}, {name}", counted, self._pages(1))

    def _points(self):
        step = self.mode.count // POINTS
        counted = self._counted("points", "ranges", "points", "items", POINTS, step)
        self._add(f"D5 requests for {POINTS} documents without a listing", counted, 0, POINTS)


def requests_and_unsealing(name):
    """Documents a second, when each page is received and then unsealed by one core."""
    return lambda v: 1 / (1 / v[f"{name}-limit"] + v["small-1"] / 1e6)


def cpu_of_parts(mode):
    return lambda v: v["ranges-seconds.cpu"] + mode.count * v["small-1"] / 1e6


def rows(mode):
    js, found = bool(client()), []
    for name, what, goal in DOCUMENTS:
        small = name.startswith("small")  # the large strings of the others are OpenSSL's work in both
        found += [
            Row("D1", f"open of {what}", f"({goal} us)", lambda v, goal=goal: float(goal), value(name), "us", "<=", 1.0, 3.0),
            Row("D1", "", "@azure/cosmos", value(f"js-{name}"), value(name), "us", "<=", 0.1 if small else 0.5, 0.25 if small else 1.0, js and small),
        ]  # fmt: skip
    for name, of, what in (("ranges", "ranges", "4 ranges"), ("one", "one", "1 range"), ("cat", "ranges", "azcryptfs cat")):
        found += [
            Row("D2", f"{mode.count} documents, {what}", "@azure/cosmos", value(f"js-{of}"), value(name), "/s", ">=", 10, 5, js),
            Row("D2", "", "requests, then unsealing", requests_and_unsealing(of), value(name), "/s", ">=", 0.8, 0.5),
            Row("", "", "the requests alone", value(f"{of}-limit"), value(name), "/s", ">=", 0.8, 0.1),
        ]  # fmt: skip
    found += [
        Row("", "  CPU time, 4 ranges", "requests + unsealing", cpu_of_parts(mode), value("ranges.cpu"), "s", "<=", 1.25, 2.0),
        Row("D3", "  peak memory", "(64 MiB)", lambda v: 64.0, value("ranges-peak"), "MiB", "<=", 1.0, 1.5, True),
    ]  # fmt: skip
    for name, what in (("one", "/id"), ("partition", "one partition")):
        found += [
            Row("D4", f"{mode.count} names and sizes, {what}", "requests, then unsealing",
                lambda v, name=name: v[f"list-{name}-limit"] + mode.count * v["small-1"] / 1e6, value(f"list-{name}"), "s", "<=", 2.0, 4.0),
            Row("D4", "  memory for each name", "(512 bytes)", lambda v: 512.0, value(f"entry-{name}"), "bytes", "<=", 1.0, 4.0),
        ]  # fmt: skip
    found.append(Row("D5", f"{POINTS} documents, no listing", "the requests alone", value("points-limit"), value("points"), "/s", ">=", 0.75, 0.3))
    return found


def measure(world, mode):
    """Prints everything; returns the rows whose gate is missed."""
    mounted = world.has_fuse()
    cases, counts = Cases(world, mode), Counts(world, mode)
    if mounted:
        progress("counting requests")
        counts.run()
    with open(world.directory / "samples-documents.jsonl", "w", encoding="utf-8") as log:
        rounds = Rounds(cases.all(), world.account.pids, log, mode.seconds)
        rounds.run(mode.rounds, progress)
    progress("")
    table = Table(rounds, () if world.client else {"js"})
    for row in rows(mode):
        table.add(row, mounted)
    say(table.text())
    for what, figure, wanted, good in counts.rows:
        say(f"{what}: {figure} (asked: {wanted}){'' if good else '  <- NOT MET'}")
    for name, failure in rounds.failures.items():
        say(f"FAILED {name}: {failure}")
    say(f"* reported, fails nothing. Foreign CPU share of the kept samples: median {spread(rounds.foreign)[0]:.2f}, "
        f"most {spread(rounds.foreign)[2]:.2f}")  # fmt: skip
    return table.missed + [what for what, _, _, good in counts.rows if not good] + sorted(rounds.failures)


def main():
    mode = MODES[os.environ.get("BENCH", "full")]
    if not python_of_tests():
        say("bench: documents: absent (tests/support/setup.sh makes what the emulated account needs)")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        with DocumentWorld(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), mode.count) as world:
            say(f"bench: documents of 1 KB, {mode.count} in a container, {mode.rounds} rounds"
                + ("" if world.client else "; @azure/cosmos absent") + ("" if world.has_fuse() else "; NO FUSE HERE"))  # fmt: skip
            missed = measure(world, mode)
    except Failed as failure:
        say(f"bench: {failure}")
        return 2
    if missed:
        say(f"bench: MISSED: {', '.join(missed)}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
