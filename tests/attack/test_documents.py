# SPDX-License-Identifier: MIT
"""Somebody writes to the database, without a key: values moved, retyped, removed, in clear; policies, keys and
ids that lie; text that parsers disagree about.

Where docs/SECURITY.md says that the format does not bind something, the test shows that it reads.
"""
import base64
import json
import os
import struct

import pytest

from tests.emulators.vault import Vault
from tests.support import cloud
from tests.support.cells import BOOLEAN, DOUBLE, LONG, STRING, Dek
from tests.support.docnames import value_name
from tests.support.expect import failure, unreadable
from tests.support.mount import errno_of
from tests.support.sealeddocs import text_of

SEALED = {"ssn": ("a", True), "salary": ("a", False), "note": ("a", False)}
DOCUMENT = {"id": "x", "pk": "p", "ssn": "123-45-6789", "salary": 100, "note": "good", "clear": 1}
NAME = "items/p/x.json"


@pytest.fixture
def container(documents):
    """A container with one sound document beside the one that was tampered with."""
    made = documents.container("c", SEALED)
    made.put({**DOCUMENT, "id": "sound"})
    return made


def sealed(container, **changes):
    """The stored members of DOCUMENT, with some exchanged; ... takes one away."""
    members = {**DOCUMENT}
    for name, (dek, deterministic) in container.sealed.items():
        members[name] = dek.seal(members[name], deterministic)
    return {k: v for k, v in {**members, **changes}.items() if v is not ...}


@pytest.fixture
def tampered(documents, container):
    """tampered(option..., member=stored value): a mount of both documents; the sound one reads."""

    def mounted(*options, **changes):
        container.put_raw(text_of(sealed(container, **changes)))
        m = documents.mount(container, *options)
        assert m.list("items/p") == ["sound.json", "x.json"]
        assert json.loads(m.read("items/p/sound.json"))["ssn"] == DOCUMENT["ssn"]
        return m

    return mounted


def read(m, name=NAME):
    return json.loads(m.read(name))


def cell(raw):
    return base64.b64encode(raw).decode()


# ---- K01, K02, K06: values that were moved


def test_k01_a_cell_of_another_document_opens(documents, tampered, container):
    """The limit of the format: a cell says nothing of where it belongs."""
    other = container.put({**DOCUMENT, "id": "other", "ssn": "999-99-9999"})
    container.put_raw(text_of(sealed(container, ssn=other["ssn"])))
    m = documents.mount(container)
    assert read(m)["ssn"] == "999-99-9999"


def test_k01_a_cell_of_another_key_does_not_open(documents, tampered):
    m = tampered(ssn=documents.dek("b").seal("999-99-9999"))
    unreadable(m, NAME, "EBADMSG", "integrity.cell", "/ssn", "authentication")


def test_k02_a_cell_of_another_property_with_the_same_key_opens(documents, tampered):
    m = tampered(salary=documents.dek("a").seal("not a number", False))
    assert read(m)["salary"] == "not a number"


def test_k06_elements_and_members_below_a_sealed_path_can_be_moved(documents, tampered):
    """Order, number and names of what is below a sealed property are in clear."""
    dek = documents.dek("a")
    one, two = dek.seal("one", False), dek.seal("two", False)
    m = tampered(note={"renamed": [two, one, two]})
    assert read(m)["note"] == {"renamed": ["two", "one", "two"]}


# ---- K03: the type marker


def eight(text):
    return struct.unpack("<q", text.encode())[0]


RETYPED = {
    "a long as a double": (LONG, struct.pack("<q", 4611686018427387904), DOUBLE, 2.0),
    "a double as a long": (DOUBLE, struct.pack("<d", 1.0), LONG, 4607182418800017408),
    "one as true": (LONG, struct.pack("<q", 1), BOOLEAN, True),
    "false as zero": (BOOLEAN, bytes(8), LONG, 0),
    "text of eight characters as a long": (STRING, b"ABCDEFGH", LONG, eight("ABCDEFGH")),
    "a long as text of eight characters": (LONG, b"12345678", STRING, "12345678"),
    "a long with zeros as text": (LONG, struct.pack("<q", 1), STRING, "\x01" + "\0" * 7),
}


