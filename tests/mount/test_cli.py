# SPDX-License-Identifier: MIT
"""The command line: every command on a dir: store and on Azurite, the exit statuses of docs/ERRORS.md, mounts in
the background and by a file, and that no secret is ever said.
"""
import datetime
import json
import os
import pathlib
import pty
import signal
import stat
import subprocess
import time

import pytest
from azure.storage.blob import BlobSasPermissions, generate_blob_sas

from tests.conftest import need_fuse
from tests.support import mount as mounting
from tests.support import seal
from tests.support.process import wait_until

KEK = seal.make_kek("A256KW", "https://example.vault.azure.net/keys/cli/" + "0" * 32)
OTHER = seal.make_kek("A256KW", "https://example.vault.azure.net/keys/other/" + "0" * 32)
WHEN = "2026-11-20T12:00:00Z"
BIG = seal.random_plaintext("cli", 300_000)
FILES = {
    "a.txt": b"alpha\n",
    "dir/b.bin": BIG,
    "dir/deep/er/c": b"",
    "dir/with blank and ü": b"umlaut\n",
    "100%": b"percent\n",
}


@pytest.fixture
def store(dirstore):
    for i, (name, plain) in enumerate(FILES.items()):
        dirstore.put(name, *seal.seal(plain, KEK, "2.1", 4096), last_modified=WHEN, etag=f"0x{i}")
    return dirstore


@pytest.fixture
def keys(keys_file):
    return {"AZCRYPTFS_KEYS": keys_file(KEK)}


@pytest.fixture
def tampered(store):
    stored, metadata = seal.seal(BIG, KEK, "2.1", 4096)
    store.put("bad", stored[:100_000] + bytes([stored[100_000] ^ 1]) + stored[100_001:], metadata)
    return store


def text(data):
    return data.decode(errors="replace")


def sentence(done):
    """The one line on stderr."""
    lines = text(done.stderr).splitlines()
    assert len(lines) == 1, lines
    return lines[0]


# ---- version, help, usage


def test_version_and_help(run):
    assert run("version").stdout.startswith(b"azcryptfs ")
    assert run("--version").stdout == run("version").stdout
    shown = text(run("--help").stdout)
    assert shown == text(run("help").stdout)
    assert len(shown.splitlines()) <= 24
    assert all(len(line) <= 80 for line in shown.splitlines())
    for command in ("mount", "ls", "cat", "get", "stat"):
        assert f"usage: azcryptfs {command} " in text(run(command, "--help").stdout)
        assert run("help", command).stdout == run(command, "-h").stdout


def test_help_options_names_them_all(run):
    shown = text(run("help", "options").stdout)
    for name in (
        "keys vault kek_alg v1 unencrypted region_order max_region memory key_ttl ca_file credential vault_credential "
        "storage_key_file sas_file uid gid umask attr_timeout negative_timeout timeout allow_other ro proxy allow_http "
        "log log_level"
    ).split():
        assert f"\n  {name}" in "\n" + shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no command"),
        (["mout"], "unknown command mout"),
        (["help", "mout"], "mout"),
        (["cat"], "no SOURCE/PATH"),
        (["ls", "--colour", "dir:/x"], "--colour"),
        (["ls", "-x", "dir:/x"], "-x"),
        (["ls", "-o"], "-o"),
        (["ls", "-o", "nonsense=1", "dir:/x"], '"nonsense"'),
        (["ls", "-o", "v1=maybe", "dir:/x"], "deny|read"),
        (["get", "-j", "0", "dir:/x"], "--jobs"),
        (["get", "a", "b", "c"], "TARGET"),
        (["mount", "dir:/x"], "SOURCE and DIR"),
        (["mount", "dir:/x", "a", "b"], "more than SOURCE and DIR"),
        (["mount", "-c", "f", "dir:/x", "a"], "DIR"),
        (["mount", "-o", "rw,ro", "dir:/x", "/tmp"], "contradict"),
        (["mount", "-o", "storage_key_file=/a,sas_file=/b", "dir:/x", "/tmp"], "storage_key_file (-o) and sas_file (-o)"),
    ],
)
def test_a_wrong_command_line_is_2_and_says_why(run, arguments, says):
    done = run(*arguments)
    assert done.returncode == 2
    assert says in text(done.stderr)
    assert done.stdout == b""


