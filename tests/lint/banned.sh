#!/bin/bash
# SPDX-License-Identifier: MIT
# Functions and habits that the house does without. A line may be excused by a comment that says why it is
# harmless: /* not secret */ for memcmp and realloc on what everybody may know.
. "$(dirname "$0")/lib.sh"

# ban FILES-REGEX WORDS REASON: no call of these functions in files whose path matches.
ban() {
	local file line code
	while IFS=: read -r file line code; do
		sed -n "${line}p" "$file" | grep -qF '/* not secret */' ||
			complain "$file:$line: $(grep -oE "\<($2)\>" <<<"$code" | head -1): $3"
	done < <(grep_code "\<($2)[[:space:]]*\(" "$1")
}

any='\.[ch]$'
ban "$any" 'strcpy|stpcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets' 'no bound: use snprintf or base/buf'
ban "$any" 'strtok|strtok_r|atoi|atol|atoll|atof|sscanf' 'guesses at its input: parse with base/num'
ban "$any" 'rand|srand|random|drand48|lrand48' 'not random: RAND_bytes in crypto/, or the clock for jitter'
ban "$any" 'alloca|strdupa|strndupa' 'unbounded stack'
ban "$any" 'tmpnam|tempnam|mktemp|system|popen' 'a shell, or a race'
ban "$any" 'asctime|ctime|localtime|gmtime|readdir_r|setlocale|inet_ntoa' 'not safe with threads'
ban "$any" 'setenv|putenv|unsetenv' 'changes what other threads read'
ban '^(crypto|backend/keys)/' 'memcmp|bcmp' 'takes a time that tells: compare through crypto/'
ban '^(crypto|backend/keys)/|^base/(secret|buf)' 'realloc|reallocarray' 'leaves a copy of a secret behind'
ban '^(base|crypto|backend|fs|cli)/' 'bzero' 'explicit_bzero wipes, memset fills'

# say REGEX REASON: on any line of code.
say() {
	complain_each < <(grep_code "$1" "$any" | sed -E "s|^([^:]*:[0-9]+):.*|\1: $2|")
}
say '\<goto[[:space:]]+([^o]|o[^u]|ou[^t]|out[^;[:space:]])' 'one label, and it is out'
say '//' 'a // comment is a visible temporary'
say '^[[:space:]]*#[[:space:]]*pragma[[:space:]]+once' 'guards by path'
complain_each < <(c_files | xargs -r grep -nHE '\<(TODO|FIXME|XXX|HACK)\>' | sed 's/$/   <- an open end/')
exit $found
