"""From a description to a request as people put it: the frames of `frames.txt`, and what people do to spelling."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tinymodel.corpus import grammar, kinds
from tinymodel.corpus.composed.family import Told

FRAMES = Path(__file__).parent / "frames.txt"
QUESTIONS = ("can", "could", "how", "would", "what", "is there", "may", "do you")
RESULT_HINTS = {"bool", "int", "str", "list", "dict", "float", "tuple"}
KINDNESS = ("Thanks!", "Thanks.", "Thank you.", "Keep it short.", "Keep it simple.", "No imports please.", "thx")
OPENINGS = (
    "Hi,",
    "Hello!",
    "Hey,",
    "Next:",
    "OK,",
    "In Python,",
    "Now",
    "Quick one:",
    "Small task:",
    "One more:",
    "so",
)
VERBS_AFTER_AND = {
    "square",
    "sort",
    "add",
    "return",
    "keep",
    "double",
    "join",
    "append",
    "multiply",
    "leave",
    "replace",
    "sum",
}
JOINTS = (
    (", ", " and "),
    (", ", " and then "),
    (", ", ", and "),
    (", then ", ", then "),
    (", ", ", then "),
    (", ", " and finally "),
)
DOC_VERBS = ("Return", "Return", "Return", "Compute", "Get", "Calculate", "Give", "Find")


@dataclass(frozen=True)
class Wanted:
    """What a request is about. `name` and `arguments` are none where the person does not give them."""

    told: Told
    name: str | None
    arguments: tuple[str, ...] | None
    known_as: tuple[str, ...]
    result: str | None = None


@functools.lru_cache(maxsize=1)
def frames() -> dict[tuple[str, str], tuple[list[str], list[int]]]:
    """Frames and weights by section, macros filled in."""
    macros: dict[str, str] = {}
    sections: dict[tuple[str, str], tuple[list[str], list[int]]] = {}
    section: tuple[list[str], list[int]] = ([], [])
    for line in FRAMES.read_text().splitlines():
        if found := re.fullmatch(r"([A-Z]+): (.*)", line):
            macros[found[1]] = found[2]
        elif found := re.fullmatch(r"\[(\w+) (\w+)\]", line):
            section = sections[found[1], found[2]] = ([], [])
        elif found := re.fullmatch(r"(\d+) (.*)", line):
            section[0].append(_filled(found[2], macros))
            section[1].append(int(found[1]))
    return sections


def _filled(frame: str, macros: dict[str, str]) -> str:
    # longest first, and twice, because macros may hold macros; the shortest are words of their own
    known = sorted(macros, key=len, reverse=True)
    long = "|".join(macro for macro in known if len(macro) > 2)
    short = "|".join(macro for macro in known if len(macro) <= 2)
    for _ in range(2):
        frame = re.sub(rf"{long}|\b(?:{short})\b(?= )", lambda found: macros[found[0]], frame)
    return frame


def third_person(verb_phrase: str) -> str:
    """The verb phrase with its first verb in third person."""
    verb, _, rest = verb_phrase.partition(" ")
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        verb = verb[:-1] + "ies"
    elif verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        verb += "es"
    else:
        verb += "s"
    return f"{verb} {rest}".strip()


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def write(wanted: Wanted, random: Random) -> str:
    """A request for what is wanted."""
    if wanted.arguments is not None and wanted.name and wanted.told.form != "checks" and random.random() < 0.05:
        return _stub(wanted, random)
    named = "nothing" if wanted.name is None else "name" if wanted.arguments is None else "call"
    lines, weights = frames()[wanted.told.form, named]
    frame = random.choices(lines, weights)[0]
    text = grammar.draw(frame, random)
    text = text.format_map(_Parts(wanted, random))
    return _spelled(text, wanted, random)


def bare(wanted: Wanted, random: Random) -> str:
    """A signature and nothing else: its name says it."""
    lines, weights = frames()["bare", "call"]
    return grammar.draw(random.choices(lines, weights)[0], random).format_map(_Parts(wanted, random))


class _Parts(dict):
    """The parts of a frame, made when they are asked for."""

    def __init__(self, wanted: Wanted, random: Random) -> None:
        tick = random.choices(["", "`", "'"], [75, 23, 2])[0]
        joint = random.choice(JOINTS)
        description = wanted.told.text or chained(wanted.told.steps, joint)
        third = (
            chained(tuple(map(third_person, wanted.told.steps)), joint) if wanted.told.steps else _third(description)
        )
        super().__init__(d=description, D=capital(description), s=third)
        if wanted.name is not None:
            self["name"] = f"{tick}{wanted.name}{tick}"
        if wanted.arguments is not None:
            self["call"] = f"{tick}{_signature(wanted, random)}{tick}"
            self["args"] = " and ".join(wanted.arguments)
            pairs = zip(wanted.arguments, wanted.known_as, strict=True)
            self["given"] = " and ".join(f"{random.choice(kinds.INTRODUCTIONS[known])} {name}" for name, known in pairs)


def chained(steps: tuple[str, ...], joint: tuple[str, str]) -> str:
    """ "a, b and c", with a joint between the steps and another before the last."""
    between, last = joint
    return f"{between.join(steps[:-1])}{last}{steps[-1]}" if len(steps) > 1 else steps[0]


def _third(description: str) -> str:
    """A verb phrase in third person: its first verb, and the second where one surely follows "and"."""
    first, joint, second = re.match(r"(.*?)(?:( and then |, then | and )(.*))?$", description, re.DOTALL).groups()
    if joint is None:
        return third_person(first)
    follows = second.split(" ")[0] in VERBS_AFTER_AND
    return f"{third_person(first)}{joint}{third_person(second) if follows else second}"


def _signature(wanted: Wanted, random: Random) -> str:
    arguments = wanted.arguments or ()
    if random.random() > 0.09:
        return f"{wanted.name}({', '.join(arguments)})"
    hints = [random.choice(kinds.TYPE_HINTS[known]) for known in wanted.known_as]
    typed = ", ".join(f"{name}: {hint}" for name, hint in zip(arguments, hints, strict=True))
    result = f" -> {wanted.result}" if wanted.result in RESULT_HINTS and random.random() < 0.6 else ""
    return f"{wanted.name}({typed}){result}"


def _stub(wanted: Wanted, random: Random) -> str:
    verb = f"{random.choice(DOC_VERBS)} " if wanted.told.form == "returns" else ""
    doc = capital(f"{verb}{wanted.told.text or chained(wanted.told.steps, random.choice(JOINTS))}") + random.choice(
        [".", ".", ""]
    )
    head = random.choice(["", "", "", "Complete this function:\n", "Finish:\n", "Fill in the body:\n", "Implement\n"])
    return f'{head}def {_signature(wanted, random)}:\n    """{doc}"""'


def _spelled(text: str, wanted: Wanted, random: Random) -> str:
    text = re.sub(r"(?<!\.)\.{2}(?!\.)", ".", text).replace("?.", "?").replace(" .", ".").replace("`.`", "`")
    starts_with_name = wanted.name is not None and text.lstrip("`'").startswith(wanted.name)
    if not starts_with_name:
        text = text[:1].lower() + text[1:] if random.random() < 0.25 and text[:2] != "I " else capital(text)
    if text.lower().startswith(QUESTIONS) and "?" not in text:
        text = text.rstrip(".") + "?"
    if random.random() < 0.35 and text.endswith("."):
        text = text[:-1]
    elif random.random() < 0.15 and text[-1:].isalnum():
        text += "."
    if random.random() < 0.02:
        text = f"{text} {random.choice(KINDNESS)}"
    if random.random() < 0.03 and not starts_with_name:
        text = f"{random.choice(OPENINGS)} {text[:1].lower()}{text[1:]}"
    return _mistyped(text, wanted, random) if random.random() < 0.03 else text


def _mistyped(text: str, wanted: Wanted, random: Random) -> str:
    """One slip in a plain word; names and constants stay as they are."""
    kept = {wanted.name, *(wanted.arguments or ())}
    words = [m for m in re.finditer(r"(?<![\w`'\"(])[a-z]{5,}(?![\w`'\"(])", text) if m[0] not in kept]
    if not words:
        return text
    found = random.choice(words)
    at = random.randrange(1, len(found[0]) - 1)
    word = found[0]
    slips = [
        word[:at] + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:at] + word[at] + word[at:],
    ]
    return text[: found.start()] + random.choice(slips) + text[found.end() :]
