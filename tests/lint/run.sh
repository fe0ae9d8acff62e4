#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs every lint script (or those named), and says which failed.
cd "$(dirname "$0")" || exit 1
(($# > 0)) || set -- layers headers banned symbols format shape speaks text
status=0
for name in "$@"; do
	if ./"$name.sh"; then
		printf '  %-8s %s\n' LINT "$name"
	else
		printf '  %-8s %s: FAILED\n' LINT "$name"
		status=1
	fi
done
exit $status
