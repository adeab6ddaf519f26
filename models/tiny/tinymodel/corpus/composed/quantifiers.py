"""Whether any, all or none of the elements satisfy a filter."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tinymodel.corpus.composed.family import Choice, Family, Told, circumscribed
from tinymodel.corpus.composed.pipeline import FILTERS, SOURCES, drawn
from tinymodel.corpus.composed.primitives import function, one_of

WORDINGS = {
    "any": ["any {one} {is_}", "at least one of the {many} {is_}", "any of the {many} {is_}", "some {one} {is_}"],
    "all": ["every {one} {is_}", "each {one} {is_}", "every single {one} {is_}"],
    "none": ["none of the {many} {is_}", "no {one} {is_}", "not a single {one} {is_}"],
}


class Quantifiers(Family):
    """Any, all, none."""

    name, weight = "anyall", 6

    def draw(self, random: Random, like: Choice | None = None) -> Choice:
        at = like["source"] if like else random.choice(["ints", "ints", "words", "chars", "digits", "values"])
        chosen = one_of(FILTERS[SOURCES[at].elements], random)
        return {"source": at, "filter": chosen, "quantity": random.choice(list(WORDINGS))}

    def key(self, choice: Choice) -> tuple:
        return ("anyall", choice["source"], choice["filter"].key, choice["quantity"])

    def types(self, choice: Choice) -> list[str]:
        return [SOURCES[choice["source"]].known_as]

    def tell(self, choice: Choice, random: Random, arguments: list[str] | None) -> Told:
        source, chosen = SOURCES[choice["source"]], choice["filter"]
        argument = arguments[0] if arguments else circumscribed(random, source.known_as)
        noun, place = random.choice(source.nouns), random.choice(source.places)
        single = "entry" if noun == "entries" else noun.removesuffix("s")
        many, one = place.format(n=noun, a=argument), place.format(n=single, a=argument)
        wording = random.choice(WORDINGS[choice["quantity"]])
        return Told("checks", wording.format(one=one, many=many, is_=chosen.say(chosen.primitive.is_, random)))

    def plan(self, choice: Choice, arguments: list[str]) -> list[str]:
        source, chosen = SOURCES[choice["source"]], choice["filter"]
        quantity = {"any": "any", "all": "every", "none": "none"}[choice["quantity"]]
        elements = source.places[0].format(n=source.nouns[0], a=arguments[0])
        condition = chosen.fill(chosen.primitive.is_[0])
        return [f"Go through the {elements}.", f"Check whether {quantity} {condition}.", "Return the boolean."]

    def usual_name(self, choice: Choice) -> str:
        return f"{choice['quantity']}_{choice['filter'].part_of_name()}"

    def code(self, choice: Choice, name: str, arguments: list[str]) -> str:
        source = SOURCES[choice["source"]]
        condition = choice["filter"].holds(source.variable)
        asked = {"any": "any", "all": "all", "none": "not any"}[choice["quantity"]]
        whole = source.code.format(a=arguments[0])
        return function(name, arguments, f"return {asked}({condition} for {source.variable} in {whole})")

    def reference(self, choice: Choice) -> Callable[..., object]:
        def computed(argument: object) -> bool:
            if choice["source"] == "digits":
                argument = [int(digit) for digit in str(argument)]
            elements = argument.values() if choice["source"] == "values" else argument
            count = sum(bool(choice["filter"](x)) for x in elements)
            return {"any": count > 0, "all": count == len(elements), "none": count == 0}[choice["quantity"]]

        return computed

    def inputs(self, choice: Choice, random: Random) -> tuple:
        chosen = choice["filter"]
        limits = [chosen.values[0]] if chosen.primitive.constants == "C" else []
        argument = drawn(choice["source"], limits, random)
        if random.random() < 0.4 and isinstance(argument, list | str):
            passing = [x for x in argument if chosen(x)]
            if passing:
                return (passing if isinstance(argument, list) else "".join(passing),)
        return (argument,)
