# SPDX-License-Identifier: MIT
"""Names of blobs as file names: every name can be listed and opened, none hides another, none leaves the mount."""
import hashlib
import os

import pytest

from tests.support.mount import errno_of


def alias(kept, component, shadowed=False):
    """The short name of a component that is too long, from docs/SEMANTICS.md: what is kept, and a fingerprint."""
    digest = bytearray(hashlib.sha256(component.encode()).digest()[:16])
    digest[0] ^= 0xFF if shadowed else 0
    return f"{kept}%~{digest.hex()}"


LONG = "m" * 1024
CONTROLS = "\n" * 85  # 255 bytes when escaped, 258 with the mark of a file behind a directory

GOLDEN = [
    ("plain", "plain"),
    ("with space", "with space"),
    (" around ", " around "),
    ("dot.end.", "dot.end."),
    (".hidden", ".hidden"),
    ("...", "..."),
    (".", "%2E"),
    ("..", "%2E%2E%00"),
    ("../up", "%2E%2E/up"),
    ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"),
    ("a/../b", "a/%2E%2E/b"),
    ("a/./c", "a/%2E/c"),
    ("%2E", "%252E"),
    ("%2E%2E", "%252E%252E"),
    ("%2e%2e/z", "%2e%2e/z"),
    ("%", "%"),
    ("%%", "%%"),
    ("100%", "100%"),
    ("%4", "%4"),
    ("%zz", "%zz"),
    ("%25", "%2525"),
    ("%00", "%2500"),
    ("x%00", "x%2500"),
    ("%~", "%25~"),
    ("n%~" + "0123456789abcdef" * 2, "n%25~" + "0123456789abcdef" * 2),
    ("a+b", "a+b"),
    ("q?x=1", "q?x=1"),
    ("hash#tag", "hash#tag"),
    ("amp&lt;semi", "amp&lt;semi"),
    ("colon:star*", "colon:star*"),
    ("quote\"'<>|", "quote\"'<>|"),
    ("back\\slash", "back\\slash"),
    ("$(id) `id`", "$(id) `id`"),
    ("-rf", "-rf"),
    ("~", "~"),
    ("tab\there", "tab%09here"),
    ("new\nline", "new%0Aline"),
    ("return\r", "return%0D"),
    ("\x01start", "%01start"),
    ("esc\x1b[31m", "esc%1B[31m"),
    ("del\x7f", "del%7F"),
    ("caf\u00e9", "caf\u00e9"),
    ("cafe\u0301", "cafe\u0301"),
    ("\u65e5\u672c\u8a9e", "\u65e5\u672c\u8a9e"),
    ("face\U0001f600", "face\U0001f600"),
    ("rtl\u202etxt", "rtl\u202etxt"),
    ("\ufeffbom", "\ufeffbom"),
    ("nel\u0085", "nel\u0085"),
    ("Case", "Case"),
    ("case", "case"),
    ("/lead", "%00/lead"),
    ("//two", "%00/%00/two"),
    ("a//b", "a/%00/b"),
    ("trail/", "trail/%00"),
    ("d", "d%00"),
    ("d/x", "d/x"),
    ("d%00", "d%2500"),
    ("d/", "d/%00"),
    ("n" * 255, "n" * 255),
    ("n" * 256, alias("n" * 221, "n" * 256)),
    ("p" * 300 + "1", alias("p" * 221, "p" * 300 + "1")),
    ("p" * 300 + "2", alias("p" * 221, "p" * 300 + "2")),
    ("q" * 254, alias("q" * 221, "q" * 254, shadowed=True)),
    ("q" * 254 + "/x", "q" * 254 + "/x"),
    (LONG, alias("m" * 221, LONG)),
    ("\u00e9" * 200, alias("\u00e9" * 110, "\u00e9" * 200)),
    ("z" + "\u00e9" * 200, alias("z" + "\u00e9" * 110, "z" + "\u00e9" * 200)),
    ("y" * 220 + "\n" * 20, alias("y" * 220, "y" * 220 + "\n" * 20)),
    (CONTROLS, alias("%0A" * 73, CONTROLS, shadowed=True)),
    (CONTROLS + "/x", "%0A" * 85 + "/x"),
    ("long/" + "w" * 600 + "/" + "v" * 400, "long/" + alias("w" * 221, "w" * 600) + "/" + alias("v" * 221, "v" * 400)),
    ("/".join(["c"] * 200), "/".join(["c"] * 200)),
]
# What Azurite itself cannot store or list: it turns '\' into '/', and its XML cannot hold control characters.
NOT_IN_AZURITE = tuple(name for name, _ in GOLDEN if "\\" in name or any(ord(c) < 32 or c == "\x7f" for c in name))


def walk(root):
    """Every file below root as a path relative to it, by listing alone; files and directories must tell apart."""
    found = []
    for directory, folders, files in os.walk(root, onerror=_fail):
        for name in files:
            found.append(os.path.relpath(os.path.join(directory, name), root))
        assert len(set(folders) | set(files)) == len(folders) + len(files), directory
    return sorted(found)


def _fail(error):
    raise error


# ---- the golden table, in a dir: store


@pytest.fixture(scope="module")
def golden(module_local):
    for name, _ in GOLDEN:
        module_local.put(name, name.encode())
    return module_local


@pytest.fixture(scope="module")
def golden_mount(golden):
    return golden.mount()


def test_the_table_has_sixty_names_and_no_name_twice():
    assert len(GOLDEN) >= 60
    assert len({name for name, _ in GOLDEN}) == len({shown for _, shown in GOLDEN}) == len(GOLDEN)


def test_every_name_is_listed_once_as_the_table_says(golden_mount):
    assert walk(golden_mount.point) == sorted(shown for _, shown in GOLDEN)


