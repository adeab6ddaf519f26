"""Small classes: a state and a few methods, or two fields and what is computed from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tinymodel.corpus import names
from tinymodel.corpus.composed.primitives import indented
from tinymodel.corpus.execution import Call

VERBS = ["Write", "Create", "Implement", "Make", "Define", "Please write", "I need", "Add", "Can you write", "Give me"]
STARTS = [0, 0, 1, 5, 10, 100]


@dataclass(frozen=True)
class Kind:
    """One kind of class: what it works as, its state, and its methods by name as parameters and body."""

    works_as: str
    called: bool
    state: str
    methods: dict[str, tuple[str, str]]
    first: str = ""


KINDS: dict[str, Kind] = {
    "stack": Kind(
        "a stack", True, "self.items = []",
        {"push": ("x", "self.items.append(x)"), "pop": ("", "return self.items.pop()"), "peek": ("", "return self.items[-1]"),
         "is_empty": ("", "return not self.items"), "size": ("", "return len(self.items)"), "clear": ("", "self.items = []")}, "push",
    ),
    "queue": Kind(
        "a queue", True, "self.items = []",
        {"enqueue": ("x", "self.items.append(x)"), "dequeue": ("", "return self.items.pop(0)"), "front": ("", "return self.items[0]"),
         "is_empty": ("", "return not self.items"), "size": ("", "return len(self.items)")}, "enqueue",
    ),
    "counter": Kind(
        "a counter starting at {k}", False, "self.value = {k}",
        {"increment": ("", "self.value += 1"), "decrement": ("", "self.value -= 1"), "reset": ("", "self.value = {k}"),
         "get": ("", "return self.value"), "add": ("n", "self.value += n")},
    ),
    "account": Kind(
        "a bank account with balance {k}", False, "self.balance = {k}",
        {"deposit": ("amount", "self.balance += amount"),
         "withdraw": ("amount", "if amount > self.balance:\n    return False\nself.balance -= amount\nreturn True"),
         "get_balance": ("", "return self.balance")},
    ),
    "bag": Kind(
        "a collection of numbers", False, "self.data = []",
        {"add": ("x", "self.data.append(x)"), "total": ("", "return sum(self.data)"), "largest": ("", "return max(self.data)"),
         "average": ("", "return sum(self.data) / len(self.data)"), "count": ("", "return len(self.data)")}, "add",
    ),
}  # fmt: skip
COMPUTED: dict[str, tuple[str, str, Callable[[int, int], int]]] = {
    "sum": ("self.{a} + self.{b}", "the sum of {a} and {b}", lambda a, b: a + b),
    "product": ("self.{a} * self.{b}", "the product of {a} and {b}", lambda a, b: a * b),
    "difference": ("self.{a} - self.{b}", "{a} minus {b}", lambda a, b: a - b),
    "larger": ("max(self.{a}, self.{b})", "the larger of {a} and {b}", max),
    "smaller": ("min(self.{a}, self.{b})", "the smaller of {a} and {b}", min),
}


@dataclass(frozen=True)
class Class:
    """A class with its request and tests."""

    name: str
    request: str
    code: str
    tests: list[Call]
    plan: list[str]
    key: tuple


def draw(random: Random) -> Class | None:
    """Any class; none when no test could be made."""
    name = names.capital(random.choice(names.THINGS))
    if random.random() < 0.4:
        name += names.capital(random.choice(names.THINGS))
    return _with_fields(random, name) if random.random() < 0.35 else _with_state(random, name)


def _method(header: str, body: str) -> str:
    return f"\n    def {header}:\n{indented(body, 2)}\n"


def _with_fields(random: Random, name: str) -> Class:
    a, b = random.sample(names.THINGS, 2)
    methods = []
    for what in random.sample(list(COMPUTED), random.randint(1, 2)):
        any_name = f"{random.choice(names.THINGS)}_{random.choice(names.THINGS)}"
        methods.append((random.choice([what, f"get_{what}", any_name]), what))
    told = " and ".join(
        f"a method {method}() that returns {COMPUTED[what][1].format(a=a, b=b)}" for method, what in methods
    )
    code = f"class {name}:\n    def __init__(self, {a}, {b}):\n        self.{a} = {a}\n        self.{b} = {b}\n"
    tests = []
    for method, what in methods:
        formula, _, compute = COMPUTED[what]
        code += _method(f"{method}(self)", f"return {formula.format(a=a, b=b)}")
        x, y = random.randint(-5, 20), random.randint(-5, 20)
        tests.append(Call(f"{name}({x}, {y}).{method}()", repr(compute(x, y))))
    request = f"{random.choice(VERBS)} a class {name} with fields {a} and {b} and {told}."
    plan = [f"Store {a} and {b} in __init__.", *(f"Add the method {method}." for method, _ in methods)]
    return Class(name, request, code.rstrip(), tests, plan, ("class", "fields"))


def _with_state(random: Random, name: str) -> Class | None:
    key = random.choice(list(KINDS))
    kind, start = KINDS[key], random.choice(STARTS)
    pool = [method for method in kind.methods if method != kind.first]
    chosen = random.sample(pool, random.randint(1 if kind.first else 2, min(3, len(pool))))
    chosen = [kind.first, *chosen] if kind.first else chosen
    shown = [f"{method}({kind.methods[method][0]})" for method in chosen]
    works_as, verb = kind.works_as.format(k=start), random.choice(VERBS)
    other = (
        f"{verb} {works_as} class called {name} with "
        if kind.called
        else f"{verb} a class {name} for {works_as} with the methods "
    )
    request = random.choice([f"{verb} a class {name} that works as {works_as} with methods ", other])
    request += ", ".join(shown[:-1]) + f" and {shown[-1]}."
    code = f"class {name}:\n    def __init__(self):\n        {kind.state.format(k=start)}\n"
    for method in chosen:
        parameter, body = kind.methods[method]
        code += _method(f"{method}(self{', ' + parameter if parameter else ''})", body.format(k=start))
    tests = _calls(random, name, code, kind, chosen)
    plan = [f"Create the class {name} with its state.", f"Add the methods {', '.join(chosen)}."]
    return Class(name, request, code.rstrip(), tests, plan, ("class", key, *chosen)) if tests else None


def _calls(random: Random, name: str, code: str, kind: Kind, chosen: list[str]) -> list[Call]:
    scope: dict = {}
    exec(code, scope)  # noqa: S102
    tests = []
    for _ in range(3):
        one, calls, results = scope[name](), [], []
        try:
            for _ in range(random.randint(2, 5)):
                method = kind.first if kind.first and not calls else random.choice(chosen)
                given = [random.randint(1, 30)] if kind.methods[method][0] else []
                results.append(getattr(one, method)(*given))
                calls.append(f"o.{method}({given[0] if given else ''})")
        except (IndexError, ValueError, ZeroDivisionError):
            continue
        tests.append(Call(f"(lambda o: [{', '.join(calls)}])({name}())", repr(results)))
    return tests
