"""From samples to token ids: answers are learned, questions are read; some samples become later turns of another."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from random import Random

import numpy as np
from tokenizers import Encoding, Tokenizer

from tinymodel.corpus.samples import Sample, chat_ml
from tinymodel.corpus_file import CHOSEN, LEARNED, Corpus

SHARE_FOLLOWING = 0.3
FOLLOWED = ("code", "chat", "plan")
CHUNK = 4000
SIGNATURE = re.compile(r"```python\ndef [^\n]*\n")


def _marks(sample: Sample, encoded: Encoding) -> list[int]:
    """Of every token of an answer; a signature that the request leaves open is somebody's choice.

    The line end after the last token is never generated.
    """
    found = SIGNATURE.match(sample.answer) if sample.named < 2 else None
    ends = found.end() if found else 0
    marks = [CHOSEN if start < ends else LEARNED for start, _ in encoded.offsets]
    return [*marks[:-1], 0]


def pack(samples: list[Sample], tokenizer: Tokenizer, random: Random, share: float, longest: int) -> Corpus:
    """The samples of one list, `share` of them as further turns, each conversation at most `longest` tokens."""
    ids: list[list[int]] = []
    learned: list[list[int]] = []
    previous = False
    for at in range(0, len(samples), CHUNK):
        chunk = samples[at : at + CHUNK]
        following = [random.random() < share and sample.kind in FOLLOWED for sample in chunk]
        prompts = [chat_ml(None if f else s.system, s.user) for s, f in zip(chunk, following, strict=True)]
        asked = tokenizer.encode_batch(prompts)
        alone = tokenizer.encode_batch([chat_ml(s.system, s.user) for s in chunk])
        answers = tokenizer.encode_batch([f"{sample.answer}<|im_end|>\n" for sample in chunk])
        for sample, follows, q, whole, a in zip(chunk, following, asked, alone, answers, strict=True):
            follows = follows and previous and len(ids[-1]) + len(q.ids) + len(a.ids) <= longest
            prompt = q.ids if follows else whole.ids
            if not follows:
                ids.append([])
                learned.append([])
            ids[-1] += prompt + a.ids
            learned[-1] += [0] * len(prompt) + _marks(sample, a)
            previous = sample.kind in FOLLOWED
    kept = [at for at, one in enumerate(ids) if len(one) <= longest]
    starts = np.cumsum([0] + [len(ids[at]) for at in kept])
    return Corpus(
        np.concatenate([np.array(ids[at], np.uint16) for at in kept]),
        np.concatenate([np.array(learned[at], np.uint8) for at in kept]),
        starts.astype(np.int64),
    )


def main() -> None:
    """`python -m tinymodel.pack --tokenizer tokenizer.json --out a.npz a.jsonl b.jsonl`"""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--tokenizer", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--following", type=float, default=SHARE_FOLLOWING)
    ask.add_argument("--longest", type=int, default=1000)
    ask.add_argument("--seed", type=int, default=3)
    ask.add_argument("--run", default="", help="a name to find the process by")
    ask.add_argument("samples", type=Path, nargs="+")
    given = ask.parse_args()
    samples = [Sample.from_json(line) for path in given.samples for line in path.read_text().splitlines()]
    tokenizer = Tokenizer.from_file(str(given.tokenizer))
    corpus = pack(samples, tokenizer, Random(given.seed), given.following, given.longest)
    corpus.save(given.out)
    print(f"{len(corpus.lengths)} samples, {len(corpus.ids)} tokens, {int(corpus.learned.sum())} learned")


if __name__ == "__main__":
    main()
