#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Wraps the lines of C block comments that pass 100 columns, keeping lists and hanging indents as they are.

clang-format would flow lists into one another; so this comes first, and it finds nothing left to do.
"""
import re
import sys

LIMIT = 98
ITEM = re.compile(r"(?:- |-E[A-Z]+(?:, -E[A-Z]+)* +|\d+[.)]? +)")


def width(text):
    return len(text.expandtabs(8))


def is_text(line, lead):
    """Whether a comment line goes on with the paragraph that is indented by lead."""
    return line.startswith(lead) and line[len(lead) :][:1] not in ("", " ", "/", "-", "*") and "  " not in line[len(lead) :].replace(".  ", ". ")


def wrap(lines):
    out, i = [], 0
    while i < len(lines):
        line = lines[i]
        i += 1
        one = re.fullmatch(r"(\t*)/\* (.*) \*/", line)
        if one and width(line) > LIMIT + 2:
            lines[i:i] = [f"{one[1]} * {one[2]}", f"{one[1]} */"]
            out.append(f"{one[1]}/*")
            continue
        found = re.fullmatch(r"(\t* \*)( +)(\S.*)", line)
        if not found or width(line) <= 100:
            out.append(line)
            continue
        head = found[1] + found[2]
        item = ITEM.match(found[3])
        hang = head + " " * (len(item[0]) if item else 0)
        end = " */" if found[3].endswith(" */") else ""
        text = found[3][: len(found[3]) - len(end)]
        cut = text.rfind(" ", 0, LIMIT - width(head) + 1)
        if cut <= (len(item[0]) if item else 0):
            out.append(line)
            continue
        out.append(head + text[:cut].rstrip())
        rest = text[cut:].strip()
        if end:
            lines[i:i] = [hang + rest, hang.rstrip(" ")[: hang.index("*")] + "*/"]
        elif i < len(lines) and is_text(lines[i], hang):
            lines[i] = hang + rest + " " + lines[i][len(hang) :]
        else:
            lines.insert(i, hang + rest)
    return out


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as f:
        before = f.read()
    after = "\n".join(wrap(before.split("\n")))
    if after != before:
        with open(path, "w", encoding="utf-8") as f:
            f.write(after)
