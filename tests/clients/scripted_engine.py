"""An OpenAI-compatible engine that says what a scenario needs, whatever was asked before.

What the last turn says decides: `HANG` is answered without end, a turn after tools were declared is a call of the
first tool, a turn that ends with the tool's outcome is an answer that quotes it. Everything else is echoed.
"""

import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "scripted"
HANG = "Speak without end."
# A request that clients with an edit format of their own make.
WRITE = "write greeting.py"
# A request of the scenarios of the companion, and how its tools answer.
CHANGE = "Change a.py."
DONE = ("written: ", "Error: ")
# What the scenarios' tools give; a server that has no role for tools is told it as a word of the person.
OUTCOME = "print(1)"
TOOL = re.compile(r'^\{"description":.*"name":"([^"]+)".*\}$', re.M)


def answer(messages):
    """The pieces of the answer; a last piece of None is never followed by an end."""
    frame = " ".join(text(m) for m in messages if m["role"] == "system")
    last = messages[-1]
    if WRITE in text(last):
        return ["greeting.py\n", "```\n", "print('hello')\n", "```\n"]
    if HANG in text(last):
        return ["some ", "words ", None]
    if text(last).startswith(DONE):
        return ["So ", "it ", "is."]
    if text(last) == CHANGE:
        call = json.dumps({"name": "write_file", "arguments": {"path": "a.py", "content": "print(2)\n"}})
        return ["<tool_", "call>\n", call, "\n</tool_call>"]
    if text(last).endswith(OUTCOME):
        return ["The tool ", "said: ", OUTCOME]
    tool = TOOL.search(frame)
    if tool:
        call = json.dumps({"name": tool.group(1), "arguments": {"path": "a.py"}})
        return ["Let me look.\n", "<tool_", "call>\n", call, "\n</tool_call>"]
    return [word + " " for word in ("You said: " + text(last)).split()]


def text(message):
    return message.get("content") or ""


class Engine(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.endswith("/models"):
            self.reply({"object": "list", "data": [{"id": MODEL, "object": "model", "max_model_len": 8192}]})
        else:
            self.reply({"status": "ok"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        pieces = answer(body["messages"]) if "messages" in body else ["completed"]
        if not body.get("stream"):
            whole = "".join(piece or "" for piece in pieces)
            choice = {"index": 0, "message": {"role": "assistant", "content": whole}, "finish_reason": "stop"}
            self.reply({"model": MODEL, "choices": [choice], "usage": usage(len(pieces))})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for piece in pieces:
                if piece is None:
                    while True:  # until the node hangs up
                        time.sleep(0.05)
                        self.event({"content": "."})
                self.event({"content": piece})
            self.event({}, "stop")
            self.chunk(json.dumps({"model": MODEL, "choices": [], "usage": usage(len(pieces))}))
            self.chunk("[DONE]")
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def event(self, delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self.chunk(json.dumps({"model": MODEL, "choices": [choice]}))

    def chunk(self, data):
        data = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def reply(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def usage(pieces):
    return {"prompt_tokens": 9, "completion_tokens": pieces, "total_tokens": 9 + pieces}


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    print(server.server_address[1], flush=True)
    sys.stdout.close()
    server.serve_forever()
