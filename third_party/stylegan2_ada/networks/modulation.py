"""Weight modulation and demodulation (Karras et al. 2020, section 2.2), done on activations."""

from math import sqrt

import torch
from torch import Tensor

from ..ops import conv2d_resample, scaled_act, scaled_sum

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
    x, weight, scale = _modulated(x, weight, styles, demodulate, gain)
    x = conv2d_resample(x, weight, resample_filter, up=up, padding=padding, flip_weight=up == 1)
    noise = None if noise is None else (noise * gain).to(x.dtype)
    if scale is None:
        return x if noise is None else x + noise
    return scaled_sum(noise, x, scale)


def modulated_layer(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    bias: Tensor,
    *,
    noise: Tensor | None,
    up: int,
    resample_filter: Tensor,
    gain: float,
    clamp: float | None,
) -> Tensor:
    """clamp(leaky_relu(gain * (modulated convolution + noise + bias))), see modulated_conv2d.

    weight: [O, I, 3, 3]; bias: [O]. Returns [N, O, H * up, W * up] in x's dtype.
    """
    x, weight, scale = _modulated(x, weight, styles, True, gain)
    assert scale is not None
    x = conv2d_resample(x, weight, resample_filter, up=up, padding=1, flip_weight=up == 1)
    noise = None if noise is None else (noise * gain).to(x.dtype)
    return scaled_act(x, scale, noise, bias * gain, clamp=clamp)


def _modulated(
    x: Tensor, weight: Tensor, styles: Tensor, demodulate: bool, gain: float
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Input and weight to be convolved, and the factors of the result, [N, O] or None for 1."""
    if demodulate and x.dtype == torch.float16:  # the scale cancels; keep sums in range
        largest = weight.abs().amax([1, 2, 3], keepdim=True)
        weight = weight / (largest * sqrt(weight[0].numel()))
        styles = styles / styles.abs().amax(1, keepdim=True)
    scale = demodulation(weight, styles) * gain if demodulate else None  # [N, O]
    styles = styles if demodulate else styles * gain
    return x * styles.to(x.dtype)[:, :, None, None], weight.to(x.dtype), scale
