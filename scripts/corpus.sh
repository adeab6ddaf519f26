#!/usr/bin/env bash
# Runs a corpus of the sandbox, `hostile` or `benign`, as whoever calls; for root a second time, started by a user who
# owns nothing. More arguments are the corpus's own (`--test-threads 1`, a filter).
set -euo pipefail

cd "$(dirname "$0")/.."
corpus=$1
shift
nobody=65534

run() { cargo "$@" test --locked -p edgecoder-sandbox --test "$corpus" -- "${arguments[@]}"; }
arguments=("$@")

echo "==> $corpus corpus, as uid $(id -u)"
run
[ "$(id -u)" = 0 ] || exit 0

become=(setpriv --reuid "$nobody" --regid "$nobody" --clear-groups)
"${become[@]}" test -r Cargo.toml \
  || { echo "corpus: uid $nobody cannot read $PWD; check it out where others may look" >&2; exit 1; }
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
chown "$nobody:$nobody" "$home"
runner=("${become[@]}" env -i "HOME=$home" "TMPDIR=$home" PATH=/usr/local/bin:/usr/bin:/bin)
echo "==> $corpus corpus, started by uid $nobody"
run --config "target.'cfg(unix)'.runner = [$(printf '"%s",' "${runner[@]}")]"
