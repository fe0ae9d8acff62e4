# SPDX-License-Identifier: MIT
"""Keys of documents, from a vault: docs/SEMANTICS.md, "Keys of documents"."""
import concurrent.futures
import json
import os
import time

import pytest

from tests.emulators.vault import Vault
from tests.support import cloud
from tests.support.cells import Dek
from tests.support.expect import unreadable
from tests.support.mount import errno_of
from tests.support.process import SLOW, wait_until
from tests.support.sealeddocs import VaultDocuments

NAME = "items/p/x.json"
DOCUMENT = {"id": "x", "pk": "p", "open": "for all", "secret": "for few"}


@pytest.fixture
def shared(vault_documents, vault):
    """A container with a property for all and one for few: keys under two KEKs of the vault."""
    few = cloud.add_key(vault, "few")
    deks = {"open": (vault_documents.dek("a"), False), "secret": (Dek("b", few), False)}
    made = vault_documents.store.container("c", deks)
    made.few, made.mount = few, lambda *options: vault_documents.mount(made, *options)
    made.put(DOCUMENT)
    return made


def read(m, name=NAME):
    return json.loads(m.read(name))


def withheld(m, name=NAME):
    try:
        return os.getxattr(m.path(name), "user.azcrypt.withheld").decode()
    except OSError:
        return None


def unwraps(vault, kek=None):
    return [e for e in cloud.asked(vault) if kek is None or f"/keys/{kek.key.name}/" in e["path"]]


# ---- how often


