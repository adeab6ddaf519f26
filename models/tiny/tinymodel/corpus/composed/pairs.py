"""Two integers, or two lists of integers taken pairwise or as sets."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tinymodel.corpus.composed import values
from tinymodel.corpus.composed.family import UNDEFINED, Choice, Family, Told
from tinymodel.corpus.composed.pipeline import REDUCING, reductions
from tinymodel.corpus.composed.primitives import function, one_of

SETS = {
    "both": ("&", "Intersect them.", ["elements in both {a} and {b}", "common elements of {a} and {b}", "values that {a} and {b} share"]),
    "only": ("-", "Subtract the second.", ["elements of {a} that are not in {b}", "elements in {a} but not in {b}"]),
    "either": ("|", "Unite them.", ["distinct elements in {a} or {b}", "distinct elements of {a} and {b} combined"]),
    "one": ("^", "Keep what is in one alone.", ["elements that are in exactly one of {a} and {b}", "values in {a} or {b} but not in both"]),
}  # fmt: skip
ENDS = {
    "sorted": ("sorted({})", "Return a sorted list.", ["a sorted list of the {s}", "the {s}, sorted"]),
    "count": ("len({})", "Return the size.", ["the number of {s}", "how many {s} there are"]),
    "sum": ("sum({})", "Return the sum.", ["the sum of the {s}", "the total of the {s}"]),
    "max": ("max({})", "Return the largest.", ["the largest of the {s}", "the maximum of the {s}"]),
    "min": ("min({})", "Return the smallest.", ["the smallest of the {s}", "the minimum of the {s}"]),
    "desc": ("sorted({}, reverse=True)", "Return a list in descending order.", ["the {s} in descending order", "a list of the {s}, largest first"]),
    "any": ("bool({})", "Return whether there are any.", ["whether there are any {s}", "True if there are {s}"]),
}  # fmt: skip
COMPUTE = {
    "sorted": sorted,
    "count": len,
    "sum": sum,
    "max": max,
    "min": min,
    "desc": lambda found: sorted(found, reverse=True),
    "any": bool,
}
NO_REDUCTIONS = ("first", "last", "running", "firstk", "lastk")


class Pairs(Family):
    """Two of the same."""

    name, weight = "two", 13

    def draw(self, random: Random, like: Choice | None = None) -> Choice:
        shape = like["shape"] if like else random.choice(["n", "n", "z", "z", "set", "set"])
        choice: Choice = {"shape": shape, "operation": one_of("pair_operations", random)}
        if shape == "n":
            choice["map"] = one_of("number_maps", random, "str")
        elif shape == "z":
            pool = [one for one in reductions("int") if not one.plain_only and one.key not in NO_REDUCTIONS]
            choice["reduction"] = random.choice(pool).chosen(random)
        else:
            choice["set"], choice["end"] = random.choice(list(SETS)), random.choice(list(ENDS))
        return choice

    def key(self, choice: Choice) -> tuple:
        operation = choice["operation"].key if choice["shape"] != "set" else ""
        if "map" in choice:
            return ("two", "n", operation, choice["map"].key)
        if "reduction" in choice:
            return ("two", "z", operation, choice["reduction"].key)
        return ("two", "set", operation, choice["set"] + choice["end"])

    def types(self, choice: Choice) -> list[str]:
        return ["n", "n"] if choice["shape"] == "n" else ["ints", "ints"]

    def tell(self, choice: Choice, random: Random, arguments: list[str] | None) -> Told:
        a, b = arguments or ["a", "b"]
        operation = choice["operation"]
        if choice["shape"] == "n":
            both = operation.say(operation.primitive.single, random, n=a, m=b)
            return Told("returns", choice["map"].say(choice["map"].primitive.single, random, n=both))
        if choice["shape"] == "z":
            both = operation.fill(random.choice(operation.primitive.of), n=a, m=b)
            reduction = choice["reduction"]
            return Told("returns", reduction.say(reduction.primitive.of, random, n=both, plain=both))
        elements = random.choice(SETS[choice["set"]][2]).format(a=a, b=b)
        text = random.choice(ENDS[choice["end"]][2]).format(s=elements)
        for opening in ("whether ", "True if "):
            if text.startswith(opening):
                return Told("checks", text.removeprefix(opening))
        return Told("returns", text)

    def plan(self, choice: Choice, arguments: list[str]) -> list[str]:
        a, b = arguments
        operation = choice["operation"]
        if choice["shape"] == "n":
            last = choice["map"].fill(choice["map"].primitive.single[0], n="that")
            return [f"Compute {operation.fill(operation.primitive.single[0], n=a, m=b)}.", f"Return {last}."]
        if choice["shape"] == "z":
            last = choice["reduction"].fill(choice["reduction"].primitive.does[0])
            pairwise = operation.fill(operation.primitive.of[0], n=a, m=b)
            return [f"Zip {a} and {b}.", f"Compute {pairwise}.", f"{last[:1].upper()}{last[1:]}."]
        return [f"Build sets from {a} and {b}.", SETS[choice["set"]][1], ENDS[choice["end"]][1]]

    def usual_name(self, choice: Choice) -> str:
        if choice["shape"] == "n":
            return f"{choice['map'].part_of_name()}_{choice['operation'].key}"
        if choice["shape"] == "z":
            return f"{choice['reduction'].part_of_name()}_pair_{choice['operation'].key}"
        return f"{choice['end']}_{choice['set']}"

    def code(self, choice: Choice, name: str, arguments: list[str]) -> str:
        a, b = arguments
        operation = choice["operation"]
        if choice["shape"] == "n":
            both = operation.fill(operation.primitive.code, p=a, q=b)
            return function(name, arguments, f"return {choice['map'].apply(both, operation.primitive.atomic)[0]}")
        if choice["shape"] == "set":
            sets = f"set({a}) {SETS[choice['set']][0]} set({b})"
            return function(name, arguments, f"return {ENDS[choice['end']][0].format(sets)}")
        both = operation.fill(operation.primitive.code, p="x", q="y")
        reduction = choice["reduction"]
        if not reduction.primitive.code:
            loop = f"for x, y in zip({a}, {b}):\n    result *= {both}"
            return function(name, arguments, f"result = 1\n{loop}\nreturn result")
        each = f"{both} for x, y in zip({a}, {b})"
        expression = reduction.fill(reduction.primitive.code, it=each, li=f"[{each}]")
        return function(name, arguments, expression if expression.startswith("vals") else f"return {expression}")

    def reference(self, choice: Choice) -> Callable[..., object]:
        def operated(a: int, b: int) -> int:
            code = choice["operation"].fill(choice["operation"].primitive.code, p="a", q="b")
            return eval(code, {"a": a, "b": b})  # noqa: S307

        def computed(a: object, b: object) -> object:
            if choice["shape"] == "n":
                return choice["map"](operated(a, b))
            if choice["shape"] == "z":
                found = [operated(x, y) for x, y in zip(a, b, strict=True)]
                return REDUCING[choice["reduction"].key](found, *choice["reduction"].values)
            both = {x for x in a if x in b}
            either = {*a, *b}
            found = {"both": both, "only": set(a) - both, "either": either, "one": either - both}[choice["set"]]
            return UNDEFINED if choice["end"] in ("max", "min") and not found else COMPUTE[choice["end"]](found)

        return computed

    def inputs(self, choice: Choice, random: Random) -> tuple:
        if choice["shape"] == "n":
            return random.randint(-9, 40), random.randint(-9, 40)
        if choice["shape"] == "z":
            count = random.randint(2, 5)
            return values.integers(random, count), values.integers(random, count)
        return values.digits(random, random.randint(2, 6)), values.digits(random, random.randint(2, 6))
