"""Tokenised samples in one flat file, and the batches that training draws from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

IGNORED = -100
# marks of tokens that are learned; names and arguments may be anybody's choice and say nothing of how hard a sample is
LEARNED, CHOSEN = 1, 2
# lengths are padded to multiples of this, so that few shapes are compiled
STRIDE = 16
# samples sorted by length together: large enough for little padding, small enough to stay random
CHUNK = 4096


@dataclass
class Batch:
    """Padded ids, the flat positions that are learned, what stands there and whether it tells how hard the sample is."""

    ids: Tensor
    places: Tensor
    targets: Tensor
    telling: Tensor
    tokens: int


@dataclass
class Corpus:
    """Ids of all samples one after the other, their marks (0: read, not learned), and where each sample starts."""

    ids: np.ndarray
    learned: np.ndarray
    starts: np.ndarray

    @classmethod
    def load(cls, paths: list[Path]) -> Corpus:
        """The samples of several files."""
        files = [np.load(path) for path in paths]
        offsets = np.cumsum([0] + [len(file["ids"]) for file in files])
        starts = [file["off"][:-1] + at for file, at in zip(files, offsets, strict=False)]
        return cls(
            np.concatenate([file["ids"] for file in files]),
            np.concatenate([file["mask"] for file in files]),
            np.concatenate([*starts, offsets[-1:]]),
        )

    def save(self, path: Path) -> None:
        """Writes one file."""
        np.savez(path, ids=self.ids, mask=self.learned, off=self.starts)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sample."""
        return np.diff(self.starts)

    def batch(self, samples: np.ndarray, length: int) -> Batch:
        """The samples padded to `length`."""
        ids = np.zeros((len(samples), length), np.int64)
        targets = np.full((len(samples), length), IGNORED, np.int64)
        telling = np.zeros((len(samples), length), bool)
        for row, sample in enumerate(samples):
            start, end = self.starts[sample], self.starts[sample + 1]
            ids[row, : end - start] = self.ids[start:end]
            following = self.ids[start + 1 : end].astype(np.int64)
            marks = self.learned[start + 1 : end]
            targets[row, : end - start - 1] = np.where(marks > 0, following, IGNORED)
            telling[row, : end - start - 1] = marks == LEARNED
        flat = targets.reshape(-1)
        places = np.flatnonzero(flat != IGNORED)
        tokens = int(self.lengths[samples].sum())
        numbers = (ids, places, flat[places], telling.reshape(-1)[places])
        return Batch(*map(torch.from_numpy, numbers), tokens)

    def batches(
        self,
        samples: np.ndarray,
        budget: int,
        random: np.random.Generator | None,
        chosen: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> Iterator[Batch]:
        """Batches of at most `budget` padded tokens; shuffled when `random` is given; of every chunk what is `chosen`."""
        samples = samples if random is None else random.permutation(samples)
        for at in range(0, len(samples), CHUNK):
            chunk = samples[at : at + CHUNK]
            chunk = chunk if chosen is None else chosen(chunk)
            chunk = chunk[np.argsort(self.lengths[chunk], kind="stable")]
            groups = list(self.groups(chunk, budget))
            order = range(len(groups)) if random is None else random.permutation(len(groups))
            for place in order:
                yield self.batch(*groups[place])

    def groups(self, chunk: np.ndarray, budget: int) -> Iterator[tuple[np.ndarray, int]]:
        """Samples sorted by length, cut into batches, with the length that each is padded to."""
        padded = -(-self.lengths[chunk] // STRIDE) * STRIDE
        at = 0
        while at < len(chunk):
            end = at + 1
            while end < len(chunk) and (end + 1 - at) * padded[end] <= budget:
                # a nearly full batch is closed rather than padded to the next length
                if padded[end] > padded[end - 1] and (end - at) * padded[end - 1] >= budget / 2:
                    break
                end += 1
            yield chunk[at:end], int(padded[end - 1])
            at = end
