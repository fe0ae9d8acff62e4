#!/bin/bash
# SPDX-License-Identifier: MIT
# Who may include whom, and where each library is at home (docs/HACKING.md).
#
#   cli -> fs -> { backend/store | backend/keys } -> backend/net -> crypto -> base
#
# A room may include what lies to its right, except: store and keys never each other, fs and cli never net, cli
# never crypto. backend/ itself (the file that builds stores and providers) serves cli.
. "$(dirname "$0")/lib.sh"

may='
base:           base
crypto:         crypto base
backend/net:    backend/net crypto base
backend/store:  backend/store backend/net crypto base
backend/keys:   backend/keys backend/net crypto base
backend:        backend backend/store backend/keys backend/net crypto base
fs:             fs backend/store backend/keys crypto base
cli:            cli fs backend backend/store backend/keys base
'

# Header, and the rooms where it may be included.
homes='
openssl/   crypto
curl/      backend/net
fuse       fs
expat      backend/store
ini.h      cli
'

room_of() {
	dirname "$1"
}

check_include() { # FILE LINE INCLUDED
	local room target
	room=$(room_of "$1")
	target=$(room_of "$3")
	[[ $3 == */* ]] || complain "$1:$2: \"$3\" is not rooted at the top"
	grep -qE "^$room:.*[[:space:]]$target([[:space:]]|\$)" <<<"$may" ||
		complain "$1:$2: $room may not include $target (\"$3\")"
}

check_library() { # FILE LINE INCLUDED
	local prefix home
	while read -r prefix home; do
		if [[ -n $prefix && $3 == "$prefix"* && $(room_of "$1") != "$home" ]]; then
			complain "$1:$2: <$3> is at home in $home/ only"
		fi
	done <<<"$homes"
	if [[ $3 == jansson* && $1 == *.h ]]; then
		complain "$1:$2: <$3> in a header: jansson stays in .c files"
	fi
}

while IFS=: read -r file line text; do
	case $text in
	*\"*)
		included=${text#*\"}
		check_include "$file" "$line" "${included%%\"*}"
		;;
	*)
		included=${text#*<}
		check_library "$file" "$line" "${included%%>*}"
		;;
	esac
done < <(c_files | xargs -r grep -nHE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]')
exit $found
