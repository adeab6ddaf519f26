"""The tokenizer, and how samples become token ids with a mask of what is learned."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.trainers import BpeTrainer

from tinymodel import gguf_file
from tinymodel.corpus.samples import Sample, chat_ml

QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def _around(model: BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    pieces = [Split(Regex(QWEN2), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    tokenizer.pre_tokenizer = Sequence(pieces)
    tokenizer.decoder = ByteLevelDecoder()
    return tokenizer


def learned(texts: Iterable[str], size: int) -> Tokenizer:
    """A byte-level tokenizer of `size` entries learned from `texts`."""
    tokenizer = _around(BPE())
    trainer = BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, initial_alphabet=ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def of_model(path: Path) -> Tokenizer:
    """The tokenizer that a model file carries."""
    stored = gguf_file.tokenizer_json(path)
    vocabulary = {token: i for i, token in enumerate(stored["tokens"])}
    merges = [tuple(merge.split(" ")) for merge in stored["merges"]]
    tokenizer = _around(BPE(vocab=vocabulary, merges=merges))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return tokenizer


def _texts(paths: list[Path], most: int) -> Iterator[str]:
    for path in paths:
        with path.open() as lines:
            for _, line in zip(range(most), lines, strict=False):
                sample = Sample.from_json(line)
                # markers are tokens of their own and teach nothing
                yield re.sub(r"<\|\w+\|>", "\n", chat_ml(sample.system, sample.user))
                yield sample.answer


def main() -> None:
    """`python -m tinymodel.tokens --out tokenizer.json --learn corpus.jsonl` or `--of edgecoder-tiny.gguf`"""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--of", type=Path, help="take it from a model file")
    ask.add_argument("--learn", type=Path, action="append", help="learn it from samples")
    ask.add_argument("--size", type=int, default=1536)
    ask.add_argument("--most", type=int, default=20_000, help="samples of each file")
    given = ask.parse_args()
    tokenizer = of_model(given.of) if given.of else learned(_texts(given.learn or [], given.most), given.size)
    tokenizer.save(str(given.out))


if __name__ == "__main__":
    main()
