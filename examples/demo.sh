#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh BINARY: shows what azcryptfs does, with the sample store of this folder and its local keys. Every command is
# printed before its output, and everything is checked: the exit status is 0 only when all was as it should be.
#
# Where this machine cannot mount, it says so and shows the same without a mount.
set -eu

[ $# -eq 1 ] || {
	echo "usage: $0 BINARY" >&2
	exit 2
}
program=$(realpath "$1")
cd "$(dirname "$0")"
source=dir:store
damaged=tampered/2026-11.csv
documents=dir:documents/store
unset LC_ALL 2>/dev/null || :
LANG=C.UTF-8
export LANG
umask 077

work=$(mktemp -d)
mnt=$work/mnt
log=$work/log
mkdir "$mnt"

finish() {
	status=$?
	trap - EXIT
	cd /
	if is_mounted; then
		fusermount3 -u -z "$mnt" || umount -l "$mnt" || :
	fi
	rm -rf "$work"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

say() {
	printf '\n# %s\n' "$*"
}

fail() {
	printf 'demo: NOT AS EXPECTED: %s\n' "$*" >&2
	[ ! -s "$log" ] || sed 's/^/log: /' "$log" >&2
	exit 1
}

# Prints the command as one would type it, runs it, and shows what it said. Its status is in $status.
show() {
	printf '$ %s\n' "$1"
	status=0
	(eval "$1") >"$work/out" 2>&1 || status=$?
	cat "$work/out"
}

# show, and the output must have these words, if any; the status must be 0.
expect() {
	wanted=${2-}
	show "$1"
	[ "$status" -eq 0 ] || fail "exit status $status"
	[ -z "$wanted" ] || grep -qF -- "$wanted" "$work/out" || fail "the output does not have \"$wanted\""
}

# show, and it must fail with these words.
expect_failure() {
	wanted=$2
	show "$1"
	[ "$status" -ne 0 ] || fail "it did not fail"
	grep -qF -- "$wanted" "$work/out" || fail "the output does not have \"$wanted\""
}

# git keeps no mode 0600, and the program takes no key file that others may read: copies do.
copy_keys() {
	cp keys/* "$work/"
	chmod 600 "$work"/*.json "$work"/*.pem
	mkdir "$work/documents"
	cp documents/keys/* "$work/documents/"
	chmod 600 "$work"/documents/*
	AZCRYPTFS_KEYS="$work/keys.json $work/documents/keys.json"
	export AZCRYPTFS_KEYS
}

why_no_mount() {
	[ -e /dev/fuse ] || {
		echo "there is no /dev/fuse"
		return
	}
	(: <>/dev/fuse) 2>/dev/null || {
		echo "/dev/fuse cannot be opened by $(id -un)"
		return
	}
	command -v fusermount3 >/dev/null || echo "there is no fusermount3"
}

is_mounted() {
	grep -qF " $mnt " /proc/self/mountinfo
}

mount_it() {
	say "The store holds ciphertext only: this is how one of its files begins."
	expect "head -c 32 store/objects/welcome.txt.*.x | od -An -tx1"

	say "Mounted with the keys that are in a vault in real life (AZCRYPTFS_KEYS names a file with them here)."
	expect "azcryptfs mount -o log=$log $source $mnt"
	is_mounted || fail "it is not mounted"
}

with_mount() {
	mount_it
	cd "$mnt"

	say "Names, plain sizes and times, before any key is needed."
	expect "ls -l . readings" "20853"

	say "Plain text, for any program."
	expect "cat welcome.txt" "This text lies in a container as 2.0 ciphertext"
	expect "cat letters/*" "Liebe Grüße!"
	expect "awk -F, 'NR > 1 { n[\$2]++; t[\$2] += \$3 } END { for (s in n) printf \"%s %.2f\\n\", s, t[s] / n[s] }' readings/2026-11.csv | sort" "north-0 "

	say "A range: 108 bytes at 27,000, which is two lines in the middle of 1,000."
	expect "dd if=service.log bs=54 skip=500 count=2 status=none" "line 00502"

	say "Files that the Python, .NET and Java clients sealed, against the sums of what they sealed."
	expect "sha256sum -c '$OLDPWD/SHA256SUMS'" "from-java/regions-of-65536.bin: OK"

	if command -v getfattr >/dev/null; then
		say "How a file is sealed."
		expect "getfattr -d from-java/regions-of-1000.bin" 'user.azcrypt.protocol="2.1"'
	fi

	say "One bit of this file was changed in the store. Nothing of it is shown."
	expect_failure "cat $damaged" "Bad message"
	say "The log says why."
	expect "grep '$damaged' '$log'" "integrity."

	say "Protocol 1.0 authenticates nothing, so it is refused unless the mount says v1=read."
	expect_failure "cat old/protocol-1.0.bin" "Permission denied"
	cd "$OLDPWD"
}

with_documents() {
	say "Documents of a Cosmos DB container, as the official JavaScript client sealed them: this is how one is stored."
	expect "cut -c1-76 documents/store/databases/shop.d/containers/mixed-det.d/documents/*/*.json | grep -m 3 -B 3 '\"b\"'"

	say "Mounted: a directory for each container, a file for each document."
	expect "azcryptfs mount -o log=$log $documents $mnt"
	is_mounted || fail "it is not mounted"
	cd "$mnt/shop"
	expect "ls" "id-and-pk"
	expect "ls -la mixed-det mixed-det/items/p1" "all.jsonl"
	expect "cat mixed-det/items/p1/mix-1.json" '"b": true'

	say "Here the ids and the partition keys are sealed too; their names are plain."
	expect "find id-and-pk/items -name '*.json'" "id-and-pk/items/"

	say "The whole container as lines, for tools that read streams."
	expect "wc -l mixed-det/all.jsonl" "4"

	say "One query on a sealed value: which documents have b = true?"
	expect "find mixed-det/by/b/true -name '*.json'" "mix-1.json"
	cd "$OLDPWD"
	unmount_it 2
}

copy_store() {
	kek=https://sample-vault.vault.azure.net/keys/sample-rsa/11111111111111111111111111111111
	cp -r store "$work/store"
	copy=dir:$work/store
}

with_writing() {
	copy_store
	say "A copy of the store, mounted to be written: what is written is sealed under that key before it leaves the program."
	expect "azcryptfs mount -o log=$log,rw,kek=$kek $copy $mnt"
	is_mounted || fail "it is not mounted"
	cd "$mnt"
	expect "mkdir notes && echo 'the secret is 42' >notes/today.txt && sed -i s/42/43/ notes/today.txt && cat notes/today.txt" "secret is 43"
	expect "cp -p readings/2026-11.csv notes/ && cmp readings/2026-11.csv notes/2026-11.csv && ls -l notes" "today.txt"
	cd "$OLDPWD"
	unmount_it 3
	say "The store has none of it in plain."
	expect "! grep -r 'secret is' '$work/store'"
	expect "azcryptfs stat $copy/notes/today.txt" "regions+tag"
}

put_without_mount() {
	say "The same without a mount."
	expect "echo 'from a pipe' | azcryptfs put -o kek=$kek - $copy/notes/piped.txt"
	expect "azcryptfs cat $copy/notes/piped.txt" "from a pipe"
}

# unmount_it N: the log tells of N ends by then.
unmount_it() {
	expect "fusermount3 -u $mnt"
	tries=0
	until [ "$(grep -c 'mount.ended' "$log")" -eq "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || fail "the program did not end within 10 seconds"
		sleep 0.1
	done
	! is_mounted || fail "it is still mounted"
}

without_mount() {
	say "Names, plain sizes and times, before any key is needed."
	expect "azcryptfs ls -l $source $source/readings" "20853"
	say "Plain text."
	expect "azcryptfs cat $source/welcome.txt" "This text lies in a container as 2.0 ciphertext"
	expect "azcryptfs cat '$source/letters/Grüße aus München.txt'" "Liebe Grüße!"
	say "A range: two lines in the middle of 1,000."
	expect "azcryptfs cat $source/service.log | dd bs=54 skip=500 count=2 iflag=fullblock status=none" "line 00502"
	say "Documents of a Cosmos DB container, as the official JavaScript client sealed them."
	expect "azcryptfs ls -l $documents/shop/mixed-det/items/p1" "mix-1.json"
	expect "azcryptfs cat $documents/shop/mixed-det/items/p1/mix-1.json" '"b": true'
	say "One query on a sealed value: which documents have b = true?"
	expect "azcryptfs ls -R $documents/shop/mixed-det/by/b/true" "mix-1.json"
	say "Copies of everything; what cannot be opened is told, the rest is there."
	expect_failure "azcryptfs get -r $source $work/copy" "$damaged"
	expect "cd $work/copy && sha256sum -c '$PWD/SHA256SUMS'" "from-java/regions-of-65536.bin: OK"
	say "One bit of this file was changed in the store. Nothing of it is shown."
	expect_failure "azcryptfs cat $source/$damaged" "EBADMSG"
	say "Protocol 1.0 authenticates nothing, so it is refused unless v1=read says otherwise."
	expect_failure "azcryptfs cat $source/old/protocol-1.0.bin" "EACCES"
}

# What is typed is azcryptfs; what runs is the program under test.
azcryptfs() {
	"$program" "$@"
}

copy_keys
reason=$(why_no_mount)
if [ -z "$reason" ]; then
	with_mount
	unmount_it 1
	with_documents
	with_writing
else
	printf '\n!!! NO MOUNT IS POSSIBLE HERE: %s.\n!!! The same is shown by the commands that need none.\n' "$reason"
	without_mount
	copy_store
fi
put_without_mount
say "What is known of a file without its key."
expect "azcryptfs stat --json $source/from-java/regions-of-1000.bin" '"region_length":1000'
printf '\ndemo: all as expected%s\n' "${reason:+, WITHOUT A MOUNT: $reason}"