def test_a_wrong_environment_is_2_and_names_the_variable(run):
    done = run("ls", "dir:/x", env={"AZCRYPTFS_NONSENSE": "1"})
    assert done.returncode == 2
    assert "AZCRYPTFS_NONSENSE" in text(done.stderr)


# ---- ls


def test_ls_shows_names_without_a_key(run, store):
    assert text(run("ls", store.source).stdout).splitlines() == ["100%", "a.txt", "dir/"]
    assert text(run("ls", f"{store.source}/dir").stdout).splitlines() == ["b.bin", "deep/", "with blank and ü"]
    assert text(run("ls", f"{store.source}/dir/").stdout).splitlines() == ["b.bin", "deep/", "with blank and ü"]


def test_ls_long_shows_plain_sizes_and_times(run, store):
    rows = [line.split(None, 2) for line in text(run("ls", "-l", f"{store.source}/dir").stdout).splitlines()]
    assert rows == [["300000", WHEN, "b.bin"], ["-", "-", "deep/"], ["7", WHEN, "with blank and ü"]]
    assert text(run("ls", "-l", f"{store.source}/a.txt").stdout).split() == ["6", WHEN, "a.txt"]


def test_ls_recursive_shows_everything_once(run, store):
    found = text(run("ls", "-R", store.source).stdout).splitlines()
    assert sorted(found) == sorted([*FILES, "dir/", "dir/deep/", "dir/deep/er/"])
    below = text(run("ls", "-R", f"{store.source}/dir").stdout).splitlines()
    assert sorted(below) == ["b.bin", "deep/", "deep/er/", "deep/er/c", "with blank and ü"]


# ---- cat


def test_cat_writes_plain_bytes(run, store, keys):
    done = run("cat", f"{store.source}/dir/b.bin", f"{store.source}/a.txt", f"{store.source}/dir/deep/er/c", env=keys)
    assert done.returncode == 0
    assert done.stdout == BIG + b"alpha\n"
    assert run("cat", f"{store.source}/dir/with blank and ü", env=keys).stdout == b"umlaut\n"


def test_cat_of_a_closed_pipe_is_quiet(store, keys, tmp_path):
    shell = " ".join(f"'{word}'" for word in mounting.command("cat", f"{store.source}/dir/b.bin"))
    done = subprocess.run(
        ["bash", "-c", f"{shell} | head -c 1; exit ${{PIPESTATUS[0]}}"],
        env=mounting.environment(tmp_path, keys), capture_output=True, check=False,
    )  # fmt: skip
    assert done.stderr == b""
    assert done.returncode in (0, 128 + signal.SIGPIPE)


def test_no_byte_of_a_damaged_region_comes_out(run, tampered, keys):
    done = run("cat", f"{tampered.source}/bad", env=keys)
    assert done.returncode == 6
    assert BIG.startswith(done.stdout)
    assert len(done.stdout) <= 100_000
    assert "EBADMSG" in sentence(done)
    assert KEK.kid in sentence(done)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/nothing", 3, "ENOENT"),
        ("/a.txt/x", 3, "ENOENT"),
        ("/dir", 1, "directory"),
        ("", 1, "directory"),
        ("/plain", 4, "unencrypted=show"),
        ("/old", 4, "v1=read"),
        ("/foreign", 4, "vault="),
    ],
)
def test_a_failure_is_one_sentence_and_has_its_status(run, store, keys, path, status, says):
    store.put("plain", b"not encrypted")
    store.put("old", *seal.seal(b"old", KEK, "1.0"))
    store.put("foreign", *seal.seal(b"foreign", OTHER, "2.0"))
    done = run("cat", store.source + path, env=keys)
    assert done.returncode == status
    assert done.stdout == b""
    assert says in sentence(done)
    assert sentence(done).startswith(f"azcryptfs: cat: {store.source}{path}: ")


def test_several_failures_of_different_kinds_are_1(run, store, keys):
    assert run("cat", f"{store.source}/x", f"{store.source}/y", env=keys).returncode == 3
    assert run("cat", f"{store.source}/x", f"{store.source}/a.txt", env=keys).returncode == 1
    assert run("cat", f"{store.source}/a.txt", f"{store.source}/x", env=keys).returncode == 1


# ---- stat


