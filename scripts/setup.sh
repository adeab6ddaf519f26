#!/usr/bin/env bash
# Installs what is missing to build, run and test EdgeCoder, one line per step. Safe to run again.
#   scripts/setup.sh          compilers, git, python3, PostgreSQL (apt or brew) and Rust (rustup)
#   scripts/setup.sh --tools  cargo-nextest and cargo-deny
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$HOME/.cargo/bin:$PATH"

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# The oldest compiler that builds the workspace, from where Cargo takes it too.
wanted_rust() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else die "'$*' needs root and there is no sudo: run it as root, then try again"
    fi
}

have_libclang() {
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || compgen -G '/usr/lib*/libclang*.so*' >/dev/null ||
        compgen -G '/usr/lib/*/libclang*.so*' >/dev/null
}

have_postgres() { have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

# Prints the Debian packages that are missing.
missing_on_debian() {
    have c++ || echo g++
    have cc || echo gcc
    have make || echo make
    have cmake || echo cmake
    have clang || echo clang
    have_libclang || echo libclang-dev
    have git || echo git
    have python3 || echo python3
    have pkg-config || echo pkg-config
    have curl || echo curl
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
    /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
    have_postgres || echo postgresql
}

missing_on_macos() {
    have cmake || echo cmake
    have git || echo git
    have python3 || echo python3
    have pkg-config || echo pkgconf
    have initdb || compgen -G "$(brew --prefix)/opt/postgresql*/bin/initdb" >/dev/null || echo postgresql@17
}

install_packages() {
    local missing
    case "$(uname -s)" in
        Linux)
            missing=$(missing_on_debian | tr '\n' ' ')
            [ -n "$missing" ] || return 0
            have apt-get || die "missing: $missing- and there is no apt-get: install them with your package manager"
            say "installing with apt: $missing"
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
            # shellcheck disable=SC2086 # a list of words on purpose
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
            ;;
        Darwin)
            if ! xcode-select -p >/dev/null 2>&1; then
                xcode-select --install || true
                die "the C++ compiler is missing: finish the dialog of the command line tools, then try again"
            fi
            have brew || die "Homebrew is missing: install it from https://brew.sh, then try again"
            missing=$(missing_on_macos | tr '\n' ' ')
            [ -n "$missing" ] || return 0
            say "installing with brew: $missing"
            # shellcheck disable=SC2086 # a list of words on purpose
            brew install --quiet $missing
            ;;
        *) die "only Linux and macOS are set up by this script; on others install Rust, CMake, clang and python3" ;;
    esac
}

rust_is_new_enough() {
    have rustc && have cargo || return 1
    local found
    found=$(rustc --version 2>/dev/null | cut -d' ' -f2 | cut -d- -f1) || return 1
    [ "$(printf '%s\n%s\n' "$(wanted_rust)" "$found" | sort -V | head -n1)" = "$(wanted_rust)" ]
}

install_rust() {
    if have rustup; then
        # Names the toolchain of rust-toolchain.toml; rustup fetches it if it is not here yet.
        rustc --version >/dev/null 2>&1 || { say "Rust: fetching the toolchain of rust-toolchain.toml"; rustup toolchain install; }
    fi
    if rust_is_new_enough; then return 0; fi
    if have apt-get && apt-cache policy rustup 2>/dev/null | grep -q 'Candidate: [0-9]'; then
        say "Rust: installing the distribution's rustup with apt"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends rustup >/dev/null
        rustup toolchain install
    else
        say "Rust: installing rustup into ~/.cargo and ~/.rustup from https://sh.rustup.rs"
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
            sh -s -- -y -q --no-modify-path --profile minimal --component clippy,rustfmt \
                --default-toolchain "$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)"
    fi
    rust_is_new_enough || die "Rust $(wanted_rust) or newer is needed, found: $(rustc --version 2>&1 || true)"
}

install_tool() {
    have "$1" && return 0
    say "building $1 with cargo (minutes; once)"
    cargo install --quiet --locked "$1"
}

if [ "${1:-}" = --tools ]; then
    install_tool cargo-nextest
    install_tool cargo-deny
else
    install_packages
    install_rust
fi
say "nothing missing"
