#!/usr/bin/env bash
# Lets real, unmodified clients speak to a real node on the IDE door: tests/clients/README.md.
# Clients are installed once, below target/clients; one that cannot be installed here is skipped and named.
# What is given goes on to the runner: scripts/test-clients.sh --only openai
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$HOME/.cargo/bin:$PATH"

say() { printf 'test-clients: %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
clients="$target/clients"
mkdir -p "$clients"

# Installs the packages of a list into an environment of their own, unless that list is there already.
python_packages() {
    local place="$clients/$1" list="tests/clients/$2"
    cmp -s "$list" "$place/installed.txt" && return 0
    say "installing $(grep -v '^#' "$list" | tr '\n' ' ')"
    if python3 -m venv "$place" && "$place/bin/pip" install --quiet --disable-pip-version-check -r "$list"; then
        cp "$list" "$place/installed.txt"
    else
        say "not installed: $list"
    fi
}

node_packages() {
    have npm || { say "no npm: its client is skipped"; return 0; }
    cmp -s tests/clients/package.json "$clients/node/package.json" && [ -d "$clients/node/node_modules" ] && return 0
    say "installing the packages of npm"
    mkdir -p "$clients/node"
    cp tests/clients/package.json "$clients/node/"
    (cd "$clients/node" && npm install --silent --no-audit --no-fund) || say "not installed: those of npm"
}

python_packages venv requirements.txt
python_packages litellm requirements-litellm.txt
python_packages mini requirements-mini.txt
python_packages aider requirements-aider.txt
python_packages mcp requirements-mcp.txt
python_packages schemathesis requirements-schemathesis.txt
python_packages acp requirements-acp.txt
node_packages
say "building the client of crates.io"
cargo build --locked --quiet --manifest-path tests/clients/acp-rust/Cargo.toml --target-dir "$clients/acp-rust" ||
    say "not built: tests/clients/acp-rust"
say "building the node"
cargo build --locked --bin edgecoder --bin edgecoder-jail
python3 tests/clients/run.py --program "$target/debug/edgecoder" --clients "$clients" "$@"
# A run of some clients only is a look, and this takes minutes.
[ $# -gt 0 ] || python3 tests/clients/generated_requests.py --program "$target/debug/edgecoder" \
    --schemathesis "$clients/schemathesis/bin/schemathesis"