@pytest.mark.parametrize(("name", "shown"), GOLDEN, ids=[ascii(n)[:40] for n, _ in GOLDEN])
def test_a_listed_name_opens_its_blob(golden_mount, name, shown):
    assert golden_mount.read(shown) == name.encode()


def test_every_name_is_found_by_lookup_on_a_mount_that_has_listed_nothing(golden):
    m = golden.mount()
    for name, shown in GOLDEN:
        assert m.read(shown) == name.encode(), shown


def test_every_name_is_found_when_nothing_is_cached(golden):
    m = golden.mount("attr_timeout=0", "negative_timeout=0")
    for name, shown in GOLDEN:
        assert m.read(shown) == name.encode(), shown
    assert walk(m.point) == sorted(shown for _, shown in GOLDEN)


def test_dot_dot_never_leaves_the_mount(golden_mount):
    """The kernel resolves "..", and the blob of that name has another one."""
    assert golden_mount.path("%2E%2E/..").stat().st_ino == golden_mount.path().stat().st_ino
    assert golden_mount.path("a/..").stat().st_ino == golden_mount.path().stat().st_ino
    assert not golden_mount.path("%2E%2E/%2E%2E/etc/passwd").is_symlink()
    assert b"root:" not in golden_mount.read("%2E%2E/%2E%2E/etc/passwd")


@pytest.mark.parametrize(
    "name",
    [
        "%2e%2E", "%2F", "a%2Fb", "%00x", "d%00%00", "plain%00", "%0a", "tab%9here", "%41", "d%00/x", "%2E%2E%2E", "%C3%A9",
        "n%~" + "0123456789abcdef" * 2, "n" * 221 + "%~" + "0" * 32, "n" * 220 + "%~" + hashlib.sha256(b"n" * 256).hexdigest()[:32],
    ],
)  # fmt: skip
def test_a_name_that_no_blob_would_have_names_nothing(golden_mount, name):
    """Escapes that the table does not make: there is one name for each blob, no second one."""
    assert errno_of(os.stat, golden_mount.path(name)) in ("ENOENT", "ENOTDIR")


def test_a_name_of_more_than_255_bytes_is_too_long(golden_mount):
    assert errno_of(os.stat, golden_mount.path("n" * 256)) == "ENAMETOOLONG"


def test_a_file_is_no_directory(golden_mount):
    assert errno_of(os.stat, golden_mount.path("plain/x")) == "ENOTDIR"
    assert errno_of(os.listdir, golden_mount.path("d%00")) == "ENOTDIR"
    assert errno_of(golden_mount.read, "d") == "EISDIR"


def test_a_directory_has_the_plain_name_and_the_blob_a_marked_one(local):
    """And when the directory goes, the blob has the plain name again."""
    local.put("d", b"blob")
    local.put("d/x", b"below")
    m = local.mount("attr_timeout=0", "negative_timeout=0")
    assert m.list() == ["d", "d%00"]
    assert (m.read("d%00"), m.read("d/x")) == (b"blob", b"below")
    local.store.remove("d/x")
    assert m.list() == ["d"]
    assert m.read("d") == b"blob"
    assert errno_of(m.read, "d%00") == "ENOENT"


# ---- markers that other tools leave for folders


@pytest.mark.parametrize("key", ["hdi_isfolder", "Hdi_isFolder", "HDI_ISFOLDER"])
def test_a_folder_marker_is_a_directory(local, key):
    local.store.put("empty", b"", {key: "true"})
    local.store.put("full", b"", {key: "true"})
    local.put("full/x", b"x")
    m = local.mount()
    assert m.list() == ["empty", "full"]
    assert m.path("empty").is_dir() and m.list("empty") == []
    assert m.list("full") == ["x"]
    fresh = local.mount()
    assert fresh.path("empty").is_dir() and fresh.path("full").is_dir()


def test_an_empty_blob_named_like_the_directory_is_its_marker(local):
    """"trail/" of no bytes and no envelope; with content it is a file of its own ("trail/%00", above)."""
    local.store.put("trail/", b"", {})
    local.put("trail/x", b"x")
    local.store.put("alone/", b"", {})
    m = local.mount()
    assert m.list() == ["alone", "trail"]
    assert m.list("trail") == ["x"]
    assert m.list("alone") == []


# ---- Azurite


@pytest.fixture(scope="module")
def golden_cloud(module_cloud):
    for name, _ in GOLDEN:
        if name not in NOT_IN_AZURITE:
            module_cloud.put_many([name], name.encode())
    return module_cloud


def test_every_name_is_listed_and_opened_from_azurite(golden_cloud):
    m = golden_cloud.mount()
    wanted = {shown: name.encode() for name, shown in GOLDEN if name not in NOT_IN_AZURITE}
    assert walk(m.point) == sorted(wanted)
    for shown, plain in wanted.items():
        assert m.read(shown) == plain, shown


def test_every_name_is_looked_up_in_azurite(golden_cloud):
    m = golden_cloud.mount()
    for name, shown in GOLDEN:
        if name not in NOT_IN_AZURITE:
            assert m.read(shown) == name.encode(), shown


def test_a_blob_and_its_directory_are_both_reachable_across_pages(cloud):
    """6,000 names lie between "d" and "d/x": they come on different pages."""
    between = [f"d-{i:05}" for i in range(6000)]
    cloud.put_many(["d", "d/x", *between])
    m = cloud.mount()
    found = m.list()
    assert found == sorted(["d", "d%00", *between])
    assert m.read("d%00") == b"x" and m.read("d/x") == b"x"
    assert m.path("d").is_dir()
    fresh = cloud.mount()
    assert fresh.read("d%00") == b"x" and fresh.path("d").is_dir()
