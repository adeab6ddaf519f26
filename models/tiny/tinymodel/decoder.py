"""The decoder in PyTorch, laid out as llama.cpp's `qwen3`, so that export is a copy and no weight is permuted."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinymodel import attention


@dataclass(frozen=True)
class Layout:
    """Sizes of a decoder. Row lengths are multiples of 32, which q8_0 needs."""

    vocabulary: int = 1536
    width: int = 192
    blocks: int = 8
    heads: int = 4
    key_heads: int = 2
    head_width: int = 64
    hidden: int = 512
    context: int = 1024
    rope_base: float = 10_000.0
    epsilon: float = 1e-6

    def as_dict(self) -> dict[str, int | float]:
        """For a checkpoint."""
        return asdict(self)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary positions in the half-split ("NEOX") form that `qwen3` uses."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cosine - b * sine, b * cosine + a * sine], -1)


class Block(nn.Module):
    """Attention and a gated feed-forward layer, each behind a norm and added to the stream."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        width, queries = layout.width, layout.heads * layout.head_width
        keys = layout.key_heads * layout.head_width
        self.attn_norm = nn.Parameter(torch.ones(width))
        self.ffn_norm = nn.Parameter(torch.ones(width))
        self.attn_q_norm = nn.Parameter(torch.ones(layout.head_width))
        self.attn_k_norm = nn.Parameter(torch.ones(layout.head_width))
        self.attn_q = nn.Linear(width, queries, bias=False)
        self.attn_k = nn.Linear(width, keys, bias=False)
        self.attn_v = nn.Linear(width, keys, bias=False)
        self.attn_output = nn.Linear(queries, width, bias=False)
        self.ffn_gate = nn.Linear(width, layout.hidden, bias=False)
        self.ffn_up = nn.Linear(width, layout.hidden, bias=False)
        self.ffn_down = nn.Linear(layout.hidden, width, bias=False)

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), weight, self.layout.epsilon)

    def project(self, x: Tensor, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values as (batch, positions, heads, head width)."""
        n, (batch, length, _) = self.layout, x.shape
        h = self._norm(x, self.attn_norm)
        q = self.attn_q(h).view(batch, length, n.heads, n.head_width)
        k = self.attn_k(h).view(batch, length, n.key_heads, n.head_width)
        v = self.attn_v(h).view(batch, length, n.key_heads, n.head_width)
        q = rotate(self._norm(q, self.attn_q_norm), cosine, sine)
        k = rotate(self._norm(k, self.attn_k_norm), cosine, sine)
        return q, k, v

    def attended(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """What every position gathers from those before it."""
        return attention.attend(*self.project(x, cosine, sine)).flatten(2)

    def merge(self, x: Tensor, attended: Tensor) -> Tensor:
        """The stream after attention and the feed-forward layer."""
        x = x + self.attn_output(attended)
        h = self._norm(x, self.ffn_norm)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """One whole causal pass."""
        return self.merge(x, self.attended(x, cosine, sine))


class Decoder(nn.Module):
    """Embedding, blocks, final norm; the output head is the embedding itself."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        self.embedding = nn.Embedding(layout.vocabulary, layout.width)
        self.blocks = nn.ModuleList(Block(layout) for _ in range(layout.blocks))
        self.output_norm = nn.Parameter(torch.ones(layout.width))
        self._draw_weights()
        steps = torch.arange(0, layout.head_width, 2).float() / layout.head_width
        angles = torch.arange(layout.context).float()[:, None] / layout.rope_base ** steps[None]
        self.register_buffer("cosine", angles.cos()[None, :, None, :], persistent=False)
        self.register_buffer("sine", angles.sin()[None, :, None, :], persistent=False)

    def _draw_weights(self) -> None:
        nn.init.normal_(self.embedding.weight, std=0.02)
        output_std = 0.02 / (2 * self.layout.blocks) ** 0.5
        for block in self.blocks:
            for name, layer in block.named_children():
                std = output_std if name in ("attn_output", "ffn_down") else self.layout.width**-0.5
                nn.init.normal_(layer.weight, std=std)

    def stream(self, ids: Tensor, places: Tensor | None = None) -> Tensor:
        """The normed stream before the output head; at the flat positions `places` alone where they are given.

        The last block's feed-forward layer serves the positions whose logits are wanted and no others.
        """
        x = self.embedding(ids)
        cosine, sine = self.cosine[:, : ids.shape[1]].to(x.dtype), self.sine[:, : ids.shape[1]].to(x.dtype)
        *earlier, last = self.blocks
        for block in earlier:
            x = block(x, cosine, sine)
        attended = last.attended(x, cosine, sine)
        if places is not None:
            x, attended = x.flatten(0, 1)[places], attended.flatten(0, 1)[places]
        return F.rms_norm(last.merge(x, attended), (x.shape[-1],), self.output_norm, self.layout.epsilon)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits at every position."""
        return F.linear(self.stream(ids), self.embedding.weight)

    def losses(self, ids: Tensor, places: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy at each of the flat positions `places`: only the assistant's tokens are learned."""
        logits = F.linear(self.stream(ids, places), self.embedding.weight)
        return F.cross_entropy(logits.float(), targets, reduction="none")

    def loss(self, ids: Tensor, places: Tensor, targets: Tensor) -> Tensor:
        """Their sum."""
        return self.losses(ids, places, targets).sum()


def grown(weights: dict[str, Tensor], had: Layout, wanted: Layout) -> dict[str, Tensor]:
    """`weights` of a shallower decoder as those of a deeper one that computes the same.

    New blocks are copies of their neighbours whose outputs are zero, spread evenly over the depth.
    """
    extra = wanted.blocks - had.blocks
    if extra < 0 or {**had.as_dict(), "blocks": 0, "context": 0} != {**wanted.as_dict(), "blocks": 0, "context": 0}:
        raise ValueError(f"cannot grow {had} to {wanted}")
    after = {round((i + 1) * had.blocks / (extra + 1)) - 1 for i in range(extra)}
    grown_weights = {name: value for name, value in weights.items() if not name.startswith("blocks.")}
    place = 0
    for block in range(had.blocks):
        prefix = f"blocks.{block}."
        own = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        for silent in (False, True) if block in after else (False,):
            for name, value in own.items():
                still = silent and name in ("attn_output.weight", "ffn_down.weight")
                grown_weights[f"blocks.{place}.{name}"] = torch.zeros_like(value) if still else value.clone()
            place += 1
    if place != wanted.blocks:
        raise ValueError(f"{extra} blocks are too many to add to {had.blocks} at once")
    return grown_weights
