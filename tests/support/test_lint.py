# SPDX-License-Identifier: MIT
"""Every lint rule finds what it is there to find, and lets pass what is right."""
import pathlib
import shutil
import subprocess

import pytest

LINT = pathlib.Path(__file__).resolve().parent.parent / "lint"
SPDX = "/* SPDX-License-Identifier: MIT */\n"


@pytest.fixture
def tree(tmp_path):
    """tree({path: text}): a small project with these files and the lint scripts; returns lint(NAME) -> complaints."""

    def make(files):
        shutil.copytree(LINT, tmp_path / "tests" / "lint")
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)

        def lint(name):
            script = tmp_path / "tests" / "lint" / f"{name}.sh"
            done = subprocess.run([script], capture_output=True, text=True, check=False)
            assert done.stderr == ""
            assert done.returncode == (1 if done.stdout else 0)
            return done.stdout

        return lint

    return make


def need(tool):
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("base/x.c", '#include "crypto/cek.h"'), ("crypto/x.c", '#include "backend/net/http.h"'),
        ("backend/store/x.c", '#include "backend/keys/kid.h"'), ("backend/keys/x.h", '#include "backend/store/store.h"'),
        ("fs/x.c", '#include "backend/net/http.h"'), ("cli/x.c", '#include "crypto/cek.h"'),
        ("cli/x.c", '#include "backend/net/token.h"'), ("fs/x.c", '#include "cli/main.h"'),
        ("backend/net/x.c", '#include "backend/backend.h"'), ("fs/x.c", '#include "names.h"'),
        ("backend/keys/x.c", "#include <openssl/evp.h>"), ("crypto/x.c", "#include <curl/curl.h>"),
        ("cli/x.c", "#  include <fuse_lowlevel.h>"), ("backend/net/x.c", "#include <expat.h>"),
        ("fs/x.c", "#include <ini.h>"), ("backend/keys/x.h", "#include <jansson.h>"),
    ],
)  # fmt: skip
def test_a_forbidden_include_is_found(tree, file, line):
    assert f"{file}:2:" in tree({file: f"{SPDX}{line}\n"})("layers")


def test_allowed_includes_pass(tree):
    lines = {
        "base/a.c": '#include "base/a.h"', "crypto/a.c": "#include <openssl/evp.h>", "cli/a.c": '#include "fs/mount.h"\n#include <ini.h>',
        "fs/a.c": '#include "backend/store/store.h"\n#include "crypto/cek.h"\n#include <fuse_lowlevel.h>',
        "backend/a.c": '#include "backend/keys/kid.h"\n#include "backend/store/store.h"', "backend/store/a.c": "#include <expat.h>",
        "backend/net/a.c": "#include <curl/curl.h>", "backend/keys/a.c": "#include <jansson.h>",
    }  # fmt: skip
    assert tree({k: SPDX + v + "\n" for k, v in lines.items()})("layers") == ""


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("base/x.c", "strcpy(a, b);"), ("fs/x.c", "n = atoi(s);"), ("cli/x.c", "x = rand ();"), ("base/x.c", "sprintf(a, b);"),
        ("crypto/x.c", "if (memcmp(a, b, 4) == 0)"), ("backend/keys/x.c", "return !memcmp(a, b, 4);"),
        ("crypto/x.c", "p = realloc(p, 4);"), ("base/secret.c", "p = realloc(p, 4);"), ("fs/x.c", "p = alloca(3);"),
        ("fs/x.c", "goto fail;"), ("fs/x.c", "goto out2;"), ("fs/x.c", "x = 1; // why"), ("fs/x.h", "#pragma once"),
        ("fs/x.c", "/* TODO later */"), ("fs/x.c", 'log("a"); strcat(a, "//");'), ("cli/x.c", 'system("ls");'),
    ],
)  # fmt: skip
def test_a_banned_word_is_found(tree, file, line):
    assert f"{file}:2:" in tree({file: f"{SPDX}{line}\n"})("banned")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("fs/x.c", "if (memcmp(a, b, 4) == 0)"), ("crypto/x.c", "memcmp(a, b, 4); /* not secret */"), ("base/x.c", "snprintf(a, 3, b);"),
        ("fs/x.c", "goto out;"), ("fs/x.c", 'char *s = "https://strcpy(a)";'), ("fs/x.c", "/* see http://x, not strcpy(a, b) */"),
        ("fs/x.c", "p = realloc(p, 4);"), ("fs/x.c", "operand(3);"), ("fs/x.c", "/*\n * strcpy(a) // b\n */"), ("fs/x.c", "explicit_bzero(a, 3);"),
    ],
)  # fmt: skip
def test_what_only_looks_banned_passes(tree, file, line):
    assert tree({file: f"{SPDX}{line}\n"})("banned") == ""


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"fs/x.h": f"{SPDX}#ifndef FS_X_H\n#define FS_X_H\nvoid f(size_t n);\n#endif\n"}, "fs/x.h: alone"),
        ({"fs/x.h": f"{SPDX}#ifndef X_H\n#define X_H\n#endif\n"}, "the guard is not FS_X_H"),
        ({"fs/x.c": "int x;\n"}, "fs/x.c:1: no SPDX line"),
        ({"fs/x.c": f"{SPDX}#include <stdio.h>\n", "fs/x.h": f"{SPDX}#ifndef FS_X_H\n#define FS_X_H\n#endif\n"}, "first include"),
        ({"fs/x.c": f'{SPDX}#include "fs/x.h"\n', "fs/x.h": f"{SPDX}#ifndef FS_X_H\n#define FS_X_H\n#include <stddef.h>\nvoid f(size_t n);\n#endif\n"}, None),
    ],
)  # fmt: skip
def test_headers(tree, files, complaint):
    found = tree(files)("headers")
    assert complaint in found if complaint else found == ""


