"""The primitives of `primitives/*.toml`: a piece of code with the many ways in which people name it.

In code, `{x}` is the operand (in brackets where it needs them), `{y}` the operand bare, `{a}` and `{b}` constants and
`{qa}` and `{qb}` the same as literals. In phrases `{n}` is what the phrase is about.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

FOLDER = Path(__file__).parent / "primitives"
LETTERS = "abcdeghilmnoprstuw"
AFFIXES = ["ab", "pre", "go", "no", "x", "re", "hi", "un", "my", "ok", "!", "?", "-", "ed", "s", "..."]
LIMITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 12, 15, 18, 20, 25, 30, 50, 100]
Constants = tuple


def _interval(random: Random) -> Constants:
    low = random.randint(0, 10)
    return low, low + random.randint(2, 15)


def _remainder(random: Random) -> Constants:
    divisor = random.randint(2, 9)
    return divisor, random.randint(1, divisor - 1)


CONSTANTS: dict[str, Callable[[Random], Constants]] = {
    "": lambda random: (),
    "K": lambda random: (random.randint(2, 12),),
    "C": lambda random: (random.choice(LIMITS),),
    "N": lambda random: (random.randint(1, 9),),
    "P": lambda random: (random.randint(2, 5),),
    "D": lambda random: (random.randint(0, 9),),
    "AB": _interval,
    "KR": _remainder,
    "L": lambda random: (random.choice(LETTERS),),
    "LL": lambda random: tuple(random.sample(LETTERS, 2)),
    "LS": lambda random: (random.choice("aeiostr"), random.choice(["-", "*", "_", "#", ".", "", "x"])),
    "W": lambda random: (random.choice(AFFIXES),),
}


@dataclass(frozen=True)
class Primitive:
    """One primitive. What it lacks it cannot be told with."""

    key: str
    code: str = ""
    constants: str = ""
    name: str = ""
    gives: str = ""
    atomic: bool = False
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    is_: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    does: tuple[str, ...] = ()
    takes: str = ""
    loop: tuple[str, ...] = ()
    tail: str = ""
    plain_only: bool = False
    needs_one: bool = False

    def chosen(self, random: Random) -> Chosen:
        """The primitive with constants."""
        return Chosen(self, CONSTANTS[self.constants](random))


@dataclass(frozen=True)
class Chosen:
    """A primitive with its constants."""

    primitive: Primitive
    values: Constants

    @property
    def key(self) -> str:
        """The primitive's key."""
        return self.primitive.key

    def fill(self, template: str, **parts: str) -> str:
        """A template of this primitive with constants and `parts` put in."""
        named = dict(zip("ab", self.values, strict=False))
        literals = {f"q{name}": literal(value) for name, value in named.items()}
        return template.format(**{**named, **literals, **parts})

    def apply(self, operand: str, atomic: bool) -> tuple[str, bool]:
        """The code for an operand, and whether the result needs no brackets."""
        bare = operand.replace("_", "").isalnum()
        bracketed = operand if atomic or bare else f"({operand})"
        return self.fill(self.primitive.code, x=bracketed, y=operand), self.primitive.atomic

    def holds(self, operand: str) -> str:
        """The condition for an operand."""
        return self.fill(self.primitive.code, x=operand, y=operand)

    def __call__(self, value: object) -> object:
        """What the code makes of a value."""
        return _compiled(self.fill(self.primitive.code, x="operand", y="operand"))(value)

    def part_of_name(self) -> str:
        """What a descriptive name says of it."""
        named = dict(zip("ab", self.values, strict=False))
        return (self.primitive.name or self.key).format(**{"a": "", "b": "", **named}).replace("-", "m")

    def say(self, phrases: tuple[str, ...], random: Random, **parts: str) -> str:
        """One of the phrases."""
        return self.fill(random.choice(phrases), **parts)


@functools.lru_cache(maxsize=4096)
def _compiled(code: str) -> Callable[[object], object]:
    return eval(f"lambda operand: {code}")  # noqa: S307


def literal(value: object) -> str:
    """As the corpus writes literals."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


@functools.cache
def table(name: str) -> tuple[Primitive, ...]:
    """All primitives of one file."""
    stored = tomllib.loads((FOLDER / f"{name}.toml").read_text())["primitive"]
    found = []
    for one in stored:
        one["is_"] = one.pop("is", ())
        found.append(
            Primitive(**{key: tuple(value) if isinstance(value, list) else value for key, value in one.items()})
        )
    return tuple(found)


def one_of(name: str, random: Random, *but: str) -> Chosen:
    """A primitive of a table, none of `but`."""
    return random.choice([one for one in table(name) if one.key not in but]).chosen(random)


def indented(text: str, steps: int = 1) -> str:
    """Every line further to the right."""
    return "\n".join("    " * steps + line if line else line for line in text.split("\n"))


def function(name: str, arguments: list[str], body: str) -> str:
    """A definition."""
    return f"def {name}({', '.join(arguments)}):\n{indented(body)}"
