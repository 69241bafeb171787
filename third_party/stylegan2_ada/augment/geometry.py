"""Geometric augmentations: one affine map an image, resampled once (limited data, appendix B)."""

from math import pi
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops import downsample2d, to_device, upsample2d
from .affine import scale2d, shift2d, turn2d
from .config import AugmentConfig
from .draws import Draws


def backward_map(draws: Draws, config: AugmentConfig, *, width: int, height: int) -> Tensor | None:
    """[N, 3, 3]: output pixel to input pixel, measured from the image's centre; None if all off.

    The factors are the inverses of the paper's, from the left in its order: the output is where
    the first augmentation is undone last.
    """
    factors = []
    if config.xflip > 0:
        side = draws.gated(draws.choice(2), 0, config.xflip)
        factors.append(scale2d(1 - 2 * side, 1.0))
    if config.rotate90 > 0:
        quarters = draws.gated(draws.choice(4), 0, config.rotate90)
        factors.append(turn2d(quarters * (pi / 2)))
    if config.xint > 0:
        share = draws.gated(draws.symmetric(2) * config.xint_max, 0, config.xint)
        factors.append(shift2d(-(share[:, 0] * width).round(), -(share[:, 1] * height).round()))
    if config.scale > 0:
        factor = draws.gated((draws.normal() * config.scale_std).exp2(), 1, config.scale)
        factors.append(scale2d(1 / factor, 1 / factor))
    # a rotation before and one after the anisotropic scaling: P(either) = p * strength
    once = 1 - (1 - min(max(config.rotate * draws.p, 0), 1)) ** 0.5
    if config.rotate > 0:
        angle = draws.gated_at(draws.symmetric() * pi * config.rotate_max, 0, once)
        factors.append(turn2d(angle))
    if config.aniso > 0:
        factor = draws.gated((draws.normal() * config.aniso_std).exp2(), 1, config.aniso)
        factors.append(scale2d(1 / factor, factor))
    if config.rotate > 0:
        angle = draws.gated_at(draws.symmetric() * pi * config.rotate_max, 0, once)
        factors.append(turn2d(torch.zeros_like(angle) if draws.percentile is not None else angle))
    if config.xfrac > 0:
        share = draws.gated(draws.normal(2) * config.xfrac_std, 0, config.xfrac)
        factors.append(shift2d(-share[:, 0] * width, -share[:, 1] * height))
    if not factors:
        return None
    total = factors[0]
    for factor in factors[1:]:
        total = total @ factor
    return total


def move(images: Tensor, backward: Tensor, wavelet: Tensor) -> Tensor:
    """Resample images [N, C, H, W] by `backward` [N, 3, 3] (see backward_map), reflecting edges.

    The image is padded by what the map reaches for, brought to twice the resolution by the
    wavelet's low-pass filter, sampled bilinearly there, and brought back. Images whose map is the
    identity are returned as they are, which is what the filters give but for rounding.
    Differentiable twice with respect to the images. The maps are read here: where they lie on the
    CPU, no GPU has to be waited for.
    """
    moved = (backward != torch.eye(3, device=backward.device)).flatten(1).any(1).nonzero()[:, 0]
    if len(moved) == 0:
        return images
    if len(moved) == len(images):
        return _resampled(images, backward, wavelet)
    there = to_device(moved, images.device)
    new = _resampled(images[there], backward[moved], wavelet)
    return images.index_copy(0, there, new)


def _resampled(images: Tensor, backward: Tensor, wavelet: Tensor) -> Tensor:
    height, width = images.shape[2:]
    reach = len(wavelet) // 4  # pixels that the filters need around the image
    left, right, top, bottom = _margins(backward, width, height, reach)
    images = F.pad(images, [left, right, top, bottom], mode="reflect")
    images = upsample2d(images, wavelet)  # [N, C, 2 * (H + top + bottom), ...]
    grid = _grid(
        to_device(backward, images.device), (width, height), (left, right, top, bottom), reach
    )
    images = _sample(images, grid.to(images))
    return downsample2d(images, wavelet, padding=-2 * reach, flip_filter=True)


def _margins(backward: Tensor, width: int, height: int, reach: int) -> list[int]:
    """Padding left, right, top, bottom so that no image of the batch is read outside."""
    x, y = (width - 1) / 2, (height - 1) / 2
    corners = [[-x, -y, 1.0], [x, -y, 1.0], [x, y, 1.0], [-x, y, 1.0]]
    at = backward @ torch.tensor(corners, device=backward.device).t()  # [N, 3, 4]
    at_x, at_y = at[:, 0], at[:, 1]
    beyond = [-at_x.min() - x, at_x.max() - x, -at_y.min() - y, at_y.max() - y]
    limits = [width - 1, width - 1, height - 1, height - 1]  # of reflection
    needed = torch.stack(beyond).add(2 * reach).ceil().tolist()
    return [int(min(max(need, 0), limit)) for need, limit in zip(needed, limits, strict=True)]


def _grid(
    backward: Tensor, size: tuple[int, int], margins: tuple[int, int, int, int], reach: int
) -> Tensor:
    """[N, H', W', 2]: where each pixel of the doubled output lies in the doubled padded input.

    Coordinates in [-1, 1] across the padded input. The output carries 2 * reach extra pixels on
    each side. Filtering by an even number of taps shifts both grids by half a doubled pixel.
    """
    (width, height), (left, right, top, bottom) = size, margins
    n, device = len(backward), backward.device
    one = torch.ones(n, device=device)
    center = shift2d(one * (left - right) / 2, (top - bottom) / 2)
    double, half = scale2d(2 * one, 2.0), scale2d(0.5 * one, 0.5)
    shift, unshift = shift2d(-0.5 * one, -0.5), shift2d(0.5 * one, 0.5)
    doubled = shift @ double @ center @ backward @ half @ unshift
    wide_in, high_in = 2 * (width + left + right), 2 * (height + top + bottom)
    wide_out, high_out = 2 * (width + 2 * reach), 2 * (height + 2 * reach)
    to_unit = scale2d(2 * one / wide_in, 2 / high_in)
    from_unit = scale2d(one * wide_out / 2, high_out / 2)
    theta = to_unit @ doubled @ from_unit
    return F.affine_grid(theta[:, :2], [n, 1, high_out, wide_out], align_corners=False)


class _Sample(torch.autograd.Function):
    """Bilinear sampling, zero outside; twice differentiable with respect to the images.

    Sampling is linear in the images, so its adjoint's derivative is sampling again; PyTorch has
    no second derivative of grid_sample.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return F.grid_sample(images, grid, align_corners=False)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        spread: Tensor = _SampleAdjoint.apply(grad, grid, ctx.shape)
        return spread, None


class _SampleAdjoint(torch.autograd.Function):
    """The transpose of _Sample: [N, C, H', W'] values are spread over an image of `shape`."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        like = values.new_zeros(1).expand(shape)  # only its shape counts
        backward = torch.ops.aten.grid_sampler_2d_backward
        spread: Tensor = backward(values, like, grid, 0, 0, False, [True, False])[0]
        return spread

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Sample.apply(grad, grid), None, None


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    sampled: Tensor = _Sample.apply(images, grid)
    return sampled
