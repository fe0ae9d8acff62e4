# SPDX-License-Identifier: MIT
"""Secrets stay inside the process: not in a log, a command line, an environment, a file, a core, another process.

Canaries go in by every way that there is; then everything that others can see is searched for them.
"""
import base64
import datetime
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from tests.attack.forged import KEK, content_key
from tests.emulators.tokens import DEFAULT_CLIENT, Client
from tests.support import cloud, seal
from tests.support.mount import Mount, command, environment, errno_of
from tests.support.process import wait_until

MARKER = b"canary-of-plaintext-8c1f0b7d2a6e4935"
CLIENT_SECRET = "canary-of-a-client-secret-0f3b"


def pieces(secret):
    """A secret, and the forms in which it could slip out."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return {raw, base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"="), raw.hex().encode()}


def search(canaries, haystacks):
    """(canary, place) for each canary that is found."""
    return [
        (name, place) for name, secret in canaries.items() for place, hay in haystacks.items()
        if any(piece in hay for piece in pieces(secret))
    ]  # fmt: skip


def visible(m, directory, stored):
    """What others could come by: log, command line, environment, every file of the run but the given ones."""
    pid = m.daemon.pid
    found = {"log": m.log_path.read_bytes(), "cmdline": pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()}
    for path in pathlib.Path(directory).rglob("*"):
        if path.is_file() and m.point not in path.parents and path not in stored:
            found[str(path)] = path.read_bytes()
    return found


def environ_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        return b""


@pytest.fixture
def canaries(mount, azurite_tls, vault, tokens, ca_file, tmp_path, keys_file):
    """A mount at log_level=debug that has used every kind of secret, well and badly; and the secrets."""
    tokens.clients[DEFAULT_CLIENT] = Client(secret=CLIENT_SECRET)
    kek = cloud.add_key(vault)
    container = azurite_tls.make_container()
    plain = MARKER * 1000
    sealed = {"by-vault": seal.seal(plain, kek), "by-file": seal.seal(plain, KEK), "spoilt": seal.seal(plain, kek)}
    for name, (stored, metadata) in sealed.items():
        azurite_tls.put(container, name, stored[:-1] + b"\0" if name == "spoilt" else stored, metadata)
    keys = keys_file(KEK)
    m = mount(
        azurite_tls.source(container), f"vault={vault.url}", f"ca_file={ca_file}", f"keys={keys}", "log_level=debug",
        env=cloud.client_secret(tokens, AZURE_CLIENT_SECRET=CLIENT_SECRET),
    )  # fmt: skip
    assert m.read("by-vault") == m.read("by-file") == plain
    errno_of(m.read, "spoilt")
    vault.revoke_tokens()
    vault.faults.add(path="unwrapkey", status=500)
    errno_of(m.read, "spoilt")
    secrets = {
        "client secret": CLIENT_SECRET, "KEK": KEK.secret, "plaintext": MARKER,
        "CEK by file": content_key(sealed["by-file"][1]),
    }  # fmt: skip
    return m, secrets, {keys}


def test_the_secrets_of_keys_are_nowhere(canaries, tmp_path):
    """Client secret, key in a file, content key, tokens, plaintext; those of the account are in the next test."""
    m, secrets, given = canaries
    assert m.events("net.request"), "the log is not at debug"
    assert search(secrets, visible(m, tmp_path, given)) == []
    assert search(secrets, {"environ": environ_of(m.daemon.pid)}) == []
    for name in ("vault", "storage"):
        assert "eyJ" not in m.log(), f"a token for {name}"
    assert "Bearer" not in m.log() and "sig=" not in m.log() and "client_secret" not in m.log()


@pytest.mark.parametrize("how", ["connection string", "key", "SAS", "key file", "SAS file"])
def test_the_account_secrets_are_nowhere(mount, azurite, container, tmp_path, keys_file, how):
    azurite.put(container, "x", *seal.seal(MARKER, KEK))
    sas = make_sas(azurite, container)
    signature = sas.partition("sig=")[2].partition("&")[0]
    files = {"key file": azurite.key, "SAS file": sas}
    options, env, given = [], {}, set()
    if how in files:
        secret = tmp_path / "secret"
        secret.touch(mode=0o600)
        secret.write_text(files[how])
        options = [f"{'storage_key_file' if how == 'key file' else 'sas_file'}={secret}"]
        given = {secret}
    else:
        env = {
            "connection string": azurite.environment(), "key": {"AZURE_STORAGE_KEY": azurite.key}, "SAS": {"AZURE_STORAGE_SAS_TOKEN": sas},
        }[how]  # fmt: skip
    keys = keys_file(KEK)
    m = mount(azurite.source(container), f"keys={keys}", "log_level=debug", *options, env=env)
    assert m.read("x") == MARKER
    errno_of(os.stat, m.path("missing"))
    secrets = {"account key": azurite.key, "signature": signature, "account key's bytes": base64.b64decode(azurite.key)}
    assert search(secrets, visible(m, tmp_path, given | {keys})) == []
    assert search(secrets, {"environ": environ_of(m.daemon.pid)}) == []
    assert m.events("net.request") and "sig=" not in m.log() and "SharedKey" not in m.log()


def make_sas(azurite, container):
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    permission = ContainerSasPermissions(read=True, list=True)
    return generate_container_sas(azurite.account, container, account_key=azurite.key, permission=permission, expiry=until)


# ---- the process


def instrumented(binary):
    """AddressSanitizer ignores mlock and takes SIGSEGV for itself."""
    return b"__asan_init" in binary.read_bytes()


@pytest.fixture
def sealed_mount(attacked, dirstore):
    dirstore.put("x", *seal.seal(MARKER, KEK))
    m = attacked()
    assert m.read("x") == MARKER
    return m


LOOK = """
import os, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
for name in ("mem", "environ", "maps", "auxv"):
    try:
        open(f"/proc/{sys.argv[1]}/{name}", "rb").read(1)
        print(name, "READ")
    except PermissionError:
        print(name, "refused")
