"""Inputs for compositions."""

from __future__ import annotations

from random import Random

from tinymodel.corpus.kinds import WORDS


def integers(random: Random, count: int, low: int = -9, high: int = 30) -> list[int]:
    """Mostly small integers, now and then one that is often asked about."""
    usual = [0, 2, 3, 5, 7, 10, 12, 25, 60]
    return [random.randint(low, high) if random.random() < 0.85 else random.choice(usual) for _ in range(count)]


def digits(random: Random, count: int, high: int = 9) -> list[int]:
    """Few different values, so that some repeat."""
    return [random.randint(0, high) for _ in range(count)]


def words(random: Random, count: int) -> list[str]:
    """Words, upper and lower case."""
    return [random.choice(WORDS) for _ in range(count)]


def text(random: Random) -> str:
    """Words, mixtures of letters and digits, or anything."""
    chance = random.random()
    if chance < 0.6:
        return " ".join(words(random, random.randint(1, 4)))
    if chance < 0.8:
        joint = random.choice([" ", "", "!"])
        return f"{random.choice(WORDS)}{random.randint(0, 99)}{joint}{random.choice(WORDS).upper()}"
    return "".join(random.choice("abcdeiourstABT 019 ") for _ in range(random.randint(3, 10))).strip() or "aB1"


def scores(random: Random, most: int = 5) -> dict[str, int]:
    """Words with different numbers."""
    keys = random.sample(WORDS, random.randint(2, most))
    return dict(zip(keys, random.sample(range(-5, 40), len(keys)), strict=True))
