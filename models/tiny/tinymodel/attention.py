"""Causal attention while training: a kernel of ours where it can be compiled, PyTorch's otherwise."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

SOURCE = Path(__file__).with_name("attention.c")
# rounding differs by less than what bfloat16 around it loses
COMPILE = "cc -O3 -march=native -ffast-math -fopenmp -shared -fPIC".split()
WIDTH = 64


@functools.lru_cache(maxsize=1)
def kernel() -> ctypes.CDLL | None:
    """The compiled kernel; none where there is no compiler. `TINYMODEL_KERNEL=no` does without."""
    if os.environ.get("TINYMODEL_KERNEL") == "no":
        return None
    mark = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
    folder = Path(os.environ.get("XDG_CACHE_HOME", tempfile.gettempdir())) / f"tinymodel-{os.getuid()}"
    built = folder / f"attention-{mark}.so"
    if not built.exists():
        folder.mkdir(parents=True, exist_ok=True)
        begun = built.with_suffix(f".{os.getpid()}")
        try:
            subprocess.run([*COMPILE, "-o", begun, SOURCE, "-lm"], check=True, capture_output=True)  # noqa: S603
        except (OSError, subprocess.CalledProcessError):
            return None
        begun.replace(built)
    return ctypes.CDLL(str(built))


@torch.compiler.assume_constant_result
def _ours() -> bool:
    return kernel() is not None


def _pointers(*tensors: Tensor) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(one.data_ptr()) for one in tensors]


def _sizes(q: Tensor, k: Tensor) -> tuple[int, int, int, int]:
    return q.shape[0], q.shape[1], q.shape[2], k.shape[2]


@torch.library.custom_op("tinymodel::attend", mutates_args=())
def _attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
    out = torch.empty_like(q)
    logs = q.new_empty(q.shape[0], q.shape[2], q.shape[1])
    kernel().attend(*_pointers(q, k, v, out, logs), *_sizes(q, k))
    return out, logs


@_attend.register_fake
def _(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(q, memory_format=torch.contiguous_format), q.new_empty(q.shape[0], q.shape[2], q.shape[1])


@torch.library.custom_op("tinymodel::attend_backward", mutates_args=())
def _attend_backward(
    q: Tensor, k: Tensor, v: Tensor, out: Tensor, logs: Tensor, given: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v, given = q.contiguous(), k.contiguous(), v.contiguous(), given.contiguous()
    found = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    kernel().attend_backward(*_pointers(q, k, v, out, logs, given, *found), *_sizes(q, k))
    return found


@_attend_backward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, out: Tensor, logs: Tensor, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    dense = torch.contiguous_format
    return tuple(torch.empty_like(one, memory_format=dense) for one in (q, k, v))


def _keep(ctx, inputs, output) -> None:  # noqa: ANN001
    ctx.save_for_backward(*inputs, *output)


def _backward(ctx, given: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN001
    return _attend_backward(*ctx.saved_tensors, given)


_attend.register_autograd(_backward, setup_context=_keep)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of (batch, positions, heads, head width) over earlier positions; keys may be shared between heads."""
    if q.shape[-1] == WIDTH and q.device.type == "cpu" and _ours():
        return _attend(q.float(), k.float(), v.float())[0]
    return pytorch_attend(q, k, v)


def pytorch_attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The same by PyTorch's own kernels."""
    q, k, v = (one.transpose(1, 2) for one in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2)
