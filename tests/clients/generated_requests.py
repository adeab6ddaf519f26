#!/usr/bin/env python3
"""Thousands of generated requests for each dialect of the IDE door, from the committed description: no answer of 5xx
kind, no request without an answer, no slot of the engine that stays taken. `make test-clients` runs it; README.md."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from run import HERE, Node

DIALECTS = {
    "OpenAI": ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/models", "/v1/models/{model}"],
    "Anthropic": ["/v1/messages", "/v1/messages/count_tokens"],
    # Not /api/pull: every name it is given goes out to a hub.
    "Ollama": ["/api/chat", "/api/generate", "/api/show", "/api/embed", "/api/tags", "/api/ps", "/api/version"],
}
COUNTED = re.compile(r'^edgecoder_http_requests_total\{(.*)\} (\d+)', re.M)
LABEL = re.compile(r'(\w+)="([^"]*)"')
# A request that is not answered in this time hangs: the scripted engine takes milliseconds.
HANGS_S = 20


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def answered(url, paths):
    """How many requests the door has answered on these paths, and how many with 5xx."""
    whole, broken = 0, 0
    for labels, count in COUNTED.findall(get(f"{url}/metrics")):
        labels = dict(LABEL.findall(labels))
        if labels.get("door") == "ide" and labels["route"] in paths:
            whole += int(count)
            broken += int(count) if labels["status"].startswith("5") else 0
    return whole, broken


def slots_free(url, seconds=5):
    until = time.monotonic() + seconds
    while json.loads(get(f"{url}/v1/router/status"))["activeConcurrent"]:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def generate(program, url, paths, seed, examples):
    """One run of schemathesis; what it says when it finds something."""
    command = [Path(program).absolute(), "run", HERE.parent.parent / "openapi" / "ide.json", "--url", url]
    for path in paths:
        command += ["--include-path", path]
    command += ["--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing", "--mode", "all"]
    command += ["--max-examples", examples, "--seed", seed, "--workers", 2, "--request-timeout", HANGS_S]
    command += ["--continue-on-failure", "--no-shrink", "--suppress-health-check", "all", "--warnings", "off"]
    command += ["--generation-database", "none", "--no-color"]
    with tempfile.TemporaryDirectory() as place:
        # It keeps what it has seen beside where it is started.
        done = subprocess.run(
            [str(part) for part in command], cwd=place, capture_output=True, text=True, timeout=900, check=False
        )
    if done.returncode == 0 or ("Runtime Error" in done.stdout and "Failures:" not in done.stdout):
        # It may stumble over its own limits (a schema that refers to itself); what it sent counts all the same.
        return ""
    return done.stdout[-4000:] + done.stderr[-2000:]


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--program", default="target/debug/edgecoder", help="the node's program")
    options.add_argument("--schemathesis", default="target/clients/schemathesis/bin/schemathesis")
    options.add_argument("--requests", type=int, default=5_000, help="for each dialect")
    options.add_argument("--only", default="", help="dialects whose name contains this")
    options = options.parse_args()
    if not Path(options.schemathesis).exists():
        print("schemathesis is not installed: skipped (make test-clients installs it)")
        return 0
    failed = False
    with tempfile.TemporaryDirectory(prefix="edgecoder-generated-") as place:
        engine = subprocess.Popen([sys.executable, HERE / "scripted_engine.py"], stdout=subprocess.PIPE, text=True)
        port = int(engine.stdout.readline())
        settings = f'engine = "openai"\nbase_url = "http://127.0.0.1:{port}/v1"\nmodel = "scripted"\n'
        node = Node(Path(options.program).resolve(), Path(place) / "node", settings)
        try:
            for name, paths in DIALECTS.items():
                if options.only in name:
                    failed |= try_dialect(options, node.url, name, paths)
        finally:
            node.stop()
            engine.kill()
    return 1 if failed else 0


def try_dialect(options, url, name, paths):
    """Whether something was found."""
    seed, began, found = 1, time.monotonic(), ""
    whole, broken = answered(url, paths)
    assert (whole, broken) == (0, 0), "the node has been used before"
    while whole < options.requests and not found:
        # Bounded requests of a run: about twice the examples, for each route.
        examples = max(20, min(500, (options.requests - whole) // len(paths)))
        found = generate(options.schemathesis, url, paths, seed, examples)
        before, (whole, broken) = whole, answered(url, paths)
        assert whole > before or found, "schemathesis asks nothing"
        seed += 1
    free = slots_free(url)
    took = time.monotonic() - began
    print(f"{name:10} {whole} requests · {broken} of 5xx kind · slots {'free' if free else 'LEAKED'} · {took:.0f} s", flush=True)
    if found:
        print(found, file=sys.stderr, flush=True)
    return bool(found or broken or not free)


if __name__ == "__main__":
    sys.exit(main())
