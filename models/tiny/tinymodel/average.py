"""One model of several: between two ends of the same training lies a better one, which costs no more to run.

A run that learns new things forgets some; the mean of its weights and those it started from keeps most of both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from tinymodel import gguf_file


def average(stored: list[dict[str, Tensor]], shares: list[float]) -> dict[str, Tensor]:
    """The weights' mean, by shares that add up to one."""
    if len(stored) != len(shares) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"{len(stored)} checkpoints need as many shares that add up to one, got {shares}")
    return {name: sum(share * one[name] for share, one in zip(shares, stored, strict=True)) for name in stored[0]}


def read(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Weights and layout of a checkpoint or a model file."""
    if path.suffix == ".gguf":
        weights, layout = gguf_file.read(path)
        return weights, layout.as_dict()
    stored = torch.load(path, weights_only=True)
    return stored["weights"], stored["layout"]


def main() -> None:
    """`python -m tinymodel.average --of new.pt --of edgecoder-tiny.gguf --shares 0.6 0.4 --out final.pt`"""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--of", type=Path, action="append", required=True, help="a checkpoint or model file")
    ask.add_argument("--shares", type=float, nargs="+", required=True)
    ask.add_argument("--out", type=Path, required=True)
    given = ask.parse_args()
    weights, layouts = zip(*map(read, given.of), strict=True)
    if any(layout != layouts[0] for layout in layouts):
        raise SystemExit("the files differ in layout")
    torch.save({"layout": layouts[0], "weights": average(list(weights), given.shares)}, given.out)


if __name__ == "__main__":
    main()
