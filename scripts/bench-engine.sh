#!/usr/bin/env bash
# Measures our engine beside llama-cpp-python on the shipped tiny model and on one of about 100 M random weights.
# Installs llama-cpp-python into a folder of its own (it is compiled there for this processor, which takes minutes), and
# builds ours for this processor as well. What is given goes on to the program: scripts/bench-engine.sh --runs 2
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$HOME/.cargo/bin:$PATH"

say() { printf 'bench-engine: %s\n' "$*"; }

folder="${BENCH_ENGINE_FOLDER:-${CARGO_TARGET_DIR:-target}/bench-engine}"
python="$folder/python/bin/python"
random="$folder/random-100m.gguf"
mkdir -p "$folder"

if [ ! -x "$python" ]; then
    python3 -m venv "$folder/python"
fi
if ! "$python" -c 'import gguf, llama_cpp' 2>/dev/null; then
    say "installing llama-cpp-python and gguf into $folder/python"
    "$python" -m pip install --quiet llama-cpp-python==0.3.36 gguf==0.19.0
fi
[ -f "$random" ] || "$python" scripts/random-gguf.py "$random"

say "building (release, for this processor)"
export CARGO_TARGET_DIR="$folder/build" RUSTFLAGS="-C target-cpu=native"
cargo build --release --locked -p edgecoder-bench-engine -p edgecoder-inference --features edgecoder-inference/llama
exec "$CARGO_TARGET_DIR/release/edgecoder-bench-engine" --engine "$CARGO_TARGET_DIR/release/edgecoder-engine" \
    --python "$python" --model models/tiny/edgecoder-tiny.gguf "$random" --json "$folder/figures.json" "$@"
