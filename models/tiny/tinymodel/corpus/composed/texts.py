"""Chains of steps on a text, perhaps with a final question."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tinymodel.corpus.composed import values
from tinymodel.corpus.composed.family import Choice, Family, Told, circumscribed
from tinymodel.corpus.composed.primitives import function, one_of, table

MIRRORED = ["level", "noon", "abba", " aba ", "racecar", "Anna", "never odd or even", " tree ", "statistics"]


class Texts(Family):
    """Text steps."""

    name, weight = "str", 26

    def draw(self, random: Random, like: Choice | None = None) -> Choice:
        count = len(like["steps"]) if like else random.choices([0, 1, 2, 3], [6, 34, 46, 14])[0]
        ends = bool(like["end"]) if like else random.random() < 0.4 or count == 0
        steps = [one.chosen(random) for one in random.sample(table("text_steps"), count)]
        return {"steps": steps, "end": one_of("text_ends", random) if ends else None}

    def key(self, choice: Choice) -> tuple:
        return ("str", *(one.key for one in choice["steps"]), choice["end"].key if choice["end"] else "")

    def composes(self, choice: Choice) -> bool:
        return len(choice["steps"]) + bool(choice["end"]) >= 2

    def types(self, choice: Choice) -> list[str]:
        return ["s"]

    def tell(self, choice: Choice, random: Random, arguments: list[str] | None) -> Told:
        named = arguments is not None and random.random() >= 0.1
        text = arguments[0] if named else circumscribed(random, "s")
        if choice["steps"] and random.random() < 0.38:
            return Told("does", steps=_steps(choice, text, random))
        for one in choice["steps"]:
            text = one.say(one.primitive.single, random, n=text)
        if choice["end"]:
            text = choice["end"].say(choice["end"].primitive.single, random, n=text)
        for opening in ("whether ", "True if "):
            if text.startswith(opening):
                return Told("checks", text.removeprefix(opening))
        return Told("returns", text)

    def plan(self, choice: Choice, arguments: list[str]) -> list[str]:
        told = [
            one.fill(one.primitive.does[0], n="it" if at else arguments[0]) for at, one in enumerate(choice["steps"])
        ]
        told.append(choice["end"].fill(choice["end"].primitive.does[0]) if choice["end"] else "return the result")
        return [f"{one[:1].upper()}{one[1:]}." for one in told]

    def usual_name(self, choice: Choice) -> str:
        parts = [one.part_of_name() for one in reversed(choice["steps"])]
        return "_".join([choice["end"].part_of_name(), *parts] if choice["end"] else parts)

    def code(self, choice: Choice, name: str, arguments: list[str]) -> str:
        argument = expression = arguments[0]
        for one in choice["steps"]:
            expression = one.fill(one.primitive.code, x=expression)
        end = choice["end"]
        if end and end.key == "pal":
            first = f"{argument} = {_bare(expression)}\n" if choice["steps"] else ""
            return function(name, arguments, f"{first}return {argument} == {argument}[::-1]")
        if end:
            expression = end.fill(end.primitive.code, x=expression)
        return function(name, arguments, f"return {_bare(expression)}")

    def reference(self, choice: Choice) -> Callable[..., object]:
        def computed(text: str) -> object:
            for one in choice["steps"]:
                text = one(text)
            return choice["end"](text) if choice["end"] else text

        return computed

    def inputs(self, choice: Choice, random: Random) -> tuple:
        return (random.choice(MIRRORED) if random.random() < 0.25 else values.text(random),)


def _steps(choice: Choice, text: str, random: Random) -> tuple[str, ...]:
    told = [one.say(one.primitive.does, random, n="it" if at else text) for at, one in enumerate(choice["steps"])]
    if choice["end"]:
        told.append(choice["end"].say(choice["end"].primitive.does, random))
    elif random.random() < 0.45:
        told.append(random.choice(["return the result", "return it"]))
    return tuple(told)


def _bare(expression: str) -> str:
    """Without brackets around the whole."""
    if not (expression.startswith("(") and expression.endswith(")")):
        return expression
    depth = 0
    for at, letter in enumerate(expression):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return expression[1:-1] if at == len(expression) - 1 else expression
    return expression
