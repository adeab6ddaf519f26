"""Chains of steps on a list of integers, perhaps with a final question."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tinymodel.corpus.composed import values
from tinymodel.corpus.composed.family import UNDEFINED, Choice, Family, Told, circumscribed
from tinymodel.corpus.composed.pipeline import REDUCING
from tinymodel.corpus.composed.primitives import function, table

ENDS = ("sum", "max", "min", "first", "last", "ndist", "spread", "avg")
END_CODE = {
    "sum": "sum({x})", "max": "max({x})", "min": "min({x})", "first": "{x}[0]", "last": "{x}[-1]",
    "ndist": "len(set({x}))", "spread": "max({x}) - min({x})", "avg": "sum({x}) / len({x})",
}  # fmt: skip
AGAIN = ["it", "the result", "that"]


class Lists(Family):
    """List steps."""

    name, weight = "lst", 7

    def draw(self, random: Random, like: Choice | None = None) -> Choice:
        count = len(like["steps"]) if like else random.choices([1, 2, 3], [25, 55, 20])[0]
        ends = bool(like["end"]) if like else random.random() < 0.6
        steps = [one.chosen(random) for one in random.sample(table("list_steps"), count)]
        pool = [one for one in table("reductions") if one.key in ENDS]
        return {"steps": steps, "end": random.choice(pool).chosen(random) if ends else None}

    def key(self, choice: Choice) -> tuple:
        return ("lst", *(one.key for one in choice["steps"]), choice["end"].key if choice["end"] else "")

    def composes(self, choice: Choice) -> bool:
        return len(choice["steps"]) + bool(choice["end"]) >= 2

    def types(self, choice: Choice) -> list[str]:
        return ["ints"]

    def tell(self, choice: Choice, random: Random, arguments: list[str] | None) -> Told:
        named = arguments is not None and random.random() >= 0.1
        numbers, told = arguments[0] if named else circumscribed(random, "ints"), []
        for one in choice["steps"]:
            told.append(one.say(one.primitive.does, random, n=numbers))
            numbers = random.choice(AGAIN)
        if choice["end"]:
            told.append(choice["end"].say(choice["end"].primitive.does, random))
        elif random.random() < 0.5:
            told.append(random.choice(["return the result", "return it", "return the list"]))
        return Told("does", steps=tuple(told))

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
        argument = arguments[0]
        steps = [one.fill(one.primitive.code, x=argument) for one in choice["steps"]]
        last = END_CODE[choice["end"].key].format(x=argument) if choice["end"] else steps.pop()
        return function(name, arguments, "".join(f"{argument} = {step}\n" for step in steps) + f"return {last}")

    def reference(self, choice: Choice) -> Callable[..., object]:
        def computed(numbers: list[int]) -> object:
            for one in choice["steps"]:
                if not numbers and one.key in ("nomax", "nomin"):
                    return UNDEFINED
                numbers = one(numbers)
            if not choice["end"]:
                return numbers
            if not numbers and choice["end"].primitive.needs_one:
                return UNDEFINED
            return REDUCING[choice["end"].key](numbers)

        return computed

    def inputs(self, choice: Choice, random: Random) -> tuple:
        if random.random() < 0.7:
            return (values.integers(random, random.randint(3, 8)),)
        return (values.digits(random, random.randint(4, 8), 6),)
