#!/bin/sh
# Ends the demo: the deployment with its data, the server and the port holder of its home.
set -eu
cd "$(dirname "$0")/.."
export CONSORT_HOME="${CONSORT_HOME:-$HOME/.cache/consort/demo}"
consort="$PWD/bin/consort"
if [ -d "$CONSORT_HOME" ]; then
    (cd examples/customer-360 && "$consort" down --volumes --yes)
    "$consort" serve --stop --teardown
    rm -rf "$CONSORT_HOME"
fi
echo "nothing of the demo is left" >&2
