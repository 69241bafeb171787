"""Batches of faces on the device: the whole set lies there as uint8 and is augmented there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ferbench.recipe import Augment


@dataclass(frozen=True)
class DeviceFaces:
    """images: [N, 1, 48, 48] uint8; labels: [N] int64; both on the training device."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)


def to_device(images: np.ndarray, labels: np.ndarray, device: torch.device) -> DeviceFaces:
    """Copy images [N, H, W] uint8 and labels [N] int64 to the device, once."""
    pixels = torch.from_numpy(np.array(images))[:, None]
    return DeviceFaces(pixels.to(device), torch.from_numpy(np.array(labels)).to(device))


def normalize(images: Tensor) -> Tensor:
    """uint8 [N, 1, H, W] to float32 in [-1, 1], channels-last."""
    scaled = images.to(torch.float32).div_(127.5).sub_(1)
    return scaled.contiguous(memory_format=torch.channels_last)


def epoch_order(labels: Tensor, *, balanced: bool, seed: int, epoch: int) -> Tensor:
    """[N] int64 row numbers of one epoch, a function of seed and epoch alone.

    Natural sampling is a permutation; balanced sampling draws every class equally often (to one),
    without repeats inside a class until it is used up.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    if not balanced:
        return torch.randperm(len(labels), generator=generator)
    cpu_labels = labels.cpu()
    present = cpu_labels.unique()
    per_class = math.ceil(len(labels) / len(present))
    rows = [_cycled((cpu_labels == c).nonzero()[:, 0], per_class, generator) for c in present]
    drawn = torch.cat(rows)
    return drawn[torch.randperm(len(drawn), generator=generator)[: len(labels)]]


def training_batches(
    faces: DeviceFaces, order: Tensor, batch: int, *, first: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches (images uint8, labels) in the given order from batch number `first` on.

    The last, incomplete batch is left out unless it is the only one: batch statistics of a few
    images would disturb the normalization layers.
    """
    whole = max(len(order) // batch, 1)
    for number in range(first, whole):
        rows = order[number * batch : (number + 1) * batch].to(faces.images.device)
        yield faces.images[rows], faces.labels[rows]


def augment(images: Tensor, how: Augment, generator: torch.Generator) -> Tensor:
    """Randomly changed images: [N, 1, H, W] uint8 to float32 in [-1, 1], channels-last.

    One affine resampling (bilinear, edge pixels repeated), then brightness and contrast, then
    erasing. Every image has its own draws, all from `generator`, which lives on the CPU.
    """
    pixels = normalize(images)
    n, device = len(images), images.device
    matrix = affine_matrices(n, how, generator)
    if not torch.equal(matrix, torch.eye(2, 3).expand(n, 2, 3)):
        grid = F.affine_grid(matrix.to(device), list(pixels.shape), align_corners=False)
        pixels = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    draws = torch.rand(n, 2, generator=generator).mul_(2).sub_(1).to(device)[..., None, None, None]
    if how.brightness or how.contrast:
        pixels = pixels * (1 + how.contrast * draws[:, 0]) + 2 * how.brightness * draws[:, 1]
        pixels = pixels.clamp_(-1, 1)
    if how.erase:
        pixels = pixels * keep_masks(n, images.shape[-1], how.erase, generator).to(device)
    return pixels.contiguous(memory_format=torch.channels_last)


def affine_matrices(n: int, how: Augment, generator: torch.Generator) -> Tensor:
    """[N, 2, 3] float32 maps from output to input coordinates in [-1, 1]."""
    draw = torch.rand(n, 6, generator=generator)
    signed = draw.mul(2).sub(1)
    angle = signed[:, 0] * math.radians(how.rotate_degrees)
    shear = signed[:, 1] * math.radians(how.shear_degrees)
    zoom = 1 + signed[:, 2] * how.zoom
    mirror = torch.where(draw[:, 5] < how.flip, -1.0, 1.0)
    cos, sin = angle.cos(), angle.sin()
    shift = 2 * how.shift * signed[:, 3:5]
    row_x = torch.stack([mirror * cos / zoom, mirror * (shear.tan() - sin) / zoom, shift[:, 0]], 1)
    row_y = torch.stack([sin / zoom, cos / zoom, shift[:, 1]], 1)
    return torch.stack([row_x, row_y], 1)


def keep_masks(n: int, side_px: int, probability: float, generator: torch.Generator) -> Tensor:
    """[N, 1, H, W] float32: 0 inside the erased rectangle, 1 elsewhere (0 is mid-gray).

    The area is 2 to 20 % of the image, the aspect ratio log-uniform in 0.3 to 3.3.
    """
    area, aspect, x, y, chance = torch.rand(n, 5, generator=generator).unbind(1)
    ratio = torch.exp((2 * aspect - 1) * math.log(3.3)).sqrt()
    side = (0.02 + 0.18 * area).sqrt()
    height, width = (side * ratio).clamp_max(1), (side / ratio).clamp_max(1)
    top, left = y * (1 - height), x * (1 - width)
    centers = (torch.arange(side_px) + 0.5) / side_px
    rows = (centers >= top[:, None]) & (centers < (top + height)[:, None])
    columns = (centers >= left[:, None]) & (centers < (left + width)[:, None])
    hit = (chance < probability)[:, None, None]
    return 1 - (rows[:, :, None] & columns[:, None, :] & hit).float()[:, None]


def mix(
    images: Tensor, labels: Tensor, *, mixup: float, cutmix: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, float]:
    """Mixup (Zhang et al. 2018) or CutMix (Yun et al. 2019) of a batch with itself reversed.

    images: [N, 1, H, W] float32; labels: [N]. mixup, cutmix: alpha of the Beta law, 0 is off; with
    both on, one is drawn per batch. Returns the images, the partners' labels and the share in
    [0, 1] of the own label.
    """
    if not (mixup or cutmix):
        return images, labels, 1.0
    use_cutmix = bool(cutmix) and (not mixup or torch.rand((), generator=generator).item() < 0.5)
    share = _beta(cutmix if use_cutmix else mixup, generator)
    partner = images.flip(0)
    if not use_cutmix:
        return images * share + partner * (1 - share), labels.flip(0), share
    side = images.shape[-1]
    cut = round(side * math.sqrt(1 - share))
    top, left = torch.randint(0, side - cut + 1, (2,), generator=generator).tolist()
    images = images.clone()
    images[..., top : top + cut, left : left + cut] = partner[..., top : top + cut, left : left + cut]
    return images, labels.flip(0), 1 - (cut / side) ** 2


def views(images: Tensor, tta: str) -> list[Tensor]:
    """Versions of normalized images [N, 1, H, W] whose predictions are averaged.

    tta: none; flip (2 views); ten_crop (5 crops of 11/12 of the side, resized back, and mirrored).
    """
    if tta == "none":
        return [images]
    if tta == "flip":
        return [images, images.flip(-1)]
    assert tta == "ten_crop"
    side = images.shape[-1]
    gap = side - side * 11 // 12
    corners = [(0, 0), (0, gap), (gap, 0), (gap, gap), (gap // 2, gap // 2)]
    crops = [images[..., y : y + side - gap, x : x + side - gap] for y, x in corners]
    sized = [F.interpolate(c, size=side, mode="bilinear", align_corners=False) for c in crops]
    return [view for crop in sized for view in (crop, crop.flip(-1))]


def _cycled(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    rounds = math.ceil(count / len(rows))
    shuffled = [rows[torch.randperm(len(rows), generator=generator)] for _ in range(rounds)]
    return torch.cat(shuffled)[:count]


def _beta(alpha: float, generator: torch.Generator) -> float:
    """One draw from Beta(alpha, alpha), as a ratio of two Gamma draws."""
    gamma = torch._standard_gamma(torch.full((2,), float(alpha)), generator=generator)
    return float(gamma[0] / gamma.sum())
