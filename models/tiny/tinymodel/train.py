"""Training by wall clock: the run ends on time however busy the machine is, and can be stopped and resumed."""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from tinymodel import gguf_file
from tinymodel.corpus_file import Batch, Corpus
from tinymodel.decoder import Decoder, Layout, grown
from tinymodel.hardest import Hardest
from tinymodel.muon import Optimiser

# the first steps compile and would eat the time of a short run
COMPILING_STEPS = 3
HELD_BACK = 1000
LOG_EVERY = 50
VALIDATE_EVERY = 400
SAVE_EVERY_S = 300
LAST_FACTOR = 0.02


def load_start(path: Path | None, blocks: int, context: int) -> tuple[Decoder, dict | None]:
    """A decoder drawn at random, or one that goes on from a checkpoint or a model file, grown if need be."""
    if path is None:
        return Decoder(Layout(blocks=blocks, context=context)), None
    if path.suffix == ".gguf":
        weights, had = gguf_file.read(path)
        state = None
    else:
        stored = torch.load(path, weights_only=True)
        weights, had, state = stored["weights"], Layout(**stored["layout"]), stored.get("optimiser")
    wanted = Layout(**{**had.as_dict(), "blocks": blocks, "context": context})
    decoder = Decoder(wanted)
    decoder.load_state_dict(grown(weights, had, wanted))
    return decoder, state if had.blocks == blocks else None


@dataclass
class Schedule:
    """The factor on the learning rate: a warm-up in steps, a level part and a linear fall by wall clock."""

    minutes: float
    level: float
    warm_steps: int
    started_at: float | None = None

    def passed(self) -> float:
        """Share of the time that is used up."""
        return 0.0 if self.started_at is None else (time.monotonic() - self.started_at) / (self.minutes * 60)

    def factor(self, step: int) -> float:
        """The factor for `step` now."""
        passed = self.passed()
        fall = 1.0 if passed < self.level else max(LAST_FACTOR, 1 - (passed - self.level) / (1 - self.level))
        return min(1.0, (step + 1) / self.warm_steps) * fall


@dataclass
class Training:
    """One run: its decoder, optimiser, schedule and counters."""

    decoder: Decoder
    optimiser: Optimiser
    schedule: Schedule
    rate: float
    out: Path
    step: int = 0
    tokens: int = 0
    targets: int = 0
    losses: list[float] = field(default_factory=list)
    chosen: Hardest | None = None
    stopped: bool = False

    def save(self, name: str) -> None:
        """Writes weights, layout and the optimiser's state."""
        stored = {
            "layout": self.decoder.layout.as_dict(),
            "weights": self.decoder.state_dict(),
            "optimiser": self.optimiser.state(),
        }
        torch.save(stored, self.out / f"{name}.tmp")
        (self.out / f"{name}.tmp").replace(self.out / f"{name}.pt")

    def log(self, validation: float | None) -> None:
        """One line on the screen and in the log file."""
        passed_s = self.schedule.passed() * self.schedule.minutes * 60
        line = {
            "step": self.step,
            "tokens": self.tokens,
            "targets": self.targets,
            "scored": self.chosen and self.chosen.scored,
            "minutes": round(passed_s / 60, 2),
            "loss": round(float(np.mean(self.losses[-LOG_EVERY:])), 4),
            "validation": validation and round(validation, 4),
            "factor": round(self.schedule.factor(self.step), 3),
            "tokens_per_s": round(self.tokens / max(passed_s, 1)),
        }
        print(json.dumps(line), flush=True)
        with (self.out / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")

    def learn(self, loss_of: Callable[..., torch.Tensor], batch: Batch) -> None:
        """One step."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of(batch.ids, batch.places, batch.targets) / len(batch.targets)
        loss.backward()
        self.optimiser.step(self.rate, self.schedule.factor(self.step))
        self.decoder.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += batch.tokens
        self.targets += len(batch.targets)
        self.losses.append(loss.item())
        if self.step == COMPILING_STEPS:
            self.schedule.started_at = time.monotonic()

    @torch.no_grad()
    def validate(self, corpus: Corpus, samples: np.ndarray, budget: int) -> float:
        """Mean loss per learned token of samples that are never trained on."""
        total, count = 0.0, 0
        for batch in corpus.batches(samples, budget, None):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                total += self.decoder.loss(batch.ids, batch.places, batch.targets).item()
            count += len(batch.targets)
        return total / count

    def run(self, corpus: Corpus, budget: int, share: float, random: np.random.Generator) -> None:
        """Until the time is over or a signal comes; of every chunk the hardest `share`."""
        order = random.permutation(len(corpus.lengths))
        order = order[corpus.lengths[order] <= self.decoder.layout.context]
        held_back, samples = order[:HELD_BACK], order[HELD_BACK:]
        loss_of = torch.compile(self.decoder.loss, dynamic=True)
        if share < 1:
            losses_of = torch.compile(self.decoder.losses, dynamic=True)
            self.chosen = Hardest(corpus, losses_of, share, budget, random)
        saved_at = time.monotonic()
        while not self.stopped and self.schedule.passed() < 1:
            for batch in corpus.batches(samples, budget, random, self.chosen):
                if self.stopped or self.schedule.passed() >= 1:
                    break
                self.learn(loss_of, batch)
                if self.step % LOG_EVERY == 0:
                    due = self.step % VALIDATE_EVERY == 0
                    self.log(self.validate(corpus, held_back, budget) if due else None)
                if time.monotonic() - saved_at > SAVE_EVERY_S:
                    self.save("latest")
                    saved_at = time.monotonic()
        self.log(self.validate(corpus, held_back, budget))
        self.save("final")


def main() -> None:
    """`python -m tinymodel.train --corpus a.npz --out runs/1 --minutes 50 --start edgecoder-tiny.gguf`"""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--corpus", type=Path, action="append", required=True)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--minutes", type=float, required=True)
    ask.add_argument("--start", type=Path, help="checkpoint or model file to go on from")
    ask.add_argument("--blocks", type=int, default=8)
    ask.add_argument("--context", type=int, default=1024)
    ask.add_argument("--rate", type=float, default=0.02, help="Muon's; AdamW takes a fifth of it")
    ask.add_argument("--level", type=float, default=0.3, help="share of the time before the rate falls")
    ask.add_argument("--warm-steps", type=int, default=40)
    ask.add_argument("--batch-tokens", type=int, default=8192)
    ask.add_argument("--hardest", type=float, default=1.0, help="learn this share of the samples: those it knows least")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--run", default="", help="a name to find the process by")
    given = ask.parse_args()
    torch.manual_seed(given.seed)
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    decoder, state = load_start(given.start, given.blocks, given.context)
    optimiser = Optimiser(decoder, given.rate / 5)
    if state is not None:
        optimiser.restore(state)
    schedule = Schedule(given.minutes, given.level, given.warm_steps)
    training = Training(decoder, optimiser, schedule, given.rate, given.out)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(training, "stopped", True))
    training.run(Corpus.load(given.corpus), given.batch_tokens, given.hardest, np.random.default_rng(given.seed))


if __name__ == "__main__":
    main()
