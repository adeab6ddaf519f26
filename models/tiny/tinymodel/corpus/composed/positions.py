"""Where in a sequence elements satisfy a filter."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tinymodel.corpus.composed.family import Choice, Family, Told, circumscribed
from tinymodel.corpus.composed.pipeline import FILTERS, SOURCES, drawn
from tinymodel.corpus.composed.primitives import function, indented, one_of

WORDINGS = {
    "list": [
        "the positions of the {many} where the {noun} {is_}", "the indices where the {one} {is_}",
        "a list of the indexes where the {one} {is_}", "the indices of all {many} for which the {noun} {is_}",
    ],
    "first": [
        "the index of the first {one} that {is_}, or -1 if there is none", "the position of the first {one} that {is_} (-1 if none)",
        "where the first {one} that {is_} stands, or -1",
    ],
    "last": [
        "the index of the last {one} that {is_}, or -1 if there is none", "the position of the last {one} that {is_} (-1 if none)",
    ],
    "sumidx": ["the sum of the indices where the {one} {is_}", "the sum of the positions of the {many} where the {noun} {is_}"],
    "evenidx": [
        "the {many} at even positions where the {noun} {is_}", "the list of {many} at even indices where the {noun} {is_}",
    ],
}  # fmt: skip
PLANS = {
    "list": "Return the indices.", "first": "Return the first index or -1.", "last": "Return the last index or -1.",
    "sumidx": "Return their sum.", "evenidx": "Return the items at even indices.",
}  # fmt: skip
NAMES = {
    "list": "indices",
    "first": "first_index",
    "last": "last_index",
    "sumidx": "index_sum",
    "evenidx": "even_positions",
}


class Positions(Family):
    """Indices."""

    name, weight = "enum", 5

    def draw(self, random: Random, like: Choice | None = None) -> Choice:
        at = like["source"] if like else random.choice(["ints", "ints", "words", "chars"])
        questions = list(WORDINGS) if at == "ints" else ["list", "first", "last"]
        return {
            "source": at,
            "filter": one_of(FILTERS[SOURCES[at].elements], random),
            "asked": random.choice(questions),
        }

    def key(self, choice: Choice) -> tuple:
        return ("enum", choice["source"], choice["filter"].key, choice["asked"])

    def types(self, choice: Choice) -> list[str]:
        return [SOURCES[choice["source"]].known_as]

    def tell(self, choice: Choice, random: Random, arguments: list[str] | None) -> Told:
        source, chosen = SOURCES[choice["source"]], choice["filter"]
        argument = arguments[0] if arguments else circumscribed(random, source.known_as)
        noun = source.nouns[0].removesuffix("s")
        many = random.choice(source.places).format(n=source.nouns[0], a=argument)
        one = source.places[0].format(n=noun, a=argument)
        wording = random.choice(WORDINGS[choice["asked"]])
        return Told(
            "returns", wording.format(many=many, one=one, noun=noun, is_=chosen.say(chosen.primitive.is_, random))
        )

    def plan(self, choice: Choice, arguments: list[str]) -> list[str]:
        condition = choice["filter"].fill(choice["filter"].primitive.is_[0])
        return [f"Enumerate {arguments[0]}.", f"Keep the positions where the item {condition}.", PLANS[choice["asked"]]]

    def usual_name(self, choice: Choice) -> str:
        return f"{NAMES[choice['asked']]}_{choice['filter'].part_of_name()}"

    def code(self, choice: Choice, name: str, arguments: list[str]) -> str:
        variable = SOURCES[choice["source"]].variable
        condition = choice["filter"].holds(variable)
        each = f"for i, {variable} in enumerate({arguments[0]})"
        found = indented(f"if {condition}:\n    ")
        body = {
            "first": f"{each}:\n{found}return i\nreturn -1",
            "last": f"last = -1\n{each}:\n{found}last = i\nreturn last",
            "list": f"return [i {each} if {condition}]",
            "sumidx": f"return sum(i {each} if {condition})",
            "evenidx": f"return [{variable} {each} if i % 2 == 0 and {condition}]",
        }[choice["asked"]]
        return function(name, arguments, body)

    def reference(self, choice: Choice) -> Callable[..., object]:
        def computed(argument: list | str) -> object:
            found = [at for at in range(len(argument)) if choice["filter"](argument[at])]
            return {
                "list": found,
                "first": found[0] if found else -1,
                "last": found[-1] if found else -1,
                "sumidx": sum(found),
                "evenidx": [argument[at] for at in found if at % 2 == 0],
            }[choice["asked"]]

        return computed

    def inputs(self, choice: Choice, random: Random) -> tuple:
        chosen = choice["filter"]
        limits = [chosen.values[0]] if chosen.primitive.constants == "C" else []
        return (drawn(choice["source"], limits, random),)
