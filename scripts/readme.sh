#!/bin/sh
# Pastes the blueprint of examples/hello and its real plan into README.md; with --check it only says
# whether they are current.
set -eu
cd "$(dirname "$0")/.."
consort="$PWD/bin/consort"
work=$(mktemp -d)
export CONSORT_HOME="$work/home"
trap '"$consort" serve --stop --teardown >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
(cd examples/hello && NO_COLOR=1 "$consort" plan) >"$work/plan" 2>/dev/null
awk -v plan="$work/plan" -v blueprint=examples/hello/consort.yaml '
    function paste(file, language,   line) {
        print "```" language
        while ((getline line < file) > 0) print line
        print "```"
    }
    /^<!-- blueprint -->$/ { print; paste(blueprint, "yaml"); skip = 1; next }
    /^<!-- plan -->$/ { print; paste(plan, "text"); skip = 1; next }
    /^<!-- \/(blueprint|plan) -->$/ { skip = 0 }
    !skip { print }
' README.md >"$work/README.md"
if [ "${1:-}" = --check ]; then
    diff -u README.md "$work/README.md" || { echo "README.md is not current: run scripts/readme.sh" >&2; exit 1; }
else
    cat "$work/README.md" >README.md
fi
