"""Broken variants of right code, as a model breaks it, for learning to repair."""

from __future__ import annotations

import ast
import re
from random import Random

from tinymodel.corpus.execution import failure
from tinymodel.corpus.tasks import Task

TRIES = 8
LONGEST_MESSAGE = 200
SHARE_MEANING = 0.62
STRAY_NAMES = ["x", "n", "data", "res", "item", "nums", "value"]
SLIPS = [
    ("==", "!="), ("!=", "=="), (" > ", " < "), (" < ", " > "), (" >= ", " > "), (" <= ", " < "), (" + ", " - "),
    (" * ", " + "), ("max(", "min("), ("min(", "max("), ("sum(", "len("), ("[0]", "[1]"), (" and ", " or "),
    ("upper", "lower"), ("[::-1]", "[::2]"), ("sorted(", "list("), (" % ", " // "), ("not in", "in"), ("[-1]", "[0]"),
    ("range(1, ", "range("), (" + 1)", ")"), (", reverse=True", ""), (".split()", ""), (".lower()", ""),
]  # fmt: skip


def broken(task: Task, random: Random) -> tuple[str, str] | None:
    """Failing code for the task and the failure's words."""
    for _ in range(TRIES):
        if task.mutated is not None and random.random() < SHARE_MEANING:
            code = task.mutated(random)
        else:
            code = _damaged(task.code, random)
        if not code or code == task.code:
            continue
        message = failure(code, task.tests)
        if message and len(message) < LONGEST_MESSAGE:
            return code, message
    return None


def _damaged(code: str, random: Random) -> str | None:
    damage = random.choice([_slip, _slip, _slip, _slip, _colon, _bracket, _stray_name, _constant, _constant, _return])
    if "while" in code and damage in (_slip, _constant):
        return None  # most of these would not end
    return damage(code, random)


def _slip(code: str, random: Random) -> str | None:
    head, _, body = code.partition("\n")
    slips = [slip for slip in SLIPS if slip[0] in body]
    if not slips:
        return None
    return f"{head}\n{body.replace(*random.choice(slips), 1)}"


def _colon(code: str, random: Random) -> str | None:
    lines = code.split("\n")
    places = [at for at, line in enumerate(lines) if line.endswith(":")]
    at = random.choice(places)
    lines[at] = lines[at][:-1]
    return "\n".join(lines)


def _bracket(code: str, random: Random) -> str | None:
    lines = code.split("\n")
    places = [at for at, line in enumerate(lines) if at and ")" in line]
    if not places:
        return None
    at = random.choice(places)
    cut = lines[at].rindex(")")
    lines[at] = lines[at][:cut] + lines[at][cut + 1 :]
    return "\n".join(lines)


def _stray_name(code: str, random: Random) -> str | None:
    try:
        names = sorted({node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)})
    except SyntaxError:
        return None
    lines = code.split("\n")
    if not names or len(lines) < 2:
        return None
    name = random.choice(names)
    at = random.randrange(1, len(lines))
    stray = random.choice([*STRAY_NAMES, name[:-1] or "y"])
    lines[at] = re.sub(rf"\b{name}\b", stray, lines[at], count=1)
    return "\n".join(lines)


def _constant(code: str, random: Random) -> str | None:
    head, _, body = code.partition("\n")
    numbers = list(re.finditer(r"\b\d+\b", body))
    if not numbers:
        return None
    found = random.choice(numbers)
    other = max(0, int(found[0]) + random.choice([-1, 1, 2, -2, 10]))
    return f"{head}\n{body[: found.start()]}{other}{body[found.end() :]}"


def _return(code: str, random: Random) -> str | None:
    head, found, tail = code.rpartition("return ")
    return head + tail if found else None
