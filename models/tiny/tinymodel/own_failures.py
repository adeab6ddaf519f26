"""Learning to repair what the model itself gets wrong: its failing answers with the words of the failing test.

Faults that a generator makes look different, and a model that learned only those repairs its own no better than by
asking again.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np

from tinymodel import judge
from tinymodel.corpus import samples
from tinymodel.corpus.samples import Sample
from tinymodel.engine import Engine

TEMPERATURE = 0.8
# this many requests at a time, this many answers to each: together the sequences of the engine
REQUESTS, ANSWERS = 8, 4
LONGEST_MESSAGE = 220


def _failures(sample: Sample, answers: list[str]) -> dict[str, str]:
    """What each different failing answer's test says."""
    found = {}
    for code in map(judge.code_of, answers):
        said = judge.said_of(sample, code)
        if said is not None and len(said) <= LONGEST_MESSAGE:
            found[code] = said
    return found


def main() -> None:
    """`python -m tinymodel.own_failures --model latest.gguf --minutes 3 --seed 1 --out failures.jsonl`"""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--model", type=Path, required=True)
    ask.add_argument("--minutes", type=float, required=True)
    ask.add_argument("--seed", type=int, required=True)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--run", default="", help="a name to find the process by")
    given = ask.parse_args()
    engine, random, numbers = Engine(given.model), Random(given.seed), np.random.default_rng(given.seed)
    ends_at = time.monotonic() + given.minutes * 60
    asked = kept = 0
    with given.out.open("w") as out:
        while time.monotonic() < ends_at:
            drawn = [samples.draw(random, "code") for _ in range(REQUESTS)]
            asked += len(drawn)
            prompts = [samples.chat_ml(sample.system, sample.user) for sample in drawn]
            answered = engine.answers_to(prompts, ANSWERS, TEMPERATURE, longest=150, random=numbers)
            for sample, answers in zip(drawn, answered, strict=True):
                for code, said in _failures(sample, answers).items():
                    kept += 1
                    user = samples.repair_prompt(sample.user, code, said)
                    system = samples.system_for("repair", random)
                    out.write(replace(sample, kind="repair", system=system, user=user, bad=code).as_json() + "\n")
    print(f"{asked} requests, {kept} failures")


if __name__ == "__main__":
    main()
