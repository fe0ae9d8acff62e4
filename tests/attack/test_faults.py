# SPDX-License-Identifier: MIT
"""The network and the service fail in every way they have: right bytes or an errno, never a short file.

Ids are those of the failure table in docs/SECURITY.md, "When things fail".
"""
import datetime
import os
import ssl
import threading
import time
from email.utils import formatdate

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from tests.attack.forged import KEK
from tests.emulators.blobproxy import BlobProxy
from tests.emulators.tokens import Tokens
from tests.support import cloud, seal
from tests.support.expect import failure, unreadable
from tests.support.mount import errno_of
from tests.support.process import free_port

REGION = seal.REGION
BIG = seal.random_plaintext("faults", 2 * REGION + 12345)
SMALL = seal.random_plaintext("faults", 50_000)
STORED_BIG = len(BIG) + 3 * seal.OVERHEAD


@pytest.fixture
def shop(proxied, upload):
    """shop(option...): "small" and "big" behind the proxy, mounted and listed."""

    def mounted(*options):
        upload("small", SMALL)
        upload("big", BIG)
        m = proxied(*options)
        assert m.list() == ["big", "small"]
        return m

    return mounted


def read_both(m):
    assert m.read("small") == SMALL
    assert m.read("big") == BIG


# ---- R01, R02: connections that end early

ENDS = {
    "reset before the answer": {"drop": "request", "reset": True},
    "closed before the answer": {"drop": "request"},
    "answer lost": {"drop": "response"},
    "reset at byte 0": {"drop": 0, "reset": True},
    "reset in the middle": {"drop": 20_000, "reset": True},
    "closed in the middle": {"drop": 20_000},
    "closed one byte early": {"drop": len(SMALL) + seal.OVERHEAD - 1},
    "length too large": {"length": "+5"},
    "body too short, length agreeing": {"short": 10},
    "without a length, cut": {"close_delimited": True, "short": 100},
    "chunked, cut": {"chunked": True, "drop": 30_000},
}


