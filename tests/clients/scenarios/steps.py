"""What all Python scenarios share: where the nodes are, and the check that a slot is free."""

import json
import os
import sys
import time
import traceback
import urllib.request

TINY = os.environ["EDGECODER_TINY_URL"]
SCRIPTED = os.environ["EDGECODER_SCRIPTED_URL"]
ASK = "Write a function add(a, b) that returns the sum of a and b."


def running(url):
    with urllib.request.urlopen(f"{url}/v1/router/status", timeout=10) as answer:
        return json.load(answer)["activeConcurrent"]


def free_within(url, seconds=2.0):
    """The node has nothing to do, now or soon."""
    until = time.monotonic() + seconds
    while running(url):
        assert time.monotonic() < until, f"{running(url)} answers still run after {seconds} s"
        time.sleep(0.02)


def cancelled(pieces, close):
    """Takes two pieces of an answer without end, hangs up, and waits for the slot."""
    pieces = iter(pieces)
    next(pieces), next(pieces)
    assert running(SCRIPTED) == 1, "the answer was not running"
    close()
    free_within(SCRIPTED)


def run(**steps):
    """Runs the steps; prints one line of JSON for the runner."""
    outcome = {}
    for name, step in steps.items():
        try:
            step()
            outcome[name] = "ok"
        except Exception:  # noqa: BLE001: whatever a client throws is a finding
            traceback.print_exc()
            outcome[name] = traceback.format_exc().strip().splitlines()[-1][:200]
    print(json.dumps(outcome))
    sys.exit(0 if all(said == "ok" for said in outcome.values()) else 1)
