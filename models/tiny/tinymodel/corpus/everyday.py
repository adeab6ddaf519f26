"""Tasks that people ask for every day, written down in `everyday/*.tasks`.

    @ key | usual names | argument:kind ... | result
        code with {a} {b} {c} {d} for the arguments, {f} for the name, {k} {m} ... for constants
    k: constants to choose from, split at spaces (quoted where they contain one)
    = what it returns
    ! what it does
    ? what it checks

The first constant of every list belongs to the first of the others, and so on: constants are drawn together when
their lists are equally long and mean something together, which the loader cannot know; so they are drawn apart.
"""

from __future__ import annotations

import functools
import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tinymodel.corpus import grammar, kinds

FOLDER = Path(__file__).parent / "everyday"
FORMS = {"=": "returns", "!": "does", "?": "checks"}


@dataclass
class Everyday:
    """One task with its wordings."""

    key: str
    names: list[str]
    kinds: list[str]
    result: str
    arguments: list[str]
    code: list[str] = field(default_factory=list)
    constants: dict[str, list[str]] = field(default_factory=dict)
    wordings: dict[str, list[str]] = field(default_factory=lambda: {form: [] for form in FORMS.values()})

    def inputs(self, random: Random) -> list[object]:
        """Arguments for one call."""
        drawn = [kinds.KINDS[kind][1](random) for kind in self.kinds]
        if self.kinds[:2] == ["n", "n"] and len(self.kinds) == 2 and random.random() < 0.15:
            drawn[1] = drawn[0]
        return drawn

    def described(self, shown: list[str], constants: dict[str, str], random: Random) -> tuple[str, str]:
        """The form and one wording, with the arguments called what `shown` says."""
        form = random.choice([form for form, wordings in self.wordings.items() if wordings])
        wording = grammar.draw(random.choice(self.wordings[form]), random)
        return form, wording.format(**dict(zip("abcd", shown, strict=False)), **constants)

    def function(self, name: str, arguments: list[str], constants: dict[str, str]) -> str:
        """The code."""
        parts = {**dict(zip("abcd", arguments, strict=False)), **constants, "f": name}
        lines = "\n".join(f"    {line.format(**parts)}" for line in self.code)
        return f"def {name}({', '.join(arguments)}):\n{lines}"

    def constants_of(self, random: Random) -> dict[str, str]:
        """A value for every constant; labels of one task always differ."""
        while True:
            chosen = {name: random.choice(values) for name, values in self.constants.items()}
            if len(set(chosen.values())) == len(chosen):
                return chosen


def read(text: str) -> list[Everyday]:
    """The tasks written down in `text`."""
    tasks: list[Everyday] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("@ "):
            key, names, arguments, result = (part.strip() for part in line[2:].split("|"))
            pairs = [argument.split(":") for argument in arguments.split()]
            own = [name for name, _ in pairs]
            if own[:1] == ["a"] and "b" not in own and kinds.known_as(pairs[0][1]) == "ints":
                own[0] = "xs"  # one list alone is called so everywhere
            tasks.append(Everyday(key, names.split(), [kind for _, kind in pairs], result, own))
        elif line.startswith("    "):
            tasks[-1].code.append(line[4:])
        elif line[:2] in ("= ", "! ", "? "):
            tasks[-1].wordings[FORMS[line[0]]].append(line[2:].strip())
        elif line[1:3] == ": ":
            tasks[-1].constants[line[0]] = _constants(line[3:])
        elif line.strip():
            raise ValueError(f"line {number} is none of a task's: {line!r}")
    return tasks


def _constants(text: str) -> list[str]:
    try:
        values = shlex.split(text)
    except ValueError:  # a lone quote is a constant like any other
        values = text.split()
    return values


@functools.lru_cache(maxsize=1)
def tasks() -> list[Everyday]:
    """All tasks of the folder."""
    found = []
    for path in sorted(FOLDER.glob("*.tasks")):
        for task in read(path.read_text()):
            task.key = f"{path.stem}.{task.key}"
            found.append(task)
    keys = [task.key for task in found]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a key is used twice: {sorted(key for key in keys if keys.count(key) > 1)}")
    return found


@functools.lru_cache(maxsize=1)
def usual_names() -> list[str]:
    """Every usual name of every task: naming another task so makes the text count, not the name."""
    return sorted({name for task in tasks() for name in task.names})


@functools.lru_cache(maxsize=1)
def _uses() -> Counter[str]:
    return Counter(name for task in tasks() for name in set(task.names))


def says_all(name: str) -> bool:
    """Whether only one task is usually called so."""
    return _uses()[name] == 1 and len(name) > 3


@functools.lru_cache(maxsize=1)
def _by_kinds() -> dict[tuple[str, ...], list[Everyday]]:
    found: dict[tuple[str, ...], list[Everyday]] = {}
    for task in tasks():
        found.setdefault(tuple(map(kinds.known_as, task.kinds)), []).append(task)
    return found


def alike(task: Everyday) -> list[Everyday]:
    """The tasks that take the same kinds of arguments."""
    return _by_kinds()[tuple(map(kinds.known_as, task.kinds))]
