# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the lint scripts share. Each prints FILE:LINE: what is wrong, and ends with 1 when it printed anything.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
found=0

complain() {
	echo "$*"
	found=1
}

# complain about each line of the input.
complain_each() {
	local line
	while IFS= read -r line; do complain "$line"; done
}

# What belongs to the project: tracked, or new and not ignored. In an unpacked tarball: all but build trees.
all_files() {
	if git -c safe.directory='*' rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git -c safe.directory='*' ls-files --cached --others --exclude-standard
	else
		find . -type f -not -path './build*' -not -path '*/__pycache__/*' | sed 's|^\./||'
	fi | while IFS= read -r file; do [[ ! -f $file ]] || echo "$file"; done | sort -u
}

# The program's own C.
c_files() {
	all_files | grep -E '^(base|crypto|backend|fs|cli)/.*\.[ch]$'
}

# All C, the tests' and examples' too.
all_c_files() {
	all_files | grep -E '\.[ch]$'
}

# A C file without comments and with empty strings; the numbers of lines are kept.
code_of() {
	perl -0777 -pe 's{("(?:\\.|[^"\\\n])*")|(/\*.*?\*/)}{(defined $1 ? "\"\"" : "") . "\n" x ($& =~ tr/\n//)}gse' "$1"
}

# FILE:LINE:code of every line of the program's code that matches an extended regex, in files whose path matches.
grep_code() { # REGEX FILES-REGEX
	local file
	while IFS= read -r file; do
		code_of "$file" | grep -nE "$1" | sed "s|^|$file:|"
	done < <(c_files | grep -E "$2")
}

flags=(-std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. '-DAZCRYPTFS_VERSION="lint"')
read -ra libraries <<<"$(pkg-config --cflags fuse3 libcrypto libcurl jansson expat inih 2>/dev/null)"
flags+=("${libraries[@]}")
