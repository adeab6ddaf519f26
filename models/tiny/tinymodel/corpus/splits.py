"""Requests for several functions at once, and their decomposition as the product's `/decompose` asks for it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from random import Random

from tinymodel.corpus import composed, everyday, kinds, names, request, tasks

COUNTS = ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [5, 20, 20, 15, 10, 8, 7, 6, 5, 4])
NUMBER_WORDS = "one two three four five six seven eight nine ten".split()
LONGEST_CLAUSE = 110
LONGEST_OF_MANY = 70
MANY = 7
SHARE_EVERYDAY = 0.6
HEADS = (
    "I want a module called {m} with |Make a {m} module with |Create a file {m}.py with |We need {m}: |Please write |Add "
    "|Provide |The {m} package needs |Build a module {m} with |Write a small library with |Write |I need |Create a {m} "
    "helper with |Implement |In {m}.py, add |Add to {m}.py |Write a module with |Can you write |{m}.py should have "
    "|Extend {m}.py with |For my project I need |Please add to src/{m}.py |Give me "
).split("|")
# how a clause is introduced in lists, by form: what stands between the signature and the description
PLAIN = {"returns": ["returns", "that returns", "which returns", "gives", "to get"], "does": ["to", "should", "that can"],
         "checks": ["checks whether", "checks if", "tells whether", "returns whether"]}  # fmt: skip
CLAUSES = {"returns": "that returns {d}", "does": "to {d}", "checks": "that checks whether {d}"}


@dataclass(frozen=True)
class Part:
    """One function of a request."""

    name: str
    signature: str
    form: str
    told: str


def draw(random: Random, *, want_held: bool = False) -> tuple[str, str]:
    """A request and its decomposition."""
    count = random.choices(*COUNTS)[0]
    longest = LONGEST_CLAUSE if count < MANY else LONGEST_OF_MANY
    parts: dict[str, Part] = {}
    while len(parts) < count:
        part = _part(random, want_held=want_held)
        if part is not None and len(part.told) <= longest:
            parts.setdefault(part.name, part)
    rows = [
        {
            "id": number,
            "function": part.name,
            "task": f"Write a function {part.signature} {CLAUSES[part.form].format(d=part.told)}.",
        }
        for number, part in enumerate(parts.values(), 1)
    ]
    return _request(random, list(parts.values())), "[" + ",\n ".join(
        json.dumps(row, ensure_ascii=False) for row in rows
    ) + "]"


def _part(random: Random, *, want_held: bool) -> Part | None:
    """One function; none when its names collide or it cannot be told shortly."""
    if not want_held and random.random() < SHARE_EVERYDAY:
        task = random.choice(everyday.tasks())
        name, arguments = tasks.name_for(random, task.names), tasks.arguments_for(random, task)
        if name in arguments or len(set(arguments)) < len(arguments):
            return None
        shown = arguments
        if random.random() < 0.15 and len(arguments) == 1:
            shown = [random.choice(kinds.ANONYMOUS[kinds.known_as(task.kinds[0])])]
        form, told = task.described(shown, task.constants_of(random), random)
    else:
        family = random.choices(composed.FAMILIES, [family.weight for family in composed.FAMILIES])[0]
        choice = family.draw(random)
        if family.composes(choice) and family.held(choice) != want_held:
            return None
        arguments, name = names.arguments(random, family.types(choice)), names.function_name(random)
        described = family.tell(choice, random, arguments)
        form = described.form
        told = described.text or request.chained(described.steps, random.choice(request.JOINTS))
        if form == "does" and " return" in told:
            return None
    return Part(name, f"{name}({', '.join(arguments)})", form, told)


def _request(random: Random, parts: list[Part]) -> str:
    module = random.choice(names.THINGS) if random.random() < 0.5 else names.word(random)
    head = random.choice(HEADS).format(m=module)
    said = [_said(random, part) for part in parts]
    style = random.randrange(8) if len(parts) < 5 else random.choice([1, 2, 2, 3, 4, 5, 6, 7])
    number = NUMBER_WORDS[len(parts) - 1]
    if len(parts) == 1:
        text = f"{head}a function {said[0]}."
    elif style == 0:
        text = head + ", ".join(f"a function {one}" for one in said[:-1]) + f" and a function {said[-1]}."
    elif style == 1:
        text = f"{head}{number} functions: " + "; ".join(said) + "."
    elif style == 2:
        text = f"{head}these functions:\n" + "\n".join(f"- {one}" for one in _colons(random, parts))
    elif style == 3:
        lines = "\n".join(f"{at}. {one}" for at, one in enumerate(_colons(random, parts), 1))
        text = (
            head
            + random.choice(["these functions", "the following functions", "functions", "the functions"])
            + f":\n{lines}"
        )
    elif style == 4:
        text = head + ", ".join(said[:-1]) + f" and {said[-1]}" + random.choice([".", ""])
    elif style == 5:
        text = f"{head}{number} functions. " + ". ".join(_sentence(one) for one in said) + "."
    elif style == 6:
        text = f"{head}functions:\n" + "\n".join(_colons(random, parts))
    else:
        text = head + "; ".join(said)
    if random.random() < 0.25:
        text = random.choice(["Split into subtasks: ", "Decompose: ", "Split this up: "]) + text
    return re.sub(r"\s+\n", "\n", text)


def _said(random: Random, part: Part) -> str:
    return f"{part.signature} {random.choice(PLAIN[part.form])} {part.told}"


def _sentence(said: str) -> str:
    return said.replace(" that ", " ", 1).replace(" which ", " ", 1)


def _colons(random: Random, parts: list[Part]) -> list[str]:
    mark = random.choice([": ", ": ", " - ", " -> ", " "])
    if mark == " ":
        return [_said(random, part) for part in parts]
    whether = random.choice(["whether ", "True if ", "check whether "])
    return [f"{part.signature}{mark}{whether if part.form == 'checks' else ''}{part.told}" for part in parts]
