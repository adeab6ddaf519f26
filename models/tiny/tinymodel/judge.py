"""Whether an answer is right: its code is taken as the product takes it, and run against the tests."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tinymodel.corpus.execution import Call, failure, limited
from tinymodel.corpus.samples import Sample

FENCE = re.compile(r"```(?:python)?\n(.*?)(?:\n```|$)", re.DOTALL)
DEFINED = re.compile(r"^(?:def|class) (\w+)", re.MULTILINE)


def code_of(answer: str) -> str:
    """The code of the first fenced block, or all of it."""
    found = FENCE.search(answer)
    return found[1] if found else answer


def said_of(sample: Sample, code: str) -> str | None:
    """The first failure of code for a sample; none when it is right. Without a given name any name is right."""
    tests = sample.tests
    if not sample.named and (found := DEFINED.search(code)):
        pattern = re.compile(rf"\b{re.escape(sample.name)}\b")
        tests = [Call(pattern.sub(found[1], test.expression, count=1), test.want) for test in tests]
    return failure(code, tests)


@dataclass(frozen=True)
class Request:
    """One request of the hand-written yardstick, in the form of public benchmarks."""

    task_id: str
    request: str
    entry_point: str
    canonical_solution: str
    test: str

    @classmethod
    def load(cls, path: Path) -> list[Request]:
        """All of a file."""
        return [cls(**json.loads(line)) for line in path.read_text().splitlines()]

    def parameters(self) -> str | None:
        """What stands in the brackets behind the name, if the request says it without types."""
        found = re.search(rf"\b{re.escape(self.entry_point)}\(([\w, ]*)\)", self.request)
        return found[1] if found and not self.request.startswith(("def ", "Complete")) else None

    def passed(self, code: str) -> bool:
        """Whether code passes the test."""
        scope: dict[str, object] = {}
        try:
            with limited():
                exec(code, scope)  # noqa: S102
                exec(self.test, scope)  # noqa: S102
                scope["check"](scope[self.entry_point])
        except BaseException:  # noqa: BLE001
            return False
        return True
