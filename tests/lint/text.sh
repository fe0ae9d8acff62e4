#!/bin/bash
# SPDX-License-Identifier: MIT
# Scripts, prose and manual pages: shellcheck, codespell, mandoc; and Python that compiles.
. "$(dirname "$0")/lib.sh"

mapfile -t scripts < <(all_files | grep -vE '\.(c|h|py|json|cipher|md)$' |
	while IFS= read -r file; do ! head -c 64 "$file" | head -1 | grep -qE '^#!.*\<(ba)?sh\>' || echo "$file"; done)
complain_each < <(shellcheck --format=gcc --external-sources --source-path=SCRIPTDIR "${scripts[@]}")

# Words that are right: names of services, of OpenSSL, of tests' data.
complain_each < <(all_files | grep -E '\.(c|h|py|sh|md|1|8)$|^(Makefile|README)' |
	grep -v '^tests/vectors/' | tr '\n' '\0' | xargs -0 -r codespell --ignore-words-list=crypted,fo,te,ba,nd,inout,ser,unx,keypair,afterall,statuss)

while IFS= read -r page; do
	complain_each < <(mandoc -T lint -W warning "$page")
done < <(all_files | grep -E '^docs/.*\.[1-8]$')

complain_each < <(all_files | grep '\.py$' | tr '\n' '\0' | xargs -0 -r python3 -c '
import ast, sys
for path in sys.argv[1:]:
    try:
        ast.parse(open(path, encoding="utf-8").read(), path)
    except SyntaxError as e:
        print(f"{path}:{e.lineno}: {e.msg}")')
exit $found
