# SPDX-License-Identifier: MIT
"""Key ids come from whoever wrote the blob: they are compared with the allow-list, never contacted.

Each case ends with EACCES and policy.kek; nobody is connected to, not even the right vault, and no token is
asked for.  The foreign host listens, and counts.
"""
import socket

import pytest

from tests.attack.forged import edited
from tests.emulators.vault import Vault
from tests.support import cloud, seal
from tests.support.expect import unreadable

PLAIN = b"plain"
VERSION = "0123456789abcdef0123456789abcdef"


class Listener:
    """A port that takes connections and counts them."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.socket.close()

    def connections(self):
        count = 0
        while True:
            try:
                self.socket.accept()[0].close()
                count += 1
            except BlockingIOError:
                return count


@pytest.fixture
def foreign():
    with Listener() as listener:
        yield listener


@pytest.fixture
def guarded(mount, dirstore, vault, tokens, ca_file):
    """guarded(entry=None): the store, mounted with one entry of vault=: the whole vault, unless given."""
    return lambda entry=None, *options: mount(
        dirstore.source, f"vault={entry or vault.url}", f"ca_file={ca_file}", *options, env=cloud.client_secret(tokens)
    )


@pytest.fixture
def named(dirstore, vault):
    """named(kid): a blob that would open, were it not for the key id."""

    def put(kid):
        stored, metadata = seal.seal(PLAIN, cloud.add_key(vault))
        dirstore.put("x", stored, edited(metadata, {"WrappedContentKey.KeyId": kid}))

    return put


KIDS = {
    "F01 foreign host": "https://127.0.0.1:{foreign}/keys/kek/{v}",
    "F01 foreign host without a port": "https://vault.example/keys/kek/{v}",
    "F01 foreign host by another loopback address": "https://127.0.0.2:{foreign}/keys/kek/{v}",
    "F02 longer host in front": "https://x127.0.0.1:{port}/keys/kek/{v}",
    "F02 longer host behind": "https://127.0.0.1.nip.example:{port}/keys/kek/{v}",
    "F02 longer host behind, no port": "https://127.0.0.1.example/keys/kek/{v}",
    "F02 dot behind": "https://127.0.0.1.:{port}/keys/kek/{v}",
    "F03 user info": "https://127.0.0.1:{port}@127.0.0.1:{foreign}/keys/kek/{v}",
    "F03 user info, the other way": "https://evil@127.0.0.1:{port}/keys/kek/{v}",
    "F04 other port": "https://127.0.0.1:{foreign}/keys/kek/{v}",
    "F04 no port": "https://127.0.0.1/keys/kek/{v}",
    "F04 port with a zero in front": "https://127.0.0.1:0{port}/keys/kek/{v}",
    "F04 port twice": "https://127.0.0.1:{port}:{foreign}/keys/kek/{v}",
    "F05 http": "http://127.0.0.1:{port}/keys/kek/{v}",
    "F05 http to the foreign host": "http://127.0.0.1:{foreign}/keys/kek/{v}",
    "F05 upper-case scheme": "HTTPS://127.0.0.1:{port}/keys/kek/{v}",
    "F05 no scheme": "127.0.0.1:{port}/keys/kek/{v}",
    "F06 metadata service": "https://169.254.169.254/keys/kek/{v}",
    "F06 metadata service by http": "http://169.254.169.254/keys/kek/{v}",
    "F06 address as one number": "https://2130706433:{port}/keys/kek/{v}",
    "F06 address in IPv6": "https://[::1]:{port}/keys/kek/{v}",
    "F07 percent in the host": "https://127%2e0.0.1:{port}/keys/kek/{v}",
    "F07 percent in the path": "https://127.0.0.1:{port}/keys/%6bek/{v}",
    "F07 slash escaped": "https://127.0.0.1:{port}/keys%2fkek/{v}",
    "F07 dots in the path": "https://127.0.0.1:{port}/keys/../keys/kek/{v}",
    "F07 query": "https://127.0.0.1:{port}/keys/kek/{v}?x=https://127.0.0.1:{foreign}/",
    "F07 fragment": "https://127.0.0.1:{port}/keys/kek/{v}#x",
    "F07 backslash": "https://127.0.0.1:{foreign}\\@127.0.0.1:{port}/keys/kek/{v}",
    "F07 blank": "https://127.0.0.1:{port}/keys/kek /{v}",
    "F07 line break": "https://127.0.0.1:{port}/keys/kek/{v}\r\nHost: evil",
    "F07 not ASCII": "https://127.0.0.1:{port}/keys/k\u0435k/{v}",
    "F08 name of the same host": "https://localhost:{port}/keys/kek/{v}",
    "F08 name of the same host in upper case": "https://LOCALHOST:{port}/keys/kek/{v}",
    "F09 secrets": "https://127.0.0.1:{port}/secrets/kek/{v}",
    "F09 no path": "https://127.0.0.1:{port}/",
    "F09 more path": "https://127.0.0.1:{port}/keys/kek/{v}/unwrapkey",
    "F09 short version": "https://127.0.0.1:{port}/keys/kek/0123",
    "F09 upper-case version": "https://127.0.0.1:{port}/keys/kek/0123456789ABCDEF0123456789ABCDEF",
    "F09 name too long": "https://127.0.0.1:{port}/keys/" + "k" * 128 + "/{v}",
    "F09 name with an underscore": "https://127.0.0.1:{port}/keys/k_k/{v}",
    "F09 longer than any": "https://127.0.0.1:{port}/keys/kek/{v}" + "/" * 600,
    "F09 a file": "file:///etc/shadow",
    "F09 nothing of the kind": "kek",
}


@pytest.mark.parametrize("kid", KIDS.values(), ids=KIDS.keys())
def test_a_key_id_that_is_not_on_the_list_contacts_nobody(guarded, named, vault, tokens, foreign, kid):
    named(kid.format(port=vault.port, foreign=foreign.port, v=VERSION))
    m = guarded()
    unreadable(m, "x", "EACCES", "policy.kek", "vault=", "keys=")
    assert vault.connections == tokens.connections == foreign.connections() == 0
    assert m.list() == ["x"] and m.path("x").stat().st_size == len(PLAIN)


def test_f09_another_vault_that_would_take_the_token(guarded, dirstore, vault, tokens, ca):
    """The same cloud, the same tenant, an honest certificate; only not ours."""
    with Vault(tokens, tls=ca.issue().context()) as other:
        dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(other)))
        m = guarded()
        unreadable(m, "x", "EACCES", "policy.kek")
        assert other.connections == vault.connections == tokens.connections == 0


def test_f10_another_key_of_a_vault_of_which_one_key_is_allowed(guarded, dirstore, vault, tokens):
    named, other = cloud.add_key(vault, "named"), cloud.add_key(vault, "other")
    dirstore.put("x", *seal.seal(PLAIN, other))
    dirstore.put("y", *seal.seal(PLAIN, cloud.add_key(vault, "named-too")))
    m = guarded(named.kid.rpartition("/")[0])
    for name in ("x", "y"):
        unreadable(m, name, "EACCES", "policy.kek")
    assert vault.connections == tokens.connections == 0


def test_f10_another_version_of_a_key_of_which_one_version_is_allowed(guarded, dirstore, vault, tokens):
    kek = cloud.add_key(vault)
    newer = cloud.VaultKek(vault, vault.keys.rotate("kek"), "RSA-OAEP")
    dirstore.put("x", *seal.seal(PLAIN, newer))
    dirstore.put("y", *seal.seal(PLAIN, kek))
    m = guarded(kek.kid)
    unreadable(m, "x", "EACCES", "policy.kek")
    assert vault.connections == tokens.connections == 0
    assert m.read("y") == PLAIN


def test_without_an_allow_list_no_vault_is_asked(mount, dirstore, vault, tokens, ca_file):
    dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(vault)))
    m = mount(dirstore.source, f"ca_file={ca_file}", env=cloud.client_secret(tokens))
    unreadable(m, "x", "EACCES", "policy.kek", "vault=")
    assert vault.connections == tokens.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_f11_a_redirect_is_not_followed(guarded, dirstore, vault, foreign, status):
    dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(vault)))
    vault.faults.add(status=status, redirect=f"https://127.0.0.1:{foreign.port}/keys/kek/unwrapkey", times=None)
    unreadable(guarded(), "x", "EIO", "net.redirect", "not followed")
    assert foreign.connections() == 0


@pytest.mark.parametrize("authority", ["https://127.0.0.1:{port}/EVILTENANT", "https://127.0.0.1:{port}/common", "http://127.0.0.1:{port}/x"])
@pytest.mark.parametrize("resource", ["https://vault.azure.net", "https://evil.example"])
def test_f12_a_challenge_is_not_followed(guarded, dirstore, vault, tokens, foreign, authority, resource):
    """A vault that says whom to ask for a token is told nothing, and nobody is asked."""
    dirstore.put("x", *seal.seal(PLAIN, cloud.add_key(vault)))
    challenge = f'Bearer authorization="{authority.format(port=foreign.port)}", resource="{resource}"'
    vault.faults.add(status=401, headers={"WWW-Authenticate": challenge}, times=None)
    m = guarded()
    unreadable(m, "x", "EACCES", "auth.vault")
    assert foreign.connections() == 0
    assert set(tokens.issued) == {cloud.VAULT}
    assert all("EVILTENANT" not in e["path"] for e in tokens.log())


@pytest.mark.parametrize("entry", [
    "http://127.0.0.1:{port}", "127.0.0.1", "https://user@127.0.0.1:{port}", "https://127.0.0.1:{port}/x",
    "https://127.0.0.1:{port}/keys/", "https://*.vault.azure.net", "https://127.0.0.1:{port}?x", "https://", "",
])  # fmt: skip
def test_an_allow_list_entry_that_says_too_much_or_too_little(run, dirstore, vault, tmp_path, entry):
    """A mistake here must not open more than was meant: refused at the start, by name of the option."""
    (tmp_path / "m").mkdir()
    done = run("mount", "-f", "-o", f"vault={entry.format(port=vault.port)}", dirstore.source, tmp_path / "m")
    assert done.returncode == 2, done.stderr
    assert b"vault" in done.stderr


def test_a_request_names_the_key_as_the_list_does(guarded, dirstore, vault):
    """What is sent is built from the list's entry, with the name and version that were checked."""
    kek = cloud.add_key(vault)
    dirstore.put("x", *seal.seal(PLAIN, kek))
    assert guarded().read("x") == PLAIN
    (request,) = cloud.asked(vault)
    assert request["path"].partition("?")[0] == f"/keys/kek/{kek.key.version}/unwrapkey"
    assert request["headers"]["host"] == f"127.0.0.1:{vault.port}"
