# SPDX-License-Identifier: MIT
"""Fixtures for every test that runs the program as a whole.

What a test starts ends with it: servers by their process, mounts by an unmount whose exit status counts.
Where /dev/fuse cannot be opened the tests that mount are skipped, and the end of the run says so; with
AZC_REQUIRE_FUSE=1 they fail instead.
"""
import os
import pathlib
import signal
import uuid

import pytest

from tests.support import dirstore as dirstore_module
from tests.support import mount as mount_module
from tests.support import vectors as vectors_module
from tests.support.azurite import Azurite


def _hear_signals_again():
    """Whoever runs the tests in the background, or with nohup, ignores some signals, and every daemon would inherit that.

    A signal that is caught here is a default one again in what is started.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else lambda *_: None)


_hear_signals_again()


# ---- what this machine can do


def why_no_fuse():
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
    except OSError as e:
        return f"/dev/fuse: {e.strerror}"
    return None


NO_FUSE = why_no_fuse()


def need_fuse():
    if NO_FUSE and os.environ.get("AZC_REQUIRE_FUSE") == "1":
        pytest.fail(f"AZC_REQUIRE_FUSE is set, but {NO_FUSE}")
    if NO_FUSE:
        pytest.skip(f"needs a mount: {NO_FUSE}")


def pytest_terminal_summary(terminalreporter):
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "needs a mount" in str(r.longrepr)]
    if skipped:
        terminalreporter.write_sep("!", f"{len(skipped)} MOUNT TESTS WERE NOT RUN: {NO_FUSE}", red=True, bold=True)


def pytest_collection_modifyitems(items):
    for item in items:
        if {"mount", "module_mount"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.mount)


# ---- the program


@pytest.fixture(scope="session")
def binary():
    path = mount_module.binary()
    if not os.access(path, os.X_OK):
        pytest.fail(f"{path} is not there: make, or set AZC_BINARY")
    return path


@pytest.fixture
def run(binary, tmp_path):
    """run("ls", source, env={...}): one command of the program, with a cleared environment."""

    def run_one(*arguments, **options):
        return mount_module.run(*arguments, home=tmp_path, **options)

    return run_one


class MountFactory:
    """mount(source, "option=value"..., env={...}, config=FILE) -> a Mount that answers."""

    def __init__(self, new_directory):
        self._new_directory = new_directory
        self._mounts = []

    def __call__(self, source=None, *options, env=None, config=None):
        need_fuse()
        made = mount_module.Mount(source, self._new_directory(), options, env, config)
        self._mounts.append(made)
        return made.start()

    def stop_all(self):
        failures = []
        for made in reversed(self._mounts):
            try:
                made.stop()
            except AssertionError as e:
                failures.append(str(e))
        if failures:
            pytest.fail("\n".join(failures), pytrace=False)


@pytest.fixture
def mount(binary, tmp_path):
    factory = MountFactory(lambda: _new_directory(tmp_path, "m"))
    yield factory
    factory.stop_all()


@pytest.fixture(scope="module")
def module_mount(binary, tmp_path_factory):
    """The same, for mounts that all tests of a file share."""
    factory = MountFactory(lambda: tmp_path_factory.mktemp("m"))
    yield factory
    factory.stop_all()


def _new_directory(parent, prefix):
    directory = parent / f"{prefix}{uuid.uuid4().hex[:8]}"
    directory.mkdir()
    return directory


# ---- keys and blobs


@pytest.fixture(scope="session")
def vectors():
    """vectors.load("python"), "dotnet", "java"."""
    return vectors_module


@pytest.fixture
def keys_file(tmp_path):
    """keys_file(key, ...) -> the path of a JWK Set; a key is anything with jwk(), or a dict."""
    return lambda *keys: make_keys_file(tmp_path, *keys)


def make_keys_file(directory, *keys):
    path = pathlib.Path(directory) / f"keys-{uuid.uuid4().hex[:8]}.json"
    return vectors_module.write_keys(path, [k if isinstance(k, dict) else k.jwk() for k in keys])


@pytest.fixture
def dirstore(tmp_path):
    """A new dir: store; .put(name, stored, metadata), .source."""
    return dirstore_module.DirStore(tmp_path / "store")


# ---- servers


@pytest.fixture(scope="session")
def ca():
    """A certificate authority that only the tests' servers have."""
    from tests.emulators.tls import CertificateAuthority

    return CertificateAuthority()


@pytest.fixture(scope="session")
def ca_file(ca, tmp_path_factory):
    return ca.write(tmp_path_factory.mktemp("ca") / "ca.pem")


@pytest.fixture(scope="session")
def azurite(tmp_path_factory):
    yield from _started(Azurite(tmp_path_factory.mktemp("azurite")))


@pytest.fixture(scope="session")
def azurite_tls(tmp_path_factory, ca, ca_file):
    """Azurite by https, with bearer tokens beside the account key."""
    directory = tmp_path_factory.mktemp("azurite-tls")
    tls = ca.issue().write(directory)
    yield from _started(Azurite(directory, tls=tls, oauth=True, ca_file=ca_file))


@pytest.fixture
def container(azurite):
    """The name of a new container in azurite."""
    return azurite.make_container()


@pytest.fixture
def tokens(ca):
    """The token endpoint emulator, by https."""
    from tests.emulators.tokens import Tokens

    yield from _started(Tokens(tls=ca.issue().context()))


@pytest.fixture
def vault(tokens, ca):
    """The Key Vault emulator, by https, which takes the tokens of `tokens`; it has no key yet."""
    from tests.emulators.vault import Vault

    yield from _started(Vault(tokens, tls=ca.issue().context()))


@pytest.fixture
def blobproxy(azurite):
    """A proxy before azurite, which can be told to fail; .endpoint is the account's URL."""
    from tests.emulators.blobproxy import BlobProxy

    yield from _started(BlobProxy(azurite.url))


@pytest.fixture
def cosmos(tokens, ca):
    """The Cosmos DB emulator, by https, with four feed ranges for each new container; it is empty."""
    from tests.emulators.cosmos import Cosmos

    yield from _started(Cosmos(tokens=tokens, ranges=4, tls=ca.issue().context()))


@pytest.fixture
def cosmos_vectors(tokens, ca):
    """cosmos_vectors("cosmos-js", ranges=1) -> the emulator, by https, with the documents of that set."""
    from tests.support import cosmos as cosmos_module

    started = []

    def start(name, ranges=1, **options):
        server = cosmos_module.with_vectors(name, ranges, tokens=tokens, tls=ca.issue().context(), **options)
        started.append(server.start())
        return server

    yield start
    for server in started:
        server.stop()


def _started(server):
    server.start()
    try:
        yield server
    finally:
        server.stop()
