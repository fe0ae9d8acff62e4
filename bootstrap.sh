#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs what a bare Debian 12 machine lacks for some make targets, then makes them.
#
#   ./bootstrap.sh TARGET [TARGET|VAR=VALUE|-jN]...   install, then: make TARGET ...
#   ./bootstrap.sh -i TARGET ...                       install only
#
# It needs nothing but sh, dpkg and apt, and root or sudo when a package is missing; it says which packages
# it installs. Where all is there it goes on to make at once, and `make TARGET` does the same.
# The Python and JavaScript parts of the tests are not packages: make sets them up under build/.
set -eu

build="gcc libc6-dev make pkg-config libfuse3-dev libssl-dev libcurl4-openssl-dev libjansson-dev libexpat1-dev libinih-dev"
run="fuse3 ca-certificates"
tests="libcmocka-dev python3 python3-venv openssl rsync zip unzip vim git patch fio"
java="openjdk-17-jdk-headless maven"
clang="clang-14 libclang-rt-14-dev"
lint="clang-format-14 shellcheck codespell mandoc"
bench="nginx-light libnginx-mod-http-headers-more-filter rclone gocryptfs"

usage() {
	sed -n '6,7s/^# *//p' "$0" >&2
	exit 2
}

die() {
	echo "bootstrap: $*" >&2
	exit 1
}

say() {
	echo "bootstrap: $*"
}

packages_for() {
	case $1 in
	*=* | -*) ;;
	help | clean) echo make ;;
	all | install) echo "$build" ;;
	demo) echo "$build $run" ;;
	unit) echo "$build $run libcmocka-dev" ;;
	valgrind) echo "$build $run $tests valgrind" ;;
	fuzz) echo "$build $run $tests $clang" ;;
	lint) echo "$build $run $tests $clang $lint" ;;
	bench) echo "$build $run $tests $bench" ;;
	interop) echo "$build $run $tests $java" ;;
	ci) echo "$build $run $tests $java $clang $lint mmdebstrap" ;;
	*) echo "$build $run $tests" ;;
	esac
}

# Those of the packages that are not installed, each once.
missing_of() {
	for package in "$@"; do
		if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
			echo "$package"
		fi
	done | sort -u
}

apt_get() {
	# shellcheck disable=SC2086 # empty, or the one word sudo
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}

install_packages() {
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null ||
			die "not root, and there is no sudo. Let root do: apt-get install --no-install-recommends $*"
		as_root=sudo
	fi
	say "installing${as_root:+ by sudo}: $*"
	apt_get update >/dev/null || say "apt-get update failed; trying with the package lists that are here"
	apt_get install --no-install-recommends "$@" >/dev/null || die "apt-get could not install: $*"
	left=$(missing_of "$@")
	[ -z "$left" ] || die "apt-get is done, but these are not installed:" "$left"
}

only_install=false
if [ "${1-}" = -i ]; then
	only_install=true
	shift
fi
case ${1-} in
'' | -*) usage ;;
esac
cd "$(dirname "$0")"

required=
for target in "$@"; do
	required="$required $(packages_for "$target")"
done
if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
	# shellcheck disable=SC2086 # words
	missing=$(missing_of $required)
	# shellcheck disable=SC2086
	[ -z "$missing" ] || install_packages $missing
else
	say "not a Debian system, nothing is installed. What Debian 12 calls the packages:$required"
fi
$only_install && exit 0
command -v make >/dev/null || die "there is no make"
exec make "$@"
