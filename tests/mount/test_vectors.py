# SPDX-License-Identifier: MIT
"""Every blob that the official clients sealed, whole and in every listed range, through a mount: from a
dir: store and from Azurite.  And every damaged one: it fails with the errno of docs/ERRORS.md.
"""
import hashlib

import pytest

from tests.conftest import make_keys_file
from tests.support import vectors
from tests.support.dirstore import DirStore
from tests.support.mount import errno_of

STORES = ("dir", "azurite")
SETS = vectors.all_sets()


class Gallery:
    """All that a vector set has, in one store of either kind, and the mounts that show it."""

    def __init__(self, vector_set, store, directory, mount, azurite):
        self.set = vector_set
        self._mount = mount
        self.keys = make_keys_file(directory, *vector_set.keys)
        if store == "dir":
            kept = DirStore(directory / "store")
            self.source, self.env, put = kept.source, {}, kept.put
        else:
            container = azurite.make_container()
            self.source, self.env = azurite.source(container), azurite.environment()
            put = lambda *a, **k: azurite.put(container, *a, **k)  # noqa: E731
        for blob in vector_set.blobs:
            put(blob.name, blob.stored, blob.metadata, blob_type=blob.blob_type)
        for blob in vector_set.damaged + vector_set.variants:
            put(blob.slug, blob.stored, blob.metadata, blob_type=blob.blob_type)
        self._mounts = {}

    def mount(self, *options, of=None):
        """A mount with these options, one for all who name the same purpose."""
        if (options, of) not in self._mounts:
            self._mounts[options, of] = self.fresh_mount(*options)
        return self._mounts[options, of]

    def fresh_mount(self, *options):
        """One that nobody has used: its caches are empty and its failure budget is whole."""
        return self._mount(self.source, f"keys={self.keys}", *options, env=self.env)


@pytest.fixture(scope="module")
def gallery(module_mount, tmp_path_factory, azurite):
    made = {}

    def gallery_of(vector_set, store):
        if (vector_set.name, store) not in made:
            directory = tmp_path_factory.mktemp("gallery")
            made[vector_set.name, store] = Gallery(vector_set, store, directory, module_mount, azurite)
        return made[vector_set.name, store]

    return gallery_of


def each(entries):
    """(store, entry) for every entry of every set, in an order in which mounts are shared."""
    rows = [(store, entry) for store in STORES for s in SETS for entry in entries(s)]
    return pytest.mark.parametrize(("store", "entry"), rows, ids=[f"{store}:{e}" for store, e in rows])


# ---- whole and in ranges


@each(lambda s: s.blobs)
def test_a_blob_comes_back_whole(gallery, store, entry):
    m = gallery(entry.set, store).mount("v1=read")
    found = m.read(entry.name)
    assert len(found) == entry.length
    assert found == entry.plaintext


@each(lambda s: [b for b in s.blobs if b.ranges])
def test_every_range_of_a_blob(gallery, store, entry):
    m = gallery(entry.set, store).mount("v1=read")
    with m.open(entry.name) as f:
        assert f.size == entry.length
        for offset, length, sha256 in entry.ranges:
            found = f.range(offset, length)
            assert hashlib.sha256(found).hexdigest() == sha256, f"{length} bytes at {offset}: {len(found)} came"


@each(lambda s: s.blobs)
def test_stat_shows_the_size_of_the_plaintext(gallery, store, entry):
    """Exact for V2 and page blobs; V1 is stored length - 1 until an open file knows better."""
    bound = entry.protocol == "1.0" and entry.blob_type == "BlockBlob"
    m = gallery(entry.set, store).mount("v1=read", of="stat")
    assert m.path(entry.name).stat().st_size == (len(entry.stored) - 1 if bound else entry.length)
    with m.open(entry.name) as f:
        assert f.size == entry.length


@each(lambda s: [b for b in s.blobs if b.protocol == "1.0"])
def test_a_v1_blob_is_refused_unless_asked_for(gallery, store, entry):
    assert errno_of(gallery(entry.set, store).mount().read, entry.name) == "EACCES"


# ---- damaged

READ_WHOLE = ("extra unknown fields are ignored", "fields in another order")
UNSUPPORTED = ("unknown protocol", "unknown protocol 2.2", "unknown protocol 3.0", "unknown wrap algorithm")
REFUSED = ("metadata missing", "other key id")
# A record that cannot be parsed is malformed whatever it claims to be; beyond that V1 has one error only.
V1_MALFORMED = ("v1 IV missing", "v1 IV of 8 bytes")
# No padded blob has no bytes: one client reads it as empty, we do not.
V1_REFUSED = V1_MALFORMED + ("v1 no bytes at all",)