@pytest.mark.parametrize(("was", "plain", "marker", "value"), RETYPED.values(), ids=RETYPED.keys())
def test_k03_eight_bytes_can_be_passed_off_as_another_type(documents, tampered, was, plain, marker, value):
    raw = documents.dek("a").raw(was, plain, deterministic=False)
    m = tampered(note=cell(bytes([marker]) + raw[1:]))
    found = read(m)["note"]
    assert (type(found), found) == (type(value), value)


IMPOSSIBLE = {
    "text of 11 bytes as a long": (b"123-45-6789", LONG),
    "text of 11 bytes as a double": (b"123-45-6789", DOUBLE),
    "text of 11 bytes as a boolean": (b"123-45-6789", BOOLEAN),
    "no bytes as a long": (b"", LONG),
    "two as a boolean": (struct.pack("<q", 2), BOOLEAN),
    "a large long as a boolean": (struct.pack("<q", 1 << 32 | 1), BOOLEAN),
    "one byte as a boolean": (b"\1", BOOLEAN),
    "a long as text that is not UTF-8": (struct.pack("<q", -1), STRING),
    "not UTF-8": (b"\xc3\x28", STRING),
    "a surrogate in UTF-8": (b"\xed\xa0\x80", STRING),
    "an overlong NUL": (b"\xc0\x80", STRING),
    "infinity": (struct.pack("<d", float("inf")), DOUBLE),
    "no number": (struct.pack("<d", float("nan")), DOUBLE),
}


