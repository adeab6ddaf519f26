"""Measuring a model file: greedy and sampled answers, repairs, later turns, plans and splits, and the yardstick."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinymodel import form, judge
from tinymodel.corpus import samples
from tinymodel.corpus.samples import SYSTEMS, Sample, chat_ml
from tinymodel.engine import SEQUENCES, Engine

FOLDER = Path(__file__).parent.parent
TEMPERATURE = 0.8
REPAIRS = 4
# samples of every hand-written request
FEW = 8
LONGEST_SPLIT = 700
# between a signature and what it does: two of these often say the same
LINK = re.compile(r" (?:that returns|to|that checks whether) ")
# greedy answers that are computed at a time
TOGETHER = 16


def pass_at(drawn: int, right: int, k: int) -> float:
    """The unbiased estimate of the chance that one of `k` samples is right."""
    if drawn - right < k:
        return 1.0
    return 1.0 - math.prod((drawn - right - i) / (drawn - i) for i in range(k))


@dataclass
class Measuring:
    """One engine with its random numbers and what was found."""

    engine: Engine
    random: np.random.Generator
    failed: list[str]

    def greedy(self, held: list[Sample]) -> dict:
        """Greedy answers to single requests, by family."""
        right, seen, syntax = Counter(), Counter(), 0
        for sample, code in zip(held, self._codes([chat_ml(s.system, s.user) for s in held]), strict=True):
            said = judge.said_of(sample, code)
            family = sample.key.split("'")[1]
            seen[family] += 1
            right[family] += said is None
            if said is not None:
                syntax += said.startswith("SyntaxError")
                self.failed.append(
                    f"{sample.key}\n{sample.user}\n--- got\n{code}\n--- want\n{sample.code}\n--- {said}\n"
                )
        families = {family: f"{right[family]}/{seen[family]}" for family in sorted(seen)}
        return {"n": len(held), "right": right.total(), "syntax_errors": syntax, "by_family": families}

    def _codes(self, prompts: list[str]) -> list[str]:
        """The greedy answers to many prompts, several at a time."""
        groups = (prompts[at : at + TOGETHER] for at in range(0, len(prompts), TOGETHER))
        return [judge.code_of(answers[0]) for group in groups for answers in self.engine.answers_to(group)]

    def sampled(self, held: list[Sample]) -> dict:
        """pass@k at the temperature of later attempts."""
        counts = [
            sum(
                judge.said_of(sample, judge.code_of(answer)) is None
                for answer in self._sampled(chat_ml(sample.system, sample.user), SEQUENCES)
            )
            for sample in held
        ]
        return {"n": len(held), **_pass_rates(counts, SEQUENCES, (1, 2, 4, 8, 16, 32))}

    def _sampled(self, prompt: str, count: int) -> list[str]:
        return self.engine.answers(prompt, count, TEMPERATURE, random=self.random)

    def second_turn(self, first: list[Sample], held: list[Sample]) -> dict:
        """Held tasks as the second turn of a conversation."""
        prompts = [
            chat_ml(before.system, before.user) + before.answer + "<|im_end|>\n" + chat_ml(None, sample.user)
            for before, sample in zip(first, held, strict=False)
        ]
        codes = self._codes(prompts)
        right = sum(judge.said_of(sample, code) is None for sample, code in zip(held, codes, strict=False))
        return {"n": min(len(first), len(held)), "right": right}

    def repairs(self, tasks: list[Sample]) -> dict:
        """The model's own failures: repairing them against asking afresh, at the same temperature.

        An answer that repeats the failed code counts as wrong here; the product drops it and asks again, so the rates
        among the others are told too.
        """
        found, totals = 0, Counter()
        for sample in tasks:
            prompt = chat_ml(sample.system, sample.user)
            code = judge.code_of(self._sampled(prompt, 1)[0])
            said = judge.said_of(sample, code)
            if said is None:
                continue
            found += 1
            repair = chat_ml(SYSTEMS["repair"], samples.repair_prompt(sample.user, code, said))
            greedy = judge.code_of(self.engine.answers(repair)[0])
            totals["greedy_repair"] += judge.said_of(sample, greedy) is None
            totals["unchanged"] += greedy.strip() == code.strip()
            for name, asked in (("repair", repair), ("fresh", prompt)):
                codes = [judge.code_of(answer) for answer in self._sampled(asked, REPAIRS)]
                right = sum(judge.said_of(sample, one) is None for one in codes)
                totals[name] += right
                totals[f"{name}_repeats"] += sum(one.strip() == code.strip() for one in codes)
                totals[f"{name}_any_of_{REPAIRS}"] += right > 0
        rates = {name: round(totals[name] / (found * REPAIRS), 3) for name in ("repair", "fresh") if found}
        for name in list(rates):
            rates[f"{name}_of_new"] = round(totals[name] / max(1, found * REPAIRS - totals[f"{name}_repeats"]), 3)
        rest = {name: totals[name] for name in sorted(totals) if name not in ("repair", "fresh")}
        return {"tasks": len(tasks), "failures": found, **rates, **rest}

    def generated_faults(self, faulty: list[Sample]) -> dict:
        """Repairs of faults that the generator made."""
        codes = self._codes([chat_ml(sample.system, sample.user) for sample in faulty])
        right = sum(judge.said_of(sample, code) is None for sample, code in zip(faulty, codes, strict=True))
        return {"n": len(faulty), "right": right}

    def splits(self, requests: list[Sample], *, constrained: bool) -> dict:
        """Decompositions, perhaps in the product's form: valid JSON, all functions in order, and what each is told."""
        totals = Counter()
        for sample in requests:
            prompt = chat_ml(sample.system, sample.user)
            if constrained:
                answer = self.engine.held_to(form.grammar(sample.user), prompt, LONGEST_SPLIT)
            else:
                answer = self.engine.answers(prompt, longest=LONGEST_SPLIT)[0]
            want = json.loads(sample.answer)
            totals[f"functions_{len(want)}"] += 1
            try:
                got = json.loads(answer)
                names = [part["function"] for part in got] == [part["function"] for part in want]
                tasks = [part["task"] for part in got], [part["task"] for part in want]
            except (ValueError, TypeError, KeyError):
                continue
            described = names and [LINK.sub(" ", task, count=1) for task in tasks[0]] == [
                LINK.sub(" ", task, count=1) for task in tasks[1]
            ]
            totals["valid"] += 1
            totals["names"] += names
            totals["described"] += described
            totals["exact"] += names and tasks[0] == tasks[1]
            totals[f"described_{len(want)}"] += described
        sizes = sorted({len(json.loads(sample.answer)) for sample in requests})
        by_size = {str(size): f"{totals[f'described_{size}']}/{totals[f'functions_{size}']}" for size in sizes}
        counted = {name: totals[name] for name in ("valid", "names", "described", "exact")}
        return {"n": len(requests), **counted, "described_by_functions": by_size}

    def yardstick(self, requests: list[judge.Request], *, prefilled: bool) -> dict:
        """Hand-written requests, as they are or with the signature begun as the agent begins it."""
        right, counts = 0, []
        for request in requests:
            prompt, begun = chat_ml(SYSTEMS["code"], request.request), ""
            if prefilled and (parameters := request.parameters()) is not None:
                begun = f"```python\ndef {request.entry_point}({parameters}):\n"
            greedy = self.engine.answers(prompt + begun)[0]
            passed = request.passed(judge.code_of(begun + greedy))
            right += passed
            if not passed and prefilled:
                self.failed.append(f"{request.task_id}\n{request.request}\n--- got\n{begun + greedy}\n")
            drawn = self._sampled(prompt + begun, FEW)
            counts.append(sum(request.passed(judge.code_of(begun + answer)) for answer in drawn))
        return {"n": len(requests), "right": right, **_pass_rates(counts, FEW, (1, 8))}


