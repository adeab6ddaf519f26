// The openai package of npm.
import assert from "node:assert";
import OpenAI from "openai";

const at = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0 });
const { EDGECODER_TINY_URL, EDGECODER_SCRIPTED_URL } = process.env;
const tiny = at(EDGECODER_TINY_URL);
const scripted = at(EDGECODER_SCRIPTED_URL);
const ASK = "Write a function add(a, b) that returns the sum of a and b.";
const messages = [{ role: "user", content: ASK }];
const model = "edgecoder-auto";
const parameters = { type: "object", properties: { path: { type: "string" } }, required: ["path"] };
const tools = [{ type: "function", function: { name: "read_file", description: "reads", parameters } }];

const running = async () => {
  const answer = await fetch(`${EDGECODER_SCRIPTED_URL}/v1/router/status`);
  return (await answer.json()).activeConcurrent;
};

const steps = {
  async plain() {
    const answer = await tiny.chat.completions.create({ model, messages, max_tokens: 64 });
    assert.match(answer.choices[0].message.content, /def add/);
    const response = await tiny.responses.create({ model, input: ASK, max_output_tokens: 64 });
    assert.match(response.output_text, /def add/);
  },
  async streamed() {
    let text = "";
    for await (const chunk of await tiny.chat.completions.create({ model, messages, max_tokens: 64, stream: true })) {
      text += chunk.choices[0]?.delta?.content ?? "";
    }
    assert.match(text, /def add/);
    const stream = tiny.responses.stream({ model, input: ASK, max_output_tokens: 64 });
    assert.match((await stream.finalResponse()).output_text, /def add/);
  },
  async cancelled() {
    const hang = [{ role: "user", content: "Speak without end." }];
    const stream = await scripted.chat.completions.create({ model, messages: hang, stream: true });
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta?.content) break;
    }
    stream.controller.abort();
    const until = Date.now() + 2000;
    while (await running()) assert.ok(Date.now() < until, "the slot is not free after 2 s");
  },
  async tools() {
    const stream = scripted.chat.completions.stream({ model, messages, tools });
    const { message } = (await stream.finalChatCompletion()).choices[0];
    const [call] = message.tool_calls;
    assert.deepEqual([call.function.name, call.function.arguments], ["read_file", '{"path":"a.py"}']);
    const outcome = { role: "tool", tool_call_id: call.id, content: "print(1)" };
    const next = { model, messages: [...messages, message, outcome], tools };
    const answer = await scripted.chat.completions.create(next);
    assert.equal(answer.choices[0].message.content, "The tool said: print(1)");
  },
  async error() {
    await assert.rejects(tiny.chat.completions.create({ model: "gpt-9", messages }), OpenAI.NotFoundError);
    await assert.rejects(tiny.chat.completions.create({ model, messages, logit_bias: { 1: 1 } }), OpenAI.BadRequestError);
  },
};

const outcome = {};
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    outcome[name] = "ok";
  } catch (error) {
    console.error(error);
    outcome[name] = String(error).slice(0, 200);
  }
}
console.log(JSON.stringify(outcome));
process.exit(Object.values(outcome).every((said) => said === "ok") ? 0 : 1);
