"""Batches of faces on the device: the whole set lies there as uint8 and is augmented there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ferbench.classes import IMAGE_PX
from ferbench.classifiers.mixup import draw_mixing, mix, numbers
from ferbench.classifiers.sampling import epoch_order
from ferbench.recipes.classifier import Augment, Recipe

DRAWS = 13  # random numbers an image: 6 for the affine map, 2 for the light, 5 for erasing


@dataclass(frozen=True)
class DeviceFaces:
    """images: [N, 1, 48, 48] uint8; labels: [N] int64; both on the training device.

    targets: [N, K] float16 there, the probabilities of the classes that stand for the labels in
    the loss; None: the labels themselves.
    With a first_share, that share of an epoch's draws falls on the first `first` faces and the
    rest on the others; without, every face counts the same.
    """

    images: Tensor
    labels: Tensor
    first: int = 0
    first_share: float | None = None
    targets: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Batch:
    """Training images as the network sees them, and what they show.

    images: [B, 1, 48, 48] float32 in [-1, 1]. Of image i, shares[0] is a face of class labels[i]
    and shares[1] one of class partners[i]; labels and partners are [B] int64, shares [2] float32 or
    None for (1, 0). targets: [B, K] float32, what stands for the labels in the loss, and in reverse
    order for the partners; or None.
    """

    images: Tensor
    labels: Tensor
    partners: Tensor
    shares: Tensor | None
    targets: Tensor | None = None


def to_device(images: np.ndarray, labels: np.ndarray, device: torch.device) -> DeviceFaces:
    """Copy images [N, H, W] uint8 and labels [N] int64 to the device, once."""
    pixels = torch.from_numpy(np.array(images))[:, None]
    return DeviceFaces(pixels.to(device), torch.from_numpy(np.array(labels)).to(device))


def stream_to_device(
    blocks: Iterable[np.ndarray],
    labels: np.ndarray,
    device: torch.device,
    *,
    first: int,
    first_share: float | None,
) -> DeviceFaces:
    """As `to_device`, from arrays [n, H, W] uint8 one after the other: only one is held besides.

    labels: [N] int64 of all of them; first, first_share: see `DeviceFaces`.
    """
    images = torch.empty(len(labels), 1, IMAGE_PX, IMAGE_PX, dtype=torch.uint8, device=device)
    done = 0
    for block in blocks:
        images[done : done + len(block), 0] = torch.from_numpy(block)
        done += len(block)
    assert done == len(labels)
    return DeviceFaces(images, torch.from_numpy(labels).to(device), first, first_share)


def normalize(images: Tensor) -> Tensor:
    """uint8 [N, 1, H, W] to float32 in [-1, 1], channels-last."""
    return channels_last(images.to(torch.float32).div_(127.5).sub_(1))


def channels_last(images: Tensor) -> Tensor:
    """[N, 1, H, W] with the strides of channels-last, which one channel leaves open.

    Given other strides, the first convolution takes the images for channels-first and its output
    is laid out anew before the next.
    """
    n, _, height, width = images.shape
    return images.reshape(n, height, width, 1).permute(0, 3, 1, 2)


def steps_per_epoch(faces: int, batch: int) -> int:
    """Number of whole batches, or 1 where there is none.

    An incomplete batch is left out unless it is the only one: the batch statistics of a few
    images would disturb the normalization layers.
    """
    return max(faces // batch, 1)


@dataclass(frozen=True)
class Epoch:
    """All that is random in an epoch, on the faces' device; a batch is worked out from its parts.

    rows: [N] int64, which faces in which order. draws: [N, DRAWS] float32 in [0, 1), for the
    augmentation. mixing: [steps, 7] float32, see `mixup.numbers`; None: no batch is mixed.
    """

    rows: Tensor
    draws: Tensor
    mixing: Tensor | None
    batch: int

    def part(self, number: int) -> tuple[Tensor, ...]:
        """What `make_batch` takes for batch `number`, beside the faces: views of this epoch."""
        part = slice(number * self.batch, (number + 1) * self.batch)
        mixed = () if self.mixing is None else (self.mixing[number],)
        return (self.rows[part], self.draws[part], *mixed)


def draw_epoch(faces: DeviceFaces, recipe: Recipe, *, seed: int, epoch: int) -> Epoch:
    """Order, augmentation and mixing of one epoch: a function of seed and epoch alone.

    So an interrupted epoch goes on with the batches that it would have had. Everything random is
    drawn on the CPU, the same for every device, and copied there once: a copy a step would make a
    GPU wait.
    """
    rng = np.random.default_rng([seed, epoch])
    labels, device = faces.labels.cpu().numpy(), faces.images.device
    rows = torch.from_numpy(
        epoch_order(
            labels,
            balanced=recipe.sampling == "balanced",
            rng=rng,
            first=faces.first,
            first_share=faces.first_share,
        )
    )
    draws = torch.from_numpy(rng.random((len(rows), DRAWS), dtype=np.float32))
    mixing = None
    if recipe.mixup or recipe.cutmix:
        side_px, steps = faces.images.shape[-1], steps_per_epoch(len(rows), recipe.batch)
        draw = partial(draw_mixing, recipe.mixup, recipe.cutmix, side_px=side_px, rng=rng)
        mixing = numbers([draw() for _ in range(steps)]).to(device)
    return Epoch(rows.to(device), draws.to(device), mixing, recipe.batch)


def make_batch(
    faces: DeviceFaces, how: Augment, rows: Tensor, draws: Tensor, mixing: Tensor | None = None
) -> Batch:
    """The faces of rows [B], augmented by draws [B, DRAWS], mixed by mixing [7] (or not at all).

    It reads no value to the host, so a CUDA graph may hold it.
    """
    images, labels = augment(faces.images[rows], draws, how), faces.labels[rows]
    soft = None if faces.targets is None else faces.targets[rows].float()
    shares = None if mixing is None else mixing[:2]
    return Batch(channels_last(mix(images, mixing)), labels, labels.flip(0), shares, soft)


def training_batches(
    faces: DeviceFaces, recipe: Recipe, *, seed: int, epoch: int, first: int
) -> Iterator[Batch]:
    """The batches of one epoch from number `first` on: in random order, augmented, mixed."""
    drawn = draw_epoch(faces, recipe, seed=seed, epoch=epoch)
    for number in range(first, steps_per_epoch(len(faces), recipe.batch)):
        yield make_batch(faces, recipe.augment, *drawn.part(number))


def augment(images: Tensor, draws: Tensor, how: Augment) -> Tensor:
    """Randomly changed images: [N, 1, H, W] uint8 to float32 in [-1, 1].

    draws: [N, DRAWS] float32, uniform in [0, 1), on the images' device; image i depends on row i
    alone. One affine resampling (bilinear, edge pixels repeated), then contrast and brightness,
    then erasing. A part that is off leaves the other parts' draws as they are.
    """
    pixels = normalize(images)
    if how.flip or how.rotate_degrees or how.zoom or how.shift or how.shear_degrees:
        matrices = affine_matrices(draws[:, :6], how)
        grid = F.affine_grid(matrices, list(pixels.shape), align_corners=False)
        edge = 1 - 1 / images.shape[-1]  # centers of the outer pixels; MPS has no "border" mode
        pixels = F.grid_sample(pixels, grid.clamp_(-edge, edge), align_corners=False)
    if how.brightness or how.contrast:
        contrast, brightness = _signed(draws[:, 6:8]).T[..., None, None, None]
        pixels = pixels * (1 + how.contrast * contrast) + 2 * how.brightness * brightness
        pixels = pixels.clamp_(-1, 1)
    if how.erase:
        pixels = pixels * keep_masks(draws[:, 8:], how.erase, side_px=images.shape[-1])
    return pixels


def affine_matrices(draws: Tensor, how: Augment) -> Tensor:
    """[N, 2, 3] float32 maps from output to input coordinates in [-1, 1].

    draws: [N, 6] in [0, 1): mirror, angle, shear, zoom, shift in x and y. The map is a shift after
    a mirror after rotation x shear / zoom; the content moves the other way.
    """
    mirror = torch.where(draws[:, 0] < how.flip, -1.0, 1.0)
    angle, shear, zoom, shift_x, shift_y = _signed(draws[:, 1:]).T
    angle = angle * math.radians(how.rotate_degrees)
    slant = torch.tan(shear * math.radians(how.shear_degrees))
    cos, sin = angle.cos() / (1 + how.zoom * zoom), angle.sin() / (1 + how.zoom * zoom)
    row_x = [mirror * cos, mirror * (slant * cos - sin), 2 * how.shift * shift_x]
    row_y = [sin, slant * sin + cos, 2 * how.shift * shift_y]
    return torch.stack([*row_x, *row_y], 1).unflatten(1, (2, 3))


def keep_masks(draws: Tensor, probability: float, *, side_px: int) -> Tensor:
    """[N, 1, H, W] float32: 0 inside the erased rectangle, 1 elsewhere (0 is mid-gray).

    draws: [N, 5] in [0, 1). The area is 2 to 20 % of the image, the ratio of height to width
    log-uniform in 0.3 to 3.3, the place uniform inside the image.
    """
    chance, area, aspect, x, y = draws.T
    ratio = torch.exp((2 * aspect - 1) * math.log(3.3)).sqrt()
    side = (0.02 + 0.18 * area).sqrt()
    height, width = side * ratio, side / ratio
    top, left = y * (1 - height), x * (1 - width)
    centers = (torch.arange(side_px, device=draws.device) + 0.5) / side_px
    rows = (centers >= top[:, None]) & (centers < (top + height)[:, None])
    columns = (centers >= left[:, None]) & (centers < (left + width)[:, None])
    rows &= (chance < probability)[:, None]
    return 1 - (rows[:, None, :, None] & columns[:, None, None, :]).float()


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


def _signed(draws: Tensor) -> Tensor:
    """From [0, 1) to [-1, 1)."""
    return draws * 2 - 1