def test_long_functions_and_files_are_found(tree):
    body = "int\nlong_one(int a)\n{\n" + "\ta++;\n" * 71 + "}\n"
    short = "int\nshort_one(int a)\n{\n" + "\ta++;\n" * 70 + "}\n"
    found = tree({"fs/a.c": SPDX + body, "fs/b.c": SPDX + short, "fs/c.h": SPDX + "\n" * 600})("shape")
    assert "fs/a.c:4: long_one has 71 lines" in found and "fs/c.h: 601 lines" in found
    assert "short_one" not in found


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        # Cut in two, so that this file does not say what it is about.
        ("see /wo" "rk/x", True), ("../sha" "red/notes", True), ("as DESI" "GN.md says", True), ("form" "ats.md, 2.4", True),
        ("docs/FORMATS.md", False), ("https:/" "/registry.example.org/x", True), ("/home/w" "ork/x", False), ("a shared key", False),
        ("https://example.blob.core.windows.net/c", False),
    ],
)  # fmt: skip
def test_speech_of_another_place_is_found(tree, text, bad):
    assert bool(tree({"docs/x.md": text + "\n"})("speaks")) == bad


def test_layout_is_checked_and_repaired(tree, tmp_path):
    need("clang-format-14")
    shutil.copy(LINT.parent.parent / ".clang-format", tmp_path)
    lint = tree({"fs/x.c": SPDX + "int f( void ) { return 1; }\n", "fs/y.c": SPDX + "/* " + "word " * 40 + "*/\nint y;\n"})
    found = lint("format")
    assert "fs/x.c:2:" in found and "fs/y.c:2: 20" in found
    subprocess.run([tmp_path / "tests/lint/format.sh", "--fix"], check=True, capture_output=True)
    assert lint("format") == ""
    assert "\nint\nf(void)\n{\n\treturn 1;\n}\n" in (tmp_path / "fs/x.c").read_text()
    assert (tmp_path / "fs/y.c").read_text().split().count("word") == 40


def test_scripts_are_checked(tree):
    need("shellcheck")
    need("codespell")
    found = tree({"x.sh": "#!/bin/sh\ncd $1\n", "docs/x.md": "reci" "eve\n", "x.py": "def f(:\n"})("text")
    assert "x.sh:2" in found and "reci" "eve" in found and "x.py:1" in found


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("int x_f(void) { return 1; }", ""), ("int header_f(void) { return 1; }", "another file"), ("int type_f(void) { return 1; }", ""),
        ("int nobody(void) { return 1; }", "no header of fs declares"), ("static int f(void) { return 1; }\nint x_f(void) { return f(); }", ""),
    ],
)  # fmt: skip
def test_exported_names(tree, source, complaint):
    header = "#ifndef FS_X_H\n#define FS_X_H\nstruct type;\nint x_f(void);\nint header_f(void);\nint type_f(void);\n#endif\n"
    makefile = "all: build/fs/x.o\nbuild/fs/x.o: fs/x.c\n\tmkdir -p build/fs && gcc -c -I. -o $@ $<\n"
    found = tree({"fs/x.h": SPDX + header, "fs/x.c": f"{SPDX}{source}\n", "Makefile": makefile})("symbols")
    assert complaint in found if complaint else found == ""
