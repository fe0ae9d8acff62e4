#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Sets up the official Java clients, which `make interop` has read what we write:
#
#   DIR/java/lib       their jars: the ones of tests/interop/java/pom.xml, checked against jars.sha256
#   DIR/java/classes   tests/interop/java/*.java
#
# It needs a JDK (17 or later) and Maven, and DIR/venv. A stamp holds the checksum of what it was made from.
#
#   tests/support/setup_java.sh [DIR]          default: build
#   tests/support/setup_java.sh -u [DIR]       writes jars.sha256 anew, after another version in pom.xml
set -eu

die() {
	echo "setup_java: $*" >&2
	exit 1
}

cd "$(dirname "$0")/../.."
update=false
if [ "${1-}" = -u ]; then
	update=true
	shift
fi
dir=${1:-build}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
java=tests/interop/java
lock=$PWD/$java/jars.sha256
ca=/etc/ssl/certs/ca-certificates.crt
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.6.1

# Registries drop connections; three tries are enough, and all that is fetched is pinned.
three_times() {
	"$@" && return
	sleep 2
	"$@" && return
	sleep 10
	"$@"
}

# A machine behind a proxy that inspects TLS trusts it through the system's CA file, which Java does not read.
trust_system() {
	[ -r "$ca" ] || return 0
	"$dir/venv/bin/python" -m tests.support.truststore "$ca" "$dir/java/trust.p12"
	MAVEN_OPTS="${MAVEN_OPTS:-} -Djavax.net.ssl.trustStore=$dir/java/trust.p12 -Djavax.net.ssl.trustStorePassword=public"
	export MAVEN_OPTS
}

fetch() {
	trust_system
	three_times mvn --quiet --batch-mode -Dstyle.color=never --file "$java/pom.xml" -Dmaven.repo.local="$dir/java/repository" \
		"$plugin:copy-dependencies" -DincludeScope=runtime -DoutputDirectory="$dir/java/lib" \
		-DexcludeClassifiers=osx-x86_64,osx-aarch_64,windows-x86_64,linux-aarch_64 ||
		die "Maven could not fetch what $java/pom.xml names"
	rm -rf "$dir/java/repository"
}

# Exactly the jars of the lock, each with its bytes.
check() {
	(cd "$dir/java/lib" && LC_ALL=C sha256sum -- *.jar) >"$dir/java/found.sha256"
	if $update; then
		cp "$dir/java/found.sha256" "$lock"
	fi
	diff "$lock" "$dir/java/found.sha256" >&2 || die "the jars are not those of $lock"
}

exec 9>"$dir/.setup-java.lock"
if command -v flock >/dev/null; then
	flock 9
fi
want=$(cat "$java/pom.xml" "$lock" "$java"/*.java 2>/dev/null | sha256sum | cut -d' ' -f1)
if ! $update && [ -f "$dir/java/.stamp" ] && [ "$(cat "$dir/java/.stamp")" = "$want" ]; then
	exit 0
fi
command -v javac >/dev/null || die "no javac: apt-get install openjdk-17-jdk-headless"
command -v mvn >/dev/null || die "no mvn: apt-get install maven"
mkdir -p "$dir/java/lib"
# Other sources need no other jars.
if $update || ! (cd "$dir/java/lib" && sha256sum --quiet --check "$lock") >/dev/null 2>&1; then
	echo "setup_java: the official Java clients in $dir/java"
	rm -rf "$dir/java"
	mkdir -p "$dir/java/lib"
	fetch
fi
check
rm -rf "$dir/java/classes"
javac -nowarn -proc:none -cp "$dir/java/lib/*" -d "$dir/java/classes" "$java"/*.java || die "javac failed"
cat "$java/pom.xml" "$lock" "$java"/*.java | sha256sum | cut -d' ' -f1 >"$dir/java/.stamp"
