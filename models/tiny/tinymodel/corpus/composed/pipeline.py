"""A source, filters, maps and a reduction: "the sum of the squares of the even numbers in xs"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tinymodel.corpus.composed import values
from tinymodel.corpus.composed.family import UNDEFINED, Choice, Family, Told, circumscribed
from tinymodel.corpus.composed.phrases import told_as_phrase
from tinymodel.corpus.composed.primitives import Chosen, Primitive, function, indented, table

FILTERS = {"int": "number_filters", "str": "word_filters", "char": "character_filters"}
MAPS = {"int": "number_maps", "str": "word_maps", "char": "character_maps"}


@dataclass(frozen=True)
class Source:
    """Where the elements come from."""

    known_as: str
    variable: str
    code: str
    as_list: str
    elements: str
    nouns: tuple[str, ...]
    places: tuple[str, ...]
    weight: int
    is_list: bool = False


def _source(
    known: str, variable: str, code: str, as_list: str, elements: str, nouns: str, places: str, weight: int
) -> Source:
    places_of = tuple("{n} " + place for place in places.split("|"))
    return Source(known, variable, code, as_list, elements, tuple(nouns.split("|")), places_of, weight, as_list == code)


SOURCES = {
    "ints": _source(
        "ints", "x", "{a}", "{a}", "int",
        "numbers|numbers|numbers|integers|values|values|elements|items|entries|nums|ints|members",
        "in {a}|in {a}|in {a}|of {a}|from {a}|in the list {a}|inside {a}|contained in {a}|in the given list {a}|in the array {a}|"
        "of the list {a}|from the list {a}|of the sequence {a}|found in {a}|in list {a}|within {a}", 30,
    ),
    "range": _source(
        "n", "i", "range(1, {a} + 1)", "list(range(1, {a} + 1))", "int", "numbers|integers|values|whole numbers|ints",
        "from 1 to {a}|between 1 and {a}|from 1 up to {a} inclusive|from 1 through {a}|from 1 to {a} inclusive|"
        "between 1 and {a} inclusive|up to {a} starting at 1|starting at 1 and ending at {a}|in the range 1 to {a}|from one to {a}", 9,
    ),
    "range0": _source(
        "n", "i", "range({a})", "list(range({a}))", "int", "numbers|integers|values|ints",
        "from 0 to {a} - 1|from 0 up to but not including {a}|in range({a})|from 0 to {a} exclusive|"
        "from zero up to but excluding {a}|starting at 0 and stopping before {a}|from 0 below {a}", 3,
    ),
    "digits": _source(
        "n", "x", "map(int, str({a}))", "list(map(int, str({a})))", "int", "digits",
        "of {a}|of the number {a}|in {a}|in the number {a}|that make up {a}", 6,
    ),
    "values": _source(
        "d", "x", "{a}.values()", "list({a}.values())", "int", "values",
        "of {a}|in {a}|of the dictionary {a}|in the dict {a}|of dict {a}|stored in {a}|stored in the dictionary {a}", 6,
    ),
    "keys": _source(
        "d", "w", "{a}", "list({a})", "str", "keys",
        "of {a}|of the dictionary {a}|of the dict {a}|in {a}|in the dictionary {a}|of dict {a}|found in the dict {a}", 4,
    ),
    "words": _source(
        "words", "w", "{a}", "{a}", "str", "words|words|strings|strings|entries|items|elements|texts",
        "in {a}|in {a}|of {a}|from {a}|in the list {a}|inside {a}|contained in {a}|in the given list {a}|of the list {a}|"
        "from the list {a}|in list {a}|found in {a}", 14,
    ),
    "sent": _source(
        "s", "w", "{a}.split()", "{a}.split()", "str", "words",
        "in the sentence {a}|of the text {a}|of the string {a}|in the text {a}|of the sentence {a}|in the string {a}|"
        "of sentence {a}|in the phrase {a}", 8,
    ),
    "chars": _source(
        "s", "c", "{a}", "list({a})", "char", "characters|characters|chars|symbols",
        "in {a}|in {a}|of {a}|from {a}|in the string {a}|of the string {a}|in the text {a}|of the text {a}|found in {a}|"
        "inside the string {a}|in string {a}", 12,
    ),
}  # fmt: skip


def _product(numbers: list[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def _running(numbers: list[int]) -> list[int]:
    return [sum(numbers[: at + 1]) for at in range(len(numbers))]


REDUCING: dict[str, Callable[..., object]] = {
    "sum": sum, "prod": _product, "max": max, "min": min, "avg": lambda v: sum(v) / len(v),
    "spread": lambda v: max(v) - min(v), "running": _running, "topk": lambda v, k: sorted(v, reverse=True)[:k],
    "count": len, "list": list, "sorted": sorted, "desc": lambda v: sorted(v, reverse=True),
    "reversed": lambda v: list(reversed(v)), "uniq": lambda v: sorted(set(v)), "ndist": lambda v: len(set(v)),
    "first": lambda v: v[0], "last": lambda v: v[-1], "firstk": lambda v, k: v[:k], "lastk": lambda v, k: v[-k:],
    "joins": " ".join, "joinc": ",".join, "joind": "-".join, "concat": "".join, "cjoin": "".join,
    "longest": lambda v: max(v, key=len), "shortest": lambda v: min(v, key=len), "bylen": lambda v: sorted(v, key=len),
    "csort": lambda v: "".join(sorted(v)), "crev": lambda v: "".join(reversed(v)),
}  # fmt: skip
COMMON = {
    "sum": 4,
    "count": 4,
    "list": 4,
    "max": 4,
    "cjoin": 4,
    "prod": 1.5,
    "min": 1.5,
    "avg": 1.5,
    "sorted": 1.5,
    "concat": 1.5,
    "joins": 1.5,
}


def reductions(elements: str) -> list[Primitive]:
    """Reductions of such elements."""
    return [one for one in table("reductions") if one.takes in ("*", elements)]


class Pipeline(Family):
    """Sources, filters, maps, reductions."""

    name, weight = "pipe", 40

    def draw(self, random: Random, like: Choice | None = None) -> Choice:
        weights = [source.weight for source in SOURCES.values()]
        at = like["source"] if like else random.choices(list(SOURCES), weights)[0]
        elements = SOURCES[at].elements
        filters = len(like["filters"]) if like else random.choices([0, 1, 2], [16, 70, 14])[0]
        chosen = [one.chosen(random) for one in random.sample(table(FILTERS[elements]), filters)]
        maps: list[Chosen] = []
        for _ in range(len(like["maps"]) if like else random.choices([0, 1, 2], [38, 52, 10])[0]):
            pool = [one for one in table(MAPS[elements]) if not maps or one is not maps[-1].primitive]
            if at in ("range", "range0", "digits"):
                pool = [one for one in pool if one.key not in ("abs", "ndig", "lastd")]
            maps.append(random.choice(pool).chosen(random))
            elements = maps[-1].primitive.gives or elements
        in_order = at in ("range", "range0") and not maps
        pool = [
            one for one in reductions(elements)
            if not (one.plain_only and maps) and not (one.key in ("sorted", "desc") and in_order)
        ]  # fmt: skip
        reduction = random.choices(pool, [COMMON.get(one.key, 1) for one in pool])[0].chosen(random)
        if not maps and not chosen and reduction.key in ("list", "first", "last"):
            return self.draw(random, like)
        looped = like["looped"] if like else random.random() < 0.3
        return {"source": at, "filters": chosen, "maps": maps, "reduction": reduction, "looped": looped}

    def fits(self, choice: Choice) -> bool:
        elements = SOURCES[choice["source"]].elements
        for one in choice["maps"]:
            if one.primitive not in table(MAPS[elements]):
                return False
            elements = one.primitive.gives or elements
        last = choice["reduction"].primitive
        return last.takes in ("*", elements) and not (last.plain_only and choice["maps"])

    def key(self, choice: Choice) -> tuple:
        at = choice["source"]
        elements = at if at in ("digits", "range") else SOURCES[at].elements
        filters = tuple(sorted(one.key for one in choice["filters"]))
        return ("pipe", elements, filters, tuple(one.key for one in choice["maps"]), choice["reduction"].key)

    def composes(self, choice: Choice) -> bool:
        return bool(choice["filters"]) + bool(choice["maps"]) + (choice["reduction"].key != "list") >= 2

    def types(self, choice: Choice) -> list[str]:
        return [SOURCES[choice["source"]].known_as]

    def tell(self, choice: Choice, random: Random, arguments: list[str] | None) -> Told:
        elements = self.elements(choice, random, arguments[0] if arguments else None)
        if random.random() >= 0.24:
            return told_as_phrase(choice, elements, SOURCES[choice["source"]].elements == "char", random)
        starts = ["take the ", "keep the ", "keep only the ", "select the ", "take all the "]
        start = random.choice(starts if choice["filters"] else ["take the ", "go through the ", "take all the "])
        steps = [start + elements, *(one.say(one.primitive.does, random) for one in choice["maps"])]
        return Told("does", steps=(*steps, choice["reduction"].say(choice["reduction"].primitive.does, random)))

    def elements(self, choice: Choice, random: Random, argument: str | None) -> str:
        """The filtered elements: "even numbers in xs greater than 3"."""
        at = choice["source"]
        source = SOURCES[at]
        noun, place = random.choice(source.nouns), random.choice(source.places)
        if argument is None:
            place = _without_argument(at, source, random)
        before, after = _filters(choice["filters"], random)
        if at == "chars" and len(choice["filters"]) == 1 and random.random() < 0.6:
            single = CHARACTER_NOUNS.get(choice["filters"][0].key)
            if single:
                noun, before, after = random.choice(single), "", ""
        return before + place.format(n=noun, a=argument) + after

    def plan(self, choice: Choice, arguments: list[str]) -> list[str]:
        source = SOURCES[choice["source"]]
        elements = source.places[0].format(n=source.nouns[0], a=arguments[0])
        conditions = " and ".join(one.fill(one.primitive.after[0]) for one in choice["filters"])
        first = f"Keep the {elements} {conditions}." if conditions else f"Take the {elements}."
        rest = [one.fill(one.primitive.does[0]) for one in (*choice["maps"], choice["reduction"])]
        return [first, *(f"{step[:1].upper()}{step[1:]}." for step in rest)]

    def usual_name(self, choice: Choice) -> str:
        parts = [one.part_of_name() for one in (choice["reduction"], *choice["maps"], *choice["filters"])]
        return "_".join(parts if len(parts) > 1 else [*parts, SOURCES[choice["source"]].nouns[0]])

    def code(self, choice: Choice, name: str, arguments: list[str]) -> str:
        source = SOURCES[choice["source"]]
        element, atomic = source.variable, True
        for one in choice["maps"]:
            element, atomic = one.apply(element, atomic)
        condition = " and ".join(one.holds(source.variable) for one in choice["filters"])
        whole = source.code.format(a=arguments[0])
        reduction = choice["reduction"]
        primitive = reduction.primitive
        if choice["looped"] and (primitive.loop or primitive.tail) or not primitive.code:
            return function(name, arguments, _loop(reduction, source.variable, element, whole, condition))
        where = f" if {condition}" if condition else ""
        plain = element == source.variable and not condition
        each = f"{element} for {source.variable} in {whole}{where}"
        listed = source.as_list.format(a=arguments[0]) if plain else f"[{each}]"
        if primitive.key == "list" and plain:
            listed = f"list({whole})"
        if primitive.key == "count" and not condition:
            expression = f"len({arguments[0]})" if source.is_list and whole == arguments[0] else f"len({listed})"
        else:
            parts = {"it": whole if plain else each, "li": listed, "v": source.variable, "s": whole, "cond": where}
            expression = reduction.fill(primitive.code, **parts)
        return function(name, arguments, expression if expression.startswith("vals") else f"return {expression}")

    def reference(self, choice: Choice) -> Callable[..., object]:
        at, reduction = choice["source"], choice["reduction"]

        def computed(argument: object) -> object:
            found = [x for x in _elements(at, argument) if all(one(x) for one in choice["filters"])]
            for one in choice["maps"]:
                found = [one(x) for x in found]
            if reduction.primitive.needs_one and not found:
                return UNDEFINED
            return REDUCING[reduction.key](found, *reduction.values)

        return computed

    def inputs(self, choice: Choice, random: Random) -> tuple:
        limits = [one.values[0] for one in choice["filters"] if one.primitive.constants == "C"]
        return (drawn(choice["source"], limits, random),)


CHARACTER_NOUNS = {
    "vowel": ["vowels"], "digit": ["digits"], "letter": ["letters"], "upper": ["uppercase letters", "capital letters"],
    "lower": ["lowercase letters"], "space": ["spaces"],
}  # fmt: skip


def _without_argument(at: str, source: Source, random: Random) -> str:
    if at == "range":
        return "{n} from 1 to n"
    if at == "range0":
        return "{n} from 0 to n - 1"
    if at == "sent":
        return "{n} in " + random.choice(["a sentence", "a text", "the sentence"])
    joint = "of" if at in ("digits", "values", "keys") else "in"
    return f"{{n}} {joint} {circumscribed(random, source.known_as)}"


def _filters(filters: list[Chosen], random: Random) -> tuple[str, str]:
    """What is said of the elements before and after their noun."""
    if not filters:
        return "", ""
    first, *others = filters
    if others:
        for one, other in ((first, others[0]), (others[0], first)):
            if one.primitive.before and random.random() < 0.75:
                return f"{random.choice(one.primitive.before)} ", f" {other.say(other.primitive.after, random)}"
        return "", " " + " and ".join(one.say(one.primitive.after, random) for one in filters)
    if first.primitive.before and random.random() < 0.8:
        return f"{random.choice(first.primitive.before)} ", ""
    return "", f" {first.say(first.primitive.after, random)}"


def _loop(reduction: Chosen, variable: str, element: str, whole: str, condition: str) -> str:
    primitive = reduction.primitive
    start, step, answer = primitive.loop or ("result = []", "result.append({e})", primitive.tail)
    step = step.format(e=element)
    inner = f"    if {condition}:\n{indented(step, 2)}" if condition else indented(step)
    head = f"{start}\n" if start else ""
    return f"{head}for {variable} in {whole}:\n{inner}\nreturn {reduction.fill(answer)}"


def _elements(at: str, argument: object) -> list:
    if at == "range":
        return list(range(1, argument + 1))
    if at == "range0":
        return list(range(argument))
    if at == "digits":
        return [int(digit) for digit in str(argument)]
    if at == "values":
        return list(argument.values())
    return argument.split() if at == "sent" else list(argument)


def drawn(at: str, limits: list[int], random: Random) -> object:
    """An argument for such a source; larger where a filter has a large limit."""
    if at == "ints":
        high = max([30, *(limit * 2 for limit in limits)])
        return values.integers(random, random.randint(2, 7), -9 if high == 30 else -high, high)
    if at in ("range", "range0"):
        return random.randint(1, max([20, *(limit + 8 for limit in limits)]))
    if at == "digits":
        return random.randint(10 ** random.randint(0, 4), 10 ** random.randint(5, 6))
    if at in ("values", "keys"):
        return values.scores(random)
    if at == "words":
        return values.words(random, random.randint(2, 6))
    if at == "sent":
        return " ".join(values.words(random, random.randint(2, 6)))
    return values.text(random)