def test_one_unwrap_for_each_key_of_a_container(shared, vault):
    for i in range(60):
        shared.put({**DOCUMENT, "id": f"{i}", "pk": f"{i % 3}"})
    m = shared.mount()
    names = [f"items/{i % 3}/{i}.json" for i in range(60)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert {d["secret"] for d in pool.map(lambda name: read(m, name), names)} == {"for few"}
    m.list("items/1")
    assert len(m.read("all.jsonl").splitlines()) == 61
    assert len(unwraps(vault)) == 2


def test_what_needs_no_key_costs_no_unwrap(shared, vault):
    m = shared.mount()
    assert m.read(".policy.json") and m.list() and m.path("by").is_dir() and m.list("parts")
    assert m.path("all.jsonl").stat().st_size == 0
    assert unwraps(vault) == [] or len(unwraps(vault)) == 2, "at most those of .keys.json in the listing"


# ---- denied


def test_a_denied_property_is_left_out_and_named(shared):
    shared.put({**DOCUMENT, "id": "without", "secret": None})
    stored = shared.put({"id": "y", "pk": "p", "open": "for all"})
    shared.few.key.permissions = frozenset()
    m = shared.mount()
    assert m.list("items/p") == ["without.json", "x.json", "y.json"]
    assert read(m) | {"open": "for all"} == read(m) and "secret" not in read(m)
    assert withheld(m) == "secret" and withheld(m, "items/p/without.json") == "secret"
    assert withheld(m, "items/p/y.json") is None and "open" in read(m, "items/p/y.json")
    assert m.path(NAME).stat().st_size == len(m.read(NAME))
    assert os.getxattr(m.path("items/p/y.json"), "user.azcrypt.etag").decode() == stored["_etag"].strip('"')
    assert [sorted(json.loads(line)) == sorted(read(m, f"items/p/{json.loads(line)['id']}.json")) for line in m.read("all.jsonl").splitlines()] == [True] * 3
    m.assert_event("key.withheld", "'b'", "left out")
    strict = shared.mount("withheld=fail")
    assert strict.list("items/p") == ["without.json", "x.json", "y.json"]
    unreadable(strict, NAME, "EACCES", "auth.vault", "'secret'")
    assert read(strict, "items/p/y.json")["open"] == "for all"
    assert errno_of(strict.read, "all.jsonl") == "EACCES"


@pytest.mark.parametrize("members", ["secret first", "secret in the middle", "secret last", "secret alone"])
def test_a_document_without_its_denied_property_is_still_json(shared, vault_documents, members):
    dek, _ = shared.sealed["secret"]
    cell = dek.seal("for few", False)
    parts = [f'"secret" : [{{"a":"{cell}"}}, "{cell}"]', '"id":"x"', '"pk":"p"', '"_etag":"\\"1\\""', '"_ts":1', '"_rid":"r"']
    at = {"secret first": 0, "secret in the middle": 3, "secret last": 5, "secret alone": 0}[members]
    parts.insert(at, parts.pop(0))
    shared.put_raw("{ " + " , ".join(parts) + " }", {"id": "x", "pk": "p"})
    shared.few.key.permissions = frozenset()
    m = shared.mount()
    assert read(m) == {"id": "x", "pk": "p", "_etag": '"1"', "_ts": 1, "_rid": "r"}


def test_a_disabled_key_is_no_denial(shared):
    """Nobody has said that this identity may not: nothing is left out in silence."""
    shared.few.key.enabled = False
    shared.put({"id": "y", "pk": "p", "open": "for all"})
    m = shared.mount()
    assert m.list("items/p") == ["x.json", "y.json"]
    unreadable(m, NAME, "ENOKEY", "key.disabled", "'secret'")
    assert read(m, "items/p/y.json")["open"] == "for all"


@pytest.mark.slow
def test_a_property_comes_back_when_its_key_is_granted(shared):
    shared.few.key.permissions = frozenset()
    m = shared.mount()
    with m.open(NAME) as before:
        short = before.range(0, 1 << 16)
        assert "secret" not in json.loads(short)
        shared.few.key.permissions = None
        wait_until(lambda: "secret" in read(m), 45, "the vault is asked again after 30 s", poll=0.5)
        assert before.range(0, 1 << 16) == short, "an open file stays as it was"
    assert read(m)["secret"] == "for few" and withheld(m) is None
    assert m.path(NAME).stat().st_size == len(m.read(NAME))


def test_a_denied_key_does_not_cost_a_call_for_each_document(shared, vault):
    for i in range(50):
        shared.put({**DOCUMENT, "id": f"{i}"})
    shared.few.key.permissions = frozenset()
    m = shared.mount()
    assert all("secret" not in read(m, f"items/p/{i}.json") for i in range(50))
    assert len(unwraps(vault, shared.few)) <= 2


# ---- rewrapped, revoked, away


def test_a_rewrapped_key_is_read_again(shared, vault, vault_documents):
    m = shared.mount("key_ttl=1", "attr_timeout=0")
    assert read(m)["secret"] == "for few"
    dek, _ = shared.sealed["secret"]
    next_kek = cloud.add_key(vault, "next")
    dek.kek, dek.etag = next_kek, "rewrapped"
    vault_documents.store.put_key(dek)
    shared.few.key.permissions = frozenset()
    time.sleep(2.5 * SLOW)
    assert read(m)["secret"] == "for few"
    assert len(unwraps(vault, next_kek)) == 1


def test_a_key_that_was_revoked_ends_with_its_ttl(shared):
    m = shared.mount("key_ttl=1", "attr_timeout=0")
    assert read(m)["secret"] == "for few"
    shared.few.key.permissions = frozenset()
    wait_until(lambda: "secret" not in read(m), 10, "the key's end", poll=0.2)
    assert withheld(m) == "secret"


def test_listings_go_on_while_the_vault_is_away(tmp_path, mount, tokens, ca, ca_file):
    with Vault(tokens, tls=ca.issue().context()) as vault:
        documents = VaultDocuments(tmp_path, mount, vault, tokens, ca_file)
        c = documents.container("c", {"note": ("a", False)})
        stored = c.put({"id": "x", "pk": "p", "note": "text"})
    m = documents.mount(c, "timeout=4")
    assert m.list("items") == ["p"] and m.list("items/p") == ["x.json"]
    assert m.path(NAME).stat().st_size == len(json.dumps(stored))
    found = errno_of(m.read, NAME)
    assert found in ("EIO", "ETIMEDOUT"), found
    assert m.events("net.unreachable") or m.events("net.deadline"), m.log()
    assert errno_of(m.read, "all.jsonl") in ("EIO", "ETIMEDOUT")


def test_open_keys_outlive_the_vault(shared, vault):
    m = shared.mount("key_ttl=1", "attr_timeout=0", "timeout=4")
    assert read(m)["secret"] == "for few"
    vault.throttle_for(60)
    time.sleep(1.5 * SLOW)
    assert read(m)["secret"] == "for few"
    vault.throttle_for(0)
