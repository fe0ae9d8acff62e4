#!/bin/bash
# SPDX-License-Identifier: MIT
# How long things may be: a function 70 lines, a file 600. Above 40 and 400 a reviewer will ask.
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2016 # awk's dollars
complain_each < <(c_files | grep '\.c$' | xargs -r awk '
	FNR == 1 { inside = 0 }
	/^[a-z_][A-Za-z0-9_]*\(/ { name = $0; sub(/\(.*/, "", name) }
	/^\{$/ { inside = 1; start = FNR }
	/^\}/ && inside { inside = 0; if (FNR - start - 1 > 70) print FILENAME ":" start ": " name " has " FNR - start - 1 " lines" }')
while IFS= read -r file; do
	lines=$(wc -l <"$file")
	((lines <= 600)) || complain "$file: $lines lines"
done < <(c_files)
exit $found
