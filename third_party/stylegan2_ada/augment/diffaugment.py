"""Differentiable augmentation (Zhao et al. 2020, arXiv 2006.10738): always on, no controller."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .color import cut_out

SHIFT = 1 / 8  # of the image
CUTOUT = 1 / 2  # of the image


def diff_augment(images: Tensor, policy: str, generator: torch.Generator) -> Tensor:
    """Augment every image of [N, 1 or 3, H, W], float32 about [-1, 1], in its own way.

    policy: names from "color", "translation" and "cutout" with commas between ("" for none); they
    are applied in that order of writing. Real and generated images get the same policy.
    All draws come from `generator`, which lies on the images' device: nothing is read from there,
    so a call can be captured as a CUDA graph. Differentiable twice with respect to the images.
    Raises ValueError for an unknown name.
    """
    names = [name for name in policy.split(",") if name]
    unknown = sorted(set(names) - set(POLICIES))
    if unknown:
        raise ValueError(f"policy={policy}: unknown {unknown}; known are {', '.join(POLICIES)}")
    for name in names:
        images = POLICIES[name](images, generator)
    return images


def color(images: Tensor, generator: torch.Generator) -> Tensor:
    """Brightness within +-0.5, saturation from 0 to 2, contrast from 0.5 to 1.5.

    A gray image has no saturation; the draw is made all the same.
    """
    brightness, saturation, contrast = _uniform(images, 3, generator).unbind(1)
    images = images + (brightness - 0.5)[:, None, None, None]
    gray = images.mean(1, keepdim=True)
    images = gray + (images - gray) * (2 * saturation)[:, None, None, None]
    mean = images.mean([1, 2, 3], keepdim=True)
    return mean + (images - mean) * (contrast + 0.5)[:, None, None, None]


def translation(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift by whole pixels, up to an eighth of the image on each axis; zeros move in."""
    _, c, height, width = images.shape
    reach_y, reach_x = round(height * SHIFT), round(width * SHIFT)
    shift = _uniform(images, 2, generator)
    y = (shift[:, :1] * (2 * reach_y + 1)).long()  # [N, 1], 0 to 2 * reach
    x = (shift[:, 1:] * (2 * reach_x + 1)).long()
    padded = F.pad(images, [reach_x, reach_x, reach_y, reach_y])
    rows = (y + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (x + torch.arange(width, device=images.device))[:, None, None, :]
    padded = padded.gather(2, rows.expand(-1, c, -1, padded.shape[3]))  # [N, C, H, W']
    return padded.gather(3, columns.expand(-1, c, height, -1))


def cutout(images: Tensor, generator: torch.Generator) -> Tensor:
    """Set a square of half the image's size, centred anywhere in the image, to zero."""
    size = torch.full([len(images), 1], CUTOUT, device=images.device)
    return cut_out(images, _uniform(images, 2, generator), size)


def _uniform(images: Tensor, numbers: int, generator: torch.Generator) -> Tensor:
    """[N, numbers] in [0, 1) of the images' dtype."""
    shape = [len(images), numbers]
    return torch.rand(shape, generator=generator, device=images.device).to(images)


POLICIES: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}
