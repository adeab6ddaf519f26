"""aider of PyPI, as a person starts it for one message."""

import subprocess
import sys
import tempfile
from pathlib import Path

from steps import ASK, SCRIPTED, TINY, free_within, run, running

QUIET = (
    "--no-git --yes-always --no-check-update --no-show-model-warnings --no-pretty --no-analytics --no-suggest-shell-commands"
    " --no-show-release-notes --map-tokens 0 --edit-format whole"
).split()


def command(url, words, *more, model="edgecoder-auto"):
    where = ["--openai-api-base", f"{url}/v1", "--openai-api-key", "unused", "--model", f"openai/{model}"]
    return [sys.executable, "-m", "aider", *QUIET, *where, *more, "--message", words]


def aider(*arguments, **more):
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(
            command(*arguments, **more), cwd=place, capture_output=True, text=True, timeout=120, check=False
        )
        files = {file.name: file.read_text() for file in Path(place).glob("*.py")}
        return done.stdout + done.stderr, files


def plain():
    # Its own prompt is larger than the shipped model's window; that is said, and not cut.
    said, _ = aider(TINY, ASK, "--no-stream")
    assert "the window" in said or "context" in said or "def add" in said, said
    said, _ = aider(SCRIPTED, "Good morning.", "--no-stream")
    assert "You said:" in said, said


def streamed():
    said, _ = aider(SCRIPTED, "Good morning.", "--stream")
    assert "You said:" in said, said


def cancel():
    with tempfile.TemporaryDirectory() as place:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        child = subprocess.Popen(command(SCRIPTED, "Speak without end.", "--stream"), cwd=place, **quiet)
        while not running(SCRIPTED):
            assert child.poll() is None, "it ended by itself"
        child.kill()
        child.wait()
        free_within(SCRIPTED)


def tools():
    # Its tool is its edit format.
    said, files = aider(SCRIPTED, "write greeting.py", "--stream")
    assert files.get("greeting.py") == "print('hello')\n", (said, files)


def error():
    said, _ = aider(TINY, ASK, model="nobody")
    assert "nobody" in said and "not known here" in said, said


run(plain=plain, streamed=streamed, cancelled=cancel, tools=tools, error=error)
