"""The mcp package of PyPI, over `/mcp` of the IDE door and over `edgecoder mcp`, in the old and the new handshake."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from steps import SCRIPTED, TINY, free_within, run

EXAMPLE = Path(os.environ["EDGECODER_EXAMPLES"]) / "textstats"
REQUEST = (
    "Add a function count_vowels(s) to textstats/counts.py that returns the number of vowels in s, ignoring case."
)
VERIFY = "python3 -m unittest -q"
HANG = "Speak without end."
DATA = {TINY: os.environ["EDGECODER_TINY_DATA"], SCRIPTED: os.environ["EDGECODER_SCRIPTED_DATA"]}


@asynccontextmanager
async def http(url, mode):
    token = (Path(DATA[url]) / "ide.token").read_text().strip()
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=120) as carrier:
        async with Client(streamable_http_client(f"{url}/mcp", http_client=carrier), mode=mode) as client:
            yield client


@asynccontextmanager
async def stdio(url, mode):
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"], "EDGECODER_DATA_DIR": DATA[url]}
    server = StdioServerParameters(command=os.environ["EDGECODER_PROGRAM"], args=["mcp"], env=environment)
    async with Client(stdio_client(server), mode=mode) as client:
        yield client


WAYS = [(http, "legacy"), (http, "auto"), (stdio, "legacy"), (stdio, "auto")]


async def every_way(step, url):
    for way, mode in WAYS:
        try:
            async with asyncio.timeout(120):
                await step(way, url, mode)
        except BaseException as error:
            error.add_note(f"over {way.__name__} {mode}")
            raise


def over_all(step, url):
    return lambda: asyncio.run(every_way(step, url))


def said(result):
    assert not result.is_error, result.content[0].text
    return result.structured_content


async def submit(client, repo, **more):
    arguments = {"request": REQUEST, "repo": str(repo), "verify": VERIFY, "samples": 4, **more}
    return said(await client.call_tool("submit", arguments))["id"]


async def settled(client, task):
    while True:
        outcome = said(await client.call_tool("result", {"id": task, "wait_s": 20}))
        if outcome["settled"]:
            return outcome


async def plain(way, url, mode):
    """A task from request to applied patch."""
    with tempfile.TemporaryDirectory() as place:
        repo = Path(place) / "textstats"
        shutil.copytree(EXAMPLE, repo)
        async with way(url, mode) as client:
            outcome = await settled(client, await submit(client, repo))
            assert outcome["state"] == "review" and "count_vowels" in outcome["diff"], outcome
            assert outcome["proven_by_user_command"], outcome
            arguments = {"id": outcome["id"], "repo": str(repo), "accept_notes": bool(outcome["review_notes"])}
            applied = said(await client.call_tool("apply", arguments))
            assert "textstats/counts.py" in applied["paths"], applied
            assert said(await client.call_tool("apply", arguments))["already"]
            diff = await client.read_resource(f"edgecoder://tasks/{outcome['id']}/diff")
            assert diff.contents[0].text == outcome["diff"]
            trace = await client.read_resource(f"edgecoder://tasks/{outcome['id']}/trace")
            assert trace.contents[0].text.startswith("{")
        assert subprocess.run(VERIFY.split(), cwd=repo, capture_output=True, check=False).returncode == 0


async def hanging(client, place):
    """A task whose model never ends, once it is being worked on."""
    (Path(place) / "a.py").write_text("print(1)\n")
    task = await submit(client, place, request=HANG, verify="true", samples=1)
    async with asyncio.timeout(30):
        while not said(await client.call_tool("status", {"id": task}))["attempts_running"]:
            await asyncio.sleep(0.1)
    return task


async def streamed(way, url, mode):
    """The progress is told while the answer is waited for."""
    heard = []

    async def hear(progress, total, message):
        heard.append(message)

    with tempfile.TemporaryDirectory() as place:
        async with way(url, mode) as client:
            task = await hanging(client, place)
            waiting = {"id": task, "wait_s": 2}
            outcome = said(await client.call_tool("result", waiting, progress_callback=hear))
            assert not outcome["settled"] and task in heard[0] and "running" in heard[0], (outcome, heard)
            said(await client.call_tool("cancel", {"id": task}))


async def cancelled(way, url, mode):
    """Whoever stops waiting stops nothing else; `cancel` stops the work and frees the engine."""
    with tempfile.TemporaryDirectory() as place:
        async with way(url, mode) as client:
            task = await hanging(client, place)
            waiting = asyncio.create_task(client.call_tool("result", {"id": task, "wait_s": 60}))
            await asyncio.sleep(0.3)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert said(await client.call_tool("status", {"id": task}))["state"] == "running"
            assert said(await client.call_tool("cancel", {"id": task}))["state"] == "cancelled"
        await asyncio.to_thread(free_within, url)


async def resumed(way, url, mode):
    """A client that was started anew asks for the id it knows."""
    with tempfile.TemporaryDirectory() as place:
        async with way(url, mode) as client:
            task = await hanging(client, place)
        async with way(url, mode) as client:
            assert said(await client.call_tool("status", {"id": task}))["state"] == "running"
            said(await client.call_tool("cancel", {"id": task}))


async def tools(way, url, mode):
    async with way(url, mode) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(listed) == ["submit", "status", "result", "cancel", "apply"], list(listed)
        assert listed["status"].annotations.read_only_hint and listed["apply"].annotations.destructive_hint
        assert "request" in listed["submit"].input_schema["required"]
        templates = (await client.list_resource_templates()).resource_templates
        assert [one.uri_template.rsplit("/", 1)[1] for one in templates] == ["diff", "trace"]


async def error(way, url, mode):
    async with way(url, mode) as client:
        for tool, arguments, words in [
            ("status", {"id": "task_none"}, "not_found"),
            ("submit", {"request": "x", "repo": "/nowhere/at/all"}, "no directory"),
            ("submit", {"repo": "/"}, "request"),
        ]:
            result = await client.call_tool(tool, arguments)
            assert result.is_error and words in result.content[0].text, (tool, result)
        try:
            await client.call_tool("run_shell", {})
        except MCPError:
            return
        raise AssertionError("an unknown tool was called")


run(
    plain=over_all(plain, TINY),
    streamed=over_all(streamed, SCRIPTED),
    cancelled=over_all(cancelled, SCRIPTED),
    tools=over_all(tools, TINY),
    error=over_all(error, TINY),
    resumed=over_all(resumed, SCRIPTED),
)