def test_stat_knows_everything_but_the_content_without_a_key(run, store):
    found = json.loads(run("stat", "--json", f"{store.source}/dir/b.bin").stdout)
    assert found == {
        "name": "dir/b.bin", "type": "file", "size": 300_000, "size_exact": True, "modified": WHEN, "etag": "0x1",
        "stored_size": 300_000 + 28 * 74, "protocol": "2.1", "key_id": KEK.kid, "algorithm": "A256KW",
        "integrity": "regions", "region_length": 4096,
    }  # fmt: skip


def test_stat_of_several_is_a_line_each(run, store):
    done = run("stat", "--json", store.source, f"{store.source}/dir", f"{store.source}/a.txt")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [f["type"] for f in found] == ["directory", "directory", "file"]


def test_stat_says_where_a_size_is_only_a_bound(run, store):
    store.put("old", *seal.seal(b"old", KEK, "1.0"))
    found = json.loads(run("stat", "--json", f"{store.source}/old").stdout)
    assert (found["size"], found["size_exact"], found["protocol"]) == (15, False, "1.0")
    assert run("ls", "-l", f"{store.source}/old").stdout.split()[0] == b"<=15"


# ---- get


def tree(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in pathlib.Path(root).rglob("*") if p.is_file()}


def test_get_copies_a_tree(run, store, keys, tmp_path):
    done = run("get", "-r", store.source, tmp_path / "out", env=keys)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"")
    assert tree(tmp_path / "out") == FILES
    assert (tmp_path / "out" / "a.txt").stat().st_mtime == 1795176000


def test_get_of_a_part_and_of_one_file(run, store, keys, tmp_path):
    assert run("get", "-r", f"{store.source}/dir/deep", tmp_path / "part", env=keys).returncode == 0
    assert tree(tmp_path / "part") == {"er/c": b""}
    assert run("get", f"{store.source}/dir/b.bin", tmp_path, env=keys).returncode == 0
    assert (tmp_path / "b.bin").read_bytes() == BIG
    assert run("get", f"{store.source}/a.txt", tmp_path / "renamed", env=keys).returncode == 0
    assert (tmp_path / "renamed").read_bytes() == b"alpha\n"
    assert run("get", f"{store.source}/a.txt", env=keys, cwd=tmp_path).returncode == 0
    assert (tmp_path / "a.txt").read_bytes() == b"alpha\n"
    assert run("get", f"{store.source}/dir", tmp_path, env=keys).returncode == 1


def test_get_writes_over_nothing_unless_forced(run, store, keys, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"mine")
    done = run("get", f"{store.source}/a.txt", tmp_path, env=keys)
    assert done.returncode == 1
    assert "--force" in sentence(done)
    assert (tmp_path / "a.txt").read_bytes() == b"mine"
    assert run("get", "--force", f"{store.source}/a.txt", tmp_path, env=keys).returncode == 0
    assert (tmp_path / "a.txt").read_bytes() == b"alpha\n"


def test_get_goes_on_after_a_failure_and_leaves_no_half_file(run, tampered, keys, tmp_path):
    done = run("get", "-r", tampered.source, tmp_path / "out", env=keys)
    assert done.returncode == 1
    assert sentence(done).startswith("azcryptfs: get: bad: ")
    assert tree(tmp_path / "out") == FILES
    assert [p.name for p in (tmp_path / "out").iterdir() if p.name.startswith(".")] == []


def test_get_never_writes_outside_the_target(run, dirstore, keys, tmp_path):
    names = ("../up", "/etc/x", "a/../../up", "..", "./dot", "a//b", "a\\b", "nul\n", "-rf")
    for name in names:
        dirstore.put(name, *seal.seal(name.encode(), KEK, "2.0"))
    (tmp_path / "box").mkdir()
    before = {p.name for p in tmp_path.iterdir()}
    done = run("get", "-r", dirstore.source, tmp_path / "box" / "out", env=keys)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {p.name for p in tmp_path.iterdir()} == before
    assert [p.name for p in (tmp_path / "box").iterdir()] == ["out"]
    assert sorted(tree(tmp_path / "box" / "out").values()) == sorted(n.encode() for n in names)


def test_get_of_a_tree_that_is_not_there_or_is_one_file_has_the_status_of_its_cause(run, azurite, filled, keys, tmp_path):
    env = {**azurite.environment(), **keys}
    missing = run("get", "-r", f"{filled}x", tmp_path / "none", env=env)
    assert (missing.returncode, "does not exist" in sentence(missing)) == (3, True)
    denied = run("get", "-r", f"{filled}/a.txt", tmp_path, env=azurite.environment())
    assert (denied.returncode, "keys=" in sentence(denied)) == (4, True)


