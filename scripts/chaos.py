#!/usr/bin/env python3
"""Kills a node's processes at seeded random points of running tasks, and checks that nothing is lost.

For every point a task is submitted and, after a random delay, the worker, the engine, the node, or all of them get
SIGKILL. Then the task must still end as it should: proven and in review. Afterwards the ledger must verify, no
lease epoch may have been granted or accepted twice, every trace must replay, and an attempt that was taken up again
must have repeated at most the one step that the crash cut short: the workers' logs say which steps were taken.

    scripts/chaos.py --seed 1 --points 200                 # one node on SQLite
    scripts/chaos.py --seed 1 --points 200 --postgres      # two coordinators on one PostgreSQL database

Uses the programs that `cargo build` made, the example repository and the shipped model. Ends with status 0 when every
check holds.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
REQUEST = (
    "Add a function count_vowels(s) to textstats/counts.py that returns the number of vowels in s, ignoring case."
)
VERIFY = "/usr/bin/python3 -m unittest -q"
# A task that has not ended by then is lost: leases last 30 s and the longest pause is 30 s.
END_WITHIN_S = 120
VICTIMS = ("worker", "engine", "node", "all")


class Failure(Exception):
    """A check that does not hold."""


class Node:
    """One `edgecoder up` with its own data directory."""

    def __init__(self, program, folder, name, env):
        self.program, self.name = program, name
        self.data = folder / name
        self.env = dict(env, EDGECODER_DATA_DIR=str(self.data), NO_COLOR="1")
        self.env["EDGECODER_TELEMETRY__JSON"] = "true"
        self.env["EDGECODER_TELEMETRY__LOG"] = "info,edgecoder_worker=debug"
        for role in ("COORDINATOR", "INFERENCE", "CONTROL", "IDE", "PORTAL"):
            self.env[f"EDGECODER_{role}__PORT"] = "0"
        self.log = open(folder / f"{name}.log", "ab")
        self.process = None

    def start(self):
        """Starts the node and waits until its coordinator answers."""
        # What a killed node announced is not where the next one is.
        (self.data / "node.json").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [self.program, "up"], env=self.env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd="/"
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended by itself with status {self.process.returncode}")
            try:
                announced = json.loads((self.data / "node.json").read_text())
                urllib.request.urlopen(announced["doors"]["coordinator"] + "/health", timeout=2).read()
                return
            except (OSError, ValueError, KeyError):
                time.sleep(0.01)
        raise Failure(f"{self.name} does not answer")

    def ask(self, *args, check=True):
        """Runs the command line against this node."""
        done = subprocess.run(
            [self.program, *args], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/"
        )
        if check and done.returncode != 0:
            raise Failure(f"`edgecoder {' '.join(args[:3])}` failed: {done.stderr.strip()}")
        return done

    def children(self):
        """Process numbers of the worker and the engine, by what they were started as."""
        found = collections.defaultdict(list)
        for process in pathlib.Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                args = (process / "cmdline").read_bytes().split(b"\0")
                parent = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            if parent == self.process.pid and len(args) > 1:
                for kind in ("worker", "engine"):
                    if f"__{kind}".encode() in args:
                        found[kind].append(int(process.name))
        return found

    def kill(self, victim):
        """SIGKILL to the victim; true when the node itself must be started again."""
        children = self.children()
        targets = {
            "worker": children["worker"],
            "engine": children["engine"],
            "node": [self.process.pid],
            "all": [self.process.pid, *children["worker"], *children["engine"]],
        }[victim]
        for pid in targets:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if victim in ("node", "all"):
            self.process.wait()
            return True
        return False

    def stop(self):
        """Asks the node to stop, and insists that no child survives it."""
        if self.process is None or self.process.poll() is not None:
            return
        children = [pid for pids in self.children().values() for pid in pids]
        self.process.terminate()
        self.process.wait(timeout=30)
        left = [pid for pid in children if pathlib.Path(f"/proc/{pid}").exists()]
        if left:
            raise Failure(f"{self.name} left children behind: {left}")


class Postgres:
    """A throw-away PostgreSQL on a Unix socket."""

    def __init__(self, folder):
        self.folder = folder / "postgres"
        self.folder.mkdir()
        versions = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        if not versions:
            raise Failure("PostgreSQL is not installed: run `make setup`")
        self.bin = versions[-1]
        if os.geteuid() == 0:
            for path in (folder, self.folder):
                path.chmod(0o755)
            shutil.chown(self.folder, "postgres", "postgres")
        self.run("initdb", "-A", "trust", "-U", "edgecoder", "-D", self.folder / "cluster")
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder}"
        self.run("pg_ctl", "-s", "-w", "-l", self.folder / "log", "-D", self.folder / "cluster", "-o", options, "start")
        self.run("createdb", "-h", self.folder, "-U", "edgecoder", "chaos")
        self.url = f"postgresql:///chaos?host={self.folder}&user=edgecoder"

    def run(self, tool, *args):
        command = [str(self.bin / tool), *map(str, args)]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", *command]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/")

    def stop(self):
        self.run("pg_ctl", "-s", "-m", "immediate", "-D", self.folder / "cluster", "stop")


def submit(node, repository, samples=1):
    """Submits the example's request and returns the task's id."""
    done = node.ask(
        "task", REQUEST, "--repo", str(repository), "--verify", VERIFY, "--samples", str(samples), "--json", "--detach"
    )
    return json.loads(done.stdout.splitlines()[-1])["task"]["id"]


def ended(node, task):
    """The task, once nothing more happens to it by itself."""
    deadline = time.monotonic() + END_WITHIN_S
    while time.monotonic() < deadline:
        done = node.ask("task", "show", task, "--json", check=False)
        if done.returncode == 0:
            view = json.loads(done.stdout.splitlines()[-1])
            view = view.get("task", view)
            if view["state"] != "running":
                return view
        time.sleep(0.05)
    raise Failure(f"{task} has not ended within {END_WITHIN_S} s")


def check_ledger(nodes):
    """The chain holds; no epoch of an attempt was granted twice or accepted twice."""
    granted, accepted = collections.Counter(), collections.Counter()
    for node in nodes:
        node.ask("ledger", "verify")
        after = 0
        while True:
            page = node.ask("ledger", "show", "--json", "--after", str(after), "--limit", "1000").stdout.splitlines()
            if not page:
                break
            for line in page:
                entry = json.loads(line)
                after = entry["sequence"]
                payload = json.loads(entry.get("payloadJson") or "{}")
                lease = (payload.get("attempt"), payload.get("epoch"))
                if entry["eventType"] == "task_claim":
                    granted[lease] += 1
                elif entry["eventType"] == "task_complete":
                    accepted[lease] += 1
    for name, counts in (("granted", granted), ("accepted", accepted)):
        twice = [lease for lease, count in counts.items() if count > 1]
        if twice:
            raise Failure(f"leases {name} twice: {twice[:5]}")
    return sum(granted.values())


def check_steps(nodes):
    """A lease goes on at the last step of the one before, or after it; returns steps taken and steps repeated."""
    steps = collections.defaultdict(lambda: collections.defaultdict(list))
    for node in nodes:
        for line in pathlib.Path(node.log.name).read_text(errors="replace").splitlines():
            if '"taking a step"' in line and line.startswith("{"):
                fields = json.loads(line)
                steps[fields["attempt"]][fields["epoch"]].append(fields["turn"])
    taken = repeated = 0
    for attempt, leases in steps.items():
        reached = -1
        for epoch, turns in sorted(leases.items()):
            if turns[0] < reached or any(later != turn + 1 for turn, later in zip(turns, turns[1:])):
                raise Failure(f"{attempt}: lease {epoch} took the steps {turns} when step {reached} was reached")
            repeated += turns[0] == reached
            taken += len(turns)
            reached = turns[-1]
    if not taken:
        raise Failure("the logs name no step: nothing to check")
    return taken, repeated


def check_trace(node, task, folder):
    """The winning trace replays and begins once; returns how often it was taken up again."""
    trace = node.ask("task", "trace", task).stdout
    lines = [json.loads(line) for line in trace.splitlines()]
    turns = [line for line in lines if line["line"] == "turn"]
    started = [turn for turn in turns if turn["observation"]["observation"] == "started"]
    if len(started) != 1:
        raise Failure(f"{task}: the trace begins {len(started)} times")
    file = folder / "trace.jsonl"
    file.write_text(trace)
    node.ask("replay", str(file))
    return sum(line["line"] == "resumed" for line in lines)


def run(args, folder):
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    postgres = None
    names = ["one"]
    if args.postgres:
        postgres = Postgres(folder)
        env["DATABASE_URL"] = postgres.url
        env["EDGECODER_COORDINATOR__BLOB_DIR"] = str(folder / "blobs")
        env["EDGECODER_WORKER__JOURNAL_DIR"] = str(folder / "journals")
        names = ["one", "two"]
    nodes = [Node(args.program, folder, name, env) for name in names]
    repository = folder / "repository"
    shutil.copytree(ROOT / "examples/textstats", repository)
    rng = random.Random(args.seed)
    outcomes, killed, resumed = collections.Counter(), collections.Counter(), 0
    try:
        for node in nodes:
            node.start()
        began = time.monotonic()
        ended(nodes[0], submit(nodes[0], repository))
        usual = time.monotonic() - began
        print(f"a task takes {usual:.2f} s when nobody interferes", flush=True)
        for point in range(1, args.points + 1):
            node, victim = rng.choice(nodes), rng.choice(VICTIMS)
            task = submit(node, repository, rng.choice((1, 2)))
            time.sleep(rng.uniform(0, usual))
            # With two coordinators, either may hold the work.
            target = rng.choice(nodes)
            if target.kill(victim):
                target.start()
            killed[victim] += 1
            view = ended(node, task)
            outcomes[view["state"]] += 1
            if view["state"] != "review":
                raise Failure(f"{task} ended as {view['state']}: {view.get('reason')}")
            resumed += check_trace(node, task, folder)
            if point % 20 == 0:
                print(f"{point} points: killed {dict(killed)}, taken up again {resumed} times", flush=True)
        leases = check_ledger(nodes)
        taken, repeated = check_steps(nodes)
        for node in nodes:
            node.stop()
        print(f"{args.points} of {args.points} tasks ended proven; {leases} leases, no epoch twice; ledger verifies;")
        print(f"{resumed} winning attempts were taken up where they were left; no child survived its node")
        print(f"{taken} steps taken, {repeated} of them again after a crash, never more than one for each")
    finally:
        for node in nodes:
            if node.process is not None and node.process.poll() is None:
                node.process.kill()
        if postgres is not None:
            postgres.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--postgres", action="store_true", help="two coordinators on one PostgreSQL database")
    parser.add_argument("--program", default=str(ROOT / "target/debug/edgecoder"))
    parser.add_argument("--keep", action="store_true", help="keep data directories and logs")
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="edgecoder-chaos-"))
    try:
        run(args, folder)
    except Failure as failure:
        print(f"chaos: seed {args.seed}: {failure}\nlogs in {folder}", file=sys.stderr)
        sys.exit(1)
    if not args.keep:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
