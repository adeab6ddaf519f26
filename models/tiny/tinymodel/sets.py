"""The sets that a model is measured with, from fixed seeds; the held-out one also in the form of public benchmarks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random

from tinymodel.corpus import samples
from tinymodel.corpus.samples import Sample

# name -> kind, how many, seed, held compositions only
SETS = {
    "held": ("code", 400, 51, True),
    "allowed": ("code", 400, 52, False),
    "repair": ("repair", 150, 53, True),
    "split": ("split", 150, 54, False),
}


def benchmark(held: list[Sample]) -> list[dict[str, str]]:
    """Samples as tasks with a prompt, a reference solution and a test function."""
    tasks = []
    for number, sample in enumerate((sample for sample in held if sample.named), 1):
        called = [test.expression.replace(sample.name, "candidate", 1) for test in sample.tests]
        lines = [f"    assert {call} == {test.want}" for call, test in zip(called, sample.tests, strict=True)]
        tasks.append(
            {
                "task_id": f"heldout/{number}",
                "prompt": sample.user,
                "entry_point": sample.name,
                "canonical_solution": sample.code + "\n",
                "test": "\n".join(["def check(candidate):", *lines]) + "\n",
            }
        )
    return tasks


def main() -> None:
    """`python -m tinymodel.sets --out eval/sets --benchmark eval/heldout.jsonl`"""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--benchmark", type=Path)
    given = ask.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name, (kind, count, seed, held) in SETS.items():
        random = Random(seed)
        drawn = [samples.draw(random, kind, want_held=held) for _ in range(count)]
        (given.out / f"{name}.jsonl").write_text("".join(sample.as_json() + "\n" for sample in drawn))
        if name == "held" and given.benchmark:
            given.benchmark.write_text("".join(json.dumps(task) + "\n" for task in benchmark(drawn)))


if __name__ == "__main__":
    main()
