"""Pad, upsample, FIR-filter and downsample images in one operator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import build
from .fir import FirTask, Pair, fir

Pads = tuple[int, int, int, int]  # left, right, top, bottom: the order of torch's F.pad


def setup_filter(
    taps: Sequence[float] | np.ndarray | Tensor,
    *,
    normalize: bool = True,
    flip_filter: bool = False,
    gain: float = 1.0,
    separable: bool | None = None,
) -> Tensor:
    """FIR filter for the operators below, float32, [K] (separable) or [height, width].

    taps: 1-D or 2-D. 1-D ones stay so from 8 taps on, where two passes are cheaper, and become
    their outer product below; `separable` decides otherwise.
    normalize: make the taps sum to 1. gain: scales the (two-dimensional) filter.
    Raises ValueError for taps of another rank, or none, or 2-D ones asked to be separable.
    """
    f = torch.as_tensor(taps, dtype=torch.float32)
    if f.ndim not in (1, 2) or f.numel() == 0 or (f.ndim == 2 and separable):
        raise ValueError(f"taps of shape {list(f.shape)}: expected [K], or [height, width]")
    if separable is None:
        separable = f.numel() >= 8
    if f.ndim == 1 and not separable:
        f = torch.outer(f, f)
    if normalize:
        f = f / f.sum()
    if flip_filter:
        f = f.flip(list(range(f.ndim)))
    return f * gain ** (f.ndim / 2)  # a separable filter is applied twice


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


def filter2d(
    x: Tensor,
    f: Tensor | None,
    *,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
    impl: str = "auto",
) -> Tensor:
    """FIR-filter x [N, C, H, W] at its size, plus `padding`. The rest is as in upfirdn2d."""
    pads = same_size_padding(f, padding)
    return upfirdn2d(x, f, padding=pads, flip_filter=flip_filter, gain=gain, impl=impl)


def upsample2d(
    x: Tensor,
    f: Tensor | None,
    *,
    up: int | Sequence[int] = 2,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
    impl: str = "auto",
) -> Tensor:
    """Upsample x [N, C, H, W] to `up` times its size, plus `padding` (in output pixels).

    The mean brightness stays: the zeros between pixels are made up for. The rest is as in
    upfirdn2d.
    """
    pads = same_size_padding(f, padding, up=up)
    gain = gain * _pair(up)[0] * _pair(up)[1]
    return upfirdn2d(x, f, up=up, padding=pads, flip_filter=flip_filter, gain=gain, impl=impl)


def downsample2d(
    x: Tensor,
    f: Tensor | None,
    *,
    down: int | Sequence[int] = 2,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
    impl: str = "auto",
) -> Tensor:
    """Downsample x [N, C, H, W] to a `down`-th of its size, rounded down, with `padding`
    (in input pixels) around it. The rest is as in upfirdn2d.
    """
    pads = same_size_padding(f, padding, down=down)
    return upfirdn2d(x, f, down=down, padding=pads, flip_filter=flip_filter, gain=gain, impl=impl)


def same_size_padding(
    f: Tensor | None,
    padding: int | Sequence[int] = 0,
    *,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
) -> Pads:
    """(left, right, top, bottom) for upfirdn2d so that H becomes H * up or H / down.

    The filter sits on the middle of the pixels that it joins: of the `up` output pixels that
    stem from one, or the `down` input pixels that become one. An odd rest goes to the left.
    """
    left, right, top, bottom = sides(padding)
    (uy, ux), (dy, dx) = _pair(up), _pair(down)
    height, width = filter_size(f)
    return (
        left + (width + ux - dx) // 2,
        right + (width - ux - dx + 1) // 2,
        top + (height + uy - dy) // 2,
        bottom + (height - uy - dy + 1) // 2,
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
            return build.kernels().upfirdn2d(
                x, f, task.up, task.down, task.lead, task.size, task.convolve, task.gain
            )
        return fir(x, f, task)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (f,) = ctx.saved_tensors
        return _Upfirdn2d.apply(grad, f, ctx.adjoint), None, None