"""
NOBODY = 65534


def test_the_same_user_cannot_look_into_the_process():
    """An unprivileged user's process, and a second one of that user; a server that says nothing keeps the first busy."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = f"blob:http://127.0.0.1:{silent.getsockname()[1]}/account/box"
        waiting = subprocess.Popen(
            command("ls", "-o", "timeout=20", source), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment("/", {"AZURE_STORAGE_KEY": "a2V5"}), user=NOBODY, group=NOBODY, extra_groups=[],
        )  # fmt: skip
        try:
            silent.accept()
            done = subprocess.run(
                [sys.executable, "-c", LOOK, str(waiting.pid), str(NOBODY)], capture_output=True, text=True, check=True
            )
        finally:
            waiting.kill()
            waiting.wait()
    assert done.stdout.split("\n")[:-1] == [f"{name} refused" for name in ("mem", "environ", "maps", "auxv")]


def test_no_core_is_written(sealed_mount):
    m = sealed_mount
    limits = pathlib.Path(f"/proc/{m.daemon.pid}/limits").read_text()
    (line,) = [x for x in limits.splitlines() if x.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"]


def test_a_crash_leaves_no_core(sealed_mount, tmp_path, binary):
    m = sealed_mount
    before = set(pathlib.Path("/").glob("core*")) | set(tmp_path.rglob("core*"))
    daemon, m.daemon = m.daemon, None
    try:
        daemon.send_signal(signal.SIGSEGV)
        status = daemon.wait(10)
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(m.point)], check=False, capture_output=True)
    assert status == -signal.SIGSEGV or instrumented(binary)
    assert (set(pathlib.Path("/").glob("core*")) | set(tmp_path.rglob("core*"))) == before


def test_keys_are_in_locked_memory(sealed_mount, binary):
    if instrumented(binary):
        pytest.skip("mlock does nothing under AddressSanitizer")
    m = sealed_mount
    status = pathlib.Path(f"/proc/{m.daemon.pid}/status").read_text()
    locked = int(status.partition("VmLck:")[2].split()[0])
    assert locked > 0 or m.events("local.unlocked_keys"), status


