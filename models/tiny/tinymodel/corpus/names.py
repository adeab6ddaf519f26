"""Names for functions, classes and arguments: usual ones, and any others, so that names are copied and not guessed."""

from __future__ import annotations

import builtins
import functools
import keyword
import re
from pathlib import Path
from random import Random

from tinymodel.corpus import kinds

TAKEN = set(keyword.kwlist) | set(dir(builtins))
# what generated code calls its own variables
LOCAL = set("x w c i j row col k v d result total count best vals key counts groups last value steps y".split())
VERBS = "compute get find calc make build process collect select check do run eval solve".split()
PARTS = (
    "get find count sum make build check compute calc list filter keep collect pick select sort reverse total is has to "
    "from by of with all any only even odd big small max min avg mean top first last num nums words chars text list items "
    "values keys digits squares unique distinct sorted joined longest shortest upper lower letters positive primes"
).split()
SHORT = (
    "cnt avg tot idx val num acc cur prv nxt tmp buf cfg ctx msg pos neg src dst sz lo hi mx mn rng seq lst arr mat vec "
    "sym op fn cb rs qty amt pct dt ts uid cmp chk calc proc gen conv fmt prs"
).split()
THINGS = (
    "alpha beta gamma delta total score value item node edge cell sales price order cart user team player game level point "
    "coin stock trade bank budget tax salary grade exam student book page chapter letter word line text name title label tag "
    "code signal wave sensor temp rain cloud river stone tree leaf root branch seed fruit apple plum lemon bread cake red blue "
    "green dark light fast slow new old hot cold left right top bottom inner outer next prev"
).split()
PLAIN = ["f", "g", "h", "func", "solution", "solve", "task", "helper"]
SHARE_KNOWN = 0.45
ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl cr dr fl gr pl pr qu sh sl sp st str th tr".split()
VOWELS = "a e i o u a e i o ai ea ee ie oa oo ou y".split()
CODAS = "n r s t l d ng ck ll nd st rn mp ed er ing ly s  e".split(" ")
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
PAIRS = [
    pair.split()
    for pair in "a b|a b|a b|p q|m n|left right|first second|u v1|xs ys|list1 list2|nums1 nums2|one two|old new|this that|"
    "n1 n2|start end|x y|s t|s1 s2|lst1 lst2".split("|")
]
EVERYDAY = Path(__file__).parent / "everyday"
USUAL = {"ints": "xs", "n": "n", "s": "s", "words": "words", "d": "d", "matrix": "matrix"}


@functools.lru_cache(maxsize=1)
def known_words() -> list[str]:
    """The words of the everyday tasks: as good as any for names that mean nothing."""
    text = "\n".join(path.read_text() for path in sorted(EVERYDAY.glob("*.tasks")))
    return sorted(set(re.findall(r"\b[a-z]{3,9}\b", text)) - TAKEN)


def word(random: Random) -> str:
    """A word, or what could be one."""
    if random.random() < SHARE_KNOWN:
        return random.choice(known_words())
    made = "".join(random.choice(ONSETS) + random.choice(VOWELS) for _ in range(random.randint(1, 3)))
    made += random.choice(CODAS)
    return made if made not in TAKEN and len(made) > 2 else word(random)


def capital(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


def function_name(random: Random) -> str:
    """Any name a person may choose."""
    shapes = {
        lambda: f"{word(random)}_{word(random)}": 16,
        lambda: word(random): 16,
        lambda: f"{random.choice(VERBS)}_{word(random)}": 10,
        lambda: "_".join(random.choice(PARTS) for _ in range(random.choice([2, 2, 3]))): 22,
        lambda: f"{random.choice(VERBS + PARTS)}_{random.choice(THINGS)}": 12,
        lambda: word(random) + capital(word(random)): 4,
        lambda: random.choice(PARTS) + capital(random.choice(PARTS)): 5,
        lambda: random.choice(SHORT) + random.choice(["_", ""]) + random.choice(SHORT + THINGS): 4,
        lambda: _invented(random): 8,
        lambda: random.choice(PLAIN): 3,
    }
    name = random.choices(list(shapes), list(shapes.values()))[0]()
    return f"{name}_x" if name in TAKEN else name


def _invented(random: Random) -> str:
    syllables = "".join(random.choice(SYLLABLES) for _ in range(random.randint(2, 4)))
    return syllables + random.choice(["", "", "", str(random.randint(1, 99)), f"_{random.choice(SYLLABLES)}"])


def usual_arguments(types: list[str]) -> list[str]:
    """The names that are taken where a request gives none."""
    return ["a", "b"] if len(types) == 2 else [USUAL[known] for known in types]


def arguments(random: Random, types: list[str]) -> list[str]:
    """Any names that fit what the arguments are."""
    if len(types) == 2 and types[0] == types[1] and random.random() < 0.55:
        return list(random.choice(PAIRS))
    found: list[str] = []
    while len(found) < len(types):
        chance = random.random()
        if chance < 0.68:
            name = random.choice(kinds.ARGUMENT_NAMES[types[len(found)]])
        elif chance < 0.94:
            name = word(random)
        else:
            name = random.choice([random.choice(SHORT), f"{word(random)}_{random.choice(['list', 'value', 'text'])}"])
        if name not in found and name not in TAKEN:
            found.append(name)
    return found
