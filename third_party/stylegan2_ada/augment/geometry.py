"""Geometric augmentations: one affine map an image, resampled once (limited data, appendix B)."""

from dataclasses import dataclass
from functools import cache
from math import pi
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import AugmentConfig
from .draws import Drawn, Term
from .reflection import reflected_index

# Low-pass taps of the sym6 wavelet (Daubechies 1992, table 6.3).
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
# Doubled pixels that the filter reaches beyond the image, before the first pixel and in all.
BEFORE, EXTRA = len(SYM6) // 2 - 1, len(SYM6) - 2


def terms(config: AugmentConfig) -> list[Term]:
    """What the map draws; nothing if all its augmentations are off."""
    turn = pi * config.rotate_max
    every = [
        Term("xflip", "choice", 2, config.xflip),
        Term("rotate90", "choice", 4, config.rotate90),
        Term("xint", "uniform", config.xint_max, config.xint, size=2),
        Term("scale", "normal", config.scale_std, config.scale),
        # a rotation before and one after the anisotropic scaling: P(either) = p * strength
        Term("rotate", "uniform", turn, config.rotate, half=True),
        Term("rotate_after", "uniform", turn, config.rotate, half=True, tested=False),
        Term("aniso", "normal", config.aniso_std, config.aniso),
        Term("xfrac", "normal", config.xfrac_std, config.xfrac, size=2),
    ]
    return every if any(term.strength > 0 for term in every) else []


def backward_map(drawn: Drawn, images: Tensor) -> Tensor:
    """[N, 2, 3]: output pixel to input pixel, measured from the image's centre.

    The factors are the inverses of the paper's, from the left in its order: the output is where
    the first augmentation is undone last. images: [N, C, H, W], for their size.
    """
    lattice = _lattice_of(images)
    angles = [drawn["rotate90"] * (pi / 2), drawn["rotate"], drawn["rotate_after"]]
    quarters, before, after = _turns(torch.cat(angles, 1)).unbind(1)  # [N, 2, 2] each
    mirror = 1 - drawn["xflip"] * lattice.mirrored  # [N, 2]: 1 or -1, and 1
    scale, aniso = drawn["scale"], drawn["aniso"]
    factors = torch.cat([-scale - aniso, aniso - scale], 1).exp2()  # [N, 2], of x and y
    inner = _product(before, factors[:, :, None] * after)
    whole = (drawn["xint"] * lattice.size).round()
    shift = (inner * (drawn["xfrac"] * lattice.size)[:, None]).sum(2) + whole
    inner = torch.cat([inner, -shift[:, :, None]], 2)  # [N, 2, 3]
    return _product(mirror[:, :, None] * quarters, inner)


