#!/usr/bin/env bash
# Measures what the IDE door adds to an engine's latency, beside litellm's proxy over the same engine, in one run.
# What is given goes on to the program: scripts/bench-ide.sh --runs 1
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$HOME/.cargo/bin:$PATH"

say() { printf 'bench-ide: %s\n' "$*"; }

# The proxy starts in a folder of its own.
target="$(realpath -m "${CARGO_TARGET_DIR:-target}")"
litellm="$target/bench-ide/litellm"
if ! [ -x "$litellm/bin/litellm" ]; then
    say "installing litellm's proxy"
    python3 -m venv "$litellm" && "$litellm/bin/pip" install --quiet --disable-pip-version-check 'litellm[proxy]==1.106.2' ||
        say "litellm's proxy could not be installed: it is left out"
fi
say "building"
cargo build --locked --release -p edgecoder -p edgecoder-bench-ide
# Thousands of connections are open at a time.
ulimit -n 8192 2>/dev/null || true
others=()
[ -x "$litellm/bin/litellm" ] && others=(--litellm "$litellm/bin/litellm")
"$target/release/edgecoder-bench-ide" --node "$target/release/edgecoder" "${others[@]}" "$@"
