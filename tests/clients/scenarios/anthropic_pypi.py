"""The anthropic package of PyPI."""

import anthropic
from steps import ASK, SCRIPTED, TINY, cancelled, run

tiny = anthropic.Anthropic(base_url=TINY, api_key="unused", max_retries=0)
scripted = anthropic.Anthropic(base_url=SCRIPTED, api_key="unused", max_retries=0)
user = [{"role": "user", "content": ASK}]
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS = [{"name": "read_file", "description": "reads", "input_schema": SCHEMA}]


def plain():
    answer = tiny.messages.create(model="edgecoder-auto", max_tokens=64, system="Be brief.", messages=user)
    assert "def add" in answer.content[0].text and answer.stop_reason == "end_turn", answer
    counted = tiny.messages.count_tokens(model="edgecoder-auto", system="Be brief.", messages=user)
    assert counted.input_tokens == answer.usage.input_tokens, (counted, answer.usage)


def streamed():
    with tiny.messages.stream(model="edgecoder-auto", max_tokens=64, messages=user) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "def add" in "".join(pieces) and len(pieces) > 3
    assert final.usage.input_tokens > 0 and final.usage.output_tokens > 0


def cancel():
    stream = scripted.messages.create(
        model="edgecoder-auto", max_tokens=64, messages=[{"role": "user", "content": "Speak without end."}], stream=True
    )
    cancelled(stream, stream.close)


def tools():
    with scripted.messages.stream(model="edgecoder-auto", max_tokens=64, messages=user, tools=TOOLS) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "tool_use", message
    call = message.content[-1]
    assert (call.name, call.input) == ("read_file", {"path": "a.py"}), call
    outcome = {"type": "tool_result", "tool_use_id": call.id, "content": "print(1)"}
    messages = [*user, {"role": "assistant", "content": message.content}, {"role": "user", "content": [outcome]}]
    answer = scripted.messages.create(model="scripted", max_tokens=64, messages=messages, tools=TOOLS)
    assert answer.content[0].text == "The tool said: print(1)", answer


def error():
    for more, kind in (
        ({"model": "claude-9"}, anthropic.NotFoundError),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, anthropic.BadRequestError),
    ):
        try:
            tiny.messages.create(**{"model": "edgecoder-auto", "max_tokens": 9, "messages": user, **more})
        except kind as told:
            assert told.body["error"]["message"], told
        else:
            raise AssertionError(f"no {kind.__name__}")


run(plain=plain, streamed=streamed, cancelled=cancel, tools=tools, error=error)
