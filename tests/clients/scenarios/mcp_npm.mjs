// The @modelcontextprotocol/sdk package of npm, over `/mcp` of the IDE door and over `edgecoder mcp`.
import assert from "node:assert";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const { EDGECODER_TINY_URL, EDGECODER_SCRIPTED_URL, EDGECODER_TINY_DATA, EDGECODER_SCRIPTED_DATA } = process.env;
const { EDGECODER_PROGRAM, EDGECODER_EXAMPLES, HOME } = process.env;
const tiny = { url: EDGECODER_TINY_URL, data: EDGECODER_TINY_DATA };
const scripted = { url: EDGECODER_SCRIPTED_URL, data: EDGECODER_SCRIPTED_DATA };
const REQUEST =
  "Add a function count_vowels(s) to textstats/counts.py that returns the number of vowels in s, ignoring case.";
const VERIFY = "python3 -m unittest -q";

const http = ({ url, data }) => {
  const token = readFileSync(join(data, "ide.token"), "utf8").trim();
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  return new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit });
};
const stdio = ({ data }) => {
  const env = { PATH: "/usr/bin:/bin", HOME, EDGECODER_DATA_DIR: data };
  return new StdioClientTransport({ command: EDGECODER_PROGRAM, args: ["mcp"], env });
};

const connected = async (way, node, use) => {
  const client = new Client({ name: "test-clients", version: "1" });
  await client.connect(way(node));
  try {
    return await use(client);
  } finally {
    await client.close();
  }
};
const call = async (client, name, args, options) => {
  const result = await client.callTool({ name, arguments: args }, undefined, options);
  assert.ok(!result.isError, result.content[0].text);
  return result.structuredContent;
};
const folder = async (use) => {
  const place = mkdtempSync(join(tmpdir(), "edgecoder-mcp-"));
  try {
    return await use(place);
  } finally {
    rmSync(place, { recursive: true });
  }
};
// A task whose model never ends, once it is being worked on.
const hanging = async (client, place) => {
  writeFileSync(join(place, "a.py"), "print(1)\n");
  const { id } = await call(client, "submit", { request: "Speak without end.", repo: place, verify: "true" });
  const until = Date.now() + 30_000;
  while (!(await call(client, "status", { id })).attempts_running) {
    assert.ok(Date.now() < until, "nobody works on the task");
    await sleep(100);
  }
  return id;
};

const steps = {
  async plain(way) {
    await folder(async (place) => {
      cpSync(join(EDGECODER_EXAMPLES, "textstats"), place, { recursive: true });
      await connected(way, tiny, async (client) => {
        let outcome = await call(client, "submit", { request: REQUEST, repo: place, verify: VERIFY, samples: 4 });
        const { id } = outcome;
        while (!outcome.settled) outcome = await call(client, "result", { id, wait_s: 20 });
        outcome = await call(client, "result", { id });
        assert.equal(outcome.state, "review");
        assert.match(outcome.diff, /count_vowels/);
        const accept_notes = outcome.review_notes.length > 0;
        const applied = await call(client, "apply", { id, repo: place, accept_notes });
        assert.deepEqual(applied.already, false);
        const { contents } = await client.readResource({ uri: `edgecoder://tasks/${id}/diff` });
        assert.equal(contents[0].text, outcome.diff);
      });
      assert.match(readFileSync(join(place, "textstats", "counts.py"), "utf8"), /count_vowels/);
    });
  },
  async streamed(way) {
    await folder(async (place) =>
      connected(way, scripted, async (client) => {
        const id = await hanging(client, place);
        const heard = [];
        const onprogress = ({ message }) => heard.push(message);
        const outcome = await call(client, "result", { id, wait_s: 2 }, { onprogress });
        assert.equal(outcome.settled, false);
        assert.match(heard[0], /running/);
        await call(client, "cancel", { id });
      }),
    );
  },
  async cancelled(way) {
    await folder(async (place) =>
      connected(way, scripted, async (client) => {
        const id = await hanging(client, place);
        const stop = new AbortController();
        const waiting = call(client, "result", { id, wait_s: 60 }, { signal: stop.signal });
        await sleep(300);
        stop.abort();
        await assert.rejects(waiting);
        assert.equal((await call(client, "status", { id })).state, "running");
        assert.equal((await call(client, "cancel", { id })).state, "cancelled");
      }),
    );
  },
  async tools(way) {
    await connected(way, tiny, async (client) => {
      const { tools } = await client.listTools();
      assert.deepEqual(tools.map(({ name }) => name), ["submit", "status", "result", "cancel", "apply"]);
      assert.equal(tools[1].annotations.readOnlyHint, true);
      assert.equal(tools[4].annotations.destructiveHint, true);
      assert.equal((await client.listResourceTemplates()).resourceTemplates.length, 2);
    });
  },
  async error(way) {
    await connected(way, tiny, async (client) => {
      await assert.rejects(call(client, "status", { id: "task_none" }), /not_found/);
      await assert.rejects(call(client, "submit", { request: "x", repo: "/nowhere/at/all" }), /no directory/);
      await assert.rejects(call(client, "run_shell", {}));
    });
  },
  async resumed(way) {
    await folder(async (place) => {
      const id = await connected(way, scripted, (client) => hanging(client, place));
      await connected(way, scripted, async (client) => {
        assert.equal((await call(client, "status", { id })).state, "running");
        await call(client, "cancel", { id });
      });
    });
  },
};

const outcome = {};
for (const [name, step] of Object.entries(steps)) {
  try {
    for (const way of [http, stdio]) await step(way);
    outcome[name] = "ok";
  } catch (error) {
    console.error(error);
    outcome[name] = String(error).slice(0, 200);
  }
}
console.log(JSON.stringify(outcome));
process.exit(Object.values(outcome).every((said) => said === "ok") ? 0 : 1);
