# SPDX-License-Identifier: MIT
"""Called by run.sh: run.py DIRECTORY [BINARY].  What is measured, and the table of ratios; see README.md."""
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import typing

from sampler import Case, Failed, Rounds, run_number, spread
from world import MANY, OVERHEAD, REGION, SMALL, Server, World

MIB = 1 << 20


@dataclasses.dataclass
class Mode:
    big: int        # bytes of the large blob
    warm_passes: int
    n_small: int    # small blobs read
    n_random: int   # random reads
    rounds: int
    slow_rounds: int  # of what takes seconds and says little
    seconds: int    # after so long no sample is repeated


MODES = {
    "quick": Mode(256 * MIB, 8, 1000, 64, 3, 1, 90),
    "full": Mode(1024 * MIB, 4, 10000, 128, 5, 5, 900),
}


# ---- the cases: each leaves numbers in its sample


class Cases:
    def __init__(self, world, mode):
        self.w, self.mode = world, mode
        self.big_url = world.server.url("big/blob")

    def _rd(self, *arguments):
        return [self.w.program("rd"), *arguments]

    def _limit(self, *arguments):
        return [self.w.program("limits"), *arguments]

    def _cold(self, path):
        return self._rd("seq", path, MIB, 1)

    def _warm(self, path):
        """From the page cache: so fast that one pass would be too short to be measured."""
        return self._rd("seq", path, MIB, self.mode.warm_passes)

    def _random(self, path, s):
        return self._rd("random", path, self.mode.n_random, s.round + 1)

    def _somewhere(self, s):
        """An offset in the third quarter of the large blob, another one in each round."""
        return self.mode.big // 2 + (s.round * 7 + 1) * REGION + 8192

    # Limits

    def http(self, s):
        s.measure("http1", self._limit("http", self.big_url, self.mode.big, 1))
        s.measure("http2", self._limit("http", self.big_url, self.mode.big, 2))

    def gcm(self, s):
        s.measure("gcm1", self._limit("gcm", 0.5))

    def null(self, s):
        s.measure("null2", self._limit("null", self.big_url, self.mode.big, 2))

    def region(self, s):
        s.measure("region", self._limit("region", self.big_url, self.mode.big, self.mode.n_random, s.round + 1))

    def small(self, s):
        s.measure("small", self._limit("small", self.w.server.url("small"), self.mode.n_small))

    def listing(self, s):
        s.measure("list", self._limit("list", self.w.server.url("many")))

    def disk(self, s):
        s.measure("disk", self._warm(self.w.data.plain))
        s.measure("disk-long", self._warm(self.w.data.sealed))

    def fuse(self, s):
        with self.w.memfs() as m:
            s.measure("fuse", self._cold(m.point / "big"), m.pids)
            s.measure("fuse-warm", self._warm(m.point / "big"), m.pids)
            s.measure("fuse-small", self._rd("small", m.point / "small", self.mode.n_small, SMALL), m.pids)

    # Peers

    def _peer(self, s, name, mount):
        with mount as m:
            blob = m.point / "blob"
            s.measure(f"{name}-cold", self._cold(blob), m.pids)
            s.measure(f"{name}-warm", self._cold(blob), m.pids)  # none of the peers keeps the page cache
            s.note(f"{name}-peak", m.peak_mib())
        with mount as m:
            s.measure(f"{name}-random", self._random(m.point / "blob", s), m.pids)
        with mount as m:
            run_number(self._rd("first", m.point / "blob", 0))
            s.measure(f"{name}-first", self._rd("first", m.point / "blob", self._somewhere(s)), m.pids)

    def rclone(self, s):
        self._peer(s, "rclone", self.w.rclone_mount())

    def gocryptfs(self, s):
        self._peer(s, "gocryptfs", self.w.gocryptfs_mount())

    def rclone_list(self, s):
        argv = [*map(str, self.w.rclone_argv("lsf")), "--format", "ps", "blobs:many"]
        start = time.monotonic()
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        taken = time.monotonic() - start
        if done.returncode != 0 or done.stdout.count("\n") != MANY:
            raise Failed(f"rclone lsf: {done.stderr.strip()[-300:]}")
        s.note("rclone-list", taken)

    # Us

    def ours_sequential(self, s):
        with self.w.ours("big") as m:
            s.measure("cold", self._cold(m.point / "blob"), m.pids)
            s.measure("warm", self._warm(m.point / "blob"), m.pids)
            s.note("peak", m.peak_mib())

    def ours_random(self, s):
        with self.w.ours("big") as m:
            s.measure("random", self._random(m.point / "blob", s), m.pids)

    def ours_first(self, s):
        with self.w.ours("big") as m:
            run_number(self._rd("first", m.point / "blob", 0))  # connections and the key are there
            s.measure("first", self._rd("first", m.point / "blob", self._somewhere(s)), m.pids)

    def ours_small(self, s):
        with self.w.ours("small") as m:
            run_number(self._rd("list", m.point, self.mode.n_small, SMALL))
            s.measure("ours-small", self._rd("small", m.point, self.mode.n_small, SMALL), m.pids)

    def ours_list(self, s):
        with self.w.ours("many") as m:
            before = m.resident_bytes()
            s.measure("ours-list", self._rd("list", m.point, MANY, SMALL), m.pids)
            s.note("entry", (m.resident_bytes() - before) / MANY)

    # All

    def all(self):
        w, slow = self.w, self.mode.slow_rounds
        cases = [
            Case("http", self.http), Case("gcm", self.gcm), Case("null sink", self.null), Case("region", self.region),
            Case("small blobs", self.small), Case("list pages", self.listing), Case("plain file", self.disk),
        ]  # fmt: skip
        if w.has_fuse():
            cases.append(Case("fuse from memory", self.fuse))
        if w.rclone:
            cases.append(Case("rclone list", self.rclone_list, slow))
        if w.rclone and w.has_fuse():
            cases.append(Case("rclone", self.rclone))
        if w.gocryptfs and w.has_fuse():
            cases.append(Case("gocryptfs", self.gocryptfs))
        return cases

    def ours(self):
        return [
            Case("our sequential", self.ours_sequential), Case("our random", self.ours_random),
            Case("our first bytes", self.ours_first), Case("our small files", self.ours_small),
            Case("our list", self.ours_list),
        ]  # fmt: skip


