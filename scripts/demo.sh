#!/usr/bin/env bash
# One task from request to proven patch, on a copy of examples/textstats and with its own data folder:
# nothing of yours is touched. The shipped model writes, the example's own tests decide.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$HOME/.cargo/bin:$PATH"
export PYTHONDONTWRITEBYTECODE=1

request='Add a function count_vowels(s) to textstats/counts.py that returns the number of vowels in s, ignoring case.'
verify='python3 -m unittest -q'

step() { printf '\n==> %s\n' "$*"; }

step 'building edgecoder and its sandbox launcher (the first build compiles llama.cpp: minutes)'
cargo build --locked --bin edgecoder --bin edgecoder-jail
target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
export PATH="$target/debug:$PATH"

place=$(mktemp -d "${TMPDIR:-/tmp}/edgecoder-demo.XXXXXX")
export EDGECODER_DATA_DIR="$place/data"
repo="$place/textstats"
cp -R examples/textstats "$repo"
git -C "$repo" init -q
git -C "$repo" add .
git -C "$repo" -c user.name=demo -c user.email=demo@localhost commit -q -m 'Begin'

step "the example's tests fail, because one function is not written yet"
if (cd "$repo" && $verify) >"$place/before.log" 2>&1; then
    echo 'the tests pass before the change: the example is broken' >&2
    exit 1
fi
tail -n 3 "$place/before.log"

step "asking for it: $request"
status=0
edgecoder task "$request" --repo "$repo" --verify "$verify" --samples 4 --follow 2>&1 | tee "$place/task.log" || status=$?
id=$(grep -o 'task_[0-9A-Za-z]*' "$place/task.log" | head -n 1 || true)
if [ "$status" != 0 ]; then
    printf '\nno proven patch (exit %s); logs and traces are in %s\n' "$status" "$place"
    exit "$status"
fi

step 'the patch'
edgecoder task diff "$id"

step 'verdict, tokens and time'
edgecoder task show "$id"

step 'the trace: every prompt, answer and test run; its first lines'
edgecoder task trace "$id" >"$place/trace.jsonl"
head -n 3 "$place/trace.jsonl" | cut -c 1-160
echo "all $(wc -l <"$place/trace.jsonl") lines: $place/trace.jsonl   (edgecoder replay <file> goes through them)"

step 'applying it and running the tests once more, outside any sandbox'
edgecoder apply "$id" --repo "$repo"
(cd "$repo" && $verify)

printf '\nDone. The repository, the data folder and the traces are in %s\n' "$place"
