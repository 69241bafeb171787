"""Gray images to another size without aliasing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

METHODS = ("area", "bicubic")
BLOCK = 4096  # images at a time


def resize(images: np.ndarray, px: int, *, method: str = "bicubic") -> np.ndarray:
    """Images [N, H, W] uint8 as [N, px, px] uint8; those of that size are returned as they are.

    method: "area" averages the pixels that a new one covers; "bicubic" is antialiased when it
    makes smaller.
    """
    if images.shape[1:] == (px, px):
        return images
    parts = [
        resize_tensor(torch.from_numpy(np.array(images[i : i + BLOCK])), px, method=method).numpy()
        for i in range(0, len(images), BLOCK)
    ]
    return np.concatenate(parts) if parts else np.empty((0, px, px), np.uint8)


def resize_tensor(images: Tensor, px: int, *, method: str = "bicubic") -> Tensor:
    """As `resize`, for a tensor [N, H, W] uint8."""
    assert method in METHODS, method
    if images.shape[1:] == (px, px):
        return images
    pixels = images[:, None].float()  # [N, 1, H, W]
    if method == "area":
        rows, columns = (area_weights(size, px).to(pixels) for size in images.shape[1:])
        resized = rows @ pixels @ columns.T
    else:
        resized = functional.interpolate(pixels, (px, px), mode="bicubic", antialias=True)
    return resized[:, 0].round().clamp(0, 255).to(torch.uint8)


def area_weights(source: int, target: int) -> Tensor:
    """Share of each source pixel in each target pixel by the length they overlap in.

    [target, source] float32; rows sum to 1.
    """
    edges = torch.arange(target + 1, dtype=torch.float64) * source / target
    left = torch.arange(source, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], left + 1) - torch.maximum(edges[:-1, None], left)
    return (overlap.clamp(min=0) * target / source).float()
