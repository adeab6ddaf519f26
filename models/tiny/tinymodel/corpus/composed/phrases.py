"""How a pipeline is told in one phrase: nouns where English has them, verbs where people would use them."""

from __future__ import annotations

import re
from random import Random

from tinymodel.corpus.composed.family import Choice, Told
from tinymodel.corpus.composed.primitives import Chosen

SINGULARS = [
    (f"{word}s", word)
    for word in (
        "whole number|number|integer|value|element|item|num|int|member|word|string|text|character|char|symbol|digit|key|letter|vowel"
    ).split("|")
] + [("entries", "entry")]
# "the largest even number in xs"
OF_ONE = {
    "max": ["the largest {s}", "the biggest {s}", "the highest {s}", "the greatest {s}", "the maximum {s}"],
    "min": ["the smallest {s}", "the lowest {s}", "the minimum {s}", "the least {s}"],
    "first": ["the first {s}", "the very first {s}"],
    "last": ["the last {s}", "the final {s}"],
    "longest": ["the longest {s}"],
    "shortest": ["the shortest {s}"],
    "avg": ["the average {s}", "the mean {s}"],
}
# "how many even numbers in xs there are"
OF_MANY = {
    "topk": ["the {a} largest {p}", "the {a} biggest {p}", "the top {a} {p}", "the {a} highest {p}"],
    "firstk": ["the first {a} {p}"],
    "lastk": ["the last {a} {p}"],
    "count": ["how many {p} there are", "the number of {p}", "the count of {p}", "how many {p}"],
    "list": ["a list of {p}", "all {p} as a list", "a list of all {p}", "a new list with only the {p}", "every one of the {p} in a list"],
    "uniq": ["the sorted unique {p}", "the distinct {p} in sorted order", "a sorted list of the different {p}"],
    "ndist": ["the number of different {p}", "how many different {p} there are", "the number of distinct {p}", "the number of unique {p}"],
    "cjoin": ["the {p} as one string", "a string with just the {p}"],
}  # fmt: skip
# "add up the even numbers in xs"
VERBS = {
    "sum": ["sum {x}", "add up {x}", "add {x} together", "total {x}", "compute the sum of {x}"],
    "prod": ["multiply {x} together", "multiply {x}"],
    "max": ["find the largest of {x}", "get the maximum of {x}"],
    "min": ["find the smallest of {x}", "get the minimum of {x}"],
    "avg": ["average {x}", "compute the mean of {x}"],
    "count": ["count {x}", "count how many {p} there are"],
    "list": ["list {x}", "collect {x} in a list", "get {x} as a list"],
    "sorted": ["sort {x}", "put {x} in ascending order"],
    "desc": ["sort {x} in descending order", "sort {x} from largest to smallest", "sort {x} with the largest first"],
    "reversed": ["reverse {x}", "list {x} in reverse order"],
    "uniq": ["remove duplicates from {x} and sort them"],
    "ndist": ["count the different {p}", "count the distinct values among {x}"],
    "joins": ["join {x} with spaces"],
    "joinc": ["join {x} with commas"],
    "joind": ["join {x} with dashes"],
    "concat": ["concatenate {x}", "glue {x} together"],
    "longest": ["find the longest of {x}"],
    "shortest": ["find the shortest of {x}"],
    "bylen": ["sort {x} by length"],
    "cjoin": ["join {x} into a string", "make a string of {x}"],
    "running": ["compute the running totals of {x}"],
    "spread": ["subtract the smallest from the largest of {x}"],
    "first": ["get the first of {x}"],
    "last": ["get the last of {x}"],
    "topk": ["find the {a} largest of {x}"],
    "firstk": ["take the first {a} of {x}"],
    "lastk": ["take the last {a} of {x}"],
}
KEEPING = (
    "keep |keep only |select |pick |find |get |return |return only |extract |collect |return just |give me ".split("|")
)
EACH = re.compile(r"\b(each one|every one|each of them|each|them)\b")


def singular(elements: str) -> str | None:
    """ "even numbers in xs" as "even number in xs"; none where grammar would suffer."""
    if re.search(r" (that|which|whose) ", elements):
        return None
    for plural, single in SINGULARS:
        found = re.search(rf"\b{plural}\b", elements)
        if found:
            return elements[: found.start()] + single + elements[found.end() :]
    return None


def told_as_phrase(choice: Choice, elements: str, characters: bool, random: Random) -> Told:
    """The pipeline in one phrase."""
    reduction: Chosen = choice["reduction"]
    maps: list[Chosen] = choice["maps"]
    if not maps:
        short = _without_maps(reduction, elements, bool(choice["filters"]) and not characters, random)
        if short is not None:
            return short
    article = (
        random.choice(["the ", "the ", "the ", "all ", "", "all the "])
        if reduction.key != "count"
        else random.choice(["", "", "the "])
    )
    phrase = article + elements
    if len(maps) == 1 and reduction.key == "list" and random.random() < 0.35:
        steps = _each(maps[0], elements, phrase, random)
        if steps:
            return Told("does", steps=steps)
    for one in maps:
        phrase = one.say(one.primitive.of, random, n=phrase)
    plain = elements if not maps else phrase
    if random.random() < 0.16 and reduction.key in VERBS:
        return Told("does", steps=(reduction.say(tuple(VERBS[reduction.key]), random, x=phrase, p=plain),))
    phrases = reduction.primitive.of
    if characters and reduction.key == "list" and not maps:
        phrases = tuple(one for one in phrases if "list" in one)
    return Told("returns", reduction.say(phrases, random, n=phrase, plain=plain))


def _without_maps(reduction: Chosen, elements: str, filtered: bool, random: Random) -> Told | None:
    single = singular(elements)
    if reduction.key in OF_ONE and single and random.random() < 0.5:
        return Told("returns", reduction.say(tuple(OF_ONE[reduction.key]), random, s=single))
    if reduction.key in OF_MANY and random.random() < 0.45:
        return Told("returns", reduction.say(tuple(OF_MANY[reduction.key]), random, p=elements))
    if reduction.key == "list" and filtered and random.random() < 0.35:
        return Told("does", steps=(random.choice(KEEPING) + random.choice(["the ", "the ", "all ", ""]) + elements,))
    return None


def _each(one: Chosen, elements: str, phrase: str, random: Random) -> tuple[str, ...]:
    """ "double every even number in xs"."""
    verbs = [verb for verb in one.primitive.does if EACH.search(verb)]
    if not verbs:
        return ()
    single = singular(elements)
    target = random.choice(["each ", "every ", "each "]) + single if single and random.random() < 0.7 else phrase
    step = one.fill(EACH.sub(lambda _: target.replace("{", "{{").replace("}", "}}"), random.choice(verbs), count=1))
    return (
        (step,)
        if random.random() < 0.6
        else (step, random.choice(["return the new list", "return them as a list", "return the list"]))
    )
