# SPDX-License-Identifier: MIT
"""Called by run.sh: write.py DIRECTORY BINARY.  The rows of writing; see README.md.

It runs with the tests' Python where tests/support/setup.sh has made one; otherwise Azurite, the Python client
and the vault are absent.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

from run import Row, Table, progress, say, value
from sampler import Case, Failed, Rounds, run_number, spread
from world import HERE, SMALL, Mount, World, clean_environment, run_quietly, stop

sys.path.insert(0, str(HERE.parent))
try:
    from azure.storage.blob import BlobClient

    from tests.emulators.tls import CertificateAuthority
    from tests.emulators.tokens import Tokens
    from tests.emulators.vault import Vault
    from tests.support import cloud, seal
    from tests.support.azurite import MAIN, Azurite
except ImportError:
    BlobClient = None

MIB = 1 << 20
KEYS = {"keys": [{"kty": "oct", "kid": "bench-kek", "k": "a2V5LWVuY3J5cHRpb24ga2V5IG9mIHRoZSBiZW5jaCA", "alg": "A256KW"}]}
PIECE = MIB
FILES, MEMORY = 16, 64
DEFAULT_MEMORY = 256
CREATES = 1000
# The one that everybody knows: rclone takes another only for hosts in the cloud.
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
OVERHEAD = 28


@dataclasses.dataclass
class Mode:
    big: int     # bytes of the large file
    each: int    # bytes of each of the 16
    huge: int    # bytes of the file that no memory holds, 0: not written
    rounds: int
    slow: int    # rounds of what Azurite takes part in
    seconds: int  # after so long no sample is repeated


MODES = {
    "quick": Mode(256 * MIB, 16 * MIB, 0, 3, 1, 40),
    "full": Mode(1024 * MIB, 64 * MIB, 5 << 30, 5, 3, 300),
}


class Sink:
    """sink.c, a process."""

    def __init__(self, program):
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def url(self, path=""):
        return f"{self._url}/benchaccount/{path}"

    def pids(self):
        return [self._process.pid]

    def taken(self):
        """Bodies and bytes so far."""
        with urllib.request.urlopen(f"{self._url}/stats", timeout=60) as answer:
            return tuple(map(int, answer.read().split()))

    def stop(self):
        self._process.stdin.close()
        stop(self._process)


class WriteWorld:
    def __init__(self, directory, binary, size):
        self.directory, self.binary, self.size = directory, binary, size
        self.run = directory / f"write-{os.getpid()}"
        self.plain = self.run / "plain"
        self.sink = self.azurite = self.container = None
        self._n = 0

    def __enter__(self):
        (self.run / "mnt").mkdir(parents=True)
        try:
            self._keys = self.run / "keys.json"
            self._keys.write_text(json.dumps(KEYS))
            self._keys.chmod(0o600)
            self.sink = Sink(self.program("sink"))
            if BlobClient and MAIN.exists():
                self.azurite = Azurite(self.run / "azurite", account="devstoreaccount1")
                self.azurite.key = EMULATOR_KEY
                self.azurite.start()
                self.container = self.azurite.make_container()
                with open(self.plain, "wb") as f:
                    for _ in range(self.size // MIB):
                        f.write(os.urandom(MIB))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.azurite:
            self.azurite.stop()
        if self.sink:
            self.sink.stop()
        if not any(os.path.ismount(p) for p in (self.run / "mnt").iterdir()):
            shutil.rmtree(self.run, ignore_errors=True)

    def program(self, name):
        return self.directory / "bin" / name

    def pids(self):
        return self.sink.pids() + ([self.azurite._process.pid] if self.azurite else [])

    def name(self):
        self._n += 1
        return f"f{self._n}"

    def _mounted(self, source, connection, options, env=None):
        options = ",".join(["rw", f"staging={self.run}", *options])
        argv = [self.binary, "mount", "-f", "-o", options, source, "{}"]
        secret = {"AZURE_STORAGE_CONNECTION_STRING": connection}
        return Mount("azcryptfs", argv, self.run, {**clean_environment(self.run), **secret, **(env or {})})

    def on_sink(self, *options, env=None):
        account = self.sink.url()[:-1]
        mine = options if env else (f"keys={self._keys}", "kek=bench-kek", *options)
        return self._mounted(
            f"blob:{account}/sink", f"AccountName=benchaccount;AccountKey=bm9uZQ==;BlobEndpoint={account}", mine, env
        )

    def on_azurite(self):
        connection = self.azurite.connection_string
        return self._mounted(self.azurite.source(self.container), connection, (f"keys={self._keys}", "kek=bench-kek"))


class Cases:
    def __init__(self, world, mode):
        self.w, self.mode = world, mode

    def _wr(self, *arguments):
        return [self.w.program("wr"), *arguments]

    # The limits and the peers

    def alone(self, s):
        url = self.w.sink.url(f"sink/{self.w.name()}")
        for workers in (1, 2):
            s.measure(f"send{workers}", [self.w.program("send"), "big", url, self.mode.big, workers])
        s.measure("send-small", [self.w.program("send"), "small", self.w.sink.url("sink"), CREATES])

    def python_client(self, s):
        client = BlobClient.from_connection_string(
            self.w.azurite.connection_string, self.w.container, self.w.name(), require_encryption=True,
            encryption_version="2.0",
        )  # fmt: skip
        client.key_encryption_key = seal.make_kek("A256KW")
        start = time.monotonic()
        with open(self.w.plain, "rb") as f:
            client.upload_blob(f, length=self.mode.big, max_concurrency=8, overwrite=True)
        s.note("python", time.monotonic() - start)
        client.delete_blob()

    def rclone(self, s):
        azurite, config = self.w.azurite, self.w.run / "rclone.conf"
        password = run_quietly(["rclone", "obscure", "bench"]).strip()
        config.write_text(
            f"[az]\ntype = azureblob\nuse_emulator = true\nendpoint = {azurite.endpoint}\n"
            f"[crypt]\ntype = crypt\nremote = az:{self.w.container}\npassword = {password}\n"
        )
        command = ["rclone", "--config", config, "--no-check-dest"]
        start = time.monotonic()
        run_quietly([*command, "copyto", self.w.plain, "crypt:peer"], env=clean_environment(self.w.run))
        s.note("rclone", time.monotonic() - start)
        run_quietly([*command, "deletefile", "crypt:peer"], env=clean_environment(self.w.run))

    # Us

    def sequential(self, s):
        with self.w.on_sink() as m:
            s.measure("ours", self._wr("seq", m.point / self.w.name(), self.mode.big, PIECE), m.pids)

    def to_azurite(self, s):
        with self.w.on_azurite() as m:
            start, path = time.monotonic(), m.point / self.w.name()
            run_quietly(["cp", self.w.plain, path])
            s.note("ours-azurite", time.monotonic() - start)
            path.unlink()

    def sixteen(self, s):
        for memory in (MEMORY, DEFAULT_MEMORY):
            with self.w.on_sink(f"memory={memory}M") as m:
                run_number(self._wr("many", m.point, FILES, self.mode.each, PIECE), 600)
                s.note(f"peak-{memory}", m.peak_mib())

    def creates(self, s):
        with self.w.on_sink() as m:
            s.measure("ours-small", self._wr("small", m.point, CREATES, SMALL), m.pids)

    def all(self):
        cases = [Case("seal and send", self.alone)]
        if self.w.azurite:
            cases.append(Case("Python client", self.python_client, self.mode.slow))
            if shutil.which("rclone"):
                cases.append(Case("rclone", self.rclone, self.mode.slow))
        return cases

    def ours(self):
        cases = [
            Case("our sequential", self.sequential), Case("our 16 files", self.sixteen, 1),
            Case("our creates", self.creates),
        ]  # fmt: skip
        return cases + ([Case("our Azurite", self.to_azurite, self.mode.slow)] if self.w.azurite else [])


# ---- counts, once


@contextlib.contextmanager
def vault(directory):
    """(the emulated vault, the options and the environment of a mount with its key)."""
    ca = CertificateAuthority()
    ca_file = ca.write(directory / "ca.pem")
    with Tokens(tls=ca.issue().context()) as tokens, Vault(tokens, tls=ca.issue().context()) as server:
        kek = cloud.add_key(server)
        yield server, (f"vault={server.url}", f"ca_file={ca_file}", f"kek={kek.kid}"), cloud.client_secret(tokens)


def vault_calls(world):
    if not BlobClient:
        return (f"W4 vault calls of {CREATES} creates", "absent", "", None)
    with vault(world.run) as (server, options, env), world.on_sink(*options, env=env) as m:
        run_number([world.program("wr"), "small", m.point, CREATES, SMALL])
        calls = [operation for operation, _ in server.operations]
    return (f"W4 vault calls of {CREATES} creates", ", ".join(calls), "get", calls == ["get"])


def huge(world, size):
    """A file that no memory holds: all of it arrives, and none is kept."""
    with world.on_sink(f"memory={MEMORY}M") as m:
        before = world.sink.taken()
        run_number([world.program("wr"), "seq", m.point / "huge", size, PIECE], 900)
        bodies, sent = (b - a for a, b in zip(before, world.sink.taken()))
        peak = m.peak_mib()
    blocks = -(-size // (4 * MIB))
    lists = sent - size - blocks * OVERHEAD  # the block list is what else there is
    good = bodies == blocks + 1 and 0 < lists < 200 * blocks and peak <= 1.2 * MEMORY
    return (f"W5 {size >> 30} GiB, memory={MEMORY}M", f"{bodies} bodies, {sent} bytes, peak {peak:.0f} MiB",
            f"{blocks + 1} bodies, all bytes, <= {1.2 * MEMORY:.0f} MiB", good)  # fmt: skip


def counts(world, mode):
    for count in (vault_calls, *([lambda w: huge(w, mode.huge)] if mode.huge else [])):
        try:
            yield count(world)
        except Failed as failure:
            yield ("writing, a count", f"failed: {failure}", "", False)


# ---- the table


def rows(mode):
    big = f"write of {mode.big // MIB} MiB"
    return [
        Row("W1", big, "seal + send, two workers", value("send2"), value("ours"), "MB/s", ">=", 0.5, 0.25),
        Row("", "", "seal + send, one worker", value("send1"), value("ours"), "MB/s", ">=", 0.5, 0.25),
        Row("W2", "  to Azurite, time", "the Python client", value("python"), value("ours-azurite"), "s", "<=", 1.0, 1.5),
        Row("", "", "rclone crypt", value("rclone"), value("ours-azurite"), "s", "<=", 1.0, 1.5),
        Row("W3", f"peak, {FILES} files at once", f"(memory={MEMORY}M)", lambda v: MEMORY, value(f"peak-{MEMORY}"), "MiB", "<=", 1.2, 1.6),
        Row("", "", f"(memory={DEFAULT_MEMORY}M)", lambda v: DEFAULT_MEMORY, value(f"peak-{DEFAULT_MEMORY}"), "MiB", "<=", 1.2, 1.6),
        Row("W4", f"{CREATES} new files of 16 KiB", "seal + Put Blob alone", value("send-small"), value("ours-small"), "/s", ">=", 0.1, 0.02),
    ]  # fmt: skip


def measure(world, mode):
    cases = Cases(world, mode)
    with open(world.directory / "samples-write.jsonl", "w", encoding="utf-8") as log:
        rounds = Rounds(cases.all() + cases.ours(), world.pids, log, mode.seconds)
        rounds.run(mode.rounds, progress)
    progress("")
    table = Table(rounds)
    for row in rows(mode):
        table.add(row, True)
    say(table.text())
    missed = []
    for what, figure, wanted, good in counts(world, mode):
        say(f"{what}: {figure}" + (f" (asked: {wanted}){'' if good else '  <- NOT MET'}" if wanted else ""))
        missed += [what] if figure.startswith("failed") else []
    for name, failure in rounds.failures.items():
        say(f"FAILED {name}: {failure}")
    say(f"* reported, fails nothing. Foreign CPU share of the kept samples: median {spread(rounds.foreign)[0]:.2f}, "
        f"most {spread(rounds.foreign)[2]:.2f}")  # fmt: skip
    return missed + table.missed + [c.name for c in cases.ours() if c.name in rounds.failures]


def main():
    mode = MODES[os.environ.get("BENCH", "full")]
    if not World.has_fuse():
        say("bench: writing: NO FUSE HERE")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        with WriteWorld(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), mode.big) as world:
            say(f"bench: writing, {mode.rounds} rounds" + ("" if world.azurite else "; Azurite and its clients absent")
                + ("" if shutil.which("rclone") else "; rclone absent"))  # fmt: skip
            missed = measure(world, mode)
    except Failed as failure:
        say(f"bench: {failure}")
        return 2
    if missed:
        say(f"bench: MISSED: {', '.join(missed)}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