def test_get_goes_on_beside_a_directory_that_cannot_be_made(run, dirstore, keys, tmp_path):
    """A link where a directory should be is not followed, and costs what is below it, not its neighbours."""
    for name in ("a", "b/x", "c/y", "d"):
        dirstore.put(name, *seal.seal(name.encode(), KEK, "2.0"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b").symlink_to(tmp_path / "elsewhere")
    done = run("get", "-r", dirstore.source, tmp_path / "out", env=keys)
    assert done.returncode == 1
    assert text(done.stderr).count("azcryptfs: get:") == 1 and "b: " in text(done.stderr)
    assert tree(tmp_path / "out") == {"a": b"a", "c/y": b"c/y", "d": b"d"}
    assert tree(tmp_path / "elsewhere") == {}


def test_get_shows_a_bar_on_a_terminal_only(store, keys, tmp_path):
    main, side = pty.openpty()
    done = subprocess.Popen(
        mounting.command("get", "-r", store.source, tmp_path / "out"), env=mounting.environment(tmp_path, keys), stderr=side
    )
    os.close(side)
    shown = b""
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(main)
    assert done.wait() == 0
    assert b"files" in shown
    assert shown.endswith(b"\r\x1b[K")


# ---- Azurite: what the URL says


@pytest.fixture
def filled(azurite, container):
    for name, plain in FILES.items():
        azurite.put(container, name, *seal.seal(plain, KEK, "2.0"))
    return azurite.source(container)


def test_the_commands_reach_a_container(run, azurite, filled, keys, tmp_path):
    env = {**azurite.environment(), **keys}
    assert text(run("ls", filled, env=env).stdout).splitlines() == ["100%", "a.txt", "dir/"]
    assert run("cat", f"{filled}/dir/b.bin", env=env).stdout == BIG
    assert run("cat", f"{filled}/dir/with%20blank%20and%20%C3%BC", env=env).stdout == b"umlaut\n"
    assert run("cat", f"{filled}/100%25", env=env).stdout == b"percent\n"
    assert run("cat", f"{filled}/a.txt", f"{filled}/a.txt", env=env).stdout == b"alpha\nalpha\n"
    assert json.loads(run("stat", "--json", f"{filled}/a.txt", env=env).stdout)["size"] == 6
    assert run("get", "-r", filled, tmp_path / "out", env=env).returncode == 0
    assert tree(tmp_path / "out") == FILES


def test_a_sas_for_one_blob_is_enough_for_that_blob(run, azurite, container, keys, tmp_path):
    azurite.put(container, "dir/with blank", *seal.seal(b"single", KEK, "2.0"))
    azurite.put(container, "other", *seal.seal(b"other", KEK, "2.0"))
    sas = generate_blob_sas(
        azurite.account, container, "dir/with blank", account_key=azurite.key,
        permission=BlobSasPermissions(read=True), expiry=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1),
    )  # fmt: skip
    env = {**keys, "AZURE_STORAGE_SAS_TOKEN": sas}
    source = f"{azurite.source(container)}/dir/with%20blank"
    done = run("cat", source, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"single", b"")
    assert json.loads(run("stat", "--json", source, env=env).stdout)["size"] == 6
    assert run("get", source, tmp_path, env=env).returncode == 0
    assert (tmp_path / "with blank").read_bytes() == b"single"
    assert run("cat", f"{azurite.source(container)}/other", env=env).returncode == 4
    assert run("ls", azurite.source(container), env=env).returncode == 2


def test_what_is_missing_or_refused_has_its_status(run, azurite, filled):
    env = azurite.environment()
    assert run("ls", f"{filled}/nothing", env=env).returncode == 3
    assert run("ls", azurite.source("no-such-container"), env=env).returncode == 3
    wrong = {"AZURE_STORAGE_KEY": "d3Jvbmc=", "AZURE_STORAGE_ACCOUNT": azurite.account}
    done = run("ls", filled, env=wrong)
    assert done.returncode == 4
    assert "d3Jvbmc=" not in text(done.stderr)


def test_a_link_to_a_file_with_secrets_is_refused(run, filled, tmp_path):
    (tmp_path / "key").write_text("a2V5")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "link").symlink_to(tmp_path / "key")
    done = run("ls", "-o", f"storage_key_file={tmp_path}/link", filled)
    assert (done.returncode, "symbolic link" in sentence(done)) == (4, True)


