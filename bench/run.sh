#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Measures the program against limits and peers of the same run, and prints ratios.
#
#   bench/run.sh [BINARY]    without BINARY: the limits and the peers only
#
#   BENCH=quick  256 MiB, 3 rounds, under 3 minutes; BENCH=full (default)  1 GiB, 5 rounds
#   BENCH_OF=blobs, BENCH_OF=documents, BENCH_OF=writing  only those; documents and writing need BINARY,
#                documents also build/bench/document beside it
#   BENCH_DIR    where data and measuring programs go (default: bench/ beside BINARY, or build/bench)
#   CC           the compiler of the measuring programs
#
# Exit status: 0 every gate is met, 1 a gate is missed, 2 nothing could be measured (the last that is not 0).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
binary=${1-}
if [ -n "$binary" ]; then
	[ -x "$binary" ] || {
		echo "bench: $binary is not a program" >&2
		exit 2
	}
	binary=$(cd "$(dirname "$binary")" && pwd)/$(basename "$binary")
	dir=${BENCH_DIR:-$(dirname "$binary")/bench}
else
	dir=${BENCH_DIR:-$here/../build/bench}
fi
mkdir -p "$dir/bin"
dir=$(cd "$dir" && pwd)

libraries=$(pkg-config --cflags --libs fuse3 libcrypto libcurl expat) || {
	echo "bench: a library is missing; ./bootstrap.sh bench installs it" >&2
	exit 2
}
for program in gen limits rd memfs replay sink send wr; do
	source=$here/$program.c
	target=$dir/bin/$program
	[ -x "$target" ] && [ "$target" -nt "$source" ] && [ "$target" -nt "$here/bench.h" ] && continue
	# shellcheck disable=SC2086 # words
	${CC:-cc} -std=gnu17 -O2 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Wall -Wextra \
		-o "$target" "$source" $libraries -pthread || exit 2
done
status=0
of() { [ -z "${BENCH_OF-}" ] || [ "$BENCH_OF" = "$1" ]; }
python=$here/../build/venv/bin/python
[ -x "$python" ] || python=python3
! of blobs || python3 "$here/run.py" "$dir" ${binary:+"$binary"} || status=$?
[ -z "$binary" ] || ! of documents || python3 "$here/documents.py" "$dir" "$binary" || status=$?
[ -z "$binary" ] || ! of writing || "$python" "$here/write.py" "$dir" "$binary" || status=$?
exit "$status"
