"""The form that the product holds this model's decompositions to; `split/form.rs` of the agent's rules says the same."""

from __future__ import annotations

import re

MAX_PARTS = 10
MAX_TASK_CHARS = 240
PARAMETER = r"[A-Za-z_]\w*(?:: ?[A-Za-z_][\w\[\], ]*?)?"
SIGNATURE = re.compile(rf"\b([A-Za-z_]\w*)\(((?:{PARAMETER})(?:, ?{PARAMETER})*|)\)")
LEADING_TO_A_MENTION = set(
    "apply applies applying as by call calling calls equals for from in is like of on return returns than through to use "
    "uses using with".split()
)


def signatures(request: str) -> list[tuple[str, str]]:
    """Name and whole text of every function that a request asks for by its signature."""
    found: dict[str, str] = {}
    for signature in SIGNATURE.finditer(request):
        before = re.split(r"[^A-Za-z0-9]", request[: signature.start()].rstrip(" `"))[-1].lower()
        if before not in LEADING_TO_A_MENTION or (before == "with" and not found):
            found.setdefault(signature[1], signature[0])
    return list(found.items())


def grammar(request: str) -> str:
    """In llama.cpp's GBNF, starting at `root`."""
    rules = 'character ::= [^"\\\\\\x00-\\x1f] | "\\\\" ["\\\\/n]\n'
    rules += f'text ::= character{{1,{MAX_TASK_CHARS}}}\nnumber ::= [1-9] | "10"\n'
    known = signatures(request)
    if 1 <= len(known) <= MAX_PARTS:
        for at, (name, signature) in enumerate(known):
            rules += _part(at, f'"{name}"', f'"Write a function {signature} " text')
        parts = ' ",\\n " '.join(f"part{at}" for at in range(len(known)))
        return f'{rules}root ::= "[" {parts} "]"\n'
    rules += _part(0, "[A-Za-z_] [A-Za-z0-9_]*", "text")
    return f'{rules}root ::= "[" part0 (",\\n " part0){{0,{MAX_PARTS - 1}}} "]"\n'


def _part(at: int, name: str, task: str) -> str:
    return f'part{at} ::= "{{\\"id\\": " number ", \\"function\\": \\"" {name} "\\", \\"task\\": \\"" {task} "\\"}}"\n'
