"""The ollama package of PyPI."""

import ollama
from steps import ASK, SCRIPTED, TINY, cancelled, run

tiny = ollama.Client(host=TINY)
scripted = ollama.Client(host=SCRIPTED)
user = [{"role": "user", "content": ASK}]


def read_file(path: str) -> str:
    """Reads a file.

    Args:
        path: which
    """
    return path


def plain():
    assert "edgecoder-tiny" in [model.model for model in tiny.list().models]
    shown = tiny.show("edgecoder-tiny")
    assert "completion" in shown.capabilities, shown
    assert tiny.ps().models[0].model == "edgecoder-tiny"
    answer = tiny.chat(model="edgecoder-auto", messages=user, options={"num_predict": 64})
    assert "def add" in answer.message.content and answer.eval_count > 0
    answer = tiny.generate(model="edgecoder-tiny:latest", prompt=ASK, options={"num_predict": 64})
    assert "def add" in answer.response
    assert tiny.pull("edgecoder-tiny").status == "success"


def streamed():
    pieces = list(tiny.chat(model="edgecoder-auto", messages=user, stream=True, options={"num_predict": 64}))
    assert "def add" in "".join(piece.message.content for piece in pieces) and len(pieces) > 3
    assert pieces[-1].done and pieces[-1].done_reason == "stop"


def cancel():
    stream = scripted.chat(model="edgecoder-auto", messages=[{"role": "user", "content": "Speak without end."}], stream=True)
    cancelled(stream, stream.close)


def tools():
    answer = scripted.chat(model="scripted", messages=user, tools=[read_file])
    call = answer.message.tool_calls[0].function
    assert (call.name, call.arguments) == ("read_file", {"path": "a.py"}), call
    outcome = {"role": "tool", "tool_name": call.name, "content": "print(1)"}
    answer = scripted.chat(model="scripted", messages=[*user, answer.message, outcome], tools=[read_file])
    assert answer.message.content == "The tool said: print(1)", answer


def error():
    for more, status in (({"model": "nobody"}, 404), ({"think": True}, 400)):
        try:
            tiny.chat(**{"model": "edgecoder-auto", "messages": user, **more})
        except ollama.ResponseError as told:
            assert told.status_code == status and told.error, told
        else:
            raise AssertionError("no error")


run(plain=plain, streamed=streamed, cancelled=cancel, tools=tools, error=error)