@pytest.mark.parametrize("fault", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("name", ["small", "big"])
def test_r01_r02_a_body_that_ends_early_is_fetched_again(shop, blobproxy, name, fault):
    m = shop()
    hurt = blobproxy.faults.add(method="GET", path=f"/{name}", **fault)
    assert m.read(name) == (SMALL if name == "small" else BIG)
    assert hurt.hits == 1


@pytest.mark.parametrize("fault", ENDS.values(), ids=ENDS.keys())
def test_r01_r02_for_ever_is_an_errno_and_never_a_short_file(shop, blobproxy, fault):
    """What was promised by stat is delivered or refused; never an end of file before it."""
    m = shop("timeout=2")
    blobproxy.faults.add(method="GET", path="/small", times=None, **fault)
    began = time.monotonic()
    assert errno_of(m.read, "small") in ("ETIMEDOUT", "EIO")
    assert time.monotonic() - began < 5
    assert m.events("net.deadline") or m.events("net.protocol") or m.events("net.connection"), m.log()
    blobproxy.faults.clear()
    assert m.read("small") == SMALL


def test_r01_a_read_that_fails_in_the_middle_of_a_file_is_not_its_end(shop, blobproxy):
    m = shop("timeout=2")
    with m.open("big") as f:
        assert f.range(0, 1000) == BIG[:1000]
        blobproxy.faults.add(method="GET", path="/big", drop=1000, times=None)
        time.sleep(0.5)  # what was fetched ahead is there already
        at = 2 * REGION + 5000
        found = errno_of(f.range, at, 100)
        assert found in ("ETIMEDOUT", "EIO", None)
        if found is None:
            assert f.range(at, 100) == BIG[at : at + 100]


# ---- R03: 206 that lie

LIES = {
    "another range": {"range_shift": 4096},
    "another total": {"range_total": "+1"},
    "no Content-Range": {"range_missing": True},
    "more bytes than the range": {"extra": 7},
    "fewer bytes than the range": {"short": 7},
}


def middle(m):
    """A read that takes a ranged GET of its own."""
    with m.open("big") as f:
        return f.range(REGION, 100)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_r03_one_lie_is_forgiven_by_asking_again(shop, blobproxy, lie):
    m = shop()
    blobproxy.faults.add(method="GET", path="/big", **lie)
    assert middle(m) == BIG[REGION : REGION + 100]


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_r03_a_lie_that_stays_is_a_protocol_error(shop, blobproxy, lie):
    m = shop("timeout=5")
    blobproxy.faults.add(method="GET", path="/big", times=None, **lie)
    failure(m, lambda: middle(m), "EIO", "net.protocol", "/big")
    blobproxy.faults.clear()
    assert middle(m) == BIG[REGION : REGION + 100]


def test_r03_200_and_everything_is_not_taken_for_the_range(proxied, upload, azurite, container, blobproxy):
    """Signed by SAS: an account key's signature would not survive the loss of the range."""
    upload("big", BIG)
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    sas = generate_container_sas(
        azurite.account, container, account_key=azurite.key, permission=ContainerSasPermissions(read=True, list=True), expiry=until
    )
    m = proxied("timeout=5", env={"AZURE_STORAGE_CONNECTION_STRING": "", "AZURE_STORAGE_SAS_TOKEN": sas})
    assert m.list() == ["big"]
    blobproxy.faults.add(method="GET", path="/big", whole=True, times=None)
    failure(m, lambda: middle(m), "EIO", "net.protocol", "/big")
    blobproxy.faults.clear()
    assert middle(m) == BIG[REGION : REGION + 100]


# ---- R04, R05: a service that stumbles or throttles

STATUSES = [500, 502, 503, 504, 408, 429]
SOON = {"none": {}, "one second": {"retry_after": 1}, "past": {"retry_after": formatdate(0, usegmt=True)}, "junk": {"retry_after": "soon"},
        "negative": {"retry_after": "-5"}, "milliseconds": {"headers": {"x-ms-retry-after-ms": "300"}}}  # fmt: skip


@pytest.mark.parametrize("after", SOON.values(), ids=SOON.keys())
@pytest.mark.parametrize("status", STATUSES)
def test_r04_an_error_that_passes_is_waited_for(shop, blobproxy, status, after):
    m = shop("timeout=20")
    hurt = blobproxy.faults.add(method="GET", path="/small", status=status, times=2, **after)
    began = time.monotonic()
    assert m.read("small") == SMALL
    assert hurt.hits == 2
    assert time.monotonic() - began >= (2 if after.get("retry_after") == 1 else 0.0)


@pytest.mark.parametrize("after", [3600, formatdate(time.time() + 3600, usegmt=True)], ids=["seconds", "date"])
@pytest.mark.parametrize("status", [503, 429])
def test_r04_a_wait_beyond_the_deadline_is_not_begun(shop, blobproxy, status, after):
    m = shop("timeout=4")
    hurt = blobproxy.faults.add(method="GET", path="/small", status=status, retry_after=after, times=None)
    began = time.monotonic()
    unreadable(m, "small", "ETIMEDOUT", "net.deadline", str(status), "request=")
    assert time.monotonic() - began < 3
    assert hurt.hits == 1


@pytest.mark.parametrize("status", [500, 503])
def test_r04_an_error_that_stays_ends_at_the_deadline(shop, blobproxy, status):
    m = shop("timeout=3")
    hurt = blobproxy.faults.add(path="/small", status=status, times=None)
    began = time.monotonic()
    unreadable(m, "small", "ETIMEDOUT", "net.deadline", str(status), "request=")
    assert 1 < time.monotonic() - began < 5
    assert 2 <= hurt.hits < 15, "backed off too little or too much"


@pytest.mark.parametrize(("status", "code", "errno", "event"), [
    (403, "AuthorizationFailure", "EACCES", "auth.storage"), (403, "AuthorizationPermissionMismatch", "EACCES", "auth.storage"),
    (401, "NoAuthenticationInformation", "EACCES", "auth.storage"), (409, "BlobArchived", "ENODATA", "remote.archived"),
    (409, "BlobBeingRehydrated", "ENODATA", "remote.archived"), (409, "BlobUsesCustomerSpecifiedEncryption", "EOPNOTSUPP", "remote.unsupported"),
    (412, "LeaseIdMissing", "EBUSY", "remote.leased"), (400, "InvalidHeaderValue", "EIO", None),
])  # fmt: skip
def test_a_refusal_of_the_service_is_not_repeated(shop, blobproxy, status, code, errno, event):
    m = shop("timeout=5")
    hurt = blobproxy.faults.add(path="/small", status=status, code=code, times=None)
    if event:
        unreadable(m, "small", errno, event, "/small", "request=")
    else:
        assert errno_of(m.read, "small") == errno
    assert hurt.hits <= 2
    assert m.read("big") == BIG


# ---- R06: changed meanwhile: see test_regions.py, A12


def test_r06_412_in_the_middle_is_estale_and_a_new_open_works(shop, blobproxy):
    m = shop()
    with m.open("big") as f:
        f.range(0, 100)
        hurt = blobproxy.faults.add(method="GET", path="/big", header={"if-match": "."}, status=412, code="ConditionNotMet", times=None)
        found = errno_of(f.range, 2 * REGION + 9000, 100)
        if hurt.hits:
            assert found == "ESTALE"
            assert m.events("remote.changed"), m.log()
    blobproxy.faults.clear()
    assert m.read("big") == BIG


# ---- R08, R10: slow, silent


def test_r08_a_drip_ends_at_the_deadline(shop, blobproxy):
    m = shop("timeout=4")
    blobproxy.faults.add(method="GET", path="/small", drip=10, drip_every=0.5, times=None)
    began = time.monotonic()
    unreadable(m, "small", "ETIMEDOUT", "net.deadline")
    assert time.monotonic() - began < 7
    assert m.list() == ["big", "small"]


def test_r10_silence_ends_at_the_deadline_and_blocks_nobody(shop, blobproxy):
    m = shop("timeout=4")
    blobproxy.faults.add(method="GET", path="/small", stall=True, times=None)
    began = time.monotonic()
    unreadable(m, "small", "ETIMEDOUT", "net.deadline", "127.0.0.1")
    assert 3 < time.monotonic() - began < 7
    assert m.read("big") == BIG


# ---- R09: names and hosts


def test_r09_a_host_that_is_unknown(refused):
    began = time.monotonic()
    status, said = refused("https://account.blob.no-such-zone.invalid/box", "timeout=3", env={"AZURE_STORAGE_KEY": "a2V5"})
    assert status in (2, 10), said
    status, said = refused("blob:https://no-such-host.invalid/account/box", "timeout=3", env={"AZURE_STORAGE_KEY": "a2V5"})
    assert status == 10, said
    assert "no-such-host.invalid cannot be reached" in said
    assert time.monotonic() - began < 12


def test_r09_a_host_where_nobody_listens(refused):
    status, said = refused(f"blob:http://127.0.0.1:{free_port()}/account/box", "timeout=2", env={"AZURE_STORAGE_KEY": "a2V5"})
    assert status == 10, said
    assert "127.0.0.1 cannot be reached" in said


def test_r09_service_is_back_within_five_seconds_after_an_outage(shop, blobproxy):
    m = shop("timeout=3", "attr_timeout=0")
    blobproxy.stop()
    assert errno_of(m.read, "small") in ("EIO", "ETIMEDOUT")
    time.sleep(3)
    blobproxy.start()
    began = time.monotonic()
    read_both(m)
    assert time.monotonic() - began < 5


def test_r09_an_outage_during_a_read_is_ridden_out(shop, blobproxy):
    m = shop("timeout=20")
    blobproxy.stop()
    threading.Timer(2, blobproxy.start).start()
    assert m.read("small") == SMALL


# ---- R11: tokens, for storage


def test_r11_a_storage_token_that_is_refused_once(mount, azurite_tls, tokens, ca, ca_file, keys_file):
    container = azurite_tls.make_container()
    azurite_tls.put(container, "x", *seal.seal(SMALL, KEK))
    upstream = ssl.create_default_context(cafile=str(ca_file))
    with BlobProxy(azurite_tls.url, tls=ca.issue().context(), upstream_tls=upstream) as proxy:
        m = mount(f"blob:{proxy.endpoint}/{container}", f"keys={keys_file(KEK)}", f"ca_file={ca_file}", env=cloud.client_secret(tokens))
        proxy.faults.add(path="/x", status=401, code="InvalidAuthenticationInfo")
        assert m.read("x") == SMALL
        assert tokens.issued == {cloud.STORAGE: 2}
        proxy.faults.add(path="/x", status=401, code="InvalidAuthenticationInfo", times=None)
        assert errno_of(m.read, "x") in (None, "EACCES")
        assert tokens.issued[cloud.STORAGE] <= 3


# ---- R15: the wrong key from the vault: see tests/mount/test_vault.py


def test_r15_a_wrong_key_is_not_kept(mount, dirstore, vault, tokens, ca_file):
    """A key that authenticates nothing is noticed at the region, where it is the blob that is blamed."""
    kek = cloud.add_key(vault)
    dirstore.put("x", *seal.seal(SMALL, kek))
    vault.faults.add(path="unwrapkey", hostile="other_value", times=None)
    m = mount(dirstore.source, f"vault={vault.url}", f"ca_file={ca_file}", env=cloud.client_secret(tokens))
    unreadable(m, "x", "EBADMSG", "integrity.cek", kek.kid)


# ---- R28: clocks


def test_r28_a_clock_that_is_wrong_is_hinted_at(shop, blobproxy):
    """Shared Key requests of a machine whose clock is off are refused; the date of the answer tells."""
    m = shop("timeout=5")
    blobproxy.faults.add(path="/small", status=403, code="AuthenticationFailed", headers={"Date": formatdate(time.time() - 7200, usegmt=True)}, times=None)
    unreadable(m, "small", "EACCES", "auth.storage", "key, SAS or token", "clock")


# ---- R30: listings


def test_r30_a_listing_that_fails_in_the_middle_is_an_error(proxied, azurite, container, blobproxy, upload):
    """Never a short directory that looks whole."""
    for i in range(30):
        upload(f"n{i:02}", b"x")
    m = proxied("timeout=2", "attr_timeout=0")
    assert len(m.list()) == 30
    blobproxy.faults.add(path="comp=list", drop=2000, times=None)
    found = errno_of(m.list)
    assert found in ("EIO", "ETIMEDOUT"), found
    blobproxy.faults.clear()
    assert len(m.list()) == 30


@pytest.mark.parametrize("body", ["", "<html>", "<?xml version='1.0'?><EnumerationResults>", "<!DOCTYPE x [<!ENTITY a 'b'>]><EnumerationResults/>", "\0" * 100])
def test_r30_a_listing_that_is_none(proxied, upload, blobproxy, body):
    upload("x", b"x")
    m = proxied("timeout=2", "attr_timeout=0")
    blobproxy.faults.add(path="comp=list", body=body, times=None)
    failure(m, lambda: os.listdir(m.point), "EIO", "net.protocol")


@pytest.mark.parametrize("fault", [{"status": 500}, {"drop": 500}, {"reset": True, "drop": "request"}, {"status": 503, "retry_after": 1}], ids=str)
def test_r30_a_listing_is_asked_for_again(proxied, upload, blobproxy, fault):
    upload("x", b"x")
    m = proxied("attr_timeout=0")
    hurt = blobproxy.faults.add(path="comp=list", **fault)
    assert m.list() == ["x"]
    assert hurt.hits == 1


# ---- R40: nothing there to mount


def test_r40_a_container_that_does_not_exist(refused, azurite):
    status, said = refused(azurite.source("no-such-container"), env=azurite.environment())
    assert status == 3, said
    assert "the container does not exist" in said and len(said.splitlines()) == 1


def test_r40_a_wrong_account_key(refused, azurite, container):
    env = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string.replace(azurite.key, "a2V5" * 16)}
    status, said = refused(azurite.source(container), env=env)
    assert status == 4, said
    assert "auth" in said.lower() and "check the credentials" in said


def test_r40_no_token_to_be_had(refused, azurite_tls, ca_file):
    with Tokens() as nobody:
        nobody.identities.clear()
        status, said = refused(
            azurite_tls.source("box"), f"ca_file={ca_file}", "timeout=5", env={"AZURE_POD_IDENTITY_AUTHORITY_HOST": nobody.url}
        )
    assert status == 4, said
    assert "no credential for https://storage.azure.com" in said


def test_r40_a_directory_that_is_no_store(refused, tmp_path):
    status, said = refused(f"dir:{tmp_path}/nothing")
    assert status == 3, said
    assert str(tmp_path) in said
