"""Images as vectors whose Euclidean distance says how alike two images are, mirrored ones too.

A generator that learned from mirrored images may give a training image mirrored, so the distance
from a synthetic image to a real one is the smaller of the two that the image and its mirror have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ferbench.classes import IMAGE_PX
from ferbench.metrics.neighbors import nearest

PIXEL_CELLS = 16  # pixels are compared as 16 x 16 area averages
CELL_PX, DIRECTIONS = 8, 8  # gradients: 6 x 6 cells, 8 directions
HASH_SIDE = 8  # frequencies of the perceptual hash each way; 63 bits without the mean
BLOCK = 256  # images at a time: their gradients fit a cache
FLAT_LEVELS = 0.2  # mean gradient below which a region counts as flat, in gray levels

Encode = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Views:
    """Vectors [N, F] float32 of images as they stand (`plain`) and of their mirror images."""

    plain: np.ndarray
    mirrored: np.ndarray

    def __len__(self) -> int:
        return len(self.plain)

    def take(self, rows: np.ndarray | slice) -> Views:
        """The rows of an index array, a mask or a slice."""
        return Views(self.plain[rows], self.mirrored[rows])


@dataclass(frozen=True)
class Nearest:
    """Of each query: the nearest reference and its distance, and the distance of the second.

    row: [N] int64; first, second: [N] float32. The second is another reference than the first.
    """

    row: np.ndarray
    first: np.ndarray
    second: np.ndarray

    def take(self, rows: np.ndarray | slice) -> Nearest:
        """The rows of an index array, a mask or a slice."""
        return Nearest(self.row[rows], self.first[rows], self.second[rows])

    def then(self, other: Nearest) -> Nearest:
        """These queries, then the other ones."""
        mine, theirs = vars(self), vars(other)
        return Nearest(**{name: np.concatenate([mine[name], theirs[name]]) for name in mine})

    @property
    def ratio(self) -> np.ndarray:
        """[N] float64 in [0, 1]: first to second distance (NNDR); 1 where both are 0.

        Small where one reference stands out from all others, as the original of a copy does. An
        image that is near to everything, because it is smooth, has a ratio near 1.
        """
        first, second = self.first.astype(np.float64), self.second.astype(np.float64)
        return np.divide(first, second, out=np.ones_like(first), where=second > 0)


def view(images: np.ndarray, encode: Encode) -> Views:
    """Images [N, 48, 48] uint8 and their mirror images as vectors."""
    return Views(encode(images), encode(np.ascontiguousarray(images[:, :, ::-1])))


def nearest_real(queries: Views, references: np.ndarray) -> Nearest:
    """The nearest of the references [M, F], M > 1, to each query or its mirror image."""
    sides = [nearest(vectors, references, 2) for vectors in (queries.plain, queries.mirrored)]
    distances = np.concatenate([pair[0] for pair in sides], axis=1)  # [N, 4]
    rows = np.concatenate([pair[1] for pair in sides], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")
    distances = np.take_along_axis(distances, order, axis=1)
    rows = np.take_along_axis(rows, order, axis=1)
    other = np.argmax(rows != rows[:, :1], axis=1)  # of four, two at least are different images
    return Nearest(rows[:, 0], distances[:, 0], distances[np.arange(len(rows)), other])


def nearest_synthetic(candidates: np.ndarray, synthetic: Views) -> np.ndarray:
    """[N] float32: distance from each candidate [N, F] to the nearest synthetic image, or mirror.

    The score of GAN-Leaks (Chen et al. 2020, equation 6) for images alone.
    """
    distances = [nearest(candidates, side, 1)[0][:, 0] for side in vars(synthetic).values()]
    smallest: np.ndarray = np.minimum(*distances)
    return smallest


# --- encodings -----------------------------------------------------------------------------------


def pixels(images: np.ndarray) -> np.ndarray:
    """[N, 256] float32 of norm 1: area averages less their mean; 2 - distance**2 is correlation."""
    cell = IMAGE_PX // PIXEL_CELLS
    small = images.reshape(-1, PIXEL_CELLS, cell, PIXEL_CELLS, cell)
    flat = small.mean(axis=(2, 4), dtype=np.float32).reshape(len(images), -1)
    return unit(flat - flat.mean(axis=1, keepdims=True))


def gradients(images: np.ndarray) -> np.ndarray:
    """[N, 288] float32 of norm 1: how strong edges of 8 directions are in 6 x 6 cells.

    A histogram of oriented gradients (Dalal and Triggs 2005): each pixel's gradient counts for the
    two directions next to its own, and each cell is divided by the energy of its 3 x 3 neighbors,
    so neither brightness nor contrast matter.
    """
    parts = [_gradients(images[i : i + BLOCK]) for i in range(0, len(images), BLOCK)]
    return np.concatenate(parts) if parts else np.empty((0, 288), np.float32)


def _gradients(images: np.ndarray) -> np.ndarray:
    gray = torch.from_numpy(np.array(images, dtype=np.float32))
    padded = functional.pad(gray[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    strength = torch.hypot(across, down)
    turn = torch.atan2(down, across) * (DIRECTIONS / np.pi)  # half a turn is the same direction
    shares = [_share(turn, k) for k in range(DIRECTIONS)]
    cells = torch.stack([functional.avg_pool2d(strength * share, CELL_PX) for share in shares], 1)
    squares = functional.pad(cells.square().sum(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    around = 9 * functional.avg_pool2d(squares, 3, stride=1)  # [N, 1, 6, 6]
    return unit((cells / (around + FLAT_LEVELS**2).sqrt()).flatten(1).numpy())


def _share(turn: Tensor, k: int) -> Tensor:
    """The part of a gradient that direction k gets, in [0, 1]: 1 along it, 0 at the next ones."""
    gap = (turn - k).remainder(DIRECTIONS)
    return (1 - torch.minimum(gap, DIRECTIONS - gap)).clamp_(min=0)


def hashes(images: np.ndarray) -> np.ndarray:
    """[N, 63] float32 of -1/2 and 1/2: a perceptual hash; distance**2 counts differing bits.

    The signs of the lowest frequencies of the cosine transform against their median (pHash; Zauner
    2010, section 3.2.1), the mean left out.
    """
    k, i = np.arange(HASH_SIDE)[:, None], np.arange(IMAGE_PX)
    basis = np.cos(np.pi * k * (2 * i + 1) / (2 * IMAGE_PX)).astype(np.float32)
    waves = basis @ images.astype(np.float32) @ basis.T  # [N, 8, 8]
    waves = waves.reshape(len(images), -1)[:, 1:]
    above = waves > np.median(waves, axis=1, keepdims=True)
    return above.astype(np.float32) - np.float32(0.5)


def unit(vectors: np.ndarray) -> np.ndarray:
    """[N, F] float32 vectors of norm 1; zeros stay zeros."""
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = (vectors / np.maximum(norm, 1e-6)).astype(np.float32)
    return scaled
