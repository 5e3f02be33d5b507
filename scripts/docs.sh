#!/bin/sh
# Writes the generated pages of docs/ again: from the types, not by hand.
set -eu
cd "$(dirname "$0")/.."
consort="$PWD/bin/consort"
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
"$consort" __docs docs
