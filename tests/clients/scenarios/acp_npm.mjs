// The @agentclientprotocol/sdk package of npm, speaking with `edgecoder acp`.
import assert from "node:assert";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import * as acp from "@agentclientprotocol/sdk";

const { EDGECODER_PROGRAM, EDGECODER_TINY_DATA, EDGECODER_SCRIPTED_DATA, EDGECODER_SCRIPTED_URL } = process.env;
const ASK = "Write a function add(a, b) that returns the sum of a and b.";

const running = async () => {
  const answer = await fetch(`${EDGECODER_SCRIPTED_URL}/v1/router/status`);
  return (await answer.json()).activeConcurrent;
};

async function project() {
  const place = await mkdtemp(join(tmpdir(), "edgecoder-acp-"));
  await writeFile(join(place, "a.py"), "print(1)\n");
  return place;
}

// Runs `work` with a connection to an agent of its own.
async function withAgent(home, work) {
  const editor = { updates: [], asked: [], allows: true };
  editor.kinds = () => editor.updates.map((update) => update.sessionUpdate);
  editor.said = () =>
    editor.updates
      .filter((update) => update.sessionUpdate === "agent_message_chunk")
      .map((update) => update.content.text)
      .join("");
  const env = { PATH: "/usr/bin:/bin", HOME: home, EDGECODER_DATA_DIR: home };
  const child = spawn(EDGECODER_PROGRAM, ["acp"], { env, cwd: "/", stdio: ["pipe", "pipe", "inherit"] });
  const stream = acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout));
  try {
    await acp
      .client({ name: "scenario" })
      .onNotification(acp.methods.client.session.update, ({ params }) => {
        editor.updates.push(params.update);
      })
      .onRequest(acp.methods.client.session.requestPermission, ({ params }) => {
        editor.asked.push(params.toolCall);
        const kind = editor.allows ? "allow_once" : "reject_once";
        const { optionId } = params.options.find((option) => option.kind === kind);
        return { outcome: { outcome: "selected", optionId } };
      })
      .connectWith(stream, async (agent) => {
        const about = { protocolVersion: acp.PROTOCOL_VERSION, clientCapabilities: {} };
        const { agentCapabilities } = await agent.request(acp.methods.agent.initialize, about);
        assert.ok(agentCapabilities.loadSession);
        await work(agent, editor);
      });
  } finally {
    child.kill();
  }
}

const open = async (agent, cwd) =>
  (await agent.request(acp.methods.agent.session.new, { cwd, mcpServers: [] })).sessionId;
const ask = async (agent, sessionId, text) => {
  const prompt = [{ type: "text", text }];
  return (await agent.request(acp.methods.agent.session.prompt, { sessionId, prompt })).stopReason;
};

const steps = {
  async plain() {
    const cwd = await project();
    await withAgent(EDGECODER_TINY_DATA, async (agent, editor) => {
      assert.match(await ask(agent, await open(agent, cwd), ASK), /end_turn|max_tokens/);
      assert.ok(editor.said());
    });
  },
  async streamed() {
    const cwd = await project();
    await withAgent(EDGECODER_SCRIPTED_DATA, async (agent, editor) => {
      assert.equal(await ask(agent, await open(agent, cwd), "look"), "end_turn");
      assert.ok(editor.kinds().filter((kind) => kind === "agent_message_chunk").length > 1);
    });
  },
  async cancelled() {
    const cwd = await project();
    await withAgent(EDGECODER_SCRIPTED_DATA, async (agent, editor) => {
      const sessionId = await open(agent, cwd);
      const asked = ask(agent, sessionId, "Speak without end.");
      while (!editor.said()) await new Promise((done) => setTimeout(done, 20));
      const since = Date.now();
      await agent.notify(acp.methods.agent.session.cancel, { sessionId });
      assert.equal(await asked, "cancelled");
      assert.ok(Date.now() - since < 1000, "cancelling took longer than a second");
      const until = Date.now() + 2000;
      while (await running()) assert.ok(Date.now() < until, "the slot is not free after 2 s");
    });
  },
  async tools() {
    const cwd = await project();
    let sessionId;
    await withAgent(EDGECODER_SCRIPTED_DATA, async (agent, editor) => {
      sessionId = await open(agent, cwd);
      assert.equal(await ask(agent, sessionId, "look"), "end_turn");
      assert.match(editor.said(), /The tool said: print\(1\)/);
      editor.allows = false;
      await ask(agent, sessionId, "Change a.py.");
      assert.equal(await readFile(join(cwd, "a.py"), "utf8"), "print(1)\n");
      editor.allows = true;
      await ask(agent, sessionId, "Change a.py.");
      assert.equal(await readFile(join(cwd, "a.py"), "utf8"), "print(2)\n");
      assert.equal(editor.asked.length, 2);
    });
    // The editor was restarted: everything is shown again.
    await withAgent(EDGECODER_SCRIPTED_DATA, async (agent, editor) => {
      await agent.request(acp.methods.agent.session.load, { sessionId, cwd, mcpServers: [] });
      assert.equal(editor.kinds().filter((kind) => kind === "user_message_chunk").length, 3);
      assert.equal(editor.kinds().filter((kind) => kind === "tool_call").length, 3);
    });
  },
  async error() {
    const cwd = await project();
    await withAgent(EDGECODER_SCRIPTED_DATA, async (agent) => {
      await assert.rejects(open(agent, "/nonexistent"), /projectRoot/);
      const unknown = { sessionId: "sess_x", cwd, mcpServers: [] };
      await assert.rejects(agent.request(acp.methods.agent.session.load, unknown), /no session/);
    });
  },
};

const outcome = {};
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    outcome[name] = "ok";
  } catch (error) {
    console.error(error);
    outcome[name] = String(error).split("\n")[0].slice(0, 200);
  }
}
console.log(JSON.stringify(outcome));
process.exit(Object.values(outcome).every((said) => said === "ok") ? 0 : 1);
