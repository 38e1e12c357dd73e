#!/bin/sh
# Prepares a Rust that builds guests for wasm32-unknown-unknown. Does nothing where one is there already.
#
# Two ways, tried in this order:
#   rustup   the usual Rust with the target's standard library: rustup target add wasm32-unknown-unknown
#   debian   Debian's rustc-web, cargo-web, rust-web-src and lld-22, where no rustup download is to be had; the standard
#            library is built along with the guests. Leaves the Rust on your path as it is.
#
# POINTSMAN_GUEST_TOOLCHAIN=rustup|debian forces one. The guests themselves are built by
# `cargo run --release -p xtask -- plugins`, which finds by itself what this script prepared.
set -eu

target=wasm32-unknown-unknown
packages="rustc-web cargo-web rust-web-src lld-22"

say() { echo "guest-toolchain: $*" >&2; }

rustup_ready() {
    libdir=$(rustc --print target-libdir --target "$target" 2>/dev/null) && [ -d "$libdir" ]
}

# The same files that host/xtask/src/toolchain.rs looks for.
debian_ready() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -x /usr/bin/wasm-ld-22 ] &&
        [ -f /usr/lib/rustlib/src/rust/library/std/Cargo.toml ]
}

add_rustup_target() {
    command -v rustup >/dev/null 2>&1 || { say "there is no rustup here"; return 1; }
    say "rustup target add $target"
    # A network that swallows packets must not keep anybody waiting for the other way.
    timeout 180 rustup target add "$target" >&2 || { say "rustup could not add the target"; return 1; }
    rustup_ready
}

install_debian_packages() {
    command -v apt-get >/dev/null 2>&1 || { say "there is no apt-get here"; return 1; }
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 || { say "apt-get needs root, and there is no sudo"; return 1; }
        as_root=sudo
    fi
    say "apt-get install $packages (about 700 MB on disk)"
    $as_root apt-get update >&2 || return 1
    # shellcheck disable=SC2086  # the packages are words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages >&2 || return 1
    debian_ready
}

case "${POINTSMAN_GUEST_TOOLCHAIN:-}" in
rustup) ways=rustup ;;
debian) ways=debian ;;
"") ways="rustup debian" ;;
*)
    say "POINTSMAN_GUEST_TOOLCHAIN is '$POINTSMAN_GUEST_TOOLCHAIN'; it is 'rustup', 'debian' or not set"
    exit 2
    ;;
esac

for way in $ways; do
    if "${way}_ready"; then
        say "the $way toolchain is ready"
        exit 0
    fi
done

started=$(date +%s)
for way in $ways; do
    case "$way" in
    rustup) add_rustup_target || continue ;;
    debian) install_debian_packages || continue ;;
    esac
    say "the $way toolchain is ready after $(($(date +%s) - started)) s"
    exit 0
done

say "no toolchain could be prepared. By hand, one of:"
say "  rustup target add $target"
say "  apt-get install -y --no-install-recommends $packages"
exit 1
