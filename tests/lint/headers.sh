#!/bin/bash
# SPDX-License-Identifier: MIT
# Each header compiles alone, has its guard by path and its licence line; each .c file includes its own header first.
. "$(dirname "$0")/lib.sh"

compile_alone() { # HEADER
	echo "#include \"$1\"" | gcc "${flags[@]}" -Wall -Wextra -Werror -fsyntax-only -x c - 2>&1 |
		sed "s|^|$1: alone: |" | head -3
}

while IFS= read -r header; do
	guard=$(tr 'a-z/.-' 'A-Z___' <<<"$header")
	if ! grep -q "^#ifndef $guard\$" "$header" || ! grep -q "^#define $guard\$" "$header"; then
		complain "$header: the guard is not $guard"
	fi
	complain_each < <(compile_alone "$header")
done < <(c_files | grep '\.h$')

while IFS= read -r source; do
	own=${source%.c}.h
	[[ -f $own ]] || continue
	first=$(grep -m1 '^#include' "$source")
	[[ $first == "#include \"$own\"" ]] || complain "$source: the first include is not its own header"
done < <(c_files | grep '\.c$')

while IFS= read -r file; do
	[[ $(head -1 "$file") == '/* SPDX-License-Identifier: MIT */' ]] || complain "$file:1: no SPDX line"
done < <(all_c_files)
exit $found
