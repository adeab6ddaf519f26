"""Choosing what to learn: near the end of training most samples teach nothing, and reading one costs a third of learning it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tinymodel.corpus_file import Corpus

# of the samples that are not hard: this share is learned all the same, so that they stay known
SHARE_EASY = 0.05
# a loss above this says that a token cannot be foreseen rather than that the sample is hard
MOST = 4.0


@dataclass
class Hardest:
    """Picks the `share` of samples that a decoder knows least, and a few of the others."""

    corpus: Corpus
    losses_of: Callable[..., Tensor]
    share: float
    budget: int
    random: np.random.Generator
    scored: int = 0

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """The chosen ones."""
        samples = samples[np.argsort(self.corpus.lengths[samples], kind="stable")]
        groups = self.corpus.groups(samples, self.budget)
        found = np.concatenate([self._hardness(group, length) for group, length in groups])
        order = np.argsort(-found, kind="stable")
        hard = int(self.share * len(found))
        easy = self.random.choice(order[hard:], int(SHARE_EASY * (len(found) - hard)), replace=False)
        return samples[np.concatenate([order[:hard], easy])]

    @torch.no_grad()
    def _hardness(self, samples: np.ndarray, length: int) -> np.ndarray:
        """The loss of each sample, as far as it tells."""
        batch = self.corpus.batch(samples, length)
        self.scored += batch.tokens
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses = self.losses_of(batch.ids, batch.places, batch.targets)
        told = losses.clamp(max=MOST) * batch.telling
        return torch.zeros(len(samples)).index_add(0, batch.places // length, told).numpy()
