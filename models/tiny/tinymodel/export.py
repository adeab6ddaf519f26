"""From a checkpoint to a model file, and the check that llama.cpp computes with it what the trainer computes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random

import numpy as np
import torch
from tokenizers import Tokenizer

from tinymodel import gguf_file
from tinymodel.corpus import samples
from tinymodel.decoder import Decoder, Layout
from tinymodel.engine import Engine

# an f32 file must agree to this; q8_0 loses precision on purpose and is only reported
MOST_DIFFERENCE = 1e-3
SAMPLES = 20
STRINGS = 1000
PIECES = [
    " ",
    "  ",
    "\n",
    "\t",
    "\r\n",
    "def",
    "It's",
    "we'LL",
    " f(x)",
    "1234",
    "  return",
    "):\n",
    "_a",
    "Ünï",
    "€",
    '"',
    "...",
    "<|im",
    "\u00a0",
]


def load(path: Path) -> Decoder:
    """The decoder of a checkpoint."""
    stored = torch.load(path, weights_only=True)
    decoder = Decoder(Layout(**stored["layout"]))
    decoder.load_state_dict(stored["weights"])
    return decoder.eval()


def differing_tokens(engine: Engine, tokenizer: Tokenizer, random: Random) -> int:
    """How many of many odd strings the two tokenizers cut differently."""
    count = 0
    for _ in range(STRINGS):
        kind = random.randrange(3)
        if kind == 0:
            sample = samples.draw(random)
            text = samples.chat_ml(sample.system, sample.user) + sample.answer
        elif kind == 1:
            text = "".join(random.choice(PIECES) for _ in range(random.randint(1, 25)))
        else:
            text = "".join(
                chr(random.choice([random.randint(32, 126), random.randint(0xA0, 0x5FF)])) for _ in range(30)
            )
        count += engine.tokens(text) != tokenizer.encode(text, add_special_tokens=False).ids
    return count


def difference(engine: Engine, decoder: Decoder, random: Random) -> dict[str, float]:
    """The largest difference of any logit, and how often both would say the same next."""
    largest, same, positions = 0.0, 0, 0
    for _ in range(SAMPLES):
        sample = samples.draw(random)
        ids = engine.tokens(samples.chat_ml(sample.system, sample.user) + sample.answer)[:1000]
        theirs = engine.all_logits(ids)
        with torch.no_grad():
            ours = decoder(torch.tensor([ids]))[0].numpy()
        largest = max(largest, float(np.abs(theirs - ours).max()))
        same += int((theirs.argmax(1) == ours.argmax(1)).sum())
        positions += len(ids)
    return {"largest_difference": round(largest, 6), "same_next_token": same, "positions": positions}


def main() -> None:
    """`python -m tinymodel.export --checkpoint final.pt --tokenizer tokenizer.json --out edgecoder-tiny.gguf`"""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--checkpoint", type=Path, required=True)
    ask.add_argument("--tokenizer", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--report", type=Path)
    ask.add_argument("--run", default="", help="a name to find the process by")
    given = ask.parse_args()
    torch.set_num_threads(1)
    decoder = load(given.checkpoint)
    exact = given.out.with_suffix(".f32.gguf")
    report: dict[str, object] = {}
    for path, file_type in ((exact, "f32"), (given.out, "q8_0")):
        gguf_file.write(path, decoder.state_dict(), decoder.layout, given.tokenizer, file_type)
        report[file_type] = difference(Engine(path), decoder, Random(5))
    report["strings"] = STRINGS
    report["strings_cut_differently"] = differing_tokens(
        Engine(given.out), Tokenizer.from_file(str(given.tokenizer)), Random(6)
    )
    report["bytes"] = given.out.stat().st_size
    report["parameters"] = sum(p.numel() for p in decoder.parameters())
    exact.unlink()
    print(json.dumps(report, indent=1))
    if given.report:
        given.report.write_text(json.dumps(report, indent=1) + "\n")
    if report["f32"]["largest_difference"] > MOST_DIFFERENCE or report["strings_cut_differently"]:
        raise SystemExit("llama.cpp does not compute what the trainer computes")


if __name__ == "__main__":
    main()
