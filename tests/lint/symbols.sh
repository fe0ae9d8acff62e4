#!/bin/bash
# SPDX-License-Identifier: MIT
# What an object exports is declared in a header of its room, and begins with the stem of its file or of that header,
# with the name of a struct or enum that the header declares, or with a prefix given here. Anything else should be static.
. "$(dirname "$0")/lib.sh"

prefixes='
base/num.h       u64_ size_
base/base64.h    b64
base/mutex.h     mutex_ cond_
crypto/unseal.h  v1_ nonce_
crypto/mac.h     hmac_ sha256 random_
crypto/order.h   nonce_
crypto/container.h cosmos_
crypto/documentseal.h document_seal
backend/net/client.h net_
backend/store/storewrite.h store_
fs/viewwrite.h   view_
'
build=${BUILD:-build}

env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s BUILD="$build" all >/dev/null || {
	echo "symbols: the program does not build"
	exit 1
}

allowed_for() { # HEADER
	basename "$1" .h
	grep -E "^$1[[:space:]]" <<<"$prefixes" | tr -s ' ' '\n' | tail -n +2
	grep -oE '^(struct|enum) [a-z0-9_]+' "$1" | cut -d' ' -f2
}

begins_with_allowed() { # SYMBOL HEADER
	local prefix
	while IFS= read -r prefix; do
		[[ $1 != "$prefix"* ]] || return 0
	done < <(allowed_for "$2")
	return 1
}

check() { # SOURCE SYMBOL
	local room headers header
	room=$(dirname "$1")
	mapfile -t headers < <(grep -lw "$2" "$room"/*.h 2>/dev/null)
	if ((${#headers[@]} == 0)); then
		complain "$1: exports $2, which no header of $room declares: make it static"
		return
	fi
	[[ $2 != "$(basename "$1" .c)"_* ]] || return
	for header in "${headers[@]}"; do
		! begins_with_allowed "$2" "$header" || return
	done
	complain "$1: exports $2, a name that belongs to another file than ${headers[0]}"
}

while IFS= read -r source; do
	object=$build/${source%.c}.o
	[[ -f $object ]] || continue
	while IFS= read -r symbol; do
		check "$source" "$symbol"
	done < <(nm -g --defined-only "$object" | awk '{ print $3 }' | grep -vE '^(main$|__|_?\.)')
done < <(c_files | grep '\.c$')
exit $found
