"""Running generated code against its tests, within half a second."""

from __future__ import annotations

import contextlib
import io
import signal
from collections.abc import Iterator
from dataclasses import dataclass

LIMIT_S = 0.5
# as the product shortens what a test says
MAX_VALUE = 60


@dataclass(frozen=True)
class Call:
    """A call and the printed form of what it must return."""

    expression: str
    want: str


class OverTime(Exception):
    """The code ran too long."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Stops what runs inside after the limit; main thread only."""

    def stop(*_: object) -> None:
        raise OverTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def failure(code: str, calls: list[Call]) -> str | None:
    """The first failure in the words in which the product reports it; none when every call is right."""
    try:
        with limited(), contextlib.redirect_stdout(io.StringIO()):
            scope: dict[str, object] = {}
            exec(compile(code, "answer", "exec"), scope)  # noqa: S102
            for call in calls:
                said = _checked(call, scope)
                if said:
                    return said
    except OverTime:
        return f"{calls[0].expression}: timeout"
    except SyntaxError as error:
        return f"SyntaxError: {error.msg}"[:100]
    except BaseException as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"[:100]
    return None


def _checked(call: Call, scope: dict[str, object]) -> str | None:
    try:
        got = repr(eval(call.expression, scope))  # noqa: S307
    except OverTime:
        return f"{call.expression}: timeout"
    except BaseException as error:  # noqa: BLE001
        return f"{call.expression} raised {type(error).__name__}: {str(error)[:MAX_VALUE]}"
    if got != call.want:
        return f"{call.expression} returned {got[:MAX_VALUE]}, expected {call.want[:MAX_VALUE]}"
    return None
