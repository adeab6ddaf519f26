"""mini-swe-agent of PyPI: its own model class and its own loop, over litellm."""

import subprocess
import sys
from pathlib import Path

from steps import ASK, SCRIPTED, TINY, free_within, run, running

from minisweagent.models import get_model

USER = [{"role": "user", "content": ASK}]


def model(url, name="edgecoder-auto", **more):
    arguments = {"api_base": f"{url}/v1", "api_key": "unused", "num_retries": 0, "max_tokens": 64, **more}
    config = {"model_class": "litellm_textbased", "model_kwargs": arguments, "cost_tracking": "ignore_errors"}
    return get_model(f"openai/{name}", config)


def plain():
    answer = asked(model(TINY))
    assert "def add" in str(answer), answer


def asked(model, messages=USER):
    """What the model said, also where it was no action: that is the agent's business."""
    from minisweagent.exceptions import FormatError

    try:
        return model.query(messages)
    except FormatError as told:
        return [getattr(told, "messages", told), told.args]


def streamed():
    # It asks for whole answers only; what it shares with a stream is a long one.
    assert asked(model(TINY, max_tokens=256))


def cancel():
    code = f"from mini_swe_agent_pypi import *; asked(model({SCRIPTED!r}), [dict(role='user', content='Speak without end.')])"
    child = subprocess.Popen([sys.executable, "-c", "import steps; steps.run = lambda **_: None; " + code],
                             cwd=Path(__file__).parent, stderr=subprocess.DEVNULL)
    while not running(SCRIPTED):
        assert child.poll() is None, "it ended by itself"
    child.kill()
    child.wait()
    free_within(SCRIPTED)


def tools():
    # Its tool is the shell, asked for in a fence; the scripted engine quotes the words of the person.
    answer = asked(model(SCRIPTED), [{"role": "user", "content": "say ```mswea_bash_command\nls\n```"}])
    assert "ls" in str(answer), answer


def error():
    try:
        asked(model(TINY, "nobody"))
    except Exception as told:  # noqa: BLE001: litellm's kind
        assert "nobody" in str(told), told
    else:
        raise AssertionError("no error")


if __name__ == "__main__":
    run(plain=plain, streamed=streamed, cancelled=cancel, tools=tools, error=error)
