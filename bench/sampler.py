# SPDX-License-Identifier: MIT
"""Interleaved rounds of measurements on a machine that others use too.

Every case runs once in each round, in shuffled order, so that a slow minute hurts all of them; what is compared is
taken from the same round. While a sample runs, the processor time of processes that have no part in it is
watched: a sample with more than FOREIGN of all cores is repeated, and of its tries the least disturbed one is
kept. Selection is by disturbance, never by value.
"""
import json
import os
import random
import statistics
import subprocess
import time

FOREIGN = 0.20
TRIES = 3
HZ = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1


class Failed(Exception):
    """A measured program failed; the text says what it said."""


def cpu_of(pids):
    """User and system seconds of running processes, their threads included."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except (OSError, IndexError):
            pass
    return total / HZ


def cpu_of_machine():
    with open("/proc/stat", encoding="ascii") as f:
        fields = [int(x) for x in f.readline().split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    return (user + nice + system + irq + softirq) / HZ


def run_text(argv, timeout=120):
    """Runs a program; what it prints."""
    try:
        done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"{argv[0]}: not done after {timeout} s") from None
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, argv[:4]))}: {done.stderr.strip()[-300:]}")
    return done.stdout


def run_number(argv, timeout=120):
    """Runs a program that prints one number as the last word on stdout."""
    return float(run_text(argv, timeout).split()[-1])


class Sample:
    """What one try of a case has measured: values by name, and the worst disturbance."""

    def __init__(self, number, background):
        self.round = number
        self.values = {}
        self.foreign = 0.0
        self._background = background

    def measure(self, name, argv, pids=()):
        """Runs argv; keeps the number that it prints as name, and the CPU seconds of all who took part as name.cpu."""
        text, self.values[name + ".cpu"] = self.run(argv, pids)
        self.values[name] = float(text.split()[-1])

    def run(self, argv, pids=()):
        """What argv prints, and the CPU seconds of all who took part."""
        pids = [*pids, *self._background()]
        mine, machine, children, start = cpu_of(pids), cpu_of_machine(), os.times(), time.monotonic()
        text = run_text(argv)
        wall, end = time.monotonic() - start, os.times()
        client = end.children_user - children.children_user + end.children_system - children.children_system
        used = cpu_of(pids) - mine + client
        self.foreign = max(self.foreign, (cpu_of_machine() - machine - used) / (CORES * max(wall, 0.05)))
        return text, max(used, 1 / HZ)

    def note(self, name, value):
        self.values[name] = value


class Case:
    def __init__(self, name, function, rounds=None):
        """function(sample) measures; rounds: only in the first so many."""
        self.name, self.function, self.rounds = name, function, rounds


class Rounds:
    """results[i]: the values of round i, of all cases.  failures: the sentence with which a case has failed.

    Samples are repeated as long as the rounds so far have had less than their share of that many seconds.
    """

    def __init__(self, cases, background, log, seconds, seed=1):
        self.cases, self._background, self._log = cases, background, log
        self._start, self._seconds, self._n = time.monotonic(), seconds, 1
        self._random = random.Random(seed)
        self.results, self.failures, self.foreign = [], {}, []

    def run(self, n, progress):
        self._n = n
        for number in range(n):
            self.results.append({})
            order = [c for c in self.cases if c.rounds is None or number < c.rounds]
            self._random.shuffle(order)
            for case in order:
                progress(f"round {number + 1} of {n}: {case.name}")
                self._keep_best(case, number)

    def _keep_best(self, case, number):
        best = None
        for attempt in range(TRIES):
            sample = Sample(number, self._background)
            try:
                case.function(sample)
            except Failed as failure:
                self.failures[case.name] = str(failure)
                break
            self._write(case, sample, attempt)
            if best is None or sample.foreign < best.foreign:
                best = sample
            if sample.foreign <= FOREIGN or not self._has_time(number):
                break
        if best:
            self.results[number].update(best.values)
            self.foreign.append(best.foreign)

    def _has_time(self, number):
        return time.monotonic() - self._start < self._seconds * (number + 1) / self._n

    def _write(self, case, sample, attempt):
        record = {"case": case.name, "round": sample.round, "try": attempt, "foreign": round(sample.foreign, 3)}
        self._log.write(json.dumps({**record, **sample.values}) + "\n")
        self._log.flush()

    def each(self, function):
        """function(values of a round) of every round that has what it takes."""
        found = []
        for values in self.results:
            try:
                found.append(function(values))
            except KeyError:
                pass
        return found


def spread(values):
    """Median, least, greatest."""
    return statistics.median(values), min(values), max(values)