def test_no_network_is_one_sentence(run):
    done = run("ls", "-o", "timeout=2", "blob:http://127.0.0.1:1/account/container", env={"AZURE_STORAGE_KEY": "a2V5"})
    assert done.returncode in (9, 10)
    assert "127.0.0.1" in sentence(done)


def test_a_sas_on_the_command_line_is_refused_and_not_repeated(run):
    done = run("ls", "https://acct.blob.core.windows.net/c?sv=2021-01-01&sig=c2VjcmV0")
    assert done.returncode == 2
    assert "c2VjcmV0" not in text(done.stderr)
    assert "sas_file" in sentence(done)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_get_soon_and_leaves_no_half_file(azurite, blobproxy, container, keys, tmp_path, number):
    for name in ("one", "two"):
        azurite.put(container, name, *seal.seal(BIG, KEK, "2.0"))
    blobproxy.faults.add(method="GET", path="/two", stall=True, times=None)
    env = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string.replace(azurite.endpoint, blobproxy.endpoint), **keys}
    done = subprocess.Popen(
        mounting.command("get", "-r", f"blob:{blobproxy.endpoint}/{container}", tmp_path / "out"),
        env=mounting.environment(tmp_path, env), stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: (tmp_path / "out" / "one").exists(), 10, "the first file")
    done.send_signal(number)
    _, said = done.communicate(timeout=10)
    assert (done.returncode, said) == (1, b"")
    assert tree(tmp_path / "out") == {"one": BIG}


def test_names_and_sizes_need_no_vault(run, azurite, filled, vault, tmp_path):
    env = {**azurite.environment(), "AZCRYPTFS_VAULT": vault.url}
    assert run("ls", "-lR", filled, env=env).returncode == 0
    assert run("stat", f"{filled}/a.txt", env=env).returncode == 0
    assert vault.log() == []


# ---- mount


@pytest.fixture
def background(run, tmp_path):
    """background(arguments...) mounts and returns (what run gave, directory); whatever it mounted is gone at the end."""
    need_fuse()
    point = tmp_path / "point"
    point.mkdir()

    def start(*arguments, env=None):
        return run("mount", *arguments, point, env=env), point

    yield start
    for _ in range(50):
        if subprocess.run(["fusermount3", "-u", point], capture_output=True, check=False).returncode == 0:
            time.sleep(0.1)
        if not os.path.ismount(point):
            break
        time.sleep(0.1)


def test_mount_returns_when_the_mount_answers(background, store, keys, tmp_path):
    log = tmp_path / "log"
    done, point = background("-o", f"log={log}", store.source, env=keys)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (point / "a.txt").read_bytes() == b"alpha\n"
    subprocess.run(["fusermount3", "-u", point], check=True)
    wait_until(lambda: "mount.ended" in log.read_text(), 10, "the daemon's end")


def test_mount_by_relative_names_outlives_its_directory(run, store, keys_file, tmp_path):
    need_fuse()
    keys, point = keys_file(KEK), tmp_path / "point"
    point.mkdir()
    done = run("mount", "-o", f"keys={keys.name},log=log", "dir:store", "point", cwd=tmp_path)
    try:
        assert done.returncode == 0, done.stderr
        assert (point / "a.txt").read_bytes() == b"alpha\n"
    finally:
        subprocess.run(["fusermount3", "-u", point], check=True)
    wait_until(lambda: "mount.ended" in (tmp_path / "log").read_text(), 10, "the daemon's end")


@pytest.mark.parametrize("foreground", [(), ("-f",)])
def test_a_mount_of_nothing_fails_before_it_mounts(background, tmp_path, foreground):
    done, point = background(*foreground, f"dir:{tmp_path}/nothing")
    assert done.returncode == 3
    assert sentence(done).startswith(f"azcryptfs: mount: dir:{tmp_path}/nothing: ")
    assert not os.path.ismount(point)


def test_a_mount_of_a_missing_container_or_a_refused_credential_fails(background, azurite, container):
    done, _ = background(azurite.source("no-such-container"), env=azurite.environment())
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    done, _ = background(azurite.source(container), env={"AZURE_STORAGE_KEY": "d3Jvbmc="})
    assert done.returncode == 4


def blob_sas(azurite, container, name, **lasting):
    return generate_blob_sas(
        azurite.account, container, name, account_key=azurite.key, permission=BlobSasPermissions(read=True),
        expiry=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**lasting),
    )  # fmt: skip


