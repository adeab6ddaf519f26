"""The litellm package of PyPI, in three of the dialects it speaks."""

import litellm
from steps import ASK, SCRIPTED, TINY, cancelled, run

litellm.telemetry = False
user = [{"role": "user", "content": ASK}]
PARAMETERS = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS = [{"type": "function", "function": {"name": "read_file", "description": "reads", "parameters": PARAMETERS}}]
DIALECTS = (("openai", "/v1"), ("anthropic", ""), ("ollama_chat", ""))


def ask(url, dialect, path, **more):
    more = {"model": f"{dialect}/edgecoder-auto", "messages": user, "max_tokens": 64, **more}
    return litellm.completion(api_base=url + path, api_key="unused", num_retries=0, **more)


def plain():
    for dialect in DIALECTS:
        answer = ask(TINY, *dialect)
        assert "def add" in answer.choices[0].message.content, (dialect, answer)


def streamed():
    for dialect in DIALECTS:
        pieces = [piece.choices[0].delta.content or "" for piece in ask(TINY, *dialect, stream=True)]
        assert "def add" in "".join(pieces) and len(pieces) > 3, (dialect, pieces)


def cancel():
    stream = ask(SCRIPTED, "openai", "/v1", messages=[{"role": "user", "content": "Speak without end."}], stream=True)
    cancelled(stream, stream.completion_stream.close)


def tools():
    for dialect in DIALECTS[:2]:
        message = ask(SCRIPTED, *dialect, tools=TOOLS).choices[0].message
        call = message.tool_calls[0]
        assert call.function.name == "read_file", (dialect, message)
        outcome = {"role": "tool", "tool_call_id": call.id, "content": "print(1)"}
        answer = ask(SCRIPTED, *dialect, messages=[*user, message.model_dump(), outcome], tools=TOOLS)
        assert answer.choices[0].message.content == "The tool said: print(1)", (dialect, answer)


def error():
    for dialect in DIALECTS[:2]:
        try:
            ask(TINY, *dialect, model=f"{dialect[0]}/nobody")
        except litellm.NotFoundError:
            continue
        raise AssertionError(f"{dialect}: no error")


run(plain=plain, streamed=streamed, cancelled=cancel, tools=tools, error=error)