def test_without_locked_memory_there_is_a_warning(dirstore, tmp_path, keys_file, binary):
    """ulimit -l 0, as a user without CAP_IPC_LOCK: it works, and says that keys could be swapped."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to drop the capability")
    if instrumented(binary):
        pytest.skip("mlock does nothing under AddressSanitizer")
    dirstore.put("x", *seal.seal(MARKER, KEK))
    made = Mount(dirstore.source, tmp_path / "m", [f"keys={keys_file(KEK)}"])
    os.environ["AZC_WRAPPER"], before = "setpriv --bounding-set -ipc_lock prlimit --memlock=0:0", os.environ.get("AZC_WRAPPER")
    try:
        with made as m:
            assert m.read("x") == MARKER
            status = pathlib.Path(f"/proc/{m.daemon.pid}/status").read_text()
            if int(status.partition("VmLck:")[2].split()[0]) == 0:
                m.assert_event("local.unlocked_keys", "ulimit -l")
    finally:
        if before is None:
            del os.environ["AZC_WRAPPER"]
        else:
            os.environ["AZC_WRAPPER"] = before


# ---- files with secrets


@pytest.mark.parametrize("option", ["keys", "storage_key_file", "sas_file"])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o622, 0o660])
def test_a_secret_that_others_may_read_is_refused(refused, tmp_path, option, mode):
    file = tmp_path / "secret"
    file.write_text('{"keys":[]}')
    file.chmod(mode)
    status, said = refused("blob:http://127.0.0.1:9/account/box", f"{option}={file}", env={"AZURE_STORAGE_KEY": "a2V5"} if option == "keys" else None)
    assert status == 4, said
    assert str(file) in said and "chmod 600" in said and f"{mode:o}" in said


def test_a_secret_that_belongs_to_somebody_else_is_refused(refused, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a file away")
    file = tmp_path / "secret"
    file.write_text("x")
    file.chmod(0o600)
    os.chown(file, NOBODY, NOBODY)
    status, said = refused("blob:http://127.0.0.1:9/account/box", f"storage_key_file={file}")
    assert status == 4, said
    assert "must be yours" in said


@pytest.mark.parametrize("kind", ["symlink", "directory", "fifo"])
def test_a_secret_must_be_a_plain_file(refused, tmp_path, kind):
    file = tmp_path / "secret"
    if kind == "symlink":
        (tmp_path / "real").write_text("x")
        file.symlink_to(tmp_path / "real")
    elif kind == "directory":
        file.mkdir(mode=0o700)
    else:
        os.mkfifo(file, 0o600)
    status, said = refused("blob:http://127.0.0.1:9/account/box", f"storage_key_file={file}")
    assert status != 0 and str(file) in said


# ---- secrets where everybody can see them


@pytest.mark.parametrize("source", [
    "https://account.blob.core.windows.net/box?sv=2024-11-04&sig=canary%3D", "blob:http://127.0.0.1:9/account/box?sig=canary&se=2030-01-01",
    "https://user:canary@account.blob.core.windows.net/box", "https://account.blob.core.windows.net/box/x?sv=1&SIG=canary",
])  # fmt: skip
def test_a_secret_in_source_is_refused_with_advice(refused, source):
    """It is in the process list already; at least it is not used, not repeated, and the right place is named."""
    status, said = refused(source)
    assert status == 2, said
    assert "canary" not in said
    assert "AZURE_STORAGE_SAS_TOKEN" in said or "sas_file" in said or "user" in said


@pytest.mark.parametrize("option", ["storage_key=canary", "sas=canary", "client_secret=canary", "password=canary"])
def test_there_is_no_option_for_a_secret(refused, option):
    status, said = refused("blob:http://127.0.0.1:9/account/box", option)
    assert status == 2, said
    assert "canary" not in said and "unknown option" in said


def test_the_log_file_is_for_its_owner(attacked, dirstore, tmp_path):
    dirstore.put("x", *seal.seal(MARKER, KEK))
    log = tmp_path / "file.log"
    m = attacked(f"log={log}")
    m.read("x")
    wait_until(log.exists, 2, "the log file")
    assert log.stat().st_mode & 0o777 == 0o600
    assert "mount.ready" in log.read_text()


def test_a_log_file_that_is_a_link_is_refused(refused, dirstore, tmp_path):
    (tmp_path / "precious").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    status, said = refused(dirstore.source, f"log={tmp_path / 'link'}")
    assert status != 0 and "link" in said
    assert (tmp_path / "precious").read_text() == "x"


# ---- who may look at the files


def test_other_users_cannot_look_in(dirstore, keys_file, binary):
    """The directories on the way let everybody pass; the mount does not."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    dirstore.put("x", *seal.seal(MARKER, KEK))
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        with Mount(dirstore.source, directory, [f"keys={keys_file(KEK)}"]) as m:
            assert m.list() == ["x"]
            as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "ls"]
            assert subprocess.run([*as_nobody, directory], capture_output=True, check=False).stdout == b"log\nmnt\n"
            done = subprocess.run([*as_nobody, str(m.point)], capture_output=True, text=True, check=False)
            assert done.returncode != 0 and "denied" in done.stderr


def test_a_child_inherits_nothing_of_the_daemon(sealed_mount):
    """Descriptors are closed at an exec; here: none of them is without O_CLOEXEC but the standard ones."""
    pid = sealed_mount.daemon.pid
    for fd in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        flags = int(fd.read_text().partition("flags:")[2].split()[0], 8)
        assert int(fd.name) <= 2 or flags & os.O_CLOEXEC, os.readlink(f"/proc/{pid}/fd/{fd.name}")


def test_the_environment_of_the_daemon_holds_no_secret(mount, dirstore, keys_file):
    """Root can look: what was there has been written over in place."""
    dirstore.put("x", *seal.seal(MARKER, KEK))
    secrets = {
        "AZURE_CLIENT_SECRET": "canary-1-0f3b", "AZURE_STORAGE_KEY": "Y2FuYXJ5LTItMGYzYg==", "AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=canary-3",
        "AZURE_STORAGE_CONNECTION_STRING": "AccountName=a;AccountKey=canary-4", "IDENTITY_HEADER": "canary-5-0f3b",
    }  # fmt: skip
    m = mount(dirstore.source, f"keys={keys_file(KEK)}", env=secrets)
    seen = environ_of(m.daemon.pid)
    assert [name for name, value in secrets.items() if value.encode() in seen] == []
    assert m.read("x") == MARKER
