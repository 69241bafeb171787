"""Geometric augmentations: one affine map an image, resampled once (limited data, appendix B)."""

from dataclasses import dataclass
from functools import cache
from math import log, pi
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


def backward_map(drawn: Drawn, *, width: int, height: int) -> Tensor:
    """[N, 2, 3]: output pixel to input pixel, measured from the image's centre.

    The factors are the inverses of the paper's, from the left in its order: the output is where
    the first augmentation is undone last. With R(a) a rotation, the linear part is
    flip R(quarters) 2^-scale R(rotate) diag(1/k, k) R(after) for k = 2^aniso, where
    R(b) diag(1/k, k) R(a) = (k + 1/k)/2 R(b + a) - (k - 1/k)/2 R(b - a) diag(1, -1).
    """
    flip = 1 - 2 * drawn["xflip"]
    quarters, after = drawn["rotate90"] * (pi / 2), drawn["rotate_after"]
    before, stretch = quarters + drawn["rotate"], drawn["aniso"] * log(2)
    angles = torch.cat([before + after, before - after, quarters], 1)  # [N, 3]
    cos, sin = angles.cos(), angles.sin()
    sizes = torch.cat([stretch.cosh(), -stretch.sinh()], 1) * (-drawn["scale"]).exp2()  # [N, 2]
    (c, c_mirrored), (s, s_mirrored) = (sizes * cos[:, :2]).unbind(1), (sizes * sin[:, :2]).unbind(1)
    xx, xy, yx, yy = c + c_mirrored, s_mirrored - s, s + s_mirrored, c - c_mirrored
    whole_x, whole_y = (drawn["xint"][:, i] * size for i, size in enumerate((width, height)))
    whole_x, whole_y = whole_x.round(), whole_y.round()
    part_x, part_y = (drawn["xfrac"][:, i] * size for i, size in enumerate((width, height)))
    x = cos[:, 2] * whole_x - sin[:, 2] * whole_y + xx * part_x + xy * part_y
    y = sin[:, 2] * whole_x + cos[:, 2] * whole_y + yx * part_x + yy * part_y
    rows = torch.stack([xx, xy, -x, yx, yy, -y], 1).reshape(-1, 2, 3)
    return torch.cat([rows[:, :1] * flip[:, :, None], rows[:, 1:]], 1)


def move(images: Tensor, backward: Tensor) -> Tensor:
    """Resample images [N, C, H, W] by `backward` [N, 2, 3] (see backward_map), reflecting edges.

    The image is brought to twice the resolution by the wavelet's low-pass filter, sampled
    bilinearly there, and brought back. Beyond its edges it goes on for ever, reflected about the
    centres of its outer pixels, however far a map reaches; the published code has zeros from the
    first reflection's end on, W - 1 pixels outside. Images whose map is the identity are returned
    as they are, which is what the filters give but for rounding.
    Differentiable twice with respect to the images. No value is read and no shape depends on one.
    The constants of a size are made at the first call with it, which must not be captured.
    """
    lattice = _lattice(images.shape[2], images.shape[3], images.device, images.dtype)
    doubled = lattice.up_y @ (images @ lattice.up_x)  # [N, C, 4 H - 3, 4 W - 3]
    sampled = _sample(doubled, _grid(backward.to(images), lattice))
    resampled = lattice.down_y @ (sampled @ lattice.down_x)
    still = torch.eye(2, 3, dtype=backward.dtype, device=backward.device)
    moved = (backward != still).flatten(1).any(1)
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
    unit: Tensor  # [2, 3]: a map's entries from pixels to periods of the reflected image


@cache
def _lattice(height: int, width: int, device: torch.device, dtype: torch.dtype) -> _Lattice:
    """Never dropped again: a captured graph may read them."""
    with torch.inference_mode(False), torch.no_grad():
        periods = [[1 / size, 1 / size, 2 / size] for size in (_period(width), _period(height))]
        parts = (
            _doubling(width),
            _doubling(height).T,
            _halving(width),
            _halving(height).T,
            torch.arange(2 * width + EXTRA) - (width + BEFORE - 1),
            torch.arange(2 * height + EXTRA) - (height + BEFORE - 1),
            torch.tensor(periods, dtype=torch.float64),
        )
        return _Lattice(*(part.contiguous().to(device, dtype) for part in parts))


def _period(size: int) -> int:
    """Doubled pixels after which a reflected axis of `size` pixels repeats itself."""
    return max(4 * (size - 1), 1)


def _taps() -> Tensor:
    taps = torch.tensor(SYM6, dtype=torch.float64)
    return taps / taps.sum()


def _doubling(size: int) -> Tensor:
    """[size, 4 size - 3] float64: one period of the reflected axis at twice the resolution.

    The first of its pixels comes once more at the end, so that sampling wraps around.
    """
    taps, half = _taps().flip(0) * 2, len(SYM6) // 2
    pixels = 2 * size - 1
    sources = reflected_index(torch.arange(-half, pixels + half), size)
    matrix = torch.zeros(size, 4 * size - 3, dtype=torch.float64)
    for column in range(4 * size - 3):  # tap k lies on doubled pixel column + k - half
        k = torch.arange((column + half) % 2, len(taps), 2)
        source = sources[(column + k - half) // 2 + half]
        matrix[:, column].index_add_(0, source, taps[k])
    return matrix


def _halving(size: int) -> Tensor:
    """[2 size + EXTRA, size] float64: filters and keeps every other doubled pixel."""
    matrix = torch.zeros(2 * size + EXTRA, size, dtype=torch.float64)
    for pixel in range(size):
        matrix[2 * pixel : 2 * pixel + len(SYM6), pixel] = _taps()
    return matrix


def _grid(backward: Tensor, lattice: _Lattice) -> Tensor:
    """[N, 2 H + EXTRA, 2 W + EXTRA, 2]: where each doubled output pixel lies in the period.

    Coordinates in [-1, 1] from the centre of the first doubled pixel to that of the last, which is
    the first again. Output pixel u from the centre lies on doubled pixel L u + 2 t + W - 1 for the
    map (L, t); a quarter of a period, 4 (W - 1), is W - 1, and coordinate 0 is at half of it.
    """
    rows = backward * lattice.unit  # [N, 2, 3], in periods
    along_x = rows[:, :, :1] * lattice.x + (rows[:, :, 2:] - 0.25)  # [N, 2, W']
    along_y = rows[:, :, 1:2] * lattice.y  # [N, 2, H']
    at = along_x[:, :, None, :] + along_y[:, :, :, None]  # [N, 2, H', W']
    at = at.sub_(at.round()).mul_(2)
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
