"""Samples as the product asks: the systems are those of the agent's profile, the users those of its prompts."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from tinymodel.corpus import chat, faults, splits, tasks
from tinymodel.corpus.execution import Call

# crates/rules/agent/profiles/edgecoder-tiny.toml says the same
SYSTEMS = {
    "code": "You write Python code.",
    "repair": "You fix Python code.",
    "plan": "You plan coding tasks.",
    "split": "You split tasks into subtasks.",
    "chat": "You are EdgeCoder.",
}
OTHER_SYSTEMS = ("You are a helpful assistant.", "You are EdgeCoder.", "You are a helpful coding assistant.")
KINDS = {"code": 76, "repair": 12, "plan": 2, "codeplan": 1, "split": 4, "chat": 4}
SHARE_EXAMPLE = 0.28


@dataclass
class Sample:
    """One turn: what was said before it, what is asked, what is answered; and how to check that."""

    kind: str
    system: str | None
    user: str
    answer: str
    name: str = ""
    named: int = 2
    key: str = ""
    code: str = ""
    tests: list[Call] = field(default_factory=list)
    bad: str = ""

    def as_json(self) -> str:
        """One line of a corpus file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Sample:
        """From one line of a corpus file."""
        stored = json.loads(line)
        stored["tests"] = [Call(**call) for call in stored["tests"]]
        return cls(**stored)


def fenced(code: str) -> str:
    """Code as the model answers with it."""
    return f"```python\n{code}\n```"


def repair_prompt(request: str, code: str, message: str) -> str:
    """The agent's repair prompt."""
    return f"{request}\n\n{fenced(code)}\nTest failed: {message}"


def chat_ml(system: str | None, user: str) -> str:
    """The prompt in the template of the model file, up to where the answer starts."""
    head = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    return f"{head}<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


def system_for(kind: str, random: Random) -> str | None:
    """Mostly the profile's; people and programs who speak to the model directly set others or none."""
    chance = random.random()
    if chance < 0.82:
        return SYSTEMS[kind]
    return None if chance < 0.92 else random.choice(OTHER_SYSTEMS)


def with_example(request: str, task: tasks.Task, random: Random) -> str:
    """The request with an example as the agent adds one, or as people do."""
    if random.random() > SHARE_EXAMPLE or not task.tests:
        return request
    call = random.choice(task.tests)
    chance = random.random()
    if chance < 0.72 or request.endswith('"""'):
        return f"{request}\nExample: {call.expression} == {call.want}"
    if chance < 0.9:
        word = random.choice(["For example,", "Example:", "e.g.", "E.g.", "For instance,"])
        verb = random.choice(["is", "returns", "gives", "->", "==", "should be", "should return"])
        return f"{request.rstrip('.')}. {word} {call.expression} {verb} {call.want}"
    shown = random.sample(task.tests, min(2, len(task.tests)))
    return request + "\n" + "\n".join(f"assert {test.expression} == {test.want}" for test in shown)


def draw(random: Random, kind: str | None = None, *, want_held: bool = False) -> Sample:
    """A sample of the given kind, or of any."""
    while True:
        chosen = kind or random.choices(list(KINDS), list(KINDS.values()))[0]
        if chosen == "chat":
            user, answer = chat.draw(random)
            return Sample("chat", system_for("chat", random), user, answer)
        sample = _split(random, want_held) if chosen == "split" else _coded(random, chosen, want_held)
        if sample is not None:
            return sample


def _split(random: Random, want_held: bool) -> Sample:
    user, answer = splits.draw(random, want_held=want_held)
    system = system_for("split", random)
    if system != SYSTEMS["split"] and not user.startswith(("Split", "Decompose")):
        user = random.choice(["Split into subtasks: ", "Decompose: "]) + user
    return Sample("split", system, user, answer)


def _coded(random: Random, kind: str, want_held: bool) -> Sample | None:
    task = tasks.draw(random, want_held=want_held)
    if kind in ("plan", "codeplan") and not task.plan:
        return None
    system = system_for(kind if kind in SYSTEMS else "code", random)
    user, answer, bad = task.request, fenced(task.code), ""
    if kind == "plan":
        if system != SYSTEMS["plan"]:
            user = random.choice(["Plan: ", "Make a plan: ", "Plan this task: "]) + user
        answer = _numbered(task.plan)
    elif kind == "codeplan":
        user += f"\nPlan:\n{_numbered(task.plan)}"
    if kind != "plan":
        user = with_example(user, task, random)
    if kind == "repair":
        fault = faults.broken(task, random)
        if fault is None:
            return None
        bad = fault[0]
        user = repair_prompt(user, *fault)
    kind = "code" if kind == "codeplan" else kind
    return Sample(kind, system, user, answer, task.name, task.named, repr(task.key), task.code, task.tests, bad)


def _numbered(plan: list[str]) -> str:
    return "\n".join(f"{number}. {step}" for number, step in enumerate(plan, 1))


def main() -> None:
    """`python -m tinymodel.corpus.samples --count 1000 --seed 1 --out corpus.jsonl`"""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--count", type=int, required=True)
    ask.add_argument("--seed", type=int, required=True)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--kind", choices=list(KINDS))
    ask.add_argument("--held", action="store_true", help="held compositions only, for evaluation")
    ask.add_argument("--run", default="", help="a name to find the process by")
    given = ask.parse_args()
    random = Random(given.seed)
    kinds: Counter[str] = Counter()
    with given.out.open("w") as out:
        for _ in range(given.count):
            sample = draw(random, given.kind, want_held=given.held)
            kinds[sample.kind] += 1
            out.write(sample.as_json() + "\n")
    print(json.dumps(kinds))


if __name__ == "__main__":
    main()
