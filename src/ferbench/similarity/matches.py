"""Copies of one set of images in another: the same pixels, or the same photograph cropped closer.

A near copy is measured as in `near_copies`, by the largest correlation of a 42 x 42 window
over shifts of up to 3 pixels, but also with the reference enlarged by up to a fifth. Candidates are
the references whose gradients are nearest to the image or to its mirror image: of 400 FER2013
images of which a random 44 x 44 window was enlarged to 48 x 48, the original is among the five
nearest for all, and correlates at 0.99; with a 42 x 42 window it is for 93 %.

Enlarging matters: of the 6,073 FER2013 test images without a near copy in the sense of
`near_copies`, 346 correlate at 0.95 or more with a training image at another scale. Looked at by
eye, all of 32 such pairs from 0.95 to 0.97 show one photograph, and half of 32 from 0.90 to 0.93.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ferbench.metrics.neighbors import nearest
from ferbench.similarity.near_copies import aligned_correlation
from ferbench.similarity.views import Views

ZOOMS = (1.0, 1.045, 1.09, 1.14, 1.2)  # neighbors differ by at most 3 % from a scale between them
CANDIDATES = 5  # references an image
# Pairs under this correlation at zoom 1 are not tried at others; of 346 true pairs one lay below.
WORTH_ZOOMING = 0.5
BATCH = 512  # pairs at a time


@dataclass(frozen=True)
class Match:
    """Of each image the reference that correlates most with it.

    row: [N] int64; correlation: [N] float64 in [-1, 1]; mirrored: [N] bool; zoom: [N] float64, by
    how much the reference is enlarged.
    """

    row: np.ndarray
    correlation: np.ndarray
    mirrored: np.ndarray
    zoom: np.ndarray

    def take(self, rows: np.ndarray | slice) -> Match:
        """The rows of an index array, a mask or a slice."""
        return Match(**{name: value[rows] for name, value in vars(self).items()})

    def then(self, other: Match) -> Match:
        """These images, then the other ones."""
        mine, theirs = vars(self), vars(other)
        return Match(**{name: np.concatenate([mine[name], theirs[name]]) for name in mine})


class Pixels:
    """Images by their pixels, to look copies up."""

    def __init__(self, references: np.ndarray) -> None:
        self._rows: dict[bytes, int] = {}
        for row, reference in enumerate(references):
            self._rows.setdefault(reference.tobytes(), row)

    def find(self, images: np.ndarray) -> np.ndarray:
        """[N] int64: the first reference with the pixels of the image or its mirror, or -1."""
        rows = [self._row(image, self._row(image[:, ::-1], -1)) for image in images]
        return np.array(rows, dtype=np.int64)

    def _row(self, image: np.ndarray, default: int) -> int:
        return self._rows.get(image.tobytes(), default)


def best_match(
    images: np.ndarray,
    views: Views,
    references: np.ndarray,
    vectors: np.ndarray,
    *,
    exclude_self: bool = False,
) -> Match:
    """The reference that correlates most with each image, of the candidates (see the module).

    images: [N, 48, 48], references: [M, 48, 48] uint8; views, vectors [M, F]: their gradients.
    exclude_self: image i is reference i and is not compared with itself.
    """
    rows, flips = _candidates(views, vectors, exclude_self)
    query = np.repeat(np.arange(len(images)), rows.shape[1])
    rows, flips = rows.ravel(), flips.ravel()
    best = _correlations(images, query, flips, references, rows, 1.0)
    zooms = np.ones(len(best))
    worth = np.flatnonzero(best >= WORTH_ZOOMING)
    for zoom in ZOOMS[1:]:
        enlarged_best = _correlations(
            images, query[worth], flips[worth], references, rows[worth], zoom
        )
        better = enlarged_best > best[worth]
        best[worth[better]], zooms[worth[better]] = enlarged_best[better], zoom
    candidates = len(best) // max(len(images), 1)
    chosen = best.reshape(len(images), candidates).argmax(axis=1)
    chosen += np.arange(len(images)) * candidates
    return Match(rows[chosen], best[chosen], flips[chosen], zooms[chosen])


def _candidates(
    views: Views, vectors: np.ndarray, exclude_self: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Rows [N, K] int64 of the nearest references, and whether the mirror image is near, [N, K]."""
    k = min(CANDIDATES, len(vectors) - exclude_self)
    sides = (views.plain, views.mirrored)
    nearest_of_sides = [nearest(side, vectors, k, exclude_self=exclude_self) for side in sides]
    distances, rows = (
        np.concatenate(parts, axis=1) for parts in zip(*nearest_of_sides, strict=True)
    )
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(rows, order, axis=1), order >= k


def _correlations(
    images: np.ndarray,
    query: np.ndarray,
    flips: np.ndarray,
    references: np.ndarray,
    rows: np.ndarray,
    zoom: float,
) -> np.ndarray:
    """[P] float64: aligned correlation of images[query], mirrored where flipped, with the rows."""
    correlations = np.empty(len(query))
    for start in range(0, len(query), BATCH):
        part = slice(start, start + BATCH)
        own = images[query[part]]
        own = np.where(flips[part, None, None], own[:, :, ::-1], own)
        correlations[part] = aligned_correlation(enlarged(references[rows[part]], zoom), own)
    return correlations


def enlarged(images: np.ndarray, zoom: float) -> np.ndarray:
    """The middle of images [N, H, H] enlarged to the whole, float32; zoom >= 1."""
    pixels = torch.from_numpy(np.array(images, dtype=np.float32))[:, None]
    if zoom == 1:
        return pixels[:, 0].numpy()
    matrix = torch.eye(2, 3)[None].expand(len(pixels), -1, -1) / zoom
    grid = functional.affine_grid(matrix, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False)[:, 0].numpy()
