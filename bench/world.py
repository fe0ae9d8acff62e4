# SPDX-License-Identifier: MIT
"""What the measurements stand on: data, the static server, and mounts of the program and of its peers.

Everything listens on the loopback or lies in one directory, and everything that is started here is stopped here,
by its process id.
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

from sampler import Failed

HERE = pathlib.Path(__file__).resolve().parent
REGION = 4 << 20
OVERHEAD = 28
SMALL = 16384
READ_AHEAD = 128 << 10
MANY = 100000
PATIENCE = 30


def wait_for(condition, what, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.005)


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def clean_environment(home):
    """No credential, proxy or configuration of whoever calls."""
    return {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "HOME": str(home), "LANG": "C.UTF-8"}


def tail(path, n=600):
    try:
        return path.read_text(errors="replace")[-n:].strip()
    except OSError:
        return ""


def stop(process, seconds=15):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if process.poll() is None:
        process.kill()
    return process.wait()


def unmount(point):
    subprocess.run(["fusermount3", "-u", "-z", str(point)], capture_output=True, check=False)


def run_quietly(argv, **options):
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise Failed(f"{argv[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


class Data:
    """The files that gen makes, made again when the sizes or gen have changed."""

    def __init__(self, directory, big, n_small):
        self.directory, self.big, self.n_small = directory / "data", big, n_small
        self.plain = self.directory / "plain" / "blob"
        self.sealed = self.directory / "blobs" / "big" / "blob"
        self.keys = self.directory / "keys.json"

    def make(self, gen):
        stamp = self.directory / "stamp"
        wanted = f"{self.big} {self.n_small} {MANY} {gen.stat().st_mtime_ns}"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        shutil.rmtree(self.directory, ignore_errors=True)
        run_quietly([gen, self.directory, self.big, self.n_small, MANY])
        stamp.write_text(wanted)
        os.sync()

    def warm(self):
        """Puts what is read into the page cache, so that no disk is measured.

        The plain file goes there in pieces of the read-ahead that the kernel gives to a file system in user space: a disk may
        have a longer one, then the kernel uses larger pages for its files, which are faster.
        """
        for path in self.directory.rglob("*"):
            if path.is_file():
                with open(path, "rb", buffering=0) as f:
                    self._read(f, READ_AHEAD if path == self.plain else 0)

    @staticmethod
    def _read(f, piece):
        size = os.fstat(f.fileno()).st_size
        if size > REGION:
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        for offset in range(0, size if piece else 0, piece or 1):
            os.posix_fadvise(f.fileno(), offset, piece, os.POSIX_FADV_WILLNEED)
        while f.read(1 << 20):
            pass


class Server:
    """nginx with the configuration nginx.conf.in."""

    def __init__(self, data, run):
        self.data, self._run, self._process = data, run, None
        self.port, self.counted_port = free_ports(2)
        self._log = run / "nginx-access.log"

    def url(self, path, counted=False):
        return f"http://127.0.0.1:{self.counted_port if counted else self.port}/benchaccount/{path}"

    @staticmethod
    def modules():
        """Where nginx has its modules, or None when it or the one that is needed is missing."""
        nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not nginx:
            return None, None
        said = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=False).stderr
        found = re.search(r"--modules-path=(\S+)", said)
        place = pathlib.Path(found.group(1)) if found else pathlib.Path("/usr/lib/nginx/modules")
        return nginx, place if (place / "ngx_http_headers_more_filter_module.so").exists() else None

    def start(self):
        nginx, modules = self.modules()
        values = {
            "USER": "user root;" if os.geteuid() == 0 else "", "RUN": self._run, "DATA": self.data.directory,
            "MODULES": modules, "PORT": self.port, "COUNTED_PORT": self.counted_port,
        }  # fmt: skip
        text = (HERE / "nginx.conf.in").read_text()
        config = self._run / "nginx.conf"
        config.write_text(re.sub(r"@([A-Z_]+)@", lambda m: str(values[m.group(1)]), text))
        error_log = self._run / "nginx-error.log"
        self._process = subprocess.Popen(
            [nginx, "-c", str(config), "-p", str(self._run), "-e", str(error_log)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(lambda: listens(self.port) or self._process.poll() is not None, "nginx")
        if self._process.poll() is not None:
            raise Failed(f"nginx ended: {tail(error_log)}")

    def stop(self):
        if self._process:
            stop(self._process)

    def pids(self):
        """The master and its workers."""
        found = [self._process.pid]
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError, IndexError):
                    fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
                    if int(fields[1]) == self._process.pid:
                        found.append(int(entry))
        return found

    @contextlib.contextmanager
    def counting(self):
        """Yields a list that afterwards holds (method, path, query, status, bytes) of each request on the counted port."""
        requests = []
        before = self._log.stat().st_size
        yield requests
        self._settle()
        with open(self._log, encoding="utf-8", errors="replace") as f:
            f.seek(before)
            for line in f:
                method, path, query, status, sent = line.split()[:5]
                requests.append((method, path, query, int(status), int(sent)))

    def _settle(self):
        """A request is logged after its last byte: waits until the log has stopped to grow."""
        last = -1
        for _ in range(50):
            size = self._log.stat().st_size
            if size == last:
                return
            last = size
            time.sleep(0.1)


class Mount:
    """One mounted file system and the process that serves it."""

    def __init__(self, name, argv, run, env=None):
        """argv: of a program that stays in the foreground; {} in it stands for the mount point."""
        self._name, self._env = name, env
        self.point = run / "mnt" / name
        self._log = run / f"{name}.log"
        self._argv = [str(a).replace("{}", str(self.point)) for a in argv]
        self._process = None

    def __enter__(self):
        self.point.mkdir(parents=True, exist_ok=True)
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                self._argv, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
            )
        try:
            wait_for(lambda: os.path.ismount(self.point) or self._process.poll() is not None, f"mount of {self._name}")
            if self._process.poll() is not None:
                raise Failed(f"{self._name}: mount ended with {self._process.returncode}: {tail(self._log)}")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        self._end()

    def _end(self):
        if self._process.poll() is None and os.path.ismount(self.point):
            subprocess.run(["fusermount3", "-u", str(self.point)], capture_output=True, check=False)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        stop(self._process)
        if os.path.ismount(self.point):
            unmount(self.point)

    @property
    def pids(self):
        return [self._process.pid]

    def _memory_kib(self, what):
        status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+) kB", status).group(1))

    def peak_mib(self):
        """The most memory that the process has ever had."""
        return self._memory_kib("VmHWM") / 1024

    def resident_bytes(self):
        return self._memory_kib("VmRSS") * 1024


class World:
    """All of it.  Peers that are not installed are None."""

    def __init__(self, directory, binary, big, n_small):
        self.directory, self.binary = directory, binary
        self.run = directory / f"run-{os.getpid()}"
        self.data = Data(directory, big, n_small)
        self.server = None
        self.rclone = shutil.which("rclone")
        self.gocryptfs = shutil.which("gocryptfs")
        self._rclone_config = self.run / "rclone.conf"
        self._password = self.run / "password"

    def __enter__(self):
        (self.run / "mnt").mkdir(parents=True)
        try:
            self.data.make(self.program("gen"))
            self.server = Server(self.data, self.run)
            self.server.start()
            if self.rclone:
                self._prepare_rclone()
            if self.gocryptfs and self.has_fuse():
                self._prepare_gocryptfs()
            self.data.warm()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.server:
            self.server.stop()
        if not any(os.path.ismount(p) for p in (self.run / "mnt").iterdir()):
            shutil.rmtree(self.run, ignore_errors=True)

    @staticmethod
    def has_fuse():
        return os.access("/dev/fuse", os.R_OK | os.W_OK) and shutil.which("fusermount3") is not None

    def program(self, name):
        return self.directory / "bin" / name

    def ours(self, container, counted=False):
        source = "blob:" + self.server.url(container, counted)
        argv = [self.binary, "mount", "-f", "-o", f"keys={self.data.keys}", source, "{}"]
        return Mount("azcryptfs", argv, self.run, clean_environment(self.run))

    def memfs(self):
        return Mount("memfs", [self.program("memfs"), "{}", self.data.big], self.run)

    # ---- peers

    def _prepare_rclone(self):
        password = run_quietly([self.rclone, "obscure", "bench"]).strip()
        crypt = f"password = {password}\nfilename_encryption = off\ndirectory_name_encryption = false\n"
        peer = self.data.directory / "peer" / "rclone"
        self._rclone_config.write_text(
            f"[local]\ntype = crypt\nremote = {peer}\n{crypt}"
            f"[web]\ntype = http\nurl = http://127.0.0.1:{self.server.port}/peer/rclone/\n"
            f"[sealed]\ntype = crypt\nremote = web:\n{crypt}"
            f"[blobs]\ntype = azureblob\nuse_emulator = true\n"
            f"endpoint = http://127.0.0.1:{self.server.port}/benchaccount\n"
        )
        if not peer.exists():
            run_quietly([*self.rclone_argv("copyto"), self.data.plain, "local:blob"])

    def rclone_argv(self, command):
        return [self.rclone, "--config", self._rclone_config, "--cache-dir", self.run / "rclone-cache", command]

    def rclone_mount(self):
        argv = [*self.rclone_argv("mount"), "sealed:", "{}", "--read-only"]
        return Mount("rclone", argv, self.run, clean_environment(self.run))

    def _prepare_gocryptfs(self):
        self._password.write_text("bench\n")
        sealed = self.data.directory / "peer-gocryptfs"
        if sealed.exists():
            return
        making = sealed.with_suffix(".new")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        run_quietly([self.gocryptfs, "-init", "-q", "-scryptn", "10", "-passfile", self._password, making])
        with self._gocryptfs_mount(making) as m:
            shutil.copyfile(self.data.plain, m.point / "blob")
        making.rename(sealed)

    def _gocryptfs_mount(self, sealed, *options):
        argv = [self.gocryptfs, "-fg", "-q", "-passfile", self._password, *options, sealed, "{}"]
        return Mount("gocryptfs", argv, self.run, clean_environment(self.run))

    def gocryptfs_mount(self):
        return self._gocryptfs_mount(self.data.directory / "peer-gocryptfs", "-ro")
