"""The little language in which phrases are written down: `<a|b|>` is one of three, and brackets nest."""

from __future__ import annotations

import functools
from random import Random

# a phrase is a list of literal texts and choices, a choice is a list of phrases
Phrase = list


class GrammarError(ValueError):
    """A phrase whose brackets do not match."""


@functools.cache
def parse(text: str) -> Phrase:
    """The phrase that `text` describes."""
    phrase, rest = _sequence(text, 0, nested=False)
    if rest != len(text):
        raise GrammarError(f"a bracket too many in {text!r}")
    return phrase


def _is_open(text: str, at: int) -> bool:
    # "< 3", "<=" and "<<" are comparisons, not choices
    return text[at] == "<" and at + 1 < len(text) and text[at + 1] not in " =<"


def _sequence(text: str, at: int, *, nested: bool) -> tuple[Phrase, int]:
    phrase: Phrase = []
    literal = ""
    while at < len(text):
        if _is_open(text, at):
            choice, at = _choice(text, at)
            phrase += [literal, choice]
            literal = ""
        elif nested and (text[at] == "|" or text[at] == ">" and text[at - 1] not in "-="):
            break
        else:
            literal += text[at]
            at += 1
    return [*phrase, literal], at


def _choice(text: str, at: int) -> tuple[list[Phrase], int]:
    choice = []
    while True:
        phrase, at = _sequence(text, at + 1, nested=True)
        choice.append(phrase)
        if at >= len(text):
            raise GrammarError(f"an open bracket in {text!r}")
        if text[at] == ">":
            return choice, at + 1


def draw(text: str, random: Random) -> str:
    """One of the texts that the phrase stands for, with single spaces."""
    drawn = _drawn(parse(text), random)
    while "  " in drawn:
        drawn = drawn.replace("  ", " ")
    return drawn.strip().replace(" , ", ", ").replace(" ; ", "; ").replace(" . ", ". ")


def _drawn(phrase: Phrase, random: Random) -> str:
    return "".join(part if isinstance(part, str) else _drawn(random.choice(part), random) for part in phrase)


def forms(text: str) -> int:
    """How many texts the phrase stands for."""
    return _forms(parse(text))


def _forms(phrase: Phrase) -> int:
    count = 1
    for part in phrase:
        if not isinstance(part, str):
            count *= sum(_forms(option) for option in part)
    return count
