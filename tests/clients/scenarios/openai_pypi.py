"""The openai package of PyPI: chats, completions, responses, models."""

import openai
from steps import ASK, SCRIPTED, TINY, cancelled, run

tiny = openai.OpenAI(base_url=f"{TINY}/v1", api_key="unused", max_retries=0)
scripted = openai.OpenAI(base_url=f"{SCRIPTED}/v1", api_key="unused", max_retries=0)
user = [{"role": "user", "content": ASK}]
PARAMETERS = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS = [{"type": "function", "function": {"name": "read_file", "description": "reads", "parameters": PARAMETERS}}]


def plain():
    assert "edgecoder-auto" in [model.id for model in tiny.models.list()]
    answer = tiny.chat.completions.create(model="edgecoder-auto", messages=user, max_tokens=64)
    assert "def add" in answer.choices[0].message.content
    assert answer.usage.completion_tokens > 0
    answer = tiny.responses.create(model="edgecoder-local", input=ASK, max_output_tokens=64)
    assert "def add" in answer.output_text
    follow = tiny.responses.create(model="edgecoder-local", input="Again.", previous_response_id=answer.id)
    assert follow.usage.input_tokens > answer.usage.input_tokens
    text = tiny.completions.create(model="edgecoder-auto", prompt="def add(a, b):\n", max_tokens=8)
    assert text.choices[0].text
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    held = tiny.chat.completions.create(model="edgecoder-auto", messages=user, response_format=form, max_tokens=32)
    assert held.choices[0].message.content.lstrip().startswith("{")
    likely = tiny.chat.completions.create(model="edgecoder-auto", messages=user, logprobs=True, top_logprobs=2, max_tokens=4)
    assert len(likely.choices[0].logprobs.content[0].top_logprobs) == 2


def streamed():
    chunks = list(
        tiny.chat.completions.create(
            model="edgecoder-auto", messages=user, max_tokens=64, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "def add" in text and len(chunks) > 3
    assert chunks[-1].usage.completion_tokens > 0
    with tiny.responses.stream(model="edgecoder-auto", input=ASK, max_output_tokens=64) as stream:
        kinds = [event.type for event in stream]
        assert "def add" in stream.get_final_response().output_text
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds


def cancel():
    hang = [{"role": "user", "content": "Speak without end."}]
    stream = scripted.chat.completions.create(model="edgecoder-auto", messages=hang, stream=True)
    cancelled(stream, stream.close)


def tools():
    messages = list(user)
    for stream in (False, True):
        if stream:
            with scripted.chat.completions.stream(model="edgecoder-auto", messages=messages, tools=TOOLS) as events:
                for _ in events:
                    pass
                message = events.get_final_completion().choices[0].message
        else:
            message = scripted.chat.completions.create(model="scripted", messages=messages, tools=TOOLS).choices[0].message
        call = message.tool_calls[0]
        assert (call.function.name, call.function.arguments) == ("read_file", '{"path":"a.py"}'), call
    outcome = {"role": "tool", "tool_call_id": call.id, "content": "print(1)"}
    answer = scripted.chat.completions.create(
        model="scripted", messages=[*messages, message.model_dump(exclude_none=True), outcome], tools=TOOLS
    )
    assert answer.choices[0].message.content == "The tool said: print(1)", answer
    # A choice, because a model this small does not find the end of a text that it must begin.
    side = {"type": "object", "properties": {"side": {"enum": ["left", "right"]}}, "required": ["side"]}
    turn = [{"type": "function", "function": {"name": "turn", "parameters": side}}]
    required = tiny.chat.completions.create(model="edgecoder-auto", messages=user, tools=turn, tool_choice="required")
    assert required.choices[0].message.tool_calls[0].function.name == "turn", required
    flat = [{"type": "function", **TOOLS[0]["function"]}]
    answer = scripted.responses.create(model="scripted", input=ASK, tools=flat)
    assert [item.type for item in answer.output] == ["message", "function_call"], answer.output


def error():
    for ask, kind in (
        (lambda: tiny.chat.completions.create(model="gpt-9", messages=user), openai.NotFoundError),
        (lambda: tiny.chat.completions.create(model="edgecoder-auto", messages=user, logit_bias={"1": 1}), openai.BadRequestError),
        (lambda: tiny.responses.create(model="edgecoder-auto", input="x", background=True), openai.BadRequestError),
    ):
        try:
            ask()
        except kind as told:
            assert told.code and told.message
        else:
            raise AssertionError(f"no {kind.__name__}")


run(plain=plain, streamed=streamed, cancelled=cancel, tools=tools, error=error)
