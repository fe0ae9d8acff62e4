# SPDX-License-Identifier: MIT
"""Signatures are what official clients send; everything else is refused for its own reason."""

from __future__ import annotations

import base64
import time
from email.utils import formatdate
from urllib.parse import unquote

import pytest

from tests.emulators.cosmos_auth import (
    ANY_ACCOUNT,
    DEFAULT_KEY,
    READ_ITEM,
    READ_METADATA,
    Denied,
    Gate,
    authorization,
    sign,
    signed_part,
)
from tests.emulators.jwt import Issuer
from tests.support import cosmos_vectors

KEY = base64.b64decode(DEFAULT_KEY)
ITEM = ["dbs", "Db", "colls", "C", "docs", "Item 1"]
NOW = formatdate(usegmt=True)


def denied(gate: Gate, header: str | None, segments: list[str] = ITEM, **options: object) -> Denied:
    with pytest.raises(Denied) as caught:
        check(gate, header, segments, **options)
    return caught.value


def check(gate: Gate, header: str | None, segments: list[str] = ITEM, **options: object) -> None:
    told = {"verb": "GET", "date": NOW, "action": READ_ITEM, **options}
    gate.check(header, segments=segments, **told)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", cosmos_vectors.SETS)
def test_recorded_requests_are_signed_alike(name: str) -> None:
    vector_set = cosmos_vectors.load(name)
    gate = Gate(base64.b64decode(vector_set.master_key), tolerance=float("inf"))
    count = 0
    for request in vector_set.requests():
        headers = {n.lower(): v for n, v in request["requestHeaders"]}
        segments = [unquote(s) for s in request["path"].partition("?")[0].split("/") if s]
        by_rid = len(segments) > 1 and segments[1] == vector_set.database_rid
        gate.check(headers["authorization"], request["method"], segments, headers["x-ms-date"],
                   None, by_rid)
        count += 1
    assert count > 40


@pytest.mark.parametrize(
    ("verb", "kind", "link", "signature"),
    [
        ("GET", "docs", "dbs/db1/colls/c1/docs/item 1",
         "DGpzJMijycefeKY+jyXrMxTE55vWI5kG/ilKogGzGfM="),
        ("GET", "clientencryptionkeys", "dbs/db1/clientencryptionkeys/dek1",
         "CwnBSW3WZCmtWy/vXbxInLQP6c23NMug6woWRNBdncE="),
        ("POST", "clientencryptionkeys", "dbs/db1", "jvbTvPhLuDgnCgfy0ZDcXcwaGsP7DFLx3N0PNTtL+SM="),
        ("GET", "dbs", "", "+7ZrWNxgxd1966vaZHBhcctKAcqcqNzyrMIAkRXPemc="),
        ("GET", "", "", "tM4qWd2AzTYpcu87tHykvPGGZ5+flQVa0XrYY0U5/P8="),
    ],
)
def test_known_signatures(verb: str, kind: str, link: str, signature: str) -> None:
    assert sign(KEY, verb, kind, link, "Fri, 20 Nov 2026 00:00:00 GMT") == signature


@pytest.mark.parametrize(
    ("path", "kind", "link"),
    [
        ("", "", ""), ("dbs", "dbs", ""), ("dbs/d", "dbs", "dbs/d"), ("dbs/d/colls", "colls", "dbs/d"),
        ("dbs/d/colls/c/docs", "docs", "dbs/d/colls/c"),
        ("dbs/d/colls/c/docs/x y", "docs", "dbs/d/colls/c/docs/x y"),
        ("dbs/d/colls/c/pkranges", "pkranges", "dbs/d/colls/c"),
    ],
)
def test_what_is_signed_of_a_path(path: str, kind: str, link: str) -> None:
    assert signed_part(path.split("/")) == (kind, link)


def test_what_a_signature_covers() -> None:
    gate = Gate(KEY)
    kind, link = signed_part(ITEM)
    good = authorization(KEY, "GET", kind, link, NOW)
    check(gate, good)
    check(gate, unquote(good))
    assert denied(gate, good, verb="DELETE").status == 401
    assert denied(gate, good, [*ITEM[:-1], "item 1"]).status == 401
    assert denied(gate, good, date=formatdate(time.time() - 300, usegmt=True)).status == 401
    assert denied(gate, authorization(KEY, "GET", kind, link.lower(), NOW)).status == 401
    assert denied(gate, authorization(KEY, "GET", kind, "dbs/Db/colls/C/docs/Item%201", NOW)).status == 401
    assert denied(gate, authorization(b"x", "GET", kind, link, NOW)).status == 401
    assert denied(gate, None).status == 401
    assert denied(gate, "type%3Dmaster%26ver%3D1.0").status == 401
    assert denied(gate, "type=other&ver=1.0&sig=x").status == 401