def _turns(angles: Tensor) -> Tensor:
    """[..., 2, 2]: rotations by `angles` [...] radians, from the first axis toward the second."""
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([cos, -sin, sin, cos], -1).unflatten(-1, (2, 2))


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product of [N, 2, 2] and [N, 2, K], in full precision on a GPU too."""
    return (a[:, :, :, None] * b[:, None]).sum(2)


def move(images: Tensor, backward: Tensor) -> Tensor:
    """Resample images [N, C, H, W] by `backward` [N, 2, 3] (see backward_map), reflecting edges.

    The image is brought to twice the resolution by the wavelet's low-pass filter, sampled
    bilinearly there, and brought back. Beyond its edges it goes on for ever, reflected about the
    centres of its outer pixels, however far a map reaches; the published code has zeros there from
    the end of the first reflection on. Images whose map is the identity are returned as they are,
    which is what the filters give but for rounding.
    Differentiable twice with respect to the images. No value is read and no shape depends on one.
    The constants of a size are made at the first call with it, which must not be captured.
    """
    lattice = _lattice_of(images)
    doubled = lattice.up_y @ (images @ lattice.up_x)  # [N, C, 4 H - 3, 4 W - 3]
    sampled = _sample(doubled, _grid(backward.to(images), lattice))
    resampled = lattice.down_y @ (sampled @ lattice.down_x)
    moved = (backward != lattice.still).flatten(1).any(1)
    return torch.where(moved[:, None, None, None], resampled, images)


@dataclass(frozen=True)
class _Lattice:
    """Constants of resampling images of one size; each filter is a banded matrix."""

    up_x: Tensor  # [W, 4 W - 3]
    up_y: Tensor  # [4 H - 3, H]
    down_x: Tensor  # [2 W + EXTRA, W]
    down_y: Tensor  # [H, 2 H + EXTRA]
    x: Tensor  # [2 W + EXTRA]: doubled pixels of the output, from the centre of the doubled image
    y: Tensor  # [2 H + EXTRA]
    periods: Tensor  # [2, 3]: what a map's entries are to be multiplied by to be in periods
    size: Tensor  # [2]: W, H
    mirrored: Tensor  # [2]: 2, 0
    still: Tensor  # [2, 3]: the identity


def _lattice_of(images: Tensor) -> _Lattice:
    return _lattice(images.shape[2], images.shape[3], images.device, images.dtype)


@cache
def _lattice(height: int, width: int, device: torch.device, dtype: torch.dtype) -> _Lattice:
    """Kept for ever: a captured graph may read them."""
    lengths = [max(4 * (size - 1), 1) for size in (width, height)]  # of a period, doubled pixels
    with torch.inference_mode(False), torch.no_grad():
        parts = (
            _doubling(width),
            _doubling(height).T,
            _halving(width),
            _halving(height).T,
            torch.arange(2 * width + EXTRA) - (width + BEFORE - 1),
            torch.arange(2 * height + EXTRA) - (height + BEFORE - 1),
            torch.tensor([[1.0, 1.0, 2.0]]).double() / torch.tensor(lengths)[:, None],
            torch.tensor([width, height]),
            torch.tensor([2, 0]),
            torch.eye(2, 3),
        )
        return _Lattice(*(part.contiguous().to(device, dtype) for part in parts))


def _taps() -> Tensor:
    taps = torch.tensor(SYM6, dtype=torch.float64)
    return taps / taps.sum()


def _doubling(size: int) -> Tensor:
    """[size, 4 size - 3] float64: one period of the reflected axis at twice the resolution.

    It lies around the image's centre, from doubled pixel -(size - 1) on; its first pixel comes
    once more at the end, so that sampling wraps around.
    """
    taps = 2 * _taps().flip(0)
    columns = torch.arange(4 * size - 3)[:, None].expand(-1, len(taps))
    at = columns - (size - 1) - len(taps) // 2 + torch.arange(len(taps))  # under each tap
    rows = reflected_index(at // 2, size)
    matrix = torch.zeros(size, 4 * size - 3, dtype=torch.float64)
    even = at % 2 == 0  # where the doubled axis has a pixel, not an inserted zero
    return matrix.index_put_((rows, columns), taps * even, accumulate=True)


def _halving(size: int) -> Tensor:
    """[2 size + EXTRA, size] float64: filters and keeps every other doubled pixel."""
    taps = _taps()
    matrix = torch.zeros(2 * size + EXTRA, size, dtype=torch.float64)
    for pixel in range(size):
        matrix[2 * pixel : 2 * pixel + len(taps), pixel] = taps
    return matrix


def _grid(backward: Tensor, lattice: _Lattice) -> Tensor:
    """[N, 2 H + EXTRA, 2 W + EXTRA, 2]: where each doubled output pixel lies in the period.

    Coordinates in [-1, 1] from the centre of the period's first doubled pixel to that of its last.
    For the map (L, t), output pixel u from the centre comes from L u + 2 t.
    """
    rows = backward * lattice.periods  # [N, 2, 3], in periods
    along_x = rows[:, :, :1] * lattice.x + rows[:, :, 2:]  # [N, 2, 2 W + EXTRA]
    along_y = rows[:, :, 1:2] * lattice.y  # [N, 2, 2 H + EXTRA]
    at = along_x[:, :, None, :] + along_y[:, :, :, None]
    at = at.sub_(at.round()).mul_(2)  # into one period
    return at.permute(0, 2, 3, 1)


class _Sample(torch.autograd.Function):
    """Bilinear sampling; twice differentiable with respect to the images.

    Sampling is linear in the images, so its adjoint's derivative is sampling again; PyTorch has
    no second derivative of grid_sample.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return F.grid_sample(images, grid, align_corners=True)

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
        spread: Tensor = backward(values, like, grid, 0, 0, True, [True, False])[0]
        return spread

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Sample.apply(grad, grid), None, None


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    sampled: Tensor = _Sample.apply(images, grid)
    return sampled
