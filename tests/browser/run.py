#!/usr/bin/env python3
"""A page of another origin, in a real Chromium, can neither read nor trigger anything on the IDE door.

Two pages try: one of another port, and one whose name was rebound to this machine, so that the browser takes the door for
its own origin. What they triggered is asked of an engine that counts what reached it.
"""

import argparse
import functools
import http.client
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))
sys.dont_write_bytecode = True

from run import Node  # noqa: E402: the runner of the clients starts nodes
import scripted_engine  # noqa: E402

REBOUND = "rebound.example"


class CountingEngine(scripted_engine.Engine):
    asked = []

    def do_POST(self):
        self.asked.append(self.path)
        super().do_POST()


class Pages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Rebound(Pages):
    """What a rebound name looks like to a browser: the page came from it, and everything asked after that is the door."""

    door = ""

    def do_GET(self):
        if self.path.startswith("/foreign_page.html"):
            super().do_GET()
        else:
            self.forward()

    def do_POST(self):
        self.forward()

    do_OPTIONS = do_POST

    def forward(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        door = http.client.HTTPConnection(self.door.removeprefix("http://"), timeout=30)
        door.request(self.command, self.path, body, dict(self.headers))
        answer = door.getresponse()
        told = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)


def served(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def visit(chromium, place, page, door):
    """What the page wrote down."""
    command = [
        chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={place / 'profile'}",
        f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1", "--virtual-time-budget=20000", "--timeout=60000", "--dump-dom",
        f"{page}#{door}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r'<pre id="said">(.*?)</pre>', done.stdout, re.S)
    if not found or not found[1].startswith("{"):
        raise SystemExit(f"the page did not finish: {done.stdout[-500:]} {done.stderr[-1500:]}")
    return json.loads(found[1].replace("&quot;", '"'))


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--program", default="target/debug/edgecoder")
    options = options.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    if chromium is None:
        print("browser: skipped: no Chromium is installed")
        return 0
    engine = http.server.ThreadingHTTPServer(("127.0.0.1", 0), CountingEngine)
    url = f"http://127.0.0.1:{served(engine)}/v1"
    pages = functools.partial(Pages, directory=HERE)
    port = served(http.server.ThreadingHTTPServer(("127.0.0.1", 0), pages))
    with tempfile.TemporaryDirectory(prefix="edgecoder-browser-", ignore_cleanup_errors=True) as place:
        place = Path(place)
        settings = f'engine = "openai"\nbase_url = "{url}"\nmodel = "scripted"\n'
        node = Node(Path(options.program).resolve(), place / "node", settings)
        try:
            return check(chromium, place, node, port)
        finally:
            node.stop()


def check(chromium, place, node, port):
    # The node itself may ask its engine at the start; what a page triggers comes on top.
    body = json.dumps({"model": "edgecoder-auto", "prompt": "x", "stream": False}).encode()
    urllib.request.urlopen(f"{node.url}/api/generate", body, timeout=30).read()
    assert CountingEngine.asked, "the door does not reach the engine: nothing would be proven"
    CountingEngine.asked.clear()
    Rebound.door = node.url
    proxy = functools.partial(Rebound, directory=HERE)
    rebound = f"http://{REBOUND}:{served(http.server.ThreadingHTTPServer(('127.0.0.1', 0), proxy))}"
    failed = False
    for name, page, door in (
        ("another origin", f"http://127.0.0.1:{port}/foreign_page.html", node.url),
        ("a rebound name", f"{rebound}/foreign_page.html", rebound),
    ):
        said = visit(chromium, place, page, door)
        got = {what: how for what, how in said.items() if how.startswith("read 2") or how in ("open", "loaded")}
        triggered = list(CountingEngine.asked)
        print(f"{name:16} read: {got or 'nothing'} · triggered: {triggered or 'nothing'} · {said}", flush=True)
        failed |= bool(got or triggered)
        CountingEngine.asked.clear()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
