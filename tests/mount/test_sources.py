# SPDX-License-Identifier: MIT
"""What can be mounted: many sources at once, an account, a prefix, one blob."""
import datetime
import os
import uuid

import pytest
from azure.storage.blob import BlobSasPermissions, ContainerSasPermissions, generate_blob_sas, generate_container_sas

from tests.support.sealed import Local
from tests.support.mount import errno_of
from tests.support.process import wait_until


def sas_of(cloud, blob=None, **permission):
    """A SAS for the container or one blob of it."""
    expiry = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    account, key = cloud.azurite.account, cloud.azurite.key
    if blob:
        permission = BlobSasPermissions(**permission)
        return generate_blob_sas(account, cloud.container, blob, account_key=key, permission=permission, expiry=expiry)
    permission = ContainerSasPermissions(**permission)
    return generate_container_sas(account, cloud.container, account_key=key, permission=permission, expiry=expiry)


# ---- mount -c


@pytest.fixture
def two(tmp_path, mount):
    stores = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        stores.append(Local(tmp_path / name, mount))
        stores[-1].put("x", name.encode())
    return stores


def config(tmp_path, text):
    path = tmp_path / f"mount-{uuid.uuid4().hex[:6]}.ini"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_one_mount_has_many_sources(two, cloud, tmp_path, mount):
    cloud.put("x", b"cloud")
    one, other = two
    file = config(
        tmp_path,
        f"attr_timeout = 1\nkeys = {one.keys}\n\n[first]\nsource = {one.source}\n\n"
        f"[deep/er/second]\nsource = {other.source}\n\n[deep/cloud]\nsource = {cloud.source()}\n",
    )
    m = mount(config=file, env=cloud.environment)
    assert m.list() == ["deep", "first"]
    assert m.list("deep") == ["cloud", "er"] and m.list("deep/er") == ["second"]
    assert m.read("first/x") == b"one"
    assert m.read("deep/er/second/x") == b"two"
    assert m.read("deep/cloud/x") == b"cloud"
    assert errno_of(m.read, "deep/x") == "ENOENT"
    numbers = [m.path(p).stat().st_ino for p in ("", "first", "deep", "deep/er", "deep/er/second", "first/x", "deep/er/second/x")]
    assert len(set(numbers)) == len(numbers)
    assert sorted(e.name for e in os.scandir(m.path("deep")) if e.is_dir()) == ["cloud", "er"]


@pytest.mark.parametrize(
    ("paths", "words"),
    [(("a", "a"), "twice"), (("a", "a/b"), "[a/b] lies inside section [a]"), (("..", "b"), "section [..]")],
)  # fmt: skip
def test_sources_that_get_in_each_others_way_are_refused(two, tmp_path, run, paths, words):
    text = "".join(f"[{p}]\nsource = {s.source}\nkeys = {s.keys}\n" for p, s in zip(paths, two))
    (tmp_path / "mnt").mkdir()
    done = run("mount", "-f", "-c", config(tmp_path, text), tmp_path / "mnt")
    assert done.returncode == 2 and words in done.stderr.decode()


# ---- an account


def test_an_account_shows_its_containers(azurite, cloud, mount):
    cloud.put("folder/x", b"x")
    source = f"blob:{cloud.proxy.endpoint}"
    m = mount(source, f"keys={cloud.keys}", "attr_timeout=0", "negative_timeout=0", env=cloud.environment)
    assert cloud.container in m.list()
    assert m.list(cloud.container) == ["folder"]
    assert m.read(f"{cloud.container}/folder/x") == b"x"
    assert m.path(cloud.container).is_dir()
    for name in ("no-such-container", "NOT A NAME", "%00", "x"):
        assert not m.path(name).exists(), name
    new = azurite.make_container()
    assert new in m.list() and m.list(new) == []
    azurite.service.delete_container(new)
    wait_until(lambda: new not in m.list(), 3, "the container's end")


# ---- a prefix


def test_a_prefix_shows_what_lies_below_it(cloud):
    for name in ("p/x", "p/folder/y", "p/folder/deep/z", "px", "q/x"):
        cloud.put(name, name.encode())
    for path in ("p", "p/"):
        m = cloud.mount(path=path)
        assert m.list() == ["folder", "x"]
        assert m.read("x") == b"p/x" and m.read("folder/deep/z") == b"p/folder/deep/z"
        assert not m.path("q").exists() and not m.path("../q/x").resolve().is_relative_to(m.point)
    assert cloud.mount(path="p/folder").list() == ["deep", "y"]


def test_a_prefix_is_percent_encoded_in_the_source(cloud):
    cloud.put("a b/c%d/x", b"x")
    assert cloud.mount(path="a%20b/c%25d").read("x") == b"x"


@pytest.mark.parametrize("kind", ["marker", "sealed"])
def test_a_blob_that_is_named_like_the_prefix_does_not_break_the_listing(cloud, kind):
    if kind == "marker":
        cloud.azurite.put(cloud.container, "p/", b"", None)
    else:
        cloud.put("p/", b"content")
    cloud.put("p/x", b"x")
    m = cloud.mount(path="p")
    assert "x" in m.list() and len(m.list()) <= 2
    for name in m.list():
        m.read(name)
    assert not m.path("%00").is_dir()
    assert m.read("x") == b"x"


def test_a_prefix_of_a_local_store(local, mount):
    local.put("x", b"x")
    assert local.mount().read("x") == b"x"


# ---- a SAS


def test_a_sas_for_one_blob_mounts_one_file(cloud, mount):
    cloud.put("folder/one", b"one" * 1000)
    cloud.put("folder/two", b"two")
    sas = sas_of(cloud, "folder/one", read=True)
    m = mount(cloud.source("folder/one"), f"keys={cloud.keys}", env={"AZURE_STORAGE_SAS_TOKEN": sas})
    assert m.list() == ["one"]
    assert m.path("one").stat().st_size == 3000
    assert m.read("one") == b"one" * 1000
    for name in ("two", "folder", "folder/two", "on", "one%00", "%00"):
        assert not m.path(name).exists(), name


def test_a_sas_that_may_not_list_is_refused_with_advice(cloud, run, tmp_path):
    cloud.put("folder/x", b"x")
    env = {"AZURE_STORAGE_SAS_TOKEN": sas_of(cloud, read=True)}
    (tmp_path / "mnt").mkdir()
    done = run("mount", "-f", cloud.source(), tmp_path / "mnt", env=env)
    assert done.returncode != 0 and b"permissions r and l" in done.stderr and b"sig=" not in done.stderr


def test_a_sas_for_a_container_lists_and_reads(cloud, mount):
    cloud.put("folder/x", b"x")
    env = {"AZURE_STORAGE_SAS_TOKEN": sas_of(cloud, read=True, list=True)}
    m = mount(cloud.source(), f"keys={cloud.keys}", env=env)
    assert m.list("folder") == ["x"] and m.read("folder/x") == b"x"
    assert "sig=" not in m.log()
