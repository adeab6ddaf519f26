"""Conditions, labels and formulas of one integer."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tinymodel.corpus.composed.family import Choice, Family, Told
from tinymodel.corpus.composed.primitives import Chosen, function, one_of

LABELS = (
    "low mid high yes no small big hot cold ok bad good even odd pass fail young old fizz buzz red green win lose on off left right"
).split()
SHAPES = {"pred": 3, "pred2": 4, "label": 3, "formula": 6, "cond": 4, "label3": 2, "fizz": 1}
PARTS = ("f", "f2", "m", "m2")


class Scalars(Family):
    """One integer."""

    name, weight = "scalar", 13

    def draw(self, random: Random, like: Choice | None = None) -> Choice:
        shape = like["shape"] if like else random.choices(list(SHAPES), list(SHAPES.values()))[0]
        choice: Choice = {"shape": shape}
        if shape in ("pred", "pred2", "label", "cond"):
            choice["f"] = one_of("number_filters", random)
        if shape == "pred2":
            choice["f2"] = one_of("number_filters", random)
            choice["joint"] = random.choice(["and", "or"])
        if shape in ("formula", "cond"):
            choice["m"] = one_of("number_maps", random, "str")
            choice["m2"] = one_of("number_maps", random, "str")
        if shape in ("label", "label3", "fizz"):
            choice["labels"] = tuple(random.sample(LABELS, 3 if shape == "label3" else 2))
        if shape == "label3":
            low = random.randint(0, 30)
            choice["numbers"] = (low, low + random.randint(5, 30))
        if shape == "fizz":
            choice["numbers"] = tuple(random.sample(range(2, 10), 2))
        return choice

    def key(self, choice: Choice) -> tuple:
        parts = tuple(choice[part].key for part in PARTS if part in choice)
        return ("scalar", choice["shape"], *parts) + ((choice["joint"],) if "joint" in choice else ())

    def composes(self, choice: Choice) -> bool:
        return choice["shape"] in ("pred2", "formula", "cond")

    def types(self, choice: Choice) -> list[str]:
        return ["n"]

    def tell(self, choice: Choice, random: Random, arguments: list[str] | None) -> Told:
        n = arguments[0] if arguments else random.choice(["a number", "an integer", "the number"])
        again = n if arguments else "it"
        shape = choice["shape"]
        if shape in ("pred", "pred2"):
            return Told("checks", f"{n} {_conditions(choice, random)}")
        if shape == "label":
            return Told("returns", _label(choice, n, random))
        if shape == "formula":
            inner = _of(choice["m"], n, random)
            bracketed = inner if choice["m2"].key in ("add", "sub") else f"({inner})"
            return Told("returns", _of(choice["m2"], bracketed, random))
        if shape == "cond":
            first, condition = _of(choice["m"], n, random), _is(choice["f"], random)
            other = _of(choice["m2"], again, random)
            joint, otherwise = random.choice(
                [("if", ", otherwise"), ("when", ", else"), ("if", " and otherwise"), ("if", " or else")]
            )
            return Told("returns", f"{first} {joint} {again} {condition}{otherwise} {other}")
        low, high = choice["numbers"]
        a, b = choice["labels"][:2]
        if shape == "label3":
            below = random.choice(["is less than", "is below", "is under", "is smaller than"])
            return Told(
                "returns",
                f'"{a}" if {n} {below} {low}, "{b}" if {again} {below} {high}, otherwise "{choice["labels"][2]}"',
            )
        number = n if arguments else "the number"
        text = f'"{a}" if {n} is divisible by {low}, "{b}" if {again} is divisible by {high}, both joined if divisible by both, else {number} as a string'
        return Told("returns", text)

    def plan(self, choice: Choice, arguments: list[str]) -> list[str]:
        n, shape = arguments[0], choice["shape"]
        condition = choice["f"].fill(choice["f"].primitive.is_[0]) if "f" in choice else ""
        first = choice["m"].fill(choice["m"].primitive.single[0], n=n) if "m" in choice else ""
        if shape == "pred":
            return [f"Check that {n} {condition}.", "Return the boolean."]
        if shape == "pred2":
            other = choice["f2"].fill(choice["f2"].primitive.is_[0])
            return [
                f"Check that {n} {condition}.",
                f"Combine using {choice['joint']} with: {n} {other}.",
                "Return the boolean.",
            ]
        if shape == "label":
            return [f"Check whether {n} {condition}.", 'Return "{}" or "{}".'.format(*choice["labels"])]
        if shape == "formula":
            return [f"Compute {first}.", f"Return {choice['m2'].fill(choice['m2'].primitive.single[0], n='that')}."]
        if shape == "cond":
            other = choice["m2"].fill(choice["m2"].primitive.single[0], n=n)
            return [f"Check whether {n} {condition}.", f"If so return {first}.", f"Otherwise return {other}."]
        return [
            "Test the two conditions in order with {} and {}.".format(*choice["numbers"]),
            "Return the matching label.",
        ]

    def usual_name(self, choice: Choice) -> str:
        shape = choice["shape"]
        if shape == "pred":
            return f"is_{choice['f'].part_of_name()}"
        if shape == "pred2":
            return f"is_{choice['f'].part_of_name()}_{choice['joint']}_{choice['f2'].part_of_name()}"
        if shape == "formula":
            return f"{choice['m'].part_of_name()}_{choice['m2'].part_of_name()}"
        if shape == "cond":
            return f"{choice['m'].part_of_name()}_if_{choice['f'].part_of_name()}"
        return "_or_".join(choice["labels"])

    def code(self, choice: Choice, name: str, arguments: list[str]) -> str:
        return function(name, arguments, _body(choice, arguments[0]))

    def reference(self, choice: Choice) -> Callable[..., object]:
        def computed(n: int) -> object:
            shape = choice["shape"]
            if shape == "pred":
                return bool(choice["f"](n))
            if shape == "pred2":
                both = bool(choice["f"](n)), bool(choice["f2"](n))
                return all(both) if choice["joint"] == "and" else any(both)
            if shape == "label":
                return choice["labels"][0 if choice["f"](n) else 1]
            if shape == "formula":
                return choice["m2"](choice["m"](n))
            if shape == "cond":
                return choice["m" if choice["f"](n) else "m2"](n)
            low, high = choice["numbers"]
            if shape == "label3":
                return choice["labels"][0 if n < low else 1 if n < high else 2]
            parts = [label for label, divisor in zip(choice["labels"], (low, high), strict=True) if n % divisor == 0]
            return "".join(parts) or str(n)

        return computed

    def inputs(self, choice: Choice, random: Random) -> tuple:
        limits = [value for part in ("f", "f2") if part in choice for value in choice[part].values]
        limits += choice.get("numbers", ())
        if limits and random.random() < 0.6:
            near = random.choice(limits)
            return (random.choice([near, near + 1, near - 1, near * random.randint(1, 6), near * 2, -near - 1]),)
        return (random.randint(-20, 60),)


def _is(chosen: Chosen, random: Random) -> str:
    return chosen.say(chosen.primitive.is_, random)


def _of(chosen: Chosen, n: str, random: Random) -> str:
    return chosen.say(chosen.primitive.single, random, n=n)


def _conditions(choice: Choice, random: Random) -> str:
    first = _is(choice["f"], random)
    return f"{first} {choice['joint']} {_is(choice['f2'], random)}" if "f2" in choice else first


def _label(choice: Choice, n: str, random: Random) -> str:
    yes, no = choice["labels"]
    condition = _is(choice["f"], random)
    return random.choice(
        [
            f'"{yes}" if {n} {condition}, otherwise "{no}"',
            f'"{yes}" when {n} {condition} and "{no}" otherwise',
            f'"{yes}" if {n} {condition} else "{no}"',
            f'"{yes}" if {n} {condition}, "{no}" if not',
            f'the string "{yes}" if {n} {condition} and "{no}" otherwise',
        ]
    )


def _body(choice: Choice, n: str) -> str:
    shape = choice["shape"]
    if shape == "pred":
        return f"return {choice['f'].holds(n)}"
    if shape == "pred2":
        joint = choice["joint"]
        both = [choice[part].holds(n) for part in ("f", "f2")]
        both = [f"({one})" if joint == "or" and " and " in one else one for one in both]
        return f"return {f' {joint} '.join(both)}"
    if shape == "label":
        return f'if {choice["f"].holds(n)}:\n    return "{choice["labels"][0]}"\nreturn "{choice["labels"][1]}"'
    if shape == "formula":
        return f"return {choice['m2'].apply(*choice['m'].apply(n, True))[0]}"
    if shape == "cond":
        return f"if {choice['f'].holds(n)}:\n    return {choice['m'].apply(n, True)[0]}\nreturn {choice['m2'].apply(n, True)[0]}"
    (low, high), labels = choice["numbers"], choice["labels"]
    if shape == "label3":
        return f'if {n} < {low}:\n    return "{labels[0]}"\nif {n} < {high}:\n    return "{labels[1]}"\nreturn "{labels[2]}"'
    first = f'if {n} % {low} == 0:\n    result += "{labels[0]}"\n'
    return f'result = ""\n{first}if {n} % {high} == 0:\n    result += "{labels[1]}"\nreturn result or str({n})'