@pytest.mark.parametrize(("plain", "marker"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_k03_what_a_type_cannot_have_is_refused(documents, tampered, plain, marker):
    m = tampered(note=cell(documents.dek("a").raw(marker, plain, deterministic=False)))
    unreadable(m, NAME, "EBADMSG", "integrity.cell", "/note")


@pytest.mark.parametrize("marker", [0, 1, 6, 9, 255])
def test_k03_an_unknown_type_is_refused(documents, tampered, marker):
    raw = documents.dek("a").raw(STRING, b"text", deterministic=False)
    unreadable(tampered(note=cell(bytes([marker]) + raw[1:])), NAME, "EBADMSG", "integrity.cell", "/note")


@pytest.mark.parametrize("version", [0, 2, 255])
def test_k03_an_unknown_version_is_refused_though_it_authenticates(documents, tampered, version):
    raw = documents.dek("a").raw(STRING, b"text", deterministic=False, version=version)
    unreadable(tampered(note=cell(raw)), NAME, "EBADMSG", "integrity.cell", "/note")


# ---- K04: values that are not there any more


@pytest.mark.parametrize("value", [None, {}, [], [None], {"a": {}}, ...], ids=str)
def test_k04_a_sealed_value_can_be_replaced_by_nothing(tampered, value):
    """The limit of the format: null is null, and nobody says that a member must be there."""
    found = read(tampered(note=value))
    assert found.get("note", ...) == value


# ---- K05: values in clear


CLEAR = ["999-99-9999", "", 1, 1.5, 0, True, False, "x" * 200, [1], {"deep": {"er": "clear"}}, [None, "clear"]]


@pytest.mark.parametrize("value", CLEAR, ids=str)
@pytest.mark.parametrize("how", ["deny", "java"])
def test_k05_a_value_in_clear_is_refused(tampered, value, how):
    m = tampered(f"clear_cells={how}", note=value)
    line = unreadable(m, NAME, "EACCES", "policy.clear_cell", "/note", "in clear")
    assert "999" not in line and "xxx" not in line, "the value is not for the log"


@pytest.mark.parametrize("value", CLEAR, ids=str)
def test_k05_a_value_in_clear_is_shown_on_request(tampered, value):
    assert read(tampered("clear_cells=show", note=value))["note"] == value


def test_k05_java_lets_only_scalars_behind_a_container_pass(documents, tampered):
    one = documents.dek("a").seal("one", False)
    assert read(tampered("clear_cells=java", note=[{"a": one}, 2, "three", True, one]))["note"] == [{"a": "one"}, 2, "three", True, "one"]


@pytest.mark.parametrize("note", [[2, {"a": 1}], [{"a": 2}], [{}, {"a": 2}], [[2]], {"a": [2, []]}], ids=str)
def test_k05_java_lets_nothing_else_pass(tampered, note):
    unreadable(tampered("clear_cells=java", note=note), NAME, "EACCES", "policy.clear_cell", "/note")


@pytest.mark.parametrize("how", ["java", "show"])
def test_k05_a_damaged_cell_never_counts_as_clear(documents, tampered, how):
    """Whatever clear_cells= lets pass: text that could be a cell must open."""
    raw = bytearray(documents.dek("a").raw(STRING, b"one", deterministic=False))
    raw[-1] ^= 1
    m = tampered(f"clear_cells={how}", note=[{}, cell(raw)])
    unreadable(m, NAME, "EBADMSG", "integrity.cell", "/note/1")


# ---- K07, K16: the policy


@pytest.mark.parametrize("policy", [None, {"policyFormatVersion": 1, "includedPaths": []}], ids=["none", "no path"])
def test_k07_a_container_whose_policy_is_gone_is_refused(documents, policy):
    """As a whole: names, streams and all.  Cells are never shown in place of values."""
    c = documents.container("c", SEALED)
    c.put(DOCUMENT)
    c.define(policy=policy)
    m = documents.mount()
    failure(m, lambda: m.list("db/c"), "EACCES", "policy.unencrypted", "no client encryption policy", "unencrypted=show")
    for name in (f"db/c/{NAME}", "db/c/all.jsonl", "db/c/parts/0-FF.jsonl", "db/c/.policy.json"):
        assert errno_of(m.read, name) == "EACCES"
    assert m.list("db") == ["c"]


def test_k07_a_path_that_is_gone_from_the_policy_shows_the_cell(documents):
    """The limit of the format: the policy is not authenticated.  Nothing that is sealed is opened for that."""
    c = documents.container("c", SEALED)
    stored = c.put(DOCUMENT)
    c.sealed = {k: v for k, v in c.sealed.items() if k != "note"}
    c.define()
    found = read(documents.mount(c))
    assert found["note"] == stored["note"] and found["ssn"] == DOCUMENT["ssn"]


def test_k07_a_type_that_was_flipped_is_refused(documents):
    c = documents.container("c", {"note": ("a", False)})
    c.put({"id": "x", "pk": "p", "note": "text"})
    c.sealed = {"note": (documents.dek("a"), True)}
    c.define()
    unreadable(documents.mount(c), NAME, "EBADMSG", "integrity.cell", "/note")


def policy_with(version=1, **changes):
    path = {
        "path": "/note", "clientEncryptionKeyId": "a", "encryptionType": "Randomized",
        "encryptionAlgorithm": "AEAD_AES_256_CBC_HMAC_SHA256",
    }  # fmt: skip
    return {"policyFormatVersion": version, "includedPaths": [{**path, **changes}]}


def refused_container(documents, policy, errno, event, *words, pk="/pk"):
    c = documents.container("c", SEALED, pk=pk)
    c.put(DOCUMENT)
    c.define(policy=policy)
    m = documents.mount()
    failure(m, lambda: m.list("db/c"), errno, event, *words)
    assert errno_of(m.read, f"db/c/{NAME}") == errno
    assert errno_of(m.read, "db/c/all.jsonl") == errno


@pytest.mark.parametrize("kind", ["Plaintext", "deterministic", "Deterministic ", "", "None"])
def test_k16_a_type_that_is_not_known_is_refused_by_name(documents, kind):
    refused_container(documents, policy_with(encryptionType=kind), "EOPNOTSUPP", "policy.unsupported", kind)


@pytest.mark.parametrize("version", [3, 99, 1 << 40])
def test_k16_a_version_that_is_not_known_is_refused_by_name(documents, version):
    refused_container(documents, policy_with(version), "EOPNOTSUPP", "policy.unsupported", str(version))


MALFORMED = {
    "no object": [], "text": "x", "version 0": policy_with(0), "version as text": policy_with("1"), "no paths": {"policyFormatVersion": 1},
    "another algorithm": policy_with(encryptionAlgorithm="AES"), "no name": policy_with(path="/"), "no slash": policy_with(path="note"),
    "two names": policy_with(path="/a/b"), "no type": policy_with(encryptionType=None),
    "a path twice": {"policyFormatVersion": 1, "includedPaths": policy_with()["includedPaths"] * 2},
    "the id under version 1": policy_with(path="/id", encryptionType="Deterministic"),
    "the partition key under version 1": policy_with(path="/pk", encryptionType="Deterministic"),
    "the id randomized": policy_with(2, path="/id"), "the partition key randomized": policy_with(2, path="/pk"),
}  # fmt: skip


@pytest.mark.parametrize("policy", MALFORMED.values(), ids=MALFORMED.keys())
def test_k16_a_policy_that_cannot_be_is_refused(documents, policy):
    refused_container(documents, policy, "EBADMSG", "integrity.policy")


# ---- K08: keys that were exchanged


def test_k08_a_key_that_was_replaced_opens_what_is_sealed_under_it(documents):
    """The limit of the format: wrapping needs the public half only."""
    c = documents.container("c", {"note": ("a", False)})
    theirs = Dek("a", documents.kek)
    c.put({"id": "old", "pk": "p", "note": "the owner's"})
    documents.store.put_key(theirs)
    c.sealed = {"note": (theirs, False)}
    c.put({"id": "x", "pk": "p", "note": "not what the owner wrote"})
    m = documents.mount(c)
    assert read(m)["note"] == "not what the owner wrote"
    unreadable(m, "items/p/old.json", "EBADMSG", "integrity.cell", "/note")


def test_k08_a_key_under_another_name_is_refused(documents):
    """The record of b, put in the place of a."""
    c = documents.container("c", {"note": ("a", False)})
    c.put({"id": "x", "pk": "p", "note": "text"})
    documents.store.put_key(documents.dek("a"), text=json.dumps(documents.dek("b").record()))
    unreadable(documents.mount(c), NAME, "EBADMSG", "integrity.dir", "'a'", "another id")


BROKEN_KEYS = {
    "not JSON": "{", "no object": "[]", "empty": "", "short key": {"wrappedDataEncryptionKey": ""},
    "not base64": {"wrappedDataEncryptionKey": "***"}, "another key's bytes": {"wrappedDataEncryptionKey": base64.b64encode(bytes(256)).decode()},
    "a huge key": {"wrappedDataEncryptionKey": base64.b64encode(bytes(4096)).decode()}, "no KEK": {"value": ""},
    "no metadata": {"keyWrapMetadata": None}, "a member twice": '{"id":"a","id":"a"}',
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN_KEYS.values(), ids=BROKEN_KEYS.keys())
def test_k08_a_broken_key_is_an_error_for_what_it_seals_only(documents, broken):
    c = documents.container("c", {"note": ("a", False)})
    c.put({"id": "x", "pk": "p", "note": "text"})
    c.put({"id": "without", "pk": "p"})
    if isinstance(broken, dict):
        documents.store.put_key(documents.dek("a"), **broken)
    else:
        documents.store.put_key(documents.dek("a"), text=broken)
    m = documents.mount(c)
    assert m.list("items/p") == ["without.json", "x.json"]
    found = errno_of(m.read, NAME)
    assert found == "EBADMSG", (found, m.log())
    assert read(m, "items/p/without.json")["id"] == "without"


# ---- K09: who is asked


def quiet(vault, tokens):
    return vault.connections == tokens.connections == 0


FOREIGN = {
    "another vault": "https://foreign.vault.azure.net/keys/kek/{v}",
    "another port": "https://127.0.0.1:{foreign}/keys/kek/{v}",
    "another host behind": "https://127.0.0.1.example:{port}/keys/kek/{v}",
    "user info": "https://127.0.0.1:{port}@127.0.0.1:{foreign}/keys/kek/{v}",
    "http": "http://127.0.0.1:{port}/keys/kek/{v}",
    "not a key": "https://127.0.0.1:{port}/secrets/kek/{v}",
    "a path that climbs": "https://127.0.0.1:{port}/keys/../secrets/kek",
    "a query": "https://127.0.0.1:{port}/keys/kek/{v}?api-version=1",
    "no URL": "kek",
}


@pytest.mark.parametrize("kid", FOREIGN.values(), ids=FOREIGN.keys())
def test_k09_a_key_that_is_not_on_the_list_is_never_asked_for(vault_documents, vault, tokens, ca, kid):
    with Vault(tokens, tls=ca.issue().context()) as foreign:
        kid = kid.format(port=vault.port, foreign=foreign.port, v="0123456789abcdef" * 2)
        c = vault_documents.container("c", {"note": ("a", False)})
        c.put({"id": "x", "pk": "p", "note": "text"})
        vault_documents.store.put_key(vault_documents.dek("a"), value=kid)
        m = vault_documents.mount(c)
        assert m.list("items/p") == ["x.json"]
        unreadable(m, NAME, "EACCES", "policy.kek", "'note'")
        assert errno_of(m.read, "all.jsonl") == "EACCES", "it is not withheld: nobody has refused it"
        assert quiet(vault, tokens) and foreign.connections == 0


KINDS = [("type", "AZURE_KEY_VAULT2"), ("type", "azure_key_vault"), ("type", "CUSTOM"), ("algorithm", "RSA1_5"),
         ("algorithm", "RSA-OAEP-256"), ("algorithm", "A256KW"), ("algorithm", "rsa-oaep"), ("algorithm", "none")]  # fmt: skip


@pytest.mark.parametrize(("member", "value"), KINDS)
def test_k09_another_type_or_algorithm_costs_no_call(vault_documents, vault, tokens, member, value):
    c = vault_documents.container("c", {"note": ("a", False)})
    c.put({"id": "x", "pk": "p", "note": "text"})
    vault_documents.store.put_key(vault_documents.dek("a"), **{member: value})
    m = vault_documents.mount(c)
    unreadable(m, NAME, "EACCES", "policy.kek_alg", value)
    assert quiet(vault, tokens)


def test_k09_kek_alg_narrows_the_list_for_documents_too(vault_documents, vault, tokens):
    c = vault_documents.container("c", {"note": ("a", False)})
    c.put({"id": "x", "pk": "p", "note": "text"})
    unreadable(vault_documents.mount(c, "kek_alg=A256KW"), NAME, "EACCES", "policy.kek_alg", "RSA-OAEP")
    assert quiet(vault, tokens)


def test_k09_the_right_key_is_asked_for_once(vault_documents, vault):
    """What the tests above would not tell: that anything is asked for at all."""
    c = vault_documents.container("c", {"note": ("a", False)})
    c.put({"id": "x", "pk": "p", "note": "text"})
    assert read(vault_documents.mount(c))["note"] == "text"
    assert len(cloud.asked(vault)) == 1


# ---- K10: deterministic and randomized


@pytest.mark.parametrize(("name", "deterministic"), [("ssn", False), ("note", True)])
def test_k10_a_cell_of_the_other_encryption_type_is_refused(documents, tampered, name, deterministic):
    m = tampered(**{name: documents.dek("a").seal("text", deterministic)})
    unreadable(m, NAME, "EBADMSG", "integrity.cell", f"/{name}", "IV")


# ---- K11: the wrong key of several


def test_k11_the_log_names_the_key_under_which_a_cell_opens(documents, tampered):
    dek = documents.dek("b")
    documents.store.put_key(dek)
    m = tampered(note=dek.seal("text", False))
    unreadable(m, NAME, "EBADMSG", "integrity.cell", "/note", "authenticates under key 'b'", "dek_fallback=same-kek")
    assert errno_of(m.read, NAME) == "EBADMSG", "the second time"
    assert errno_of(m.read, "all.jsonl") == "EBADMSG"


def test_k11_with_dek_fallback_it_opens_and_the_file_is_marked(documents, tampered):
    dek = documents.dek("b")
    documents.store.put_key(dek)
    m = tampered("dek_fallback=same-kek", note=dek.seal("text", False))
    assert read(m)["note"] == "text"
    assert os.getxattr(m.path(NAME), "user.azcrypt.substituted") == b"note=b"
    m.assert_event("dek.substituted", "'note'", "'b'", "'a'")


def test_k11_a_key_of_another_kek_is_no_substitute(documents, tampered, vault):
    other = Dek("b", cloud.add_key(vault))
    documents.store.put_key(other)
    m = tampered("dek_fallback=same-kek", note=other.seal("text", False))
    unreadable(m, NAME, "EBADMSG", "integrity.cell", "/note")
    assert vault.connections == 0


# ---- K12: base64


def spoiled(text):
    return {
        "a line break inside": text[:40] + "\n" + text[40:], "signs inside": text[:40] + " $$" + text[40:],
        "a blank behind": text + " ", "a blank before": " " + text, "padding twice": text + "=", "no padding": text.rstrip("="),
        "padding inside": text[:40] + "=" + text[41:], "both alphabets": "+-" + text[2:], "bits behind": text.rstrip("=")[:-1] + "B" + "=" * text.count("="),
        "a NUL behind": text + "\0", "text behind": text + "AAAA",
    }  # fmt: skip


SPOILED = list(spoiled("x" * 87 + "="))


@pytest.mark.parametrize("how", SPOILED)
def test_k12_base64_that_is_not_canonical_is_refused(documents, tampered, how):
    text = documents.dek("a").seal("some text that needs padding", False)
    assert text.endswith("=")
    found = errno_of(tampered(note=spoiled(text)[how]).read, NAME)
    assert found in ("EBADMSG", "EACCES"), found


@pytest.mark.parametrize("how", SPOILED)
def test_k12_it_is_not_shown_as_clear_text_of_java_either(documents, tampered, how):
    text = documents.dek("a").seal("some text that needs padding", False)
    found = errno_of(tampered("clear_cells=java", note=spoiled(text)[how]).read, NAME)
    assert found in ("EBADMSG", "EACCES"), found


def test_k12_escapes_in_a_cell_are_read_as_what_they_stand_for(documents, tampered, container):
    """"\\u0041" is "A": another spelling of the same string, as JSON has it."""
    text = text_of(sealed(container))
    note = json.loads(text)["note"]
    container.put_raw(text.replace(note, "".join(f"\\u{ord(c):04x}" for c in note)), json.loads(text))
    assert read(documents.mount(container))["note"] == "good"


# ---- K13: text that parsers disagree about


def nested(depth):
    return "[" * depth + "]" * depth


BAD_TEXT = {
    "a member twice": lambda t: t.replace('"clear": 1', '"clear": 1, "clear": 2'),
    "a sealed member twice": lambda t: t.replace('"clear": 1', '"note": null'),
    "a member twice, escaped": lambda t: t.replace('"clear": 1', '"clear": 1, "cle\\u0061r": 2'),
    "a member twice below": lambda t: t.replace('"clear": 1', '"clear": {"a": 1, "b": [{"c": 1, "c": 2}]}'),
    "depth 65": lambda t: t.replace('"clear": 1', f'"clear": {nested(64)}'),
    "depth 5000": lambda t: t.replace('"clear": 1', f'"clear": {nested(5000)}'),
    "not UTF-8": lambda t: t.encode().replace(b'"clear": 1', b'"clear": "\xff"'),
    "overlong UTF-8": lambda t: t.encode().replace(b'"clear": 1', b'"clear": "\xc0\xaf"'),
    "a surrogate in UTF-8": lambda t: t.encode().replace(b'"clear": 1', b'"clear": "\xed\xa0\x80"'),
    "a raw line break in a string": lambda t: t.replace('"clear": 1', '"clear": "a\nb"'),
    "a raw NUL in a string": lambda t: t.replace('"clear": 1', '"clear": "a\0b"'),
    "a raw NUL between tokens": lambda t: t.replace('"clear": 1', '"clear":\0 1'),
    "text behind": lambda t: t + " {}",
    "a NUL behind": lambda t: t + "\0",
    "another document behind": lambda t: t + "\n" + t,
    "a byte order mark": lambda t: "\ufeff" + t,
    "a comment": lambda t: t.replace('"clear": 1', '"clear": /* */ 1'),
    "a comma at the end": lambda t: t.rstrip("}") + ",}",
    "a leading zero": lambda t: t.replace('"clear": 1', '"clear": 01'),
    "NaN": lambda t: t.replace('"clear": 1', '"clear": NaN'),
    "single quotes": lambda t: t.replace('"clear"', "'clear'"),
    "an unknown escape": lambda t: t.replace('"clear": 1', '"clear": "\\x41"'),
    "cut short": lambda t: t[:-1],
    "no object": lambda t: "[" + t + "]",
    "empty": lambda t: "",
}  # fmt: skip


@pytest.mark.parametrize("change", BAD_TEXT.values(), ids=BAD_TEXT.keys())
def test_k13_text_that_is_not_strict_json_is_refused(documents, container, change):
    text = text_of(sealed(container))
    container.put_raw(change(text), json.loads(text))
    m = documents.mount(container)
    unreadable(m, NAME, "EBADMSG", "integrity.document")
    assert errno_of(m.read, "all.jsonl") == "EBADMSG", "a stream leaves nothing out"
    assert read(m, "items/p/sound.json")["note"] == "good"


def test_k13_depth_64_is_read(documents, container):
    text = text_of(sealed(container)).replace('"clear": 1', f'"clear": {nested(63)}')
    container.put_raw(text)
    assert nested(63).encode() in documents.mount(container).read(NAME)


COPIED = {
    "NUL": r'"a\u0000b"', "half a pair": r'"\ud800"', "the other half": r'"\udfff\ud800"', "a pair": r'"\ud83d\ude00"',
    "escapes": r'"\/\b\f\n\r\t\"\\\u0041"', "raw characters": '"é😀\x7f\u2028"', "names": r'{"\u0000": 1, "\ud800": 2, "": 3}',
}  # fmt: skip


@pytest.mark.parametrize("clear", COPIED.values(), ids=COPIED.keys())
def test_k13_strings_in_clear_are_copied_as_they_are(documents, container, clear):
    container.put_raw(text_of(sealed(container)).replace('"clear": 1', f'"clear": {clear}'))
    assert f'"clear": {clear},'.encode() in documents.mount(container).read(NAME)


def test_k13_a_document_is_one_line_whatever_stands_between_its_tokens(documents, container):
    """A line of all.jsonl must not be two."""
    text = json.dumps(json.loads(text_of(sealed(container))), indent=1).replace("\n", "\r\n\t")
    container.put_raw(text)
    m = documents.mount(container)
    assert m.read(NAME).count(b"\n") == 1 and b"\r" not in m.read(NAME)
    assert m.read("all.jsonl").count(b"\n") == 2


# ---- K14: numbers

NUMBERS = [
    "18446744073709551615", "1e400", "-1E-400", "0.1", "-0", "1.0", "0.10000000000000001", "123456789012345678901234567890.5",
    "1e0000000000000000000001", "9007199254740993", "-0.0", "1" * 5000, "0." + "3" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: n[:40])
def test_k14_a_number_in_clear_is_copied_byte_for_byte(documents, container, number):
    text = text_of(sealed(container))
    container.put_raw(text.replace('"clear": 1', f'"clear": {number}, "in": [[{number}]]'), json.loads(text))
    m = documents.mount(container)
    assert f'"clear": {number}, "in": [[{number}]],'.encode() in m.read(NAME)
    assert f'"clear": {number}, "in": [[{number}]],'.encode() in m.read("all.jsonl")


# ---- K15: ids that lead elsewhere

HOSTILE = ["../../x", "..", ".", "", "a/b", "a\\b", "a?b", "a#b", "a\nb", "x" * 10_000, "a\u0085b", "\u007f"]


@pytest.mark.parametrize("id", HOSTILE, ids=lambda t: repr(t[:20]))
def test_k15_a_policy_with_a_hostile_key_id_is_refused(documents, id):
    refused_container(documents, policy_with(clientEncryptionKeyId=id), "EBADMSG", "integrity.policy")


@pytest.mark.parametrize("id", ["a%2fb", "%2e%2e", "a b", "é", "~", "a;b", "$batch", "a:b@c"])
def test_k15_an_odd_key_id_is_a_name_and_nothing_else(documents, id):
    """It names the key of that name."""
    c = documents.container("c", {"note": (id, False)})
    c.put({"id": "x", "pk": "p", "note": "text"})
    assert read(documents.mount(c))["note"] == "text"


ODD_IDS = ["..", ".", "../../../../etc/passwd", "/etc/passwd", "a/../b", "%2e%2e", "a\nb", "\x1b[2J", "x.json", "=true", "=sealed:x", ".json"]


@pytest.mark.parametrize("id", ODD_IDS, ids=repr)
def test_k15_an_id_of_a_document_is_one_name(documents, container, id):
    """Whatever it holds, it lies in its directory and leads nowhere."""
    container.put_raw(text_of(sealed(container, id=id)))
    m = documents.mount(container)
    name = value_name(id, suffix=".json")
    assert m.list("items/p") == sorted([name, "sound.json"])
    assert m.list("items") == ["p"] and m.list() == sorted([".keys.json", ".policy.json", "all.jsonl", "by", "items", "parts"])
    assert json.loads(m.read(f"items/p/{name}"))["id"] == id


@pytest.mark.parametrize("key", ODD_IDS + ["items", "all.jsonl"], ids=repr)
def test_k15_a_value_of_a_partition_key_is_one_name(documents, container, key):
    container.put_raw(text_of(sealed(container, pk=key)))
    m = documents.mount(container)
    name = value_name(key)
    assert m.list("items") == sorted([name, "p"])
    assert m.list(f"items/{name}") == ["x.json"]
    assert json.loads(m.read(f"items/{name}/x.json"))["pk"] == key


def test_k15_an_id_cannot_forge_a_line_of_the_log(documents, container):
    evil = "a\n2026-01-01T00:00:00.000Z E integrity.forged open 'b'"
    container.put_raw(text_of(sealed(container, id=evil, note="in clear")))
    m = documents.mount(container)
    failure(m, lambda: m.read(f"items/p/{value_name(evil, suffix='.json')}"), "EACCES", "policy.clear_cell")
    assert errno_of(m.read, "all.jsonl") == "EACCES"
    assert not m.events("integrity.forged"), m.log()


@pytest.mark.parametrize("length", [256, 1023, 5_000, 9_000, 100_000])
def test_k15_a_very_long_id_spoils_nothing(documents, container, length):
    container.put_raw(text_of(sealed(container, id="x" * length)))
    m = documents.mount(container)
    assert "sound.json" in m.list("items/p")
    assert read(m, "items/p/sound.json")["note"] == "good"


@pytest.mark.parametrize("rid", ["", "../x", "a b", "a\r\nb", "a" * 1000])
def test_k15_a_container_with_a_hostile_rid_is_refused(documents, rid):
    """It goes into a header of each request."""
    c = documents.container("c", SEALED)
    c.rid = rid
    c.define()
    m = documents.mount()
    failure(m, lambda: m.list("db/c"), "EBADMSG", "integrity.policy", "_rid")
