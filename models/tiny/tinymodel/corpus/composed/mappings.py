"""Building, filtering and asking dictionaries."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tinymodel.corpus.composed import values
from tinymodel.corpus.composed.family import Choice, Family, Told, circumscribed
from tinymodel.corpus.composed.primitives import Chosen, function, indented, one_of

SHAPES = ["count", "count", "group", "mapto", "fval", "fkey", "inv", "kmax", "ksort", "charcount", "valmap"]
NOUNS = {"ints": "number", "words": "word", "chars": "character"}
VARIABLES = {"ints": "x", "words": "w", "chars": "c"}
FILTERS = {"ints": "number_filters", "words": "word_filters", "chars": "character_filters"}
# key -> code, what it is called
GROUPS = {
    "ints": {"self": ("{x}", "value"), "mod": ("{x} % {a}", "remainder modulo {a}"),
             "lastd": ("abs({x}) % 10", "last digit"), "par": ("{x} % 2 == 0", "evenness")},
    "words": {"self": ("{x}", "word"), "len": ("len({x})", "length"), "first": ("{x}[0]", "first letter"),
              "last": ("{x}[-1]", "last letter"), "lower": ("{x}.lower()", "lowercase form")},
    "chars": {"self": ("{x}", "character")},
}  # fmt: skip
OF_WORD = {
    "upper": "the word in uppercase", "lower": "the word in lowercase", "rev": "the word reversed",
    "capz": "the word capitalized", "first": "the first letter", "last": "the last letter",
    "suffix": "the word followed by {qa}", "prefix": "{qa} followed by the word", "twice": "the word repeated twice",
    "repl": "the word with {qa} replaced by {qb}", "len": "the length of the word",
    "cntc": "the number of {qa} in the word", "vows": "the number of vowels",
}  # fmt: skip
OVER_ITEMS = ("fval", "fkey", "inv", "kmax", "ksort", "valmap")


class Mappings(Family):
    """Dictionaries."""

    name, weight = "dct", 8

    def draw(self, random: Random, like: Choice | None = None) -> Choice:
        shape = like["shape"] if like else random.choice(SHAPES)
        elements = like["elements"] if like else random.choice(["ints", "words"])
        elements = {"fval": "ints", "valmap": "ints", "fkey": "words", "charcount": "chars"}.get(shape, elements)
        filtered = like["filter"] is not None if like else shape in ("fval", "fkey") or random.random() < 0.35
        group = random.choice(list(GROUPS[elements]))
        maps = {"ints": "number_maps", "words": "word_maps"}
        return {
            "shape": shape,
            "elements": elements,
            "filter": one_of(FILTERS[elements], random) if filtered else None,
            "group": (group, random.randint(2, 5) if group == "mod" else 0),
            "map": one_of(maps[elements], random) if elements in maps else None,
            "end": random.choice(["max", "min"]),
        }

    def key(self, choice: Choice) -> tuple:
        shape = choice["shape"]
        by_filter = choice["filter"] and shape in ("count", "group", "mapto", "fval", "fkey", "charcount")
        by_map = choice["map"] and shape in ("mapto", "valmap")
        return (
            "dct", shape, choice["elements"], choice["filter"].key if by_filter else "",
            choice["group"][0] if shape in ("count", "group") else "",
            choice["map"].key if by_map else "", choice["end"] if shape in ("kmax", "ksort") else "",
        )  # fmt: skip

    def composes(self, choice: Choice) -> bool:
        return bool(choice["filter"]) and choice["shape"] in ("count", "group", "mapto")

    def types(self, choice: Choice) -> list[str]:
        if choice["shape"] in OVER_ITEMS:
            return ["d"]
        return ["s"] if choice["elements"] == "chars" else [choice["elements"]]

    def tell(self, choice: Choice, random: Random, arguments: list[str] | None) -> Told:
        argument = arguments[0] if arguments else circumscribed(random, self.types(choice)[0])
        return Told("returns", random.choice(self._wordings(choice, random, argument)))

    def _wordings(self, choice: Choice, random: Random, d: str) -> list[str]:
        noun, filter_ = NOUNS[choice["elements"]], choice["filter"]
        after = f" {filter_.say(filter_.primitive.after, random)}" if filter_ else ""
        condition = filter_.say(filter_.primitive.is_, random) if filter_ and filter_.primitive.is_ else ""
        only = f", counting only {noun}s{after}" if after else ""
        group = GROUPS[choice["elements"]][choice["group"][0]][1].format(a=choice["group"][1])
        largest = choice["end"] == "max"
        extreme, best = ("largest", "highest") if largest else ("smallest", "lowest")
        order = (
            [", largest first", " in descending order"] if largest else [", smallest first", " in ascending order", ""]
        )
        counted = [
            f"a dictionary with how many times each {noun} occurs in {d}{only}", f"a dict that counts each {noun} in {d}{only}",
            f"the counts of each {noun} in {d} as a dict{only}",
        ]  # fmt: skip
        if choice["shape"] == "count" and choice["group"][0] != "self":
            counted = [
                f"a dictionary counting the {noun}s in {d}{after} by {group}",
                f"a dict with how many {noun}s in {d}{after} have each {group}",
            ]
        return {
            "count": lambda: counted,
            "charcount": lambda: counted,
            "group": lambda: [
                f"the {noun}s in {d}{after} grouped by {group} in a dictionary",
                f"a dictionary that groups the {noun}s in {d}{after} by {group}",
            ],
            "mapto": lambda: [
                f"a dictionary from each {noun} in {d}{after} to {_of_element(choice, random)}",
                f"a dict mapping each {noun} in {d}{after} to {_of_element(choice, random)}",
            ],
            "fval": lambda: [f"the entries of {d} whose value {condition}", f"a dictionary with only the items of {d} whose value {condition}"],
            "fkey": lambda: [f"the entries of {d} whose key {condition}", f"a dictionary with only the items of {d} whose key {condition}"],
            "inv": lambda: [f"{d} inverted, so that values become keys", f"a dictionary with the keys and values of {d} swapped"],
            "kmax": lambda: [f"the key of {d} with the {extreme} value", f"the key with the {best} value in {d}"],
            "ksort": lambda: [f"the keys of {d} sorted by value{random.choice(order)}"],
            "valmap": lambda: [
                f"a dictionary with the same keys as {d} and each value replaced by {_of_value(choice, random)}",
                f"{d} with each value replaced by {_of_value(choice, random)}",
            ],
        }[choice["shape"]]()  # fmt: skip

    def plan(self, choice: Choice, arguments: list[str]) -> list[str]:
        d, shape, filter_ = arguments[0], choice["shape"], choice["filter"]
        after = f" {filter_.fill(filter_.primitive.after[0])}" if filter_ else ""
        group = GROUPS[choice["elements"]][choice["group"][0]][1].format(a=choice["group"][1])
        if shape in ("count", "charcount"):
            return [
                "Start with an empty dictionary.",
                f"Go through the items of {d}{after}.",
                f"Add one to the count of each {group}.",
            ]
        if shape == "group":
            return [
                "Start with an empty dictionary.",
                f"Append each item of {d}{after} to the list of its {group}.",
                "Return the dictionary.",
            ]
        if shape == "mapto":
            return [f"Go through the items of {d}{after}.", f"Map each to {_of_element(choice, Random(0))}."]
        if shape in ("fval", "fkey"):
            part = "value" if shape == "fval" else "key"
            return [
                f"Go through the items of {d}.",
                f"Keep those whose {part} {filter_.fill(filter_.primitive.is_[0])}.",
            ]
        return {
            "inv": [f"Go through the items of {d}.", "Swap key and value."],
            "kmax": [f"Compare the keys of {d} by value.", f"Return the key with the {choice['end']} value."],
            "ksort": [f"Sort the keys of {d} by value.", "Return the list."],
            "valmap": [f"Go through the items of {d}.", "Replace each value."],
        }[shape]

    def usual_name(self, choice: Choice) -> str:
        group = choice["group"][0]
        return {
            "count": f"count_by_{group}", "group": f"group_by_{group}", "charcount": "char_counts", "fval": "filter_values",
            "mapto": f"map_to_{choice['map'].part_of_name() if choice['map'] else ''}", "fkey": "filter_keys", "inv": "invert",
            "kmax": f"key_of_{choice['end']}", "ksort": "keys_by_value", "valmap": "map_values",
        }[choice["shape"]]  # fmt: skip

    def code(self, choice: Choice, name: str, arguments: list[str]) -> str:
        d, shape = arguments[0], choice["shape"]
        if shape in ("count", "charcount", "group"):
            return function(name, arguments, _collecting(choice, d))
        x, filter_, one = VARIABLES[choice["elements"]], choice["filter"], choice["map"]
        where = f" if {filter_.holds(x)}" if filter_ else ""
        backwards = ", reverse=True" if choice["end"] == "max" else ""
        body = {
            "mapto": lambda: f"return {{{x}: {one.apply(x, True)[0]} for {x} in {d}{where}}}",
            "fval": lambda: f"return {{k: v for k, v in {d}.items() if {filter_.holds('v')}}}",
            "fkey": lambda: f"return {{k: v for k, v in {d}.items() if {filter_.holds('k')}}}",
            "inv": lambda: f"return {{v: k for k, v in {d}.items()}}",
            "kmax": lambda: f"return {choice['end']}({d}, key={d}.get)",
            "ksort": lambda: f"return sorted({d}, key={d}.get{backwards})",
            "valmap": lambda: f"return {{k: {one.apply('v', True)[0]} for k, v in {d}.items()}}",
        }[shape]()
        return function(name, arguments, body)

    def reference(self, choice: Choice) -> Callable[..., object]:
        code, _ = GROUPS[choice["elements"]][choice["group"][0]]
        passes = choice["filter"] or (lambda _: True)

        def key_of(x: object) -> object:
            return eval(code.format(x="x", a=choice["group"][1]), {"x": x})  # noqa: S307

        def collected(elements: object) -> dict:
            found: dict = {}
            for x in elements:
                if passes(x):
                    key = x if choice["shape"] == "charcount" else key_of(x)
                    found[key] = [*found.get(key, []), x]
            return found if choice["shape"] == "group" else {key: len(xs) for key, xs in found.items()}

        def by_value(d: dict) -> list:
            return [k for k, _ in sorted(d.items(), key=lambda item: item[1], reverse=choice["end"] == "max")]

        return {
            "count": collected,
            "charcount": collected,
            "group": collected,
            "mapto": lambda xs: {x: choice["map"](x) for x in xs if passes(x)},
            "fval": lambda d: {k: v for k, v in d.items() if passes(v)},
            "fkey": lambda d: {k: v for k, v in d.items() if passes(k)},
            "inv": lambda d: dict(zip(d.values(), d, strict=True)),
            "kmax": lambda d: by_value(d)[0],
            "ksort": by_value,
            "valmap": lambda d: {k: choice["map"](v) for k, v in d.items()},
        }[choice["shape"]]

    def inputs(self, choice: Choice, random: Random) -> tuple:
        known = self.types(choice)[0]
        if known == "d":
            return (values.scores(random),)
        if known == "s":
            return (values.text(random),)
        if known == "ints":
            return (values.digits(random, random.randint(3, 8), 12),)
        return (values.words(random, random.randint(2, 6)),)


def _of_element(choice: Choice, random: Random) -> str:
    one: Chosen = choice["map"]
    if choice["elements"] == "ints":
        return one.say(one.primitive.single, random, n="the number")
    return one.fill(OF_WORD[one.key])


def _of_value(choice: Choice, random: Random) -> str:
    return choice["map"].say(choice["map"].primitive.single, random, n="the value")


def _collecting(choice: Choice, d: str) -> str:
    x = VARIABLES[choice["elements"]]
    code, _ = GROUPS[choice["elements"]][choice["group"][0]]
    key = x if choice["shape"] == "charcount" else code.format(x=x, a=choice["group"][1])
    first = "" if key == x else f"key = {key}\n"
    key = x if key == x else "key"
    grouped = choice["shape"] == "group"
    found = "groups" if grouped else "counts"
    step = f"groups.setdefault({key}, []).append({x})" if grouped else f"counts[{key}] = counts.get({key}, 0) + 1"
    step = first + step
    filter_ = choice["filter"]
    inner = f"    if {filter_.holds(x)}:\n{indented(step, 2)}" if filter_ else indented(step)
    return f"{found} = {{}}\nfor {x} in {d}:\n{inner}\nreturn {found}"
