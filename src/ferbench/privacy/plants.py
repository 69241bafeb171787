"""Training images changed as a generator that has memorized them might give them back.

They are planted in sets that hold none, to see from what share on the audit finds them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from ferbench.classes import IMAGE_PX

CROP_PX = 44  # of 48: a twelfth of each side is lost
COARSE_PX = 24  # a faded copy has lost what is finer
CONTRAST, BRIGHTNESS, NOISE = 0.15, 15.0, 8.0  # share, gray levels, gray levels


def plain(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The images as they are."""
    return np.array(images)


def mirrored(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Left and right exchanged."""
    return np.ascontiguousarray(images[:, :, ::-1])


def cropped(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random window of 44 x 44 pixels, enlarged to 48 x 48."""
    corners = rng.integers(0, IMAGE_PX - CROP_PX + 1, (len(images), 2))
    windows = [
        image[y : y + CROP_PX, x : x + CROP_PX]
        for image, (y, x) in zip(images, corners, strict=True)
    ]
    return _levels(_resized(np.stack(windows), IMAGE_PX, "bilinear")[:, 0].numpy())


def faded(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blurred to half the resolution, of other contrast and brightness, and noisy."""
    coarse = _resized(images, COARSE_PX, "area")
    soft = functional.interpolate(coarse, size=IMAGE_PX, mode="bilinear")[:, 0].numpy()
    shape = (len(images), 1, 1)
    mean = soft.mean(axis=(1, 2), keepdims=True)
    contrast = 1 + rng.uniform(-CONTRAST, CONTRAST, shape)
    brightness = rng.uniform(-BRIGHTNESS, BRIGHTNESS, shape)
    return _levels((soft - mean) * contrast + mean + brightness + rng.normal(0, NOISE, soft.shape))


VARIANTS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "plain": plain,
    "mirrored": mirrored,
    "cropped": cropped,
    "faded": faded,
}


def _resized(images: np.ndarray, px: int, mode: str) -> torch.Tensor:
    """[N, 1, px, px] float32."""
    pixels = torch.from_numpy(np.array(images, dtype=np.float32))[:, None]
    return functional.interpolate(pixels, size=px, mode=mode)


def _levels(values: np.ndarray) -> np.ndarray:
    """To the nearest gray level, [0, 255] uint8."""
    levels: np.ndarray = values.round().clip(0, 255).astype(np.uint8)
    return levels
