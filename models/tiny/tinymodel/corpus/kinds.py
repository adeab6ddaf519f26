"""Kinds of arguments: what values they take, what a signature calls them, and what people call them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

WORDS = (
    "apple level Anna banana cat noon sky Tree orange owl ice radar Bob egg house dog idea madam Zoe umbrella bee "
    "kayak run table civic go up area Ruby stone ant"
).split()
LOWER = [word for word in WORDS if word.islower()]
NAMES = "Ann Bob Zoe Tim Maria Li Omar Eve Kim Noah".split()
DAYS = "Monday Tuesday Friday Saturday Sunday sat sun Wednesday".split()

Draw = Callable[[Random], object]


def whole(low: int, high: int) -> Draw:
    """Integers from `low` to `high`."""
    return lambda random: random.randint(low, high)


def among(*values: object) -> Draw:
    """One of `values`."""
    return lambda random: random.choice(values)


def integers(low: int, high: int, least: int, most: int, empty: float = 0.0) -> Draw:
    """Lists of integers; empty with the given probability."""

    def drawn(random: Random) -> list[int]:
        if random.random() < empty:
            return []
        return [random.randint(low, high) for _ in range(random.randint(least, most))]

    return drawn


def texts(words: list[str], least: int, most: int, empty: float = 0.0) -> Draw:
    """Lists of words."""

    def drawn(random: Random) -> list[str]:
        return [] if random.random() < empty else random.choices(words, k=random.randint(least, most))

    return drawn


def sentence(words: list[str], least: int, most: int) -> Draw:
    """Words with single spaces between them."""
    return lambda random: " ".join(random.choices(words, k=random.randint(least, most)))


def grid(least_rows: int, most_rows: int, columns: int | None) -> Draw:
    """Lists of rows; square when `columns` is none."""

    def drawn(random: Random) -> list[list[int]]:
        rows = random.randint(least_rows, most_rows)
        width = columns or rows
        return [[random.randint(-5, 12) for _ in range(width)] for _ in range(rows)]

    return drawn


def _ragged(random: Random) -> list[list[int]]:
    return [[random.randint(0, 9) for _ in range(random.randint(1, 3))] for _ in range(random.randint(2, 3))]


def _symmetric(random: Random) -> list[list[int]]:
    a, b, c, d = (random.randint(0, 5) for _ in range(4))
    return [[a, b], [b if random.random() < 0.5 else c, d]]


def _scores(random: Random) -> dict[str, int]:
    return {word: random.randint(0, 20) for word in random.sample(LOWER[:9], random.randint(1, 3))}


def _distinct_scores(random: Random) -> dict[str, int]:
    keys = random.sample(LOWER[:9], random.randint(2, 3))
    return dict(zip(keys, random.sample(range(30), len(keys)), strict=True))


def _majority(values: list) -> Draw:
    def drawn(random: Random) -> list:
        winner, *others = random.sample(values, 3)
        drawn_values = [winner] * 3 + random.choices(others, k=2)
        random.shuffle(drawn_values)
        return drawn_values

    return drawn


def _palindrome(random: Random) -> str:
    return random.choice(["anna", "level", "noon", "radar", "civic", *LOWER[:8]])


def _anagram(random: Random) -> str:
    return random.choice(["stone", "notes", "onset", "tones", "night", "thing", "listen", "silent"])


def _shared_start(random: Random) -> str:
    return random.choice(["flow", "flower", "flight", "interval", "internet", "inside", "apple", "apply"])


def _sorted_or_not(random: Random) -> list[int]:
    values = [random.randint(-3, 12) for _ in range(random.randint(2, 5))]
    return random.choice([values, sorted(values), sorted(values, reverse=True), sorted(set(values))])


def _mixed_text(random: Random) -> str:
    word = random.choice(WORDS)
    return random.choice([f"{word}{random.randint(0, 99)}", f"{word} {random.randint(0, 9)}!", word, word.upper()])


def _padded(random: Random) -> str:
    return " " * random.randint(0, 2) + "  ".join(random.sample(LOWER, 2)) + " " * random.randint(0, 2)


def _people(random: Random) -> list[tuple[str, int]]:
    return [(name, random.randint(8, 40)) for name in random.sample(NAMES, random.randint(1, 3))]


def _pairs(random: Random) -> list[tuple[str, int]]:
    return list(_distinct_scores(random).items())


# kind -> (what a signature and people know it as, values)
KINDS: dict[str, tuple[str, Draw]] = {
    "n": ("n", whole(-20, 60)),
    "p": ("n", whole(1, 60)),
    "p1": ("n", whole(1, 30)),
    "k": ("n", whole(1, 6)),
    "k0": ("n", whole(0, 3)),
    "k01": ("n", among(0, 1, 1, 2, 5)),
    "k01b": ("n", among(0, 1)),
    "k3": ("n", whole(1, 2)),
    "k3b": ("n", whole(2, 3)),
    "k9": ("n", whole(4, 9)),
    "sm": ("n", whole(0, 9)),
    "sm2": ("n", whole(1, 15)),
    "sm3": ("n", among(1, 2, 2, 3)),
    "sm4": ("n", whole(6, 12)),
    "lo": ("n", whole(-5, 4)),
    "hi": ("n", whole(8, 20)),
    "n0": ("n", among(0, 0, 2, 4, 5)),
    "nn": ("n", among(None, 3, 0, 7)),
    "big": ("n", among(0, 7, 10, 45, 99, 120, 252, 305, 1221, 4807, 90210)),
    "big2": ("n", among(0, 7, 60, 75, 125, 600, 1439)),
    "pc": ("n", among(0, 4, 9, 10, 11, 18, 29, 30, 49, 50, 60, 65, 70, 79, 80, 85, 89, 90, 95, 100)),
    "pq": ("n", among(0, 1, 4, 9, 16, 25, 36, 49, 3, 8, 15)),
    "pw": ("n", among(1, 2, 3, 4, 6, 8, 12, 16, 32)),
    "yr": ("n", among(1900, 2000, 2023, 2024, 2100, 1996, 2019, 2400)),
    "t1": ("n", among(3, 6, 5)),
    "t2": ("n", among(4, 8, 12)),
    "t3": ("n", among(5, 10, 13)),
    "bool": ("flag", among(True, False)),
    "ints": ("ints", integers(-9, 30, 2, 6)),
    "ints0": ("ints", integers(-9, 30, 1, 6, 0.15)),
    "ints3": ("ints", lambda random: random.sample(range(-9, 30), random.randint(3, 6))),
    "ints5": ("ints", integers(0, 20, 4, 6)),
    "intsodd": ("ints", lambda random: random.choices(range(-9, 30), k=random.choice([1, 3, 5]))),
    "pints": ("ints", integers(1, 30, 1, 5)),
    "few": ("ints", integers(0, 4, 2, 6, 0.05)),
    "few1": ("ints", among([1, 1, 1], [2], [1, 2], [3, 3], [0, 0, 1])),
    "srt": ("ints", _sorted_or_not),
    "maj": ("ints", _majority(list(range(9)))),
    "eq": ("ints", integers(-5, 12, 3, 3)),
    "bools": ("flags", lambda random: random.choices([True, False], k=random.randint(0, 5))),
    "nones": ("items", lambda random: random.choices([None, 0, 3, 8], k=random.randint(1, 5))),
    "s": ("s", lambda random: random.choice([sentence(WORDS, 1, 3)(random), _mixed_text(random)])),
    "s0": ("s", among("", "apple", "x", "no way")),
    "sent": ("s", sentence(WORDS, 3, 5)),
    "sentl": ("s", sentence(LOWER, 2, 5)),
    "word": ("s", among(*WORDS)),
    "wordodd": ("s", among("apple", "cat", "level", "a", "owl", "house", "banana!")),
    "lword": ("s", among(*LOWER)),
    "lword2": ("s", among("banana", "level", "apple", "cat", "madam", "noon", "book", "sky")),
    "name": ("s", among(*NAMES)),
    "mix": ("s", _mixed_text),
    "padded": ("s", _padded),
    "zeros": ("s", among("007", "10", "0100", "5", "00042", "000")),
    "blank": ("s", among("", "  ", "a", " x ", "   ")),
    "pal": ("s", _palindrome),
    "palci": ("s", lambda random: _palindrome(random).capitalize()),
    "palt": ("s", among("Never odd or even", "No lemon, no melon", "hello there", "A man, a plan")),
    "ana": ("s", _anagram),
    "pre": ("s", among("a", "ba", "un", "s", "le", "x", "ing", "go")),
    "pre2": ("s", _shared_start),
    "ch": ("s", among("a", "e", "o", "s", "t")),
    "lch": ("s", among("a", "b", "k", "m", "x", "y")),
    "mark": ("s", among("*", "-", "_", "=", "#")),
    "sep": ("s", among("-", ", ", " ", "+", "/")),
    "bin": ("s", among("0", "1", "101", "1101", "10000", "111")),
    "dig": ("s", among("123", "12a", "abc", "7", "0", "x1", "hello")),
    "card": ("s", among("12345678", "4111222233334444", "abcdefg", "99887766")),
    "case": ("s", among("ABC", "Abc", "abc", "OK", "x", "Hello")),
    "mail": ("s", among("a@b.com", "nobody", "x@y", "joe.doe@mail.org", "a.b")),
    "mail1": ("s", among("a@b.com", "joe@mail.org", "x.y@site.net")),
    "file": ("s", among("a.txt", "photo.png", "main.py", "data.csv")),
    "kv": ("s", among("name: Bob", "x=1", "key: value", "a=b=c", "plain")),
    "csv": ("s", among("1,2,3", "7", "10,-2,5", "0,0,4", "12,30")),
    "runs": ("s", among("aab", "aaabbc", "abc", "zzzz", "xxyyx", "")),
    "majs": ("s", among("banana", "hello", "aab", "mississippi"[:7], "ooze")),
    "day": ("s", among(*DAYS)),
    "yn": ("s", among("yes", "Y", "no", "on", "TRUE", "t", "1", "off")),
    "pwd": ("s", among("abc", "abcdefg1", "secret", "Password9", "longenough")),
    "words": ("words", texts(WORDS, 2, 5)),
    "words0": ("words", texts(WORDS, 1, 5, 0.1)),
    "words2": ("words", texts(LOWER, 2, 4)),
    "wordsu": ("words", lambda random: random.sample(LOWER, 3)),
    "lwords": ("words", texts(LOWER, 1, 5)),
    "lwords1": ("words", texts(LOWER, 2, 5)),
    "dwords": ("words", texts(["cat", "dog", "owl", "bee"], 2, 6)),
    "majw": ("words", _majority(LOWER[:8])),
    "palws": ("words", texts(["anna", "level", "cat", "noon", "dog", "radar"], 1, 4)),
    "plur": ("words", texts(["cats", "dogs", "apple", "tree", "pizza"], 1, 3)),
    "empties": ("words", texts(["", "a", "cat", "", "go"], 1, 5)),
    "paddeds": ("words", texts([" a", "cat ", " go ", "x"], 1, 4)),
    "digs": ("words", texts(["1", "20", "7", "-3", "0"], 1, 4)),
    "d": ("d", _scores),
    "dinv": ("d", _distinct_scores),
    "dz": ("d", among({"a": 0, "b": 1}, {}, {"x": 0}, {"p": 3, "q": 0, "r": 5})),
    "dn": ("d", among({"a": None, "b": 1}, {}, {"x": None}, {"p": 3, "q": None})),
    "dk": ("s", among(*LOWER[:5])),
    "pairs": ("pairs", _pairs),
    "npairs": ("pairs", among([(1, 2), (3, 4)], [(0, 0)], [(5, -5), (2, 2), (1, 0)], [])),
    "people": ("pairs", _people),
    "matrix": ("matrix", grid(2, 3, 2)),
    "matrix0": ("matrix", grid(1, 3, 3)),
    "matrix2": ("matrix", _ragged),
    "sq": ("matrix", grid(2, 2, None)),
    "sqsym": ("matrix", _symmetric),
    "gbin": ("matrix", lambda random: [random.choices([0, 1], k=3) for _ in range(random.randint(1, 3))]),
}
# what a signature may call an argument, by what it is known as
ARGUMENT_NAMES: dict[str, list[str]] = {
    known: names.split()
    for known, names in {
        "n": "n n x num number value k a b v z amount size year age val price count2 points level degree start stop",
        "flag": "flag ok done active enabled on a b x is_open ready",
        "ints": "xs nums numbers values items arr data lst seq vals ints elements scores prices readings ages points "
        "a l L temps weights marks costs amounts heights sizes num_list ratings temperatures grades",
        "flags": "flags checks bits values results answers xs",
        "items": "items values xs data entries",
        "s": "s text string st sentence line phrase msg name input_str word t input_string message txt label title",
        "words": "words strings names items texts tokens labels ws lst tags titles fruits cities animals lines parts",
        "d": "d mapping table data scores prices counts dct ages stock inventory dictionary grades lookup",
        "pairs": "pairs items tuples entries people records ps rows",
        "matrix": "matrix grid rows m table mat cells board",
    }.items()
}
# what people call an argument that they do not name
ANONYMOUS: dict[str, list[str]] = {
    "n": ["a number", "an integer", "the number", "the given number", "an int", "a given number", "n"],
    "flag": ["a boolean", "the flag", "a bool"],
    "ints": [
        "a list of numbers",
        "a list of integers",
        "a list",
        "the list",
        "the given list",
        "an array",
        "a list of ints",
        "the numbers",
        "the array",
        "some numbers",
        "my list",
        "a number list",
        "the input list",
    ],
    "flags": ["a list of booleans", "the flags", "a list of flags"],
    "items": ["a list", "the list", "the given list"],
    "s": ["a string", "the string", "a text", "the text", "the given string", "some text", "a given text", "the input"],
    "words": [
        "a list of words",
        "a list of strings",
        "the list of words",
        "the list",
        "the given words",
        "some words",
        "an array of strings",
        "the words",
    ],
    "d": ["a dictionary", "a dict", "the dict", "the dictionary", "the given dictionary", "a mapping"],
    "pairs": ["a list of pairs", "the list of tuples", "a list of tuples", "the pairs"],
    "matrix": ["a matrix", "a list of lists", "the matrix", "a grid", "a 2D list", "the grid", "a 2d array"],
}
TYPE_HINTS: dict[str, list[str]] = {
    "n": ["int"], "flag": ["bool"], "ints": ["list[int]", "list", "List[int]"], "flags": ["list[bool]"],
    "items": ["list"], "s": ["str"], "words": ["list[str]", "list", "List[str]"], "d": ["dict", "dict[str, int]"],
    "pairs": ["list[tuple]", "list"], "matrix": ["list[list[int]]", "list"],
}  # fmt: skip
# "takes a list of numbers xs": the words before a name
INTRODUCTIONS: dict[str, list[str]] = {
    "n": ["an integer", "a number", "an int", "a whole number", "the number", "the integer"],
    "flag": ["a boolean", "a bool", "a flag"],
    "ints": ["a list of integers", "a list of numbers", "a list", "an array", "numbers", "the list", "a list of ints"],
    "flags": ["a list of booleans", "a list"],
    "items": ["a list", "the list"],
    "s": ["a string", "a text", "text", "the string", "the text"],
    "words": ["a list of words", "a list of strings", "some words", "strings", "the list", "a list"],
    "d": ["a dictionary", "a dict", "a mapping", "the dict"],
    "pairs": ["a list of pairs", "a list of tuples"],
    "matrix": ["a matrix", "a list of lists", "a grid", "a 2D list"],
}


def known_as(kind: str) -> str:
    """What a kind is known as: `ints0` and `few` are both `ints`."""
    return KINDS[kind][0]