def test_a_mount_of_one_missing_blob_or_with_an_expired_sas_fails(background, azurite, container):
    azurite.put(container, "there", *seal.seal(b"single", KEK, "2.0"))
    for name, sas, status in (
        ("gone", blob_sas(azurite, container, "gone", hours=1), 3),
        ("there", blob_sas(azurite, container, "there", hours=-1), 4),
        ("there", blob_sas(azurite, container, "there", hours=1), 0),
    ):
        done, _ = background(f"{azurite.source(container)}/{name}", env={"AZURE_STORAGE_SAS_TOKEN": sas})
        assert done.returncode == status
        assert len(done.stderr.splitlines()) == (status > 0)


def test_an_impossible_mountpoint_is_11(run, store, tmp_path):
    need_fuse()
    assert run("mount", store.source, tmp_path / "missing").returncode == 11
    (tmp_path / "file").touch()
    assert run("mount", store.source, tmp_path / "file").returncode == 11


def test_a_file_mounts_many(mount, dirstore, keys_file, tmp_path):
    dirstore.put("docs/one", *seal.seal(b"one", KEK, "2.0"))
    dirstore.put("docs/old", *seal.seal(b"old", KEK, "1.0"))
    config = tmp_path / "conf"
    config.write_text(
        f"keys = {keys_file(KEK).name}\numask = 0077\n\n"
        f"[first]\nsource = {dirstore.source}\n\n[more/second]\nsource = dir:store\nv1 = read\n"
    )
    m = mount(config=config)
    assert m.list() == ["first", "more"]
    assert m.read("first/docs/one") == b"one"
    assert m.read("more/second/docs/old") == b"old"
    assert mounting.errno_of(m.read, "first/docs/old") == "EACCES"
    assert stat.S_IMODE(m.path("first/docs/one").stat().st_mode) == 0o400


def test_a_wrong_file_names_its_line(run, tmp_path):
    config = tmp_path / "conf"
    config.write_text("[/]\nsource=dir:/x\nnonsense=1\n")
    done = run("mount", "-c", config, tmp_path)
    assert done.returncode == 2
    assert f"{config}, line 3" in text(done.stderr)
    config.chmod(0o666)
    assert run("mount", "-c", config, tmp_path).returncode == 4


def test_owner_and_mode_are_as_asked(mount, store, keys_file):
    m = mount(store.source, f"keys={keys_file(KEK)}", "uid=1234", "gid=2345", "umask=0027")
    found = m.path("a.txt").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1234, 2345, 0o440)
    assert stat.S_IMODE(m.path("dir").stat().st_mode) == 0o550


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_unmounts_and_ends_with_0(mount, store, number):
    m = mount(store.source)
    m.daemon.send_signal(number)
    assert m.daemon.wait(20) == 0
    assert not m.mounted()
    m.daemon = None


def test_as_the_helper_of_mount_8(binary, store, keys, tmp_path):
    need_fuse()
    helper, point = tmp_path / "mount.azcryptfs", tmp_path / "point"
    helper.symlink_to(binary)
    point.mkdir()
    env = mounting.environment(tmp_path, keys)
    words = [helper, store.source, point]
    assert subprocess.run([*words, "-o", "rw"], env=env, capture_output=True, check=False).returncode == 2
    assert subprocess.run([*words, "-f", "-o", "ro"], env=env, check=False).returncode == 0
    assert not os.path.ismount(point)
    assert subprocess.run([*words, "-n", "-o", f"ro,nosuid,_netdev,log={tmp_path}/log"], env=env, check=False).returncode == 0
    try:
        assert (point / "a.txt").read_bytes() == b"alpha\n"
    finally:
        subprocess.run(["fusermount3", "-u", point], check=True)
    wait_until(lambda: "mount.ended" in (tmp_path / "log").read_text(), 10, "the daemon's end")


def test_the_environment_of_the_process_holds_no_secret(mount, azurite, container):
    m = mount(azurite.source(container), env=azurite.environment())
    environ = pathlib.Path(f"/proc/{m.daemon.pid}/environ").read_bytes()
    assert azurite.key.encode() not in environ
    assert azurite.key.encode() not in pathlib.Path(f"/proc/{m.daemon.pid}/cmdline").read_bytes()
    assert azurite.key not in m.log()
