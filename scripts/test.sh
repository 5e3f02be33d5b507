#!/bin/sh
# Everything that must hold. CI runs exactly this.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/consort/target}"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
export INSTA_UPDATE=no

say() { echo "== $*" >&2; }

say "format"
cargo fmt --all --check
say "lints"
cargo clippy --locked --quiet --workspace --all-targets -- -D warnings
say "the binary, for the tests that drive it"
scripts/build.sh
say "the README shows what is real"
scripts/readme.sh --check
say "tests"
CONSORT_BIN="$PWD/bin/consort" cargo test --locked --workspace
