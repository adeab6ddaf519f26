"""One task with its request, its code and its tests: an everyday task, a class, or a composition of primitives."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tinymodel.corpus import classes, composed, everyday, kinds, names, request
from tinymodel.corpus.composed.family import UNDEFINED, Choice, Family, Told
from tinymodel.corpus.execution import Call, failure

SHARE_EVERYDAY = 0.48
# a signature alone says what is wanted where its name is the name of one task
SHARE_BARE = 0.06
SHARE_CLASSES = 0.03
LONGEST = 90
LONGEST_NAME = 46
TESTS = 5
LOOP_WISHES = ", using a loop|. Use a for loop| with a loop|. Use a loop| in a for loop|. Do it with a for loop".split(
    "|"
)
NO_LOOP_WISHES = ", in one line|. Use a comprehension|. Do not use a loop| as a one-liner| in a single line".split("|")


@dataclass
class Task:
    """What a sample is made of. `named`: 2 name and arguments are given, 1 the name, 0 nothing."""

    request: str
    code: str
    tests: list[Call]
    name: str
    key: tuple
    named: int
    plan: list[str] | None = None
    mutated: Callable[[Random], str | None] | None = field(default=None, repr=False)


def draw(random: Random, *, want_held: bool = False) -> Task:
    """A task; a held composition, or one that may be trained on."""
    while True:
        share = 1.0 if want_held else random.random()
        if share < SHARE_EVERYDAY:
            task = from_everyday(random)
        elif share < SHARE_EVERYDAY + SHARE_CLASSES:
            task = from_classes(random)
        else:
            task = from_families(random, want_held=want_held)
        if task is not None:
            return task


def name_for(random: Random, usual: list[str], share: float = 0.34) -> str:
    """A usual name, another task's usual name so that the text counts and not the name, or any name."""
    chance = random.random()
    if chance < share:
        return random.choice(usual)
    return random.choice(everyday.usual_names()) if chance < share + 0.13 else names.function_name(random)


def arguments_for(random: Random, task: everyday.Everyday) -> list[str]:
    """Names for the arguments: the task's own, fitting ones or any."""
    chance = random.random()
    known = [kinds.known_as(kind) for kind in task.kinds]
    if chance < 0.35:
        return list(task.arguments)
    if len(known) == 2 and known[0] == known[1] and chance < 0.6:
        return list(random.choice(names.PAIRS))
    return [random.choice(kinds.ARGUMENT_NAMES[one]) if random.random() < 0.65 else names.word(random) for one in known]


def from_everyday(random: Random) -> Task | None:
    """An everyday task in one of its wordings; none when the drawn names collide."""
    task = random.choice(everyday.tasks())
    named = random.choices([2, 1, 0], [74, 17, 9])[0]
    name = name_for(random, task.names, 0.47) if named else task.names[0]
    arguments = arguments_for(random, task) if named == 2 else list(task.arguments)
    if not _usable(name, arguments, task):
        return None
    constants = task.constants_of(random)
    known = [kinds.known_as(kind) for kind in task.kinds]
    form, description = task.described(_shown(random, arguments, known, named), constants, random)
    wanted = request.Wanted(
        Told(form, description),
        name if named else None,
        tuple(arguments) if named == 2 else None,
        tuple(known),
        task.result,
    )
    bare = named == 2 and name in task.names and everyday.says_all(name) and random.random() < SHARE_BARE
    text = request.bare(wanted, random) if bare and not constants else request.write(wanted, random)
    if named == 2 and not all_in(arguments, text):
        # a person who hides the arguments leaves their names to the model: the task's own
        arguments = list(task.arguments)
        if name in arguments:
            return None
    code = task.function(name, arguments, constants)
    tests = _everyday_tests(random, task, name, code)
    if len(tests) < 2:
        return None
    return Task(
        text,
        code,
        tests,
        name,
        ("everyday", task.key),
        named,
        mutated=lambda rng: _misunderstood(task, rng, name, arguments),
    )


def _misunderstood(task: everyday.Everyday, random: Random, name: str, arguments: list[str]) -> str | None:
    """The same task with other constants, or another task for the same arguments: what a model takes it for."""
    other = task if task.constants and random.random() < 0.3 else random.choice(everyday.alike(task))
    return other.function(name, arguments, other.constants_of(random)) if _usable(name, arguments, other) else None


def _shown(random: Random, arguments: list[str], known: list[str], named: int) -> list[str]:
    """How the description calls the arguments: by name, or "the list" where that is clear."""
    if not arguments or random.random() < {2: 0.82, 1: 0.35, 0: 0.1}[named]:
        return arguments
    nouns = [random.choice(kinds.ANONYMOUS[kind]) for kind in known]
    return arguments if len({noun.split(" ")[-1] for noun in nouns}) < len(nouns) else nouns