def is_v1(entry):
    return entry.based_on.protocol == "1.0"


def is_relabelled_v1(entry):
    return entry.name.startswith("downgrade")


def expected_errno(entry):
    """docs/ERRORS.md for an entry of damaged.json that must fail."""
    if entry.name in UNSUPPORTED:
        return "EOPNOTSUPP"
    if entry.name in REFUSED:
        return "EACCES"
    return "EBADMSG"


def must_fail(entry):
    return entry.name not in READ_WHOLE and "last region dropped" not in entry.name


@each(lambda s: [d for d in s.damaged if must_fail(d) and not is_v1(d) and not is_relabelled_v1(d)])
def test_a_damaged_blob_fails(gallery, store, entry):
    m = gallery(entry.set, store).mount()
    assert errno_of(m.read, entry.slug) == expected_errno(entry)
    assert errno_of(m.read, entry.slug) == expected_errno(entry), "the second time"


@each(lambda s: [d for d in s.damaged if d.name in READ_WHOLE])
def test_an_unusual_envelope_reads_whole(gallery, store, entry):
    assert gallery(entry.set, store).mount().read(entry.slug) == entry.based_on.plaintext


@each(lambda s: [d for d in s.damaged if "last region dropped" in d.name])
def test_a_lost_last_region_cannot_be_seen(gallery, store, entry):
    """The format has no length that is authenticated: such a blob reads as a shorter one."""
    found = gallery(entry.set, store).mount().read(entry.slug)
    assert (len(found), hashlib.sha256(found).hexdigest()) == entry.sdk_value
    assert entry.based_on.plaintext.startswith(found)


@each(lambda s: [d for d in s.damaged if is_relabelled_v1(d)])
def test_a_v2_blob_relabelled_v1_is_refused(gallery, store, entry):
    assert errno_of(gallery(entry.set, store).mount().read, entry.slug) == "EACCES"


@each(lambda s: [d for d in s.damaged if is_relabelled_v1(d)])
def test_the_key_of_a_v2_blob_never_serves_v1(gallery, store, entry):
    """Not even from the cache: the blob that it belongs to has been read before."""
    m = gallery(entry.set, store).fresh_mount("v1=read")
    assert m.read(entry.based_on.name) == entry.based_on.plaintext
    assert errno_of(m.read, entry.slug) == "EIO"


@each(lambda s: [d for d in s.damaged if is_v1(d) and d.name not in V1_MALFORMED])
def test_a_damaged_v1_blob_is_refused_unless_asked_for(gallery, store, entry):
    assert errno_of(gallery(entry.set, store).mount().read, entry.slug) == "EACCES"


@each(lambda s: [d for d in s.damaged if is_v1(d) and (not d.sdk_value or d.name in V1_REFUSED)])
def test_a_damaged_v1_blob_fails(gallery, store, entry):
    m = gallery(entry.set, store).fresh_mount("v1=read")
    assert errno_of(m.read, entry.slug) == ("EBADMSG" if entry.name in V1_MALFORMED else "EIO")


@each(lambda s: [d for d in s.damaged if is_v1(d) and d.sdk_value and d.name not in V1_REFUSED])
def test_a_change_in_the_middle_of_a_v1_blob_cannot_be_seen(gallery, store, entry):
    """V1 has nothing to verify: this is why it must be asked for."""
    found = gallery(entry.set, store).mount("v1=read").read(entry.slug)
    assert (len(found), hashlib.sha256(found).hexdigest()) == entry.sdk_value


# ---- unusual, and right or not

VARIANTS = {
    "v2.1 empty blob with a changed tag": "EBADMSG",
    "v2.1 empty blob stored as no bytes": None,
    "protocol 2.1 named 2.0 with a 2.0 prefix in the wrapped key": None,
    "key id in capitals": "EACCES",
    "metadata with text after the object": "EBADMSG",
    "member names in lower case": "EBADMSG",
    "IV present and null": None,
    "key wrapping metadata missing": None,
    "encryption mode missing": None,
    "protocol given twice, last one right": "EBADMSG",
}


def test_every_variant_has_a_verdict():
    for entry in (v for s in SETS for v in s.variants):
        assert entry.name in VARIANTS
        assert entry.reader == "may differ" or VARIANTS[entry.name] is None


@each(lambda s: s.variants)
def test_a_variant(gallery, store, entry):
    m = gallery(entry.set, store).mount()
    assert errno_of(m.read, entry.slug) == VARIANTS[entry.name]
    if VARIANTS[entry.name] is None:
        assert m.read(entry.slug) == entry.based_on.plaintext
