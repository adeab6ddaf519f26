"""curl, as a person types it."""

import json
import subprocess
import time

from steps import ASK, SCRIPTED, TINY, free_within, run, running

CHAT = {"model": "edgecoder-auto", "messages": [{"role": "user", "content": ASK}], "max_tokens": 64}


def curl(url, body, *more):
    command = ["curl", "-sS", *more, url]
    if body is not None:
        command += ["-d", json.dumps(body)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


JSON = ("-H", "content-type: application/json")


def plain():
    assert "def add" in curl(f"{TINY}/v1/chat/completions", CHAT, *JSON)
    # Ollama's own examples declare nothing, so curl declares a form.
    assert "def add" in curl(f"{TINY}/api/generate", {"model": "edgecoder-auto", "prompt": ASK, "stream": False})
    assert '"edgecoder-auto"' in curl(f"{TINY}/v1/models", None)


def streamed():
    lines = curl(f"{TINY}/v1/chat/completions", {**CHAT, "stream": True}, "-N", *JSON).strip().split("\n\n")
    assert len(lines) > 3 and lines[-1] == "data: [DONE]", lines[-1]


def cancel():
    body = json.dumps({**CHAT, "messages": [{"role": "user", "content": "Speak without end."}], "stream": True})
    url = f"{SCRIPTED}/v1/chat/completions"
    process = subprocess.Popen(["curl", "-sSN", *JSON, url, "-d", body], stdout=subprocess.PIPE)
    assert process.stdout.readline()
    assert running(SCRIPTED) == 1
    process.kill()
    process.wait()
    free_within(SCRIPTED)


def tools():
    parameters = {"type": "object", "properties": {"path": {"type": "string"}}}
    offered = [{"type": "function", "function": {"name": "read_file", "parameters": parameters}}]
    answer = json.loads(curl(f"{SCRIPTED}/v1/chat/completions", {**CHAT, "tools": offered}, *JSON))
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "read_file", answer


def error():
    answer = curl(f"{TINY}/v1/chat/completions", {**CHAT, "model": "gpt-9"}, *JSON, "-w", "%{http_code}")
    assert answer.endswith("404") and "model_not_found" in answer, answer
    answer = curl(f"{TINY}/v1/models", None, "-H", "origin: https://evil.example", "-w", "%{http_code}")
    assert answer.endswith("403"), answer
    answer = curl(f"{TINY}/v1/models", None, "-H", "host: evil.example", "-w", "%{http_code}")
    assert answer.endswith("403"), answer


run(plain=plain, streamed=streamed, cancelled=cancel, tools=tools, error=error)
