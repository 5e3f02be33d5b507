#!/bin/sh
# Builds the release binary with the small programs embedded, and links it as bin/consort.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/consort/target}"

# The small programs first: their own profile, so that a shim costs little memory.
cargo build --locked --quiet --profile small -p consort-shim -p consort-portholder --bins
export CONSORT_EMBED_DIR="$CARGO_TARGET_DIR/small"
cargo build --locked --quiet --release -p consort-cli

mkdir -p bin
if ! cmp -s "$CARGO_TARGET_DIR/release/consort" bin/consort; then
    install -m 0755 "$CARGO_TARGET_DIR/release/consort" bin/.consort.new
    mv -f bin/.consort.new bin/consort
fi
echo "built bin/consort ($(bin/consort --version))" >&2
