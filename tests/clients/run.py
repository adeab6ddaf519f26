#!/usr/bin/env python3
"""Starts two nodes and lets every installed client go through its scenario. See README.md."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
STEPS = ("plain", "streamed", "cancelled", "tools", "error", "resumed")
# Name, how it is started (given the folder of the installed clients), and what must be there for it.
CLIENTS = {
    "README": (lambda at: [sys.executable, "readme.py"], lambda at: shutil.which("curl")),
    "curl": (lambda at: [sys.executable, "curl_cli.py"], lambda at: shutil.which("curl")),
    "openai (PyPI)": (lambda at: [python(at), "openai_pypi.py"], lambda at: package(at, "openai")),
    "openai (npm)": (lambda at: ["node", at / "node" / "openai_npm.mjs"], lambda at: (at / "node/node_modules/openai").is_dir()),
    "mcp (PyPI)": (lambda at: [python(at, "mcp"), "mcp_pypi.py"], lambda at: package(at, "mcp", "mcp")),
    "mcp (npm)": (
        lambda at: ["node", at / "node" / "mcp_npm.mjs"],
        lambda at: (at / "node/node_modules/@modelcontextprotocol/sdk").is_dir(),
    ),
    "anthropic (PyPI)": (lambda at: [python(at), "anthropic_pypi.py"], lambda at: package(at, "anthropic")),
    "ollama (PyPI)": (lambda at: [python(at), "ollama_pypi.py"], lambda at: package(at, "ollama")),
    "litellm (PyPI)": (lambda at: [python(at, "litellm"), "litellm_pypi.py"], lambda at: package(at, "litellm", "litellm")),
    "aider (PyPI)": (lambda at: [python(at, "aider"), "aider_pypi.py"], lambda at: package(at, "aider", "aider")),
    "mini-swe-agent (PyPI)": (
        lambda at: [python(at, "mini"), "mini_swe_agent_pypi.py"],
        lambda at: package(at, "minisweagent", "mini"),
    ),
    "acp (crate)": (lambda at: [at / "acp-rust/debug/acp-scenario"], lambda at: (at / "acp-rust/debug/acp-scenario").is_file()),
    "acp (PyPI)": (lambda at: [python(at, "acp"), "acp_pypi.py"], lambda at: package(at, "acp", "acp")),
    "acp (npm)": (
        lambda at: ["node", at / "node" / "acp_npm.mjs"],
        lambda at: (at / "node/node_modules/@agentclientprotocol/sdk").is_dir(),
    ),
}


def python(at, venv="venv"):
    return at / venv / "bin" / "python"


def package(at, name, venv="venv"):
    return any((at / venv / "lib").glob(f"python3*/site-packages/{name}"))


class Node:
    """A node with the roles that editors and agents need, in a folder of its own."""

    def __init__(self, program, folder, settings):
        folder.mkdir()
        (folder / "edgecoder.toml").write_text(
            f'[node]\nroles = ["coordinator", "inference", "ide", "worker"]\n[coordinator]\nport = 0\n'
            f"[ide]\nport = 0\n[inference]\nport = 0\n{settings}"
        )
        self.data = folder / "data"
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "EDGECODER_DATA_DIR": str(self.data)}
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [program, "up"], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        for line in self.process.stdout:
            name, _, url = line.strip().partition(" ")
            if name == "ide":
                self.url = url.strip()
            if name == "inference":
                return
        raise SystemExit(f"the node did not start: see {folder / 'log'}")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--program", default="target/debug/edgecoder", help="the node's program")
    options.add_argument("--clients", default="target/clients", help="where the clients are installed")
    options.add_argument("--only", default="", help="clients whose name contains this")
    options.add_argument("--strict", action="store_true", help="a client that is not installed is a failure")
    options = options.parse_args()
    program, clients = Path(options.program).resolve(), Path(options.clients).resolve()
    failed = False
    with tempfile.TemporaryDirectory(prefix="edgecoder-clients-") as place:
        place = Path(place)
        engine = subprocess.Popen([sys.executable, HERE / "scripted_engine.py"], stdout=subprocess.PIPE, text=True)
        port = int(engine.stdout.readline())
        scripted = f'engine = "openai"\nbase_url = "http://127.0.0.1:{port}/v1"\nmodel = "scripted"\n'
        tiny = f'model_path = "{HERE.parent.parent / "models/tiny/edgecoder-tiny.gguf"}"\n'
        nodes = [Node(program, place / "tiny", tiny), Node(program, place / "scripted", scripted)]
        try:
            for name, (command, installed) in CLIENTS.items():
                if options.only in name:
                    failed |= run(name, command, installed, clients, nodes, place, program, options.strict)
        finally:
            for node in nodes:
                node.stop()
            engine.kill()
    return 1 if failed else 0


def run(name, command, installed, clients, nodes, place, program, strict):
    """Whether the client failed."""
    if not installed(clients):
        print(f"{name:24} skipped: not installed below {clients} (make test-clients installs it)", flush=True)
        return strict
    if name.endswith("(npm)"):
        # Node looks for packages beside the script.
        shutil.copy(HERE / "scenarios" / f"{name.split()[0]}_npm.mjs", clients / "node")
    tiny, scripted = nodes
    environment = {
        **os.environ,
        "EDGECODER_TINY_URL": tiny.url,
        "EDGECODER_SCRIPTED_URL": scripted.url,
        "EDGECODER_TINY_DATA": str(tiny.data),
        "EDGECODER_SCRIPTED_DATA": str(scripted.data),
        "EDGECODER_PROGRAM": str(program),
        "EDGECODER_EXAMPLES": str(HERE.parent.parent / "examples"),
        "HOME": str(place),
        "PYTHONPATH": str(HERE / "scenarios"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    done = subprocess.run(
        [str(part) for part in command(clients)], cwd=HERE / "scenarios", env=environment, capture_output=True, text=True,
        timeout=300, check=False,
    )
    try:
        outcome = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        outcome = {"plain": (done.stderr or done.stdout or "it said nothing").strip().splitlines()[-1][:200]}
    failed = done.returncode != 0
    said = [f"{step} {outcome[step]}" for step in STEPS if step in outcome]
    print(f"{name:24} {' · '.join(said)}", flush=True)
    if failed:
        print(done.stderr[-3000:], file=sys.stderr, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
