#!/bin/bash
# SPDX-License-Identifier: MIT
# Layout of C: what clang-format 14 makes of it with .clang-format, and no line beyond 100 columns.
#
#   tests/lint/format.sh [--fix] [FILE]...     --fix rewrites instead of complaining
. "$(dirname "$0")/lib.sh"

fix=false
if [[ ${1-} == --fix ]]; then
	fix=true
	shift
fi
if (($# > 0)); then
	files=("$@")
else
	mapfile -t files < <(all_c_files)
fi
((${#files[@]} > 0)) || exit 0

if $fix; then
	python3 tests/lint/wrap_comments.py "${files[@]}"
	clang-format-14 -i "${files[@]}"
	# A comment that moved to a line of its own may be too long there.
	python3 tests/lint/wrap_comments.py "${files[@]}"
	clang-format-14 -i "${files[@]}"
fi
complain_each < <(clang-format-14 --dry-run "${files[@]}" 2>&1 | grep -E 'warning: code should be' |
	sed 's/: warning: code should be clang-formatted.*/: not as clang-format would have it/' | awk -F: '!seen[$1]++')
complain_each < <(awk '{ line = $0; while ((i = index(line, "\t")) > 0)
		line = substr(line, 1, i - 1) substr("        ", 1, 8 - (i - 1) % 8) substr(line, i + 1)
	if (length(line) > 100) print FILENAME ":" FNR ": " length(line) " columns" }' "${files[@]}")
((found == 0)) || echo "format: tests/lint/format.sh --fix repairs most of this"
exit $found
