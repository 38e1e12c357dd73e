#!/usr/bin/env bash
# Sees to what a fresh Debian machine with cargo, node and npm still lacks. Quick when nothing is missing.
set -eu
cd "$(dirname "$0")/.."

need() { # need COMMAND WHAT-TO-DO
  command -v "$1" >/dev/null 2>&1 || { echo "pointsman: $1 is missing. $2" >&2; exit 1; }
}

need cargo "Install Rust 1.95 or newer, for example with rustup."
need node "Install Node.js 20.19 or newer."
need npm "It comes with Node.js."

# SQLite and the linker need a C compiler.
if ! command -v cc >/dev/null 2>&1; then
  if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "pointsman: installing a C compiler" >&2
    apt-get update -q && apt-get install -y --no-install-recommends gcc libc6-dev
  else
    need cc "Install a C compiler: apt-get install gcc libc6-dev"
  fi
fi

scripts/guest-toolchain.sh
