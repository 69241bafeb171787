"""Weight modulation and demodulation (Karras et al. 2020, section 2.2), done on activations."""

from math import sqrt
from typing import Any

import torch
from torch import Tensor

from ..ops import conv2d_resample

EPSILON = 1e-8


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """1 / sqrt(sum over inputs and taps of (weight * style)^2 + 1e-8), equation 3.

    weight: [O, I, K, K]; styles: [N, I]. Returns [N, O]. Feed both in float32.
    """
    energy = weight.square().sum([2, 3])  # [O, I]
    return (styles.square() @ energy.t() + EPSILON).rsqrt()


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    noise: Tensor | None = None,
    up: int = 1,
    padding: int = 0,
    resample_filter: Tensor | None = None,
    demodulate: bool = True,
    gain: float = 1.0,
) -> Tensor:
    """Convolve image i with weight * styles[i], each output map brought to unit deviation.

    Convolution is linear: scaling the input maps by the style, convolving all images with the one
    shared weight and scaling the output maps gives what a weight per image would, without N
    copies of the weight.

    x: [N, I, H, W], any float dtype; weight: [O, I, K, K] and styles: [N, I] float32 (or x's);
    noise: [H * up, W * up] or [N, 1, H * up, W * up], added after the demodulation.
    gain: scales the result, noise included, at no cost: it goes into the factors of the maps.
    Returns [N, O, H * up, W * up] in x's dtype. Statistics are computed in the styles' dtype.
    """
    if demodulate and x.dtype == torch.float16:  # the scale cancels; keep sums in range
        largest = weight.abs().amax([1, 2, 3], keepdim=True)
        weight = weight / (largest * sqrt(weight[0].numel()))
        styles = styles / styles.abs().amax(1, keepdim=True)
    scale = demodulation(weight, styles) * gain if demodulate else None  # [N, O]
    styles = styles if demodulate else styles * gain
    x = conv2d_resample(
        x * styles.to(x.dtype)[:, :, None, None],
        weight.to(x.dtype),
        resample_filter,
        up=up,
        padding=padding,
        flip_weight=up == 1,
    )
    noise = None if noise is None else (noise * gain).to(x.dtype)
    if scale is None:
        return x if noise is None else x + noise
    scale = scale.to(x.dtype)[:, :, None, None]  # [N, O, 1, 1]
    return x * scale if noise is None else _ScaledSum.apply(noise, x, scale)


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
