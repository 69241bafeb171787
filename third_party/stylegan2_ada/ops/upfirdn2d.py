"""Pad, upsample, FIR-filter and downsample images in one operator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import build
from .fir import FirTask, Pair, fir, layout_of

Pads = tuple[int, int, int, int]  # left, right, top, bottom: the order of torch's F.pad


def setup_filter(
    taps: Sequence[float] | np.ndarray | Tensor,
) -> Tensor:
    """FIR filter for the operators below, float32, [K] (separable) or [height, width]; sums to 1.

    taps: 1-D or 2-D. 1-D ones stay so from 8 taps on, where two passes are cheaper, and become
    their outer product below.
    Raises ValueError for taps of another rank, or none.
    """
    f = torch.as_tensor(taps, dtype=torch.float32)
    if f.ndim not in (1, 2) or f.numel() == 0:
        raise ValueError(f"taps of shape {list(f.shape)}: expected [K], or [height, width]")
    if f.ndim == 1 and len(f) < 8:
        f = torch.outer(f, f)
    return f / f.sum()


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    *,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
    impl: str = "auto",
) -> Tensor:
    """Insert zeros, pad, filter, keep every `down`-th pixel.

    x: [N, C, H, W] float. f: float32 from setup_filter, or None for the identity.
    up, down: one factor, or [horizontal, vertical]. After each pixel stand up - 1 zeros.
    padding: zeros around the upsampled image, one number or [left, right, top, bottom];
    negative numbers crop.
    flip_filter: False convolves, True correlates. gain: scales the result.
    impl: "ref" plain PyTorch; "cuda" the kernel, RuntimeError if there is none for x;
    "auto" the kernel for CUDA tensors where it builds, else "ref".
    Returns [N, C, (H * up + top + bottom - height(f)) // down + 1, likewise] of x's dtype and
    memory format. Twice (and more often) differentiable in x; f is a constant.
    Raises ValueError if ranks do not fit or nothing is left of the image.
    """
    if x.ndim != 4 or (f is not None and (f.ndim not in (1, 2) or f.dtype != torch.float32)):
        raise ValueError("expected x [N, C, H, W] and a float32 filter [K] or [height, width]")
    use_kernel = build.use_kernel(impl, x.device)
    factors, rates = _pair(up), _pair(down)
    left, right, top, bottom = sides(padding)
    height, width = filter_size(f)
    size = (
        (x.shape[2] * factors[0] + top + bottom - height) // rates[0] + 1,
        (x.shape[3] * factors[1] + left + right - width) // rates[1] + 1,
    )
    if min(size) < 1:
        raise ValueError(f"x of {list(x.shape)} and these settings leave an image of {size}")
    if f is None:
        f = torch.ones(1, 1, device=x.device)
    task = FirTask(factors, rates, (top, left), size, not flip_filter, gain, use_kernel)
    if f.ndim == 2:
        return _Upfirdn2d.apply(x, f, task)
    return _Upfirdn2d.apply(
        _Upfirdn2d.apply(x, f[None, :], task.columns(x)), f[:, None], task.rows()
    )


def upsample2d(x: Tensor, f: Tensor | None) -> Tensor:
    """Upsample x [N, C, H, W] to [N, C, 2 H, 2 W] with the filter f, see upfirdn2d.

    The mean brightness stays: the zeros between pixels are made up for.
    """
    return upfirdn2d(x, f, up=2, padding=same_size_padding(f, up=2), gain=4)


def downsample2d(
    x: Tensor, f: Tensor | None, *, padding: int = 0, flip_filter: bool = False
) -> Tensor:
    """Downsample x [N, C, H, W] to half its size, rounded down, with the filter f.

    padding: zeros around x, in input pixels; negative numbers crop. flip_filter: see upfirdn2d.
    """
    pads = same_size_padding(f, padding, down=2)
    return upfirdn2d(x, f, down=2, padding=pads, flip_filter=flip_filter)


def same_size_padding(
    f: Tensor | None,
    padding: int | Sequence[int] = 0,
    *,
    up: int = 1,
    down: int = 1,
) -> Pads:
    """(left, right, top, bottom) for upfirdn2d so that H becomes H * up or H / down.

    The filter sits on the middle of the pixels that it joins: of the `up` output pixels that
    stem from one, or the `down` input pixels that become one. An odd rest goes to the left.
    """
    left, right, top, bottom = sides(padding)
    height, width = filter_size(f)
    return (
        left + (width + up - down) // 2,
        right + (width - up - down + 1) // 2,
        top + (height + up - down) // 2,
        bottom + (height - up - down + 1) // 2,
    )


def sides(padding: int | Sequence[int]) -> Pads:
    """One number or [left, right, top, bottom] as the four of them."""
    if isinstance(padding, int):
        return padding, padding, padding, padding
    left, right, top, bottom = padding
    return left, right, top, bottom


def filter_size(f: Tensor | None) -> Pair:
    """Height and width of a filter, 1 x 1 for none."""
    return (1, 1) if f is None else (f.shape[0], f.shape[-1])


def _pair(factor: int | Sequence[int]) -> Pair:
    """One factor, or [horizontal, vertical], as (vertical, horizontal)."""
    horizontal, vertical = (factor, factor) if isinstance(factor, int) else factor
    if min(horizontal, vertical) < 1:
        raise ValueError(f"factor {factor}: must be at least 1")
    return vertical, horizontal


class _Upfirdn2d(torch.autograd.Function):
    """A task on x; its gradient is the adjoint task, so it can be differentiated for ever."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, f: Tensor, task: FirTask) -> Tensor:
        ctx.save_for_backward(f)
        ctx.adjoint = task.adjoint(f, (x.shape[2], x.shape[3]))
        if task.use_kernel:
            launch = _operator if torch.compiler.is_compiling() else _launch
            up, down, lead, size = map(list, (task.up, task.down, task.lead, task.size))
            return launch(x, f, up, down, lead, size, task.convolve, task.gain)
        return fir(x, f, task)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (f,) = ctx.saved_tensors
        return _Upfirdn2d.apply(grad, f, ctx.adjoint), None, None


def _launch(
    x: Tensor,
    f: Tensor,
    up: list[int],
    down: list[int],
    lead: list[int],
    size: list[int],
    convolve: bool,
    gain: float,
) -> Tensor:
    """Run the kernel, see cuda/bindings.cpp."""
    filtered: Tensor = build.kernels().upfirdn2d(x, f, up, down, lead, size, convolve, gain)
    return filtered


# What torch.compile takes the kernel for: one operator that it does not look into.
_operator = torch.library.custom_op("stylegan2_ada::upfirdn2d", _launch, mutates_args=())


@_operator.register_fake
def _shape_of(
    x: Tensor, f: Tensor, up: Any, down: Any, lead: Any, size: Sequence[int], *_: Any
) -> Tensor:
    shape = (x.shape[0], x.shape[1], *size)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout_of(x))
