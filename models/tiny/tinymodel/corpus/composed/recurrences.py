"""Recurrences and counting loops, recursive or not."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tinymodel.corpus.composed.family import Choice, Family, Told
from tinymodel.corpus.composed.primitives import function

NAMES = {
    "lin": "sequence", "two": "fib_like", "cntdiv": "count_divisions", "pow": "power_of", "sumto": "step_sum", "double": "first_at_least",
}  # fmt: skip
WORDINGS = {
    "lin": [
        "term {n} of the sequence that starts at {a} where each next term is {k} times the previous plus {c}",
        "the value after {n} steps starting from {a}, where each step multiplies by {k} and adds {c}",
    ],
    "two": [
        "term {n} of the sequence {a}, {b}, ... where each term is the sum of the previous two",
        "the {n}-th term of a Fibonacci-like sequence starting with {a} and {b}",
    ],
    "cntdiv": [
        "how many times {n} can be integer-divided by {k} until it reaches 0",
        "the number of integer divisions by {k} needed to reduce {n} to 0",
    ],
    "pow": ["{k} to the power {n}", "{k} raised to {n}", "{k} to the power of {n}"],
    "sumto": ["the sum of every {k}-th number counting down from {n} to 1", "{n} + ({n} - {k}) + ... while positive"],
    "double": [
        "the smallest value of at least {n} obtained by starting at {c} and multiplying by {k}",
        "the first number not below {n} reached from {c} by repeated multiplication by {k}",
    ],
}
PLANS = {
    "lin": ["Start from {a}.", "Multiply by {k} and add {c}."],
    "two": ["Start from {a} and {b}.", "Add the previous two terms."],
    "cntdiv": ["Integer-divide {n} by {k} until it is 0.", "Count the steps."],
    "pow": ["Start from 1.", "Multiply by {k}."],
    "sumto": ["Add {n} and decrease it by {k}.", "Stop when it is not positive."],
    "double": ["Start at {c}.", "Multiply by {k} while below {n}.", "Return the value."],
}
RECURSIVE = {
    "lin": "if {n} == 0:\n    return {a}\nreturn {k} * {f}({n} - 1) + {c}",
    "two": "if {n} == 0:\n    return {a}\nif {n} == 1:\n    return {b}\nreturn {f}({n} - 1) + {f}({n} - 2)",
    "cntdiv": "if {n} == 0:\n    return 0\nreturn 1 + {f}({n} // {k})",
    "pow": "if {n} == 0:\n    return 1\nreturn {k} * {f}({n} - 1)",
    "sumto": "if {n} <= 0:\n    return 0\nreturn {n} + {f}({n} - {k})",
}
LOOPED = {
    "lin": "value = {a}\nfor _ in range({n}):\n    value = {k} * value + {c}\nreturn value",
    "two": "a, b = {a}, {b}\nfor _ in range({n}):\n    a, b = b, a + b\nreturn a",
    "cntdiv": "steps = 0\nwhile {n} > 0:\n    {n} //= {k}\n    steps += 1\nreturn steps",
    "pow": "value = 1\nfor _ in range({n}):\n    value *= {k}\nreturn value",
    "sumto": "total = 0\nwhile {n} > 0:\n    total += {n}\n    {n} -= {k}\nreturn total",
    "double": "value = {c}\nwhile value < {n}:\n    value *= {k}\nreturn value",
}
SMALL = ("lin", "two", "pow")


class Recurrences(Family):
    """Recurrences."""

    name, weight = "rec", 5

    def draw(self, random: Random, like: Choice | None = None) -> Choice:
        numbers = {
            "a": random.randint(0, 4),
            "b": random.randint(1, 5),
            "k": random.randint(2, 5),
            "c": random.randint(1, 5),
        }
        shape = like["shape"] if like else random.choice(list(WORDINGS))
        return {"shape": shape, "recursive": like["recursive"] if like else random.random() < 0.5, "numbers": numbers}

    def key(self, choice: Choice) -> tuple:
        style = "rec" if choice["recursive"] else "loop"
        return ("rec", choice["shape"], style, choice["numbers"]["k"], choice["numbers"]["c"])

    def composes(self, choice: Choice) -> bool:
        return False

    def types(self, choice: Choice) -> list[str]:
        return ["n"]

    def tell(self, choice: Choice, random: Random, arguments: list[str] | None) -> Told:
        told = random.choice(WORDINGS[choice["shape"]]).format(
            n=arguments[0] if arguments else "n", **choice["numbers"]
        )
        if choice["shape"] == "double":
            return Told("returns", told)
        styles = [" using recursion", " recursively"] if choice["recursive"] else ["", " using a loop", " with a loop"]
        return Told("returns", told + random.choice(styles))

    def plan(self, choice: Choice, arguments: list[str]) -> list[str]:
        steps = [step.format(n=arguments[0], **choice["numbers"]) for step in PLANS[choice["shape"]]]
        if choice["shape"] == "double":
            return steps
        return [*steps, "Call the function on a smaller value." if choice["recursive"] else "Repeat in a loop."]

    def usual_name(self, choice: Choice) -> str:
        name = NAMES[choice["shape"]]
        return f"{name}_{choice['numbers']['k']}" if choice["shape"] == "pow" else name

    def code(self, choice: Choice, name: str, arguments: list[str]) -> str:
        shape = choice["shape"]
        body = RECURSIVE[shape] if choice["recursive"] and shape in RECURSIVE else LOOPED[shape]
        return function(name, arguments, body.format(f=name, n=arguments[0], **choice["numbers"]))

    def reference(self, choice: Choice) -> Callable[..., object]:
        a, b, k, c = (choice["numbers"][name] for name in "abkc")

        def terms(n: int) -> int:
            found = [a, b]
            while len(found) <= n:
                found.append(found[-1] + found[-2])
            return found[n]

        def linear(n: int) -> int:
            return a if n == 0 else linear(n - 1) * k + c

        def divisions(n: int) -> int:
            return 0 if n == 0 else 1 + divisions(n // k)

        def reached(n: int) -> int:
            return next(c * k**power for power in range(n + 1) if c * k**power >= n)

        computed = {"lin": linear, "two": terms, "cntdiv": divisions, "pow": lambda n: k**n,
                    "sumto": lambda n: sum(range(n, 0, -k)), "double": reached}  # fmt: skip
        return computed[choice["shape"]]

    def inputs(self, choice: Choice, random: Random) -> tuple:
        return (random.randint(0, 10) if choice["shape"] in SMALL else random.randint(0, 120),)
