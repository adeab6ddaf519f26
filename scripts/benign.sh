#!/usr/bin/env bash
# Runs the benign corpus one program after the other. With --write, and as root, the figures of both users become
# docs/security/benign.md.
set -euo pipefail

cd "$(dirname "$0")/.."
said=$(mktemp)
trap 'rm -f "$said"' EXIT
scripts/corpus.sh benign --test-threads 1 | tee "$said"
[ "${1:-}" = --write ] || exit 0
[ "$(id -u)" = 0 ] || { echo "benign: the page shows root and another user; run it as root" >&2; exit 1; }

{
  cat <<HEAD
# The benign corpus, program by program

What honest work does must pass in the sandbox. Written by \`make benign ARGS=--write\` on $(date -u +%F), on $(nproc) processors
with Linux $(uname -r | grep -o '^[0-9.]*'), one program after the other; the programs stand in
\`crates/adapters/sandbox/tests/benign/programs.rs\`. Wall time is that of one run, its start included. Memory is the most at once:
for root what its cgroup counted of all programs and their files; for user 65534, who has no cgroup here, the largest process with
what it maps. Each found the tools of its own search path, so that a row may show two versions of one. Nothing asserts the figures.

| program | root | wall, ms | memory, MiB | user 65534 | wall, ms | memory, MiB |
|---|---|---|---|---|---|---|
HEAD
  awk -F ' *[|] *' '
    /^==>/ { run++ }
    /^[|] / && $2 != "program" {
      figures[run, $2] = $3 " | " $4 " | " $5
      if (run == 1) names[++count] = $2
    }
    END { for (i = 1; i <= count; i++) printf "| %s | %s | %s |\n", names[i], figures[1, names[i]], figures[2, names[i]] }
  ' "$said"
} >docs/security/benign.md
echo "==> wrote docs/security/benign.md"