def _usable(name: str, arguments: list[str], task: everyday.Everyday) -> bool:
    local = set(re.findall(r"\b[A-Za-z_]\w*", re.sub(r"\{\w\}", "", "\n".join(task.code)))) - set(task.arguments)
    if name in arguments or not name.isidentifier() or name in local or len(name) > LONGEST_NAME:
        return False
    return len(set(arguments)) == len(arguments) and not set(arguments) & (local | names.TAKEN)


def all_in(arguments: list[str], text: str) -> bool:
    """Whether the text names every argument."""
    return all(re.search(rf"\b{re.escape(argument)}\b", text) for argument in arguments)


def _everyday_tests(random: Random, task: everyday.Everyday, name: str, code: str) -> list[Call]:
    scope: dict = {}
    exec(code, scope)  # noqa: S102
    tests: dict[str, Call] = {}
    for _ in range(3 * TESTS):
        inputs = task.inputs(random)
        expression = f"{name}({', '.join(map(repr, inputs))})"
        try:
            want = repr(scope[name](*copy.deepcopy(inputs)))
        except (IndexError, ZeroDivisionError, ValueError, KeyError):
            continue
        if len(want) <= LONGEST and len(expression) <= LONGEST + 20:
            tests[expression] = Call(expression, want)
        if len(tests) == TESTS:
            break
    return list(tests.values())


def from_classes(random: Random) -> Task | None:
    """A class with methods."""
    drawn = classes.draw(random)
    return drawn and Task(drawn.request, drawn.code, drawn.tests, drawn.name, drawn.key, 2, drawn.plan)


def from_families(random: Random, *, want_held: bool = False) -> Task | None:
    """A composition of primitives; none when it is not to be held, or the drawn names collide."""
    family = random.choices(composed.FAMILIES, [family.weight for family in composed.FAMILIES])[0]
    choice = family.draw(random)
    if family.held(choice) != want_held:
        return None
    types = family.types(choice)
    named = random.choices([2, 1, 0], [76, 14, 10])[0]
    usual = family.usual_name(choice)
    name = name_for(random, [usual]) if named else usual
    arguments = names.arguments(random, types) if named == 2 else names.usual_arguments(types)
    if name in arguments or not name.isidentifier() or name in names.LOCAL or len(name) > LONGEST_NAME:
        return None
    if named == 2 and set(arguments) & names.LOCAL and family.name != "scalar":
        return None
    tests = _family_tests(random, family, choice, name)
    told = family.tell(choice, random, arguments if named == 2 else None)
    wanted = request.Wanted(told, name if named else None, tuple(arguments) if named == 2 else None, tuple(types))
    text = _loop_wish(random, choice, request.write(wanted, random))
    if named == 2 and not all_in(arguments, text):
        arguments = names.usual_arguments(types)
    code = family.code(choice, name, arguments)
    if tests is None or name in arguments or failure(code, tests):
        return None
    plan = family.plan(choice, arguments)
    return Task(
        text,
        code,
        tests,
        name,
        family.key(choice),
        named,
        plan,
        lambda rng: _mutated(family, choice, rng, name, arguments),
    )


def _mutated(family: Family, choice: Choice, random: Random, name: str, arguments: list[str]) -> str | None:
    other = family.mutated(choice, random)
    try:
        return family.code(other, name, arguments) if other else None
    except (KeyError, IndexError, TypeError, AttributeError):
        return None  # parts that do not go together


def _family_tests(random: Random, family: Family, choice: Choice, name: str) -> list[Call] | None:
    reference = family.reference(choice)
    tests: dict[str, Call] = {}
    answers: set[str] = set()
    for _ in range(6 * TESTS):
        inputs = family.inputs(choice, random)
        written = ", ".join(map(repr, inputs))
        try:
            want = reference(*copy.deepcopy(inputs))
        except (IndexError, ZeroDivisionError, ValueError, TypeError):
            continue
        shown = repr(want)
        if want is UNDEFINED or len(shown) > LONGEST or len(written) > LONGEST:
            continue
        if shown in answers and len(answers) < 2 and random.random() < 0.8:
            continue  # different answers tell more
        answers.add(shown)
        tests[written] = Call(f"{name}({written})", shown)
        if len(tests) == TESTS:
            break
    return list(tests.values()) if len(tests) >= 3 else None


def _loop_wish(random: Random, choice: Choice, text: str) -> str:
    """Says where a loop is wanted: otherwise the style could only be guessed."""
    if "looped" not in choice or text.endswith('"""'):
        return text
    primitive = choice["reduction"].primitive
    if choice["looped"] and primitive.code and (primitive.loop or primitive.tail):
        return text.rstrip(".?") + random.choice(LOOP_WISHES) + random.choice([".", ""])
    if not choice["looped"] and random.random() < 0.06:
        return text.rstrip(".?") + random.choice(NO_LOOP_WISHES) + random.choice([".", ""])
    return text