def _pass_rates(counts: list[int], drawn: int, ks: tuple[int, ...]) -> dict[str, float]:
    return {f"pass@{k}": round(float(np.mean([pass_at(drawn, right, k) for right in counts])), 3) for k in ks}


def load(path: Path, most: int) -> list[Sample]:
    """The first samples of a file."""
    return [Sample.from_json(line) for line in path.read_text().splitlines()[:most]]


def main() -> None:
    """`python -m tinymodel.evaluate --model edgecoder-tiny.gguf --out eval/results/edgecoder-tiny.json`"""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--model", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--sets", type=Path, default=FOLDER / "eval" / "sets")
    ask.add_argument("--share", type=float, default=1.0, help="share of every set, for a quick look")
    ask.add_argument("--only", default="", help="measure what contains this word")
    ask.add_argument("--run", default="", help="a name to find the process by")
    given = ask.parse_args()
    measuring = Measuring(Engine(given.model), np.random.default_rng(1), [])

    def samples_of(name: str, most: int) -> list[Sample]:
        return load(given.sets / f"{name}.jsonl", max(1, int(most * given.share)))

    requests = judge.Request.load(FOLDER / "yardstick" / "requests.jsonl")
    requests = requests[: max(1, int(len(requests) * given.share))]
    measures = {
        "yardstick": lambda: measuring.yardstick(requests, prefilled=False),
        "yardstick_prefilled": lambda: measuring.yardstick(requests, prefilled=True),
        "held_greedy": lambda: measuring.greedy(samples_of("held", 400)),
        "allowed_greedy": lambda: measuring.greedy(samples_of("allowed", 400)),
        "second_turn": lambda: measuring.second_turn(samples_of("allowed", 150), samples_of("held", 150)),
        "split": lambda: measuring.splits(samples_of("split", 150), constrained=False),
        "split_constrained": lambda: measuring.splits(samples_of("split", 150), constrained=True),
        "generated_faults": lambda: measuring.generated_faults(samples_of("repair", 150)),
        "held_sampled": lambda: measuring.sampled(samples_of("held", 100)),
        "held_all_sampled": lambda: measuring.sampled(samples_of("held", 400)),
        "own_failures": lambda: measuring.repairs(samples_of("held", 300) + samples_of("allowed", 300)),
    }
    results = json.loads(given.out.read_text()) if given.out.exists() and given.only else {}
    for name, measure in measures.items():
        if given.only in name:
            results[name] = measure()
            print(name, json.dumps(results[name]), flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results, indent=1) + "\n")
    given.out.with_suffix(".failed.txt").write_text("\n".join(measuring.failed))


if __name__ == "__main__":
    main()
