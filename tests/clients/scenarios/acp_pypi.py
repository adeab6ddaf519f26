"""The agent-client-protocol package of PyPI, speaking with `edgecoder acp`."""

import asyncio
import os
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path

import acp
from acp.schema import AllowedOutcome, RequestPermissionResponse
from steps import ASK, SCRIPTED, free_within, run

PROGRAM = os.environ["EDGECODER_PROGRAM"]
HOMES = {"tiny": os.environ["EDGECODER_TINY_DATA"], "scripted": os.environ["EDGECODER_SCRIPTED_DATA"]}


class Editor(acp.Client):
    """What a person sees, and says when asked."""

    def __init__(self):
        self.updates, self.asked, self.allows = [], [], True
        self.spoke = asyncio.Event()

    async def session_update(self, session_id, update, **_):
        self.updates.append(update)
        if update.session_update == "agent_message_chunk":
            self.spoke.set()

    async def request_permission(self, session_id, tool_call, options, **_):
        self.asked.append(tool_call)
        kind = "allow_once" if self.allows else "reject_once"
        option = next(option for option in options if option.kind == kind)
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=option.option_id))

    def said(self):
        chunks = [u for u in self.updates if u.session_update == "agent_message_chunk"]
        return "".join(chunk.content.text for chunk in chunks)

    def kinds(self):
        return [update.session_update for update in self.updates]


@asynccontextmanager
async def agent(home):
    editor = Editor()
    env = {"PATH": "/usr/bin:/bin", "HOME": home, "EDGECODER_DATA_DIR": home}
    async with acp.spawn_agent_process(editor, PROGRAM, "acp", env=env, cwd="/") as (connection, _):
        await connection.initialize(protocol_version=1)
        yield connection, editor


@asynccontextmanager
async def project():
    with tempfile.TemporaryDirectory() as place:
        Path(place, "a.py").write_text("print(1)\n")
        yield place


async def ask(connection, session, words):
    return (await connection.prompt(session_id=session, prompt=[acp.text_block(words)])).stop_reason


async def plain():
    async with agent(HOMES["tiny"]) as (connection, editor), project() as place:
        session = (await connection.new_session(cwd=place, mcp_servers=[])).session_id
        assert await ask(connection, session, ASK) in ("end_turn", "max_tokens")
        assert editor.said(), editor.kinds()


async def streamed():
    async with agent(HOMES["scripted"]) as (connection, editor), project() as place:
        session = (await connection.new_session(cwd=place, mcp_servers=[])).session_id
        assert await ask(connection, session, "look") == "end_turn"
        assert editor.kinds().count("agent_message_chunk") > 1, editor.kinds()


async def cancelled():
    async with agent(HOMES["scripted"]) as (connection, editor), project() as place:
        session = (await connection.new_session(cwd=place, mcp_servers=[])).session_id
        asked = asyncio.create_task(ask(connection, session, "Speak without end."))
        await asyncio.wait_for(editor.spoke.wait(), 20)
        since = time.monotonic()
        await connection.cancel(session_id=session)
        assert await asyncio.wait_for(asked, 5) == "cancelled"
        assert time.monotonic() - since < 1, "cancelling took longer than a second"
        await asyncio.to_thread(free_within, SCRIPTED)


async def tools():
    async with project() as place:
        async with agent(HOMES["scripted"]) as (connection, editor):
            session = (await connection.new_session(cwd=place, mcp_servers=[])).session_id
            assert await ask(connection, session, "look") == "end_turn"
            assert "The tool said: print(1)" in editor.said(), editor.said()
            assert not editor.asked, "reading needs nobody"
            editor.allows = False
            await ask(connection, session, "Change a.py.")
            assert Path(place, "a.py").read_text() == "print(1)\n"
            editor.allows = True
            await ask(connection, session, "Change a.py.")
            assert Path(place, "a.py").read_text() == "print(2)\n"
            diff = editor.asked[-1].content[0]
            assert (diff.type, diff.old_text, diff.new_text) == ("diff", "print(1)\n", "print(2)\n"), diff
            seen = editor.kinds()
        # The editor was restarted: everything is shown again, and the session goes on.
        async with agent(HOMES["scripted"]) as (connection, editor):
            listed = (await connection.list_sessions(cwd=place)).sessions
            assert [one.session_id for one in listed] == [session], listed
            await connection.load_session(cwd=place, session_id=session, mcp_servers=[])
            for kind in ("tool_call", "agent_message_chunk", "user_message_chunk"):
                assert kind in editor.kinds(), editor.kinds()
            assert editor.kinds().count("tool_call") == seen.count("tool_call")
            assert editor.kinds().count("user_message_chunk") == 3
            await connection.set_session_mode(session_id=session, mode_id="edit")
            Path(place, "a.py").write_text("print(1)\n")
            await ask(connection, session, "Change a.py.")
            assert not editor.asked and Path(place, "a.py").read_text() == "print(2)\n"


async def refused(call, words):
    try:
        await call
    except acp.RequestError as error:
        assert words in str(error), error
    else:
        raise AssertionError(f"not refused: {words}")


async def error():
    async with agent(HOMES["scripted"]) as (connection, _), project() as place:
        await refused(connection.new_session(cwd="/nonexistent", mcp_servers=[]), "projectRoot")
        await refused(connection.load_session(cwd=place, session_id="sess_x", mcp_servers=[]), "no session")
        session = (await connection.new_session(cwd=place, mcp_servers=[])).session_id
        image = acp.image_block("AA==", "image/png")
        await refused(connection.prompt(session_id=session, prompt=[image]), "only texts")
    with tempfile.TemporaryDirectory() as nobody:
        async with agent(nobody) as (connection, _):
            await refused(connection.new_session(cwd=nobody, mcp_servers=[]), "edgecoder up")


def step(work):
    return lambda: asyncio.run(asyncio.wait_for(work(), 60))


run(plain=step(plain), streamed=step(streamed), cancelled=step(cancelled), tools=step(tools), error=step(error))
