# SPDX-License-Identifier: MIT
"""A mount of the program under test.

    with Mount(source, directory, options=["v1=read"], env=azurite.environment()) as m:
        m.read("name")

The daemon runs in the foreground (-f) with a cleared environment, its stderr is kept as the log, and its
end is checked: an exit status other than 0, or a report of a sanitizer, fails the test that mounted.

AZC_BINARY   the program (default: build/azcryptfs)
AZC_WRAPPER  put before it: "valgrind -q --leak-check=full --error-exitcode=99"
AZC_SLOW     factor for every wait
"""
import errno
import os
import pathlib
import re
import shlex
import signal
import subprocess

from tests.support.process import SLOW, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Exit statuses that are a tool's verdict rather than the program's: LSan and ASan, TSan, valgrind (ours).
VERDICTS = {1: "the program, ASan or LeakSanitizer", 66: "ThreadSanitizer", 99: "valgrind"}
REPORT = re.compile(r"(ERROR|WARNING): (Address|Leak|Thread)Sanitizer|runtime error: |== (Invalid|Conditional jump)")
LINE = re.compile(r"^(?:\S+ )*?(error|warning|info|debug|[EWID]) ([a-z0-9_]+(?:\.[a-z0-9_-]+)+) (.*)$", re.IGNORECASE)


def binary():
    return pathlib.Path(os.environ.get("AZC_BINARY", ROOT / "build" / "azcryptfs")).resolve()


def command(*arguments):
    """The command line of the program under test."""
    return [*shlex.split(os.environ.get("AZC_WRAPPER", "")), str(binary()), *map(str, arguments)]


def environment(home, given=None):
    """Nothing of ours but what the sanitizers need: no credential, proxy or CA variable of this machine."""
    clean = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LLVM_PROFILE_FILE", "GCOV_PREFIX"):
        if name in os.environ:
            clean[name] = os.environ[name]
    return {**clean, **{k: str(v) for k, v in (given or {}).items()}}


def run(*arguments, env=None, home="/", timeout=60, **options):
    """Runs one command of the program to its end: (status, stdout, stderr) as a CompletedProcess of bytes."""
    done = subprocess.run(
        command(*arguments), env=environment(home, env), capture_output=True, timeout=timeout * SLOW, check=False, **options
    )
    found = REPORT.search(done.stderr.decode(errors="replace"))
    if found or done.returncode in (66, 99):
        raise AssertionError(f"{arguments}: exit status {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done


def errno_of(function, *arguments):
    """The errno's name with which a call fails, or None: errno_of(m.read, "x") == "EBADMSG"."""
    try:
        function(*arguments)
    except OSError as e:
        return "EOPNOTSUPP" if e.errno == errno.EOPNOTSUPP else errno.errorcode.get(e.errno, str(e.errno))
    return None


class MountFailed(Exception):
    def __init__(self, status, log):
        super().__init__(f"mount: exit status {status}\n{log}")
        self.status, self.log = status, log


class Mount:
    def __init__(self, source, directory, options=(), env=None, config=None):
        """source: SOURCE, or None with config= (the file of -c).  options: "name=value" each."""
        self.directory = pathlib.Path(directory)
        self.point = self.directory / "mnt"
        self.log_path = self.directory / "log"
        self._source, self._config, self._env = source, config, env
        self._options = [str(o) for o in options]
        if any("," in o for o in self._options):
            raise ValueError(f"an option with a comma cannot go into -o: {self._options}")
        self.daemon = None

    # ---- life

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.stop(check=kind is None)

    def start(self):
        self.point.mkdir(parents=True, exist_ok=True)
        arguments = ["mount", "-f"]
        if self._options:
            arguments += ["-o", ",".join(self._options)]
        arguments += ["-c", self._config] if self._config else [self._source]
        with open(self.log_path, "ab") as log:
            self.daemon = subprocess.Popen(
                command(*arguments, self.point), env=environment(self.directory, self._env),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            wait_until(lambda: self.daemon.poll() is not None or self._answers(), 30, f"mount of {self._source}")
        except TimeoutError:
            self._force()
            raise
        if self.daemon.poll() is not None:
            raise MountFailed(self.daemon.returncode, self.log())
        return self

    def stop(self, how="signal", check=True):
        """Unmounts by SIGTERM ("signal") or fusermount3 -u ("umount"), waits for the daemon and checks its end."""
        if self.daemon is None:
            return
        daemon, self.daemon = self.daemon, None
        if daemon.poll() is None:
            self._ask_to_end(daemon, how)
        try:
            daemon.wait(20 * SLOW)
        except subprocess.TimeoutExpired:
            self.daemon = daemon
            self._force()
            raise AssertionError(f"the daemon did not end by {how}\n{self.log()}") from None
        if check:
            self.check_end(daemon.returncode)

    def check_end(self, status):
        log = self.log()
        if status != 0:
            raise AssertionError(f"exit status {status} ({VERDICTS.get(status, 'unexpected')})\n{log}")
        if REPORT.search(log):
            raise AssertionError(f"a sanitizer reported:\n{log}")
        if self.mounted():
            raise AssertionError(f"{self.point} is still mounted after the daemon's end")

    def _ask_to_end(self, daemon, how):
        if how == "signal":
            daemon.send_signal(signal.SIGTERM)
            return
        # A program that looks into new mounts may hold the root open for a moment.
        wait_until(lambda: self._umount().returncode == 0, 10, f"fusermount3 -u {self.point}", poll=0.1)

    def _umount(self, *options):
        return subprocess.run(["fusermount3", "-u", *options, str(self.point)], capture_output=True, check=False)

    def _force(self):
        """After a failure only: leaves neither the daemon nor the mount behind."""
        daemon, self.daemon = self.daemon, None
        self._umount("-z")
        if daemon and daemon.poll() is None:
            daemon.kill()
        if daemon:
            daemon.wait()
        self._umount("-z")

    def mounted(self):
        wanted = str(self.point.resolve())
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            return any(line.split()[4].encode().decode("unicode_escape") == wanted for line in f)

    def _answers(self):
        if not self.mounted():
            return False
        try:
            os.statvfs(self.point)
        except OSError:
            return False
        return True

    # ---- files

    def path(self, name=""):
        return self.point / name if name else self.point

    def read(self, name):
        return self.path(name).read_bytes()

    def read_range(self, name, offset, length):
        """What one pread returns, and what follows, until length bytes or the end of the file."""
        with self.open(name) as f:
            return f.range(offset, length)

    def open(self, name):
        return OpenFile(self.path(name))

    def list(self, name=""):
        return sorted(os.listdir(self.path(name)))

    # ---- log

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def events(self, name=None):
        """(level, event, text) of each line, or of the lines of one event."""
        found = [m.groups() for m in map(LINE.match, self.log().splitlines()) if m]
        return [e for e in found if name in (None, e[1])]

    def assert_event(self, name, *contains, count=1):
        """Exactly count lines of that event, and the words in each."""
        wait_until(lambda: len(self.events(name)) >= count, 2, f"{count} x {name} in the log:\n{self.log()}")
        lines = self.events(name)
        assert len(lines) == count, f"{len(lines)} x {name}, not {count}:\n{self.log()}"
        for level, event, text in lines:
            for word in contains:
                assert word in text, f"{word!r} is not in: {level} {event} {text}"


class OpenFile:
    """A file descriptor with ranges."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    @property
    def size(self):
        return os.fstat(self.fd).st_size

    def range(self, offset, length):
        out = bytearray()
        while len(out) < length:
            piece = os.pread(self.fd, length - len(out), offset + len(out))
            if not piece:
                break
            out += piece
        return bytes(out)