# ---- counts, and whether the bytes are right: once, before anything is timed


def blob_requests(requests):
    """Those for content or properties of a blob; the rest are listings and the container's properties."""
    return [r for r in requests if re.fullmatch(r"/benchaccount/[^/]+/[^/]+", r[1])]


class Counts:
    """Each row: what, a sentence of figures, the figure asked for, whether it is met (None: says nothing)."""

    def __init__(self, world, mode):
        self.w, self.mode, self.rows = world, mode, []

    def run(self):
        for count in (self.same_bytes, self.small_blobs, self.tiny_regions, self.random_regions):
            try:
                count()
            except Failed as failure:
                self.rows.append((count.__name__.replace("_", " "), f"failed: {failure}", "", False))

    def _compare(self, plain, shown):
        done = subprocess.run(["cmp", str(plain), str(shown)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"wrong bytes: {(done.stdout + done.stderr).strip()}")

    def same_bytes(self):
        sealed = self.mode.big + -(-self.mode.big // REGION) * OVERHEAD
        with self.w.server.counting() as requests, self.w.ours("big", counted=True) as m:
            self._compare(self.w.data.plain, m.point / "blob")
        ratio = sum(r[4] for r in blob_requests(requests)) / sealed
        self.rows.append(("G28 bytes fetched / bytes of the blob, sequential", f"{ratio:.3f}", "<= 1.02", ratio <= 1.02))

    def small_blobs(self):
        n = min(200, self.mode.n_small)
        plain = self.w.data.directory / "plain" / "f000000"
        with self.w.ours("small", counted=True) as m:
            with self.w.server.counting() as listing:
                run_number([self.w.program("rd"), "list", m.point, self.mode.n_small, SMALL])
            with self.w.server.counting() as requests:
                run_number([self.w.program("rd"), "small", m.point, n, SMALL])
            self._compare(plain, m.point / "f000000")
        pages, blobs = -(-self.mode.n_small // 5000), blob_requests(requests)
        gets, heads = (sum(r[0] == method for r in blobs) for method in ("GET", "HEAD"))
        each = len({r[1] for r in blobs}) == n == gets
        self.rows.append((
            f"G19 requests for {n} small blobs after a listing", f"{gets} GET, {heads} HEAD, {len(requests) - len(blobs)} other",
            f"{n} GET", each and heads == 0 and len(requests) == n))  # fmt: skip
        self.rows.append((
            f"requests for a listing of {self.mode.n_small} with sizes",
            f"{len(listing)}, {len(blob_requests(listing))} of them for blobs",
            f"<= {pages + 1}", len(listing) <= pages + 1 and not blob_requests(listing)))  # fmt: skip

    def tiny_regions(self):
        with self.w.ours("tiny", counted=True) as m:
            os.listdir(m.point)
            with self.w.server.counting() as requests:
                self._compare(self.w.data.directory / "plain" / "tiny", m.point / "tiny")
        blobs = blob_requests(requests)
        text = f"{sum(r[0] == 'GET' for r in blobs)} GET, {sum(r[0] == 'HEAD' for r in blobs)} HEAD"
        self.rows.append(("requests for a blob of 300 regions", text, "1 GET", text == "1 GET, 0 HEAD"))

    def random_regions(self):
        with self.w.server.counting() as requests, self.w.ours("big", counted=True) as m:
            run_number([self.w.program("rd"), "random", m.point / "blob", self.mode.n_random, 99])
        reads = min(self.mode.n_random, self.mode.big // REGION)
        ratio = sum(r[4] for r in blob_requests(requests)) / (reads * (REGION + OVERHEAD))
        self.rows.append(("G28 regions fetched for each cold random read", f"{ratio:.2f}", "<= 1.10", ratio <= 1.10))


# ---- the table


def serial_limit(v):
    """All bytes received, then decrypted, then handed through FUSE, one after the other."""
    return 1 / (1 / v["http1"] + 1 / v["gcm1"] + 1 / v["fuse"])


def region_ms(v):
    return 1e3 / v["region"]


def small_limit(v):
    return 1 / (1 / v["small"] + 1 / v["fuse-small"])


@dataclasses.dataclass
class Row:
    id: str
    what: str
    against: str  # what the limit is
    limit: typing.Callable
    us: typing.Callable
    unit: str
    sign: str  # ">=" or "<=": which ratios are good
    goal: float
    gate: float
    must: bool = False  # a missed gate fails the run
    peers: tuple = ()  # names of values: what a peer has instead of us


def value(name):
    return lambda v: v[name]


def rows():
    seq, rnd = ("rclone-cold", "gocryptfs-cold"), ("rclone-random", "gocryptfs-random")
    return [
        Row("G1", "cold sequential", "serial limit L", serial_limit, value("cold"), "MB/s", ">=", 1.0, 0.75, True, seq),
        Row("", "", "decrypting null sink", value("null2"), value("cold"), "MB/s", ">=", 0.47, 0.38, False, seq),
        Row("G2", "", "rclone crypt", value("rclone-cold"), value("cold"), "MB/s", ">=", 3.5, 2.5),
        Row("G3", "", "gocryptfs, local", value("gocryptfs-cold"), value("cold"), "MB/s", ">=", 1.0, 0.7),
        Row("G6", "  its CPU time", "null sink + FUSE", lambda v: v["null2.cpu"] + v["fuse.cpu"], value("cold.cpu"), "s", "<=", 1.1, 1.35),
        Row("G7", "  its CPU time", "rclone crypt", value("rclone-cold.cpu"), value("cold.cpu"), "s", "<=", 0.35, 0.5),
        Row("G8", "warm sequential", "plain file", value("disk"), value("warm"), "MB/s", ">=", 0.9, 0.7, True, ("rclone-warm", "gocryptfs-warm")),
        Row("", "", "its disk's own read-ahead", value("disk-long"), value("warm"), "MB/s", ">=", 0.9, 0.7),
        Row("", "", "FUSE from memory, warm", value("fuse-warm"), value("warm"), "MB/s", ">=", 0.95, 0.8),
        Row("G10", "cold random 4 KiB", "a region's fetch + decrypt", value("region"), value("random"), "/s", ">=", 0.9, 0.7, True, rnd),
        Row("G11", "", "rclone crypt", value("rclone-random"), value("random"), "/s", ">=", 2.0, 1.5),
        Row("G13", "first 4 KiB, with open", "a region's fetch + decrypt", region_ms, value("first"), "ms", "<=", 1.3, 2.0, False, ("rclone-first", "gocryptfs-first")),
        Row("G17", "small files read", "GET + decrypt, + FUSE", small_limit, value("ours-small"), "/s", ">=", 0.75, 0.5),
        Row("G21", f"{MANY} names and sizes", "transfer + XML", value("list"), value("ours-list"), "s", "<=", 2.0, 3.0, True, ("rclone-list",)),
        Row("G24", "  memory for each name", "(512 bytes)", lambda v: 512.0, value("entry"), "bytes", "<=", 1.0, 2.0),
        Row("G23", "peak memory, sequential", "(96 MiB)", lambda v: 96.0, value("peak"), "MiB", "<=", 1.0, 1.34, False, ("rclone-peak", "gocryptfs-peak")),
    ]  # fmt: skip


def number(x):
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.3g}"


def ratio_text(ratios):
    middle, low, high = spread(ratios)
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


class Table:
    HEAD = ("row", "what", "limit", "peers : limit", "us", "us : limit", "goal", "gate", "")

    def __init__(self, rounds, missing=()):
        """missing: the peers that are not here."""
        self._rounds, self._missing = rounds, missing
        self.lines, self.missed = [self.HEAD], []

    def _peers(self, row):
        texts = []
        for name in row.peers:
            program = name.split("-")[0]
            found = self._rounds.each(lambda v, name=name: v[name] / row.limit(v))
            texts.append(f"{program} " + (f"{spread(found)[0]:.2f}" if found else "absent" if program in self._missing else "-"))
        return ", ".join(texts)

    def add(self, row, measured):
        """measured: whether we are part of this run at all."""
        limits, us = self._rounds.each(row.limit), self._rounds.each(row.us)
        ratios = self._rounds.each(lambda v: row.us(v) / row.limit(v))
        limit = f"{row.against} {number(spread(limits)[0])} {row.unit}" if limits else f"{row.against} absent"
        if row.against.startswith("("):
            limit = row.against
        verdict = ""
        if ratios:
            verdict = self._verdict(row, spread(ratios)[0])
        elif measured and row.must:
            verdict = "NOT MEASURED"
            self.missed.append(row.id)
        self.lines.append((
            row.id, row.what, limit, self._peers(row),
            f"{number(spread(us)[0])} {row.unit}" if us else "-", ratio_text(ratios) if ratios else "-",
            f"{row.sign} {row.goal:g}", f"{row.sign} {row.gate:g}" + ("" if row.must else " *"), verdict))  # fmt: skip

    def _verdict(self, row, ratio):
        better = (lambda bound: ratio >= bound) if row.sign == ">=" else (lambda bound: ratio <= bound)
        if better(row.goal):
            return "goal"
        if better(row.gate):
            return "gate"
        if row.must:
            self.missed.append(row.id)
            return "MISSED"
        return "below"

    def text(self):
        widths = [max(len(line[i]) for line in self.lines) for i in range(len(self.HEAD))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in self.lines)


# ---- the run


def say(text):
    print(text, flush=True)


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def describe(world, mode):
    disk = subprocess.run(["stat", "-f", "-c", "%T", str(world.data.directory)], capture_output=True, text=True, check=False)
    say(f"bench: {mode.big // MIB} MiB, {mode.rounds} rounds, {os.cpu_count()} cores, plain file on {disk.stdout.strip()}; "
        "ratios are medians (least-greatest) of the rounds' own")  # fmt: skip
    if not world.has_fuse():
        say("bench: NO FUSE HERE (/dev/fuse or fusermount3 is missing): nothing of the program is measured")


def measure(world, mode):
    """Prints everything; returns the rows whose gate is missed."""
    ours = world.binary and world.has_fuse()
    cases = Cases(world, mode)
    counts = Counts(world, mode)
    if ours:
        progress("counting requests")
        counts.run()
    with open(world.directory / "samples.jsonl", "w", encoding="utf-8") as log:
        rounds = Rounds(cases.all() + (cases.ours() if ours else []), world.server.pids, log, mode.seconds)
        rounds.run(mode.rounds, progress)
    progress("")
    table = Table(rounds, {n for n, path in (("rclone", world.rclone), ("gocryptfs", world.gocryptfs)) if not path})
    for row in rows():
        table.add(row, ours)
    say(table.text())
    for what, figure, wanted, good in counts.rows:
        say(f"{what}: {figure}" + (f" (asked: {wanted}){'' if good else '  <- NOT MET'}" if wanted else ""))
    for name, failure in rounds.failures.items():
        say(f"FAILED {name}: {failure}")
    say(f"* reported, fails nothing. Foreign CPU share of the kept samples: median {spread(rounds.foreign)[0]:.2f}, "
        f"most {spread(rounds.foreign)[2]:.2f}")  # fmt: skip
    broken = [what for what, figure, *_ in counts.rows if figure.startswith("failed")]
    return table.missed + broken + [c.name for c in cases.ours() if c.name in rounds.failures]


def main():
    name = os.environ.get("BENCH", "full")
    if name not in MODES:
        say(f"bench: BENCH={name}: quick or full")
        return 2
    if not Server.modules()[1]:
        say("bench: nginx with the headers-more module is missing; ./bootstrap.sh bench installs it")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    mode = MODES[name]
    binary = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    try:
        with World(pathlib.Path(sys.argv[1]), binary, mode.big, mode.n_small) as world:
            describe(world, mode)
            missed = measure(world, mode)
    except Failed as failure:
        say(f"bench: {failure}")
        return 2
    if missed:
        say(f"bench: MISSED: {', '.join(missed)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