def test_a_path_of_resource_ids_is_signed_by_the_last_in_lower_case() -> None:
    gate, path = Gate(KEY), ["dbs", "AbC=", "colls", "AbCd=", "pkranges"]
    good = authorization(KEY, "GET", "pkranges", "abcd=", NOW)
    check(gate, good, path, by_rid=True)
    assert denied(gate, good, path).status == 401
    by_name = authorization(KEY, "GET", "pkranges", "dbs/AbC=/colls/AbCd=", NOW)
    assert denied(gate, by_name, path, by_rid=True).status == 401


def test_dates_may_differ_by_fifteen_minutes() -> None:
    gate = Gate(KEY)
    for offset, status in ((-890, None), (890, None), (-910, 403), (910, 403)):
        date = formatdate(time.time() + offset, usegmt=True)
        header = authorization(KEY, "GET", *signed_part(ITEM), date)
        if status is None:
            check(gate, header, date=date)
        else:
            assert denied(gate, header, date=date).status == status
    assert denied(gate, authorization(KEY, "GET", *signed_part(ITEM), "soon"), date="soon").status == 401
    assert denied(gate, authorization(KEY, "GET", *signed_part(ITEM), NOW), date=None).status == 401


def test_signatures_can_be_ignored() -> None:
    check(Gate(KEY, check_signatures=False), "type=master&ver=1.0&sig=x", date=None)


def entra(issuer: Issuer, audience: str, lifetime: float = 60, client: str = "app") -> str:
    return f"type=aad&ver=1.0&sig={issuer.access_token(audience, client, 'tenant', lifetime)}"


def test_tokens_of_entra_id() -> None:
    issuer = Issuer()
    gate = Gate(KEY, issuer, "tenant", audience="https://acct.documents.azure.com")
    for audience in ("https://acct.documents.azure.com", "https://acct.documents.azure.com/",
                     "https://acct.documents.azure.com:443", ANY_ACCOUNT):
        check(gate, entra(issuer, audience), date=None)
    good = entra(issuer, ANY_ACCOUNT)
    assert denied(gate, entra(issuer, "https://other.documents.azure.com")).status == 401
    assert denied(gate, entra(issuer, "https://vault.azure.net")).status == 401
    assert denied(gate, entra(issuer, ANY_ACCOUNT, -1)).status == 401
    assert denied(gate, entra(Issuer(), ANY_ACCOUNT)).status == 401
    assert denied(Gate(KEY), good).status == 401
    assert denied(Gate(KEY, issuer, "elsewhere"), good).status == 401
    refused = denied(gate, good, action=None)
    assert (refused.status, refused.substatus) == (403, 5300)


def test_data_actions() -> None:
    issuer = Issuer()
    gate = Gate(KEY, issuer, actions=frozenset({READ_METADATA}))
    check(gate, entra(issuer, ANY_ACCOUNT), action=READ_METADATA)
    refused = denied(gate, entra(issuer, ANY_ACCOUNT))
    assert refused.status == 403 and "containers/items/read]" in refused.message
    gate.client_actions["reader"] = frozenset({READ_ITEM})
    check(gate, entra(issuer, ANY_ACCOUNT, client="reader"))


def test_keys_can_be_turned_off() -> None:
    issuer = Issuer()
    gate = Gate(KEY, issuer, local=False)
    assert denied(gate, authorization(KEY, "GET", *signed_part(ITEM), NOW)).substatus == 5202
    check(gate, entra(issuer, ANY_ACCOUNT))


def test_resource_tokens() -> None:
    gate = Gate(KEY)
    token = gate.resource_token("dbs/Db/colls/C")
    check(gate, token, date=None)
    check(gate, token, ITEM[:4])
    assert denied(gate, token, verb="PUT").status == 403
    check(gate, gate.resource_token("dbs/Db/colls/C", "All"), verb="PUT")
    assert denied(gate, token, ["dbs", "Db", "colls", "C2", "docs"]).status == 403
    assert denied(gate, gate.resource_token("dbs/Db/colls/C", lifetime=-1)).status == 403
    assert denied(Gate(b"other"), token).status == 401
    assert denied(gate, "type=resource&ver=1.0&sig=abc").status == 401
