"""What follows a modulated convolution: scale, noise, bias, leaky ReLU and clamp."""

from typing import Any

import torch
from torch import Tensor

from . import build
from .bias_act import DEFAULT_SLOPE, bias_act, lrelu_gradient

Grads = tuple[Tensor | None, ...]


def scaled_act(
    x: Tensor,
    scale: Tensor,
    noise: Tensor | None,
    b: Tensor,
    *,
    clamp: float | None = None,
    impl: str = "auto",
) -> Tensor:
    """clamp(leaky_relu(x * scale + noise + b, 0.2)) in one kernel, and its gradients in another.

    x: [N, C, H, W] float, may be lost; scale: [N, C], in float32 for x of half precision; noise:
    [H, W], [N, 1, H, W] or None; b: [C]; both are cast to x's dtype.
    impl: as for bias_act. Where the kernel does not take x (it wants channels-last, and channels
    that are 1, 2, 4 ... 32 times 16 bytes), those of the single steps are used.
    Returns x's shape, dtype and memory format. Twice differentiable in all inputs.
    """
    noise, b = None if noise is None else noise.to(x.dtype), b.to(x.dtype)
    compiled = impl == "auto" and torch.compiler.is_compiling()  # which fuses plain PyTorch itself
    if not compiled and build.use_kernel(impl, x.device) and _fits(x, b):
        exact = torch.float64 if x.dtype == torch.float64 else torch.float32
        return _ScaledAct.apply(x, scale.to(exact).contiguous(), noise, b, clamp)
    summed = scaled_sum(noise, x, scale)
    return bias_act(summed, b, act="lrelu", gain=1.0, clamp=clamp, overwrite=True, impl=impl)


def scaled_sum(noise: Tensor | None, x: Tensor, scale: Tensor) -> Tensor:
    """x * scale + noise. noise: in x's dtype, or None; scale: [N, C], cast to it."""
    scale = scale.to(x.dtype)[:, :, None, None]
    return x * scale if noise is None else _ScaledSum.apply(noise, x, scale)


def _fits(x: Tensor, b: Tensor) -> bool:
    packs, rest = divmod(x.shape[1] * x.element_size(), 16)
    return (
        x.is_contiguous(memory_format=torch.channels_last)
        and rest == 0
        and packs in (1, 2, 4, 8, 16, 32)
        and 0 < x.numel() <= 2**30
        and x.data_ptr() % 16 == b.data_ptr() % 16 == 0
    )


class _ScaledSum(torch.autograd.Function):
    """noise + x * scale in one pass; PyTorch's addcmul adds one to the gradient of the scale."""

    @staticmethod
    def forward(ctx: Any, noise: Tensor, x: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(x, scale)
        ctx.noise_shape = noise.shape
        return torch.addcmul(noise, x, scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, scale = ctx.saved_tensors
        return (
            grad.sum_to_size(ctx.noise_shape),
            grad * scale,
            (grad * x).sum_to_size(scale.shape),
        )


class _ScaledAct(torch.autograd.Function):
    """The kernels; gradients that are to be differentiated again are made of single steps."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor, noise: Tensor | None, b: Tensor, clamp: float | None
    ) -> Tensor:
        limit = -1.0 if clamp is None else clamp
        y: Tensor = build.kernels().scaled_act(x, scale, noise, b, DEFAULT_SLOPE, limit)
        ctx.clamp = clamp
        ctx.noise_shape = None if noise is None else noise.shape
        ctx.save_for_backward(x, scale, y)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Grads:
        x, scale, y = ctx.saved_tensors
        if torch.is_grad_enabled():
            g = lrelu_gradient(dy, y, ctx.clamp)
            dx = g * scale.to(g.dtype)[:, :, None, None]
            dscale = (g * x).sum([2, 3], dtype=scale.dtype)
            dnoise, db = g.sum(1, keepdim=True), g.sum([0, 2, 3])
        else:
            limit = -1.0 if ctx.clamp is None else ctx.clamp
            has_noise = ctx.noise_shape is not None
            dx, sums, dnoise = build.kernels().scaled_act_gradient(
                x, scale, y, dy, has_noise, DEFAULT_SLOPE, limit
            )
            dscale, db = sums[0], sums[1].sum(0).to(x.dtype)
            if has_noise:
                dnoise = dnoise.reshape(len(x), 1, *x.shape[2:]).to(x.dtype)
        noise_shape = ctx.noise_shape
        return (
            dx,
            dscale,
            None if noise_shape is None else dnoise.sum_to_size(noise_shape),
            db,
            None,
        )
