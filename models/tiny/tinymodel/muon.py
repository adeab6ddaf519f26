"""The optimiser: Muon for the hidden matrices, AdamW for the embedding and the norms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
DECAY = 0.01
# Newton-Schulz coefficients that push singular values towards one in five steps
QUINTIC = (3.4445, -4.7750, 2.0315)


class Optimiser:
    """Both optimisers behind one step; its state goes into checkpoints."""

    def __init__(self, decoder: nn.Module, adam_rate: float) -> None:
        named = list(decoder.named_parameters())
        hidden = [p for name, p in named if "blocks" in name and p.ndim == 2]
        self.groups: dict[tuple[int, int], list[Tensor]] = {}
        for p in hidden:
            self.groups.setdefault((min(p.shape), max(p.shape)), []).append(p)
        self.momentum = {shape: torch.zeros(len(ps), *shape) for shape, ps in self.groups.items()}
        chosen = {id(p) for p in hidden}
        rest = [p for _, p in named if id(p) not in chosen]
        self.adam_rate = adam_rate
        self.adam = torch.optim.AdamW(rest, lr=adam_rate, betas=(0.9, 0.98), weight_decay=0.0)

    def state(self) -> dict:
        """For a checkpoint."""
        return {"momentum": self.momentum, "adam": self.adam.state_dict()}

    def restore(self, state: dict) -> None:
        """From a checkpoint of the same layout."""
        for shape, momentum in state["momentum"].items():
            self.momentum[shape].copy_(momentum)
        self.adam.load_state_dict(state["adam"])

    @torch.no_grad()
    def step(self, rate: float, factor: float) -> None:
        """One step at `rate` for Muon; `factor` of the schedule scales both."""
        for shape, parameters in self.groups.items():
            wide = [p.shape[0] <= p.shape[1] for p in parameters]
            gradient = torch.stack([p.grad if w else p.grad.T for p, w in zip(parameters, wide, strict=True)])
            momentum = self.momentum[shape].lerp_(gradient, 1 - MOMENTUM)
            updates = _orthogonal(gradient.lerp(momentum, MOMENTUM)).float()
            for p, update, w in zip(parameters, updates, wide, strict=True):
                p.mul_(1 - rate * factor * DECAY)
                if w:
                    p.add_(update, alpha=-rate * factor)
                else:
                    p.add_(update.T, alpha=-rate * factor * (p.shape[0] / p.shape[1]) ** 0.5)
        for group in self.adam.param_groups:
            group["lr"] = self.adam_rate * factor
        self.adam.step()


def _orthogonal(x: Tensor) -> Tensor:
    a, b, c = QUINTIC
    x = x.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        squared = x @ x.transpose(1, 2)
        x = a * x + (b * squared + c * squared @ squared) @ x
    return x
