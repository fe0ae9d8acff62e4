#!/bin/bash
# SPDX-License-Identifier: MIT
# The project speaks of itself alone: nothing in it refers to where it was made, to notes that are not in it, or to the
# package registry that somebody happened to use.
. "$(dirname "$0")/lib.sh"

patterns=(
	'(^|[^[:alnum:]_.-])/w[o]rk/'
	'\.\./shared|shared/(reference|lab|vectors|hooks)'
	'\<(DESIGN|design)\.md\>|reference/[a-z]+\.md'
	'\<(formats|security|style|machine|servers|peers|perf)\.md\>'
	'//(registry|deb|snapshot|index|files|packages)\.[a-z0-9-]+\.'
	'py[p]i\.|npm[j]s\.'
	'"resolved":'
	'\<farm-[a-z]'
	'/root/\.pyenv'
)
regex=$(IFS='|' && echo "${patterns[*]}")
complain_each < <(all_files | grep -vE '^tests/(lint/speaks\.sh|vectors/.*/index\.json)$' | tr '\n' '\0' |
	xargs -0 -r grep -nIHE "$regex" | cut -c1-160 | sed 's/$/   <- speaks of another place/')
exit $found
