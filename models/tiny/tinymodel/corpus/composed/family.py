"""What every family of compositions offers."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

# percent of compositions that are never trained on
HELD_PERCENT = 8
# a reference says so of inputs that the task does not cover
UNDEFINED = object()
Choice = dict
TRIES = 6


@dataclass(frozen=True)
class Told:
    """A description: what it `returns`, `checks` or `does`; steps where it is told in steps."""

    form: str
    text: str = ""
    steps: tuple[str, ...] = ()


class Family(ABC):
    """One family: it draws choices and knows their code, reference, inputs and English."""

    name: str
    weight: int

    @abstractmethod
    def draw(self, random: Random, like: Choice | None = None) -> Choice:
        """A choice; one of the same shape as `like`."""

    @abstractmethod
    def key(self, choice: Choice) -> tuple:
        """What makes the composition, without constants and style."""

    @abstractmethod
    def types(self, choice: Choice) -> list[str]:
        """What the arguments are."""

    @abstractmethod
    def tell(self, choice: Choice, random: Random, arguments: list[str] | None) -> Told:
        """A description; arguments that are not named are circumscribed."""

    @abstractmethod
    def plan(self, choice: Choice, arguments: list[str]) -> list[str]:
        """Its steps in sentences."""

    @abstractmethod
    def usual_name(self, choice: Choice) -> str:
        """A name that says what it does."""

    @abstractmethod
    def code(self, choice: Choice, name: str, arguments: list[str]) -> str:
        """Its function."""

    @abstractmethod
    def reference(self, choice: Choice) -> Callable[..., object]:
        """Computes what the code should, another way."""

    @abstractmethod
    def inputs(self, choice: Choice, random: Random) -> tuple:
        """Arguments for one call."""

    def composes(self, choice: Choice) -> bool:
        """Whether it combines two or more primitives, so that holding it out means something."""
        return True

    def fits(self, choice: Choice) -> bool:
        """Whether the parts go together."""
        return True

    def held(self, choice: Choice) -> bool:
        """Whether the composition is kept for evaluation."""
        return self.composes(choice) and zlib.crc32(repr(self.key(choice)).encode()) % 100 < HELD_PERCENT

    def mutated(self, choice: Choice, random: Random) -> Choice | None:
        """The choice with one part changed, which is how models get things wrong."""
        for _ in range(TRIES):
            other = self.draw(random, choice)
            differing = [part for part in choice if part in other and other[part] != choice[part]]
            if differing:
                part = random.choice(differing)
                mutant = {**choice, part: other[part]}
                if self.fits(mutant):
                    return mutant
        return None


def circumscribed(random: Random, known: str) -> str:
    """What people call an argument that they do not name."""
    return random.choice(ANONYMOUS[known])


ANONYMOUS = {
    "ints": (
        "a list of numbers|a list of integers|a list|the list|the given list|an array|a list of ints|the input list|"
        "a sequence of numbers|the numbers given|a given list|the array|my list"
    ).split("|"),
    "words": (
        "a list of words|a list of strings|the list of words|the list|the given words|the word list|an array of strings"
    ).split("|"),
    "s": "a string|the string|a text|the text|the given string|the input|some text|the input string".split("|"),
    "n": "a number|an integer|the number|the given number|an int|the integer".split("|"),
    "d": "a dictionary|a dict|the dict|the dictionary|the given dictionary|a mapping".split("|"),
    "matrix": "a matrix|a list of lists|the matrix|a grid|a 2D list|the grid|a table of numbers".split("|"),
}
