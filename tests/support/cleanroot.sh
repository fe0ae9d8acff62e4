#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs a command on a copy of this source tree in a fresh, bare root of Debian 12, as on a machine just installed.
#
#   tests/support/cleanroot.sh [-t TARBALL] COMMAND [ARG]...
#
#   -t TARBALL   the bare root: made when missing, else unpacked instead of downloaded
#
# The root has its own mounts and processes, /dev/fuse included, and is deleted at the end. Of this machine it has
# the network, the resolver, the CA certificates and how apt, pip and npm reach their servers; no program and no variable.
# Exit status: the command's; 77 when this machine cannot make such a root (the reason is printed).
set -euo pipefail

skip() {
	echo "cleanroot: SKIPPED: $*" >&2
	exit 77
}

check_machine() {
	(($(id -u) == 0)) || skip "needs root"
	command -v mmdebstrap >/dev/null || skip "needs mmdebstrap"
	unshare --mount --pid --fork true 2>/dev/null || skip "no new namespaces here"
}

# The archive may be unreachable; a half-written tarball must not be taken for a whole one.
make_tarball() {
	local sources=() file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
		[[ ! -s $file ]] || sources+=("$file")
	done
	grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || sources=()
	mmdebstrap --quiet --mode=root --variant=apt --format=tar bookworm "$1.part" "${sources[@]}" &&
		mv "$1.part" "$1"
}

copy_configuration() {
	local path paths=()
	for path in etc/apt/{apt.conf.d,auth.conf.d,preferences.d,trusted.gpg.d,keyrings} etc/{pip.conf,npmrc} \
		root/{.npmrc,.config/pip} etc/ssl/certs/ca-certificates.crt usr/local/share/ca-certificates; do
		[[ ! -e /$path ]] || paths+=("$path")
	done
	((${#paths[@]} == 0)) || tar -C / -cf - "${paths[@]}" | tar -C "$1" -xf -
	# Hooks call programs of this machine.
	grep -lE '^[^/#]*(Pre|Post)-(Invoke|Install)' "$1"/etc/apt/apt.conf.d/* 2>/dev/null | xargs -r rm --
	cat /etc/resolv.conf >"$1/etc/resolv.conf"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$1/etc/hosts"
}

# What somebody else would get: tracked files, and new ones that git does not ignore.
copy_sources() {
	mkdir "$1/src"
	if [[ ! -e .git ]]; then
		tar --exclude='./build*' -cf - . | tar -C "$1/src" -xf - --no-same-owner
		return
	fi
	git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
		while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
		tar --null -T - -cf - | tar -C "$1/src" -xf - --no-same-owner
}

# The first process of the new namespaces; it stays, so that orphans are reaped and nothing outlives it.
enter() {
	local root=$1 node
	shift
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount -t tmpfs -o mode=755 tmpfs "$root/dev"
	mkdir "$root"/dev/{pts,shm}
	mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
	mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
	for node in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0' 'fuse 10 229'; do
		# shellcheck disable=SC2086 # name, major, minor
		mknod -m 666 "$root/dev/${node%% *}" c ${node#* }
	done
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	ln -s /proc/self/fd/0 "$root/dev/stdin"
	ln -s /proc/self/fd/1 "$root/dev/stdout"
	ln -s /proc/self/fd/2 "$root/dev/stderr"
	env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb \
		${CI:+CI="$CI"} ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		chroot "$root" sh -c 'cd /src && exec "$@"' sh "$@"
}

tarball=
while getopts t: option; do
	case $option in
	t) tarball=$(realpath -m "$OPTARG") ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
(($# > 0)) || {
	echo "usage: cleanroot.sh [-t TARBALL] COMMAND [ARG]..." >&2
	exit 2
}
cd "$(dirname "$0")/../.."
check_machine
work=$(mktemp -d "${TMPDIR:-/tmp}/cleanroot.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 143' HUP INT TERM
tarball=${tarball:-$work/root.tar}
[[ -e $tarball ]] || make_tarball "$tarball" || skip "the bare root could not be made"
mkdir "$work/root"
tar -xpf "$tarball" -C "$work/root" --numeric-owner --exclude='./dev/*' || skip "the bare root could not be unpacked"
copy_configuration "$work/root"
copy_sources "$work/root"
# unshare holds signals back while its child lives, so it runs beside us and dies with us.
setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child -- \
	bash -euc "$(declare -f enter); enter \"\$@\"" cleanroot "$work/root" "$@" <&0 &
wait $!
