"""What the README and the guide tell people to type, typed: every `curl` below a heading about editors."""

import json
import os
import re
import subprocess
from pathlib import Path

from steps import TINY, run

ROOT = Path(os.environ["EDGECODER_EXAMPLES"]).parent
# The one change: the node of this test has a free port.
ADDRESS = "http://127.0.0.1:4304"


def typed(page, heading):
    """The `curl` commands of a page's section, as they stand there."""
    text = (ROOT / page).read_text()
    section = text[text.index(heading) :]
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S))
    return re.findall(r"^curl .*?[^\\]$", blocks, re.M | re.S)


def follow(page, heading):
    commands = [command for command in typed(page, heading) if "/v1/chat/completions" in command]
    assert commands, f"{page} tells nobody what to type"
    for command in commands:
        assert ADDRESS in command, command
        done = subprocess.run(
            ["sh", "-c", command.replace(ADDRESS, TINY)], capture_output=True, text=True, timeout=60, check=True
        )
        answer = json.loads(done.stdout)
        assert "def add" in answer["choices"][0]["message"]["content"], answer


def plain():
    follow("README.md", "## Editors and agents")
    follow("docs/guide/editors.md", "# Editors and agents")


run(plain=plain)
