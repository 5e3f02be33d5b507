#!/bin/sh
# Installs what building and testing need, if it is not there. Needs Debian and Rust.
set -eu

fail() { echo "setup: $*" >&2; exit 1; }

command -v cargo >/dev/null 2>&1 || fail "Rust is missing: install stable 1.95 or newer with rustup"

wanted=""
need() { command -v "$1" >/dev/null 2>&1 || wanted="$wanted $2"; }
need cc gcc
need ld binutils
need jq jq
need curl curl
need ip iproute2
need unshare util-linux
need setpriv util-linux
need openssl openssl
need python3 python3

if [ -n "$wanted" ]; then
    [ "$(id -u)" = 0 ] || fail "these packages are missing:$wanted (install them as root, then try again)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y -qq --no-install-recommends $wanted >/dev/null
fi
rustup component list --installed 2>/dev/null | grep -q '^clippy' || rustup component add clippy rustfmt >/dev/null 2>&1 || true
