"""One image of each group of synthetic images that look alike: the one that shows its class best.

Near as in `similarity/near_copies.py` (aligned correlation, mirrored ones too; candidates by 8 x 8
area averages), but from the best image down, each compared with those that stay. So memory and time
follow what stays, and a pool of a collapsed generator, whose pairs are countless, is no trouble.
"""

from __future__ import annotations

import numpy as np

from ferbench.classes import IMAGE_PX
from ferbench.similarity.near_copies import CANDIDATE_CORRELATION, CELLS, aligned_correlation
from ferbench.similarity.views import unit

BLOCK = 256  # images at a time; no result depends on it
COLUMNS = 2**15  # of those that stay, compared at once
PAIRS = 512  # aligned at once


def first_of_alike(
    images: np.ndarray, rows: np.ndarray, scores: np.ndarray, *, near_correlation: float
) -> np.ndarray:
    """[n] bool: whether each of the rows [n] of images [N, 48, 48] uint8 (maybe mapped) stays.

    In the order of falling scores [n] (the earlier one of equals), an image stays unless it is a
    near or mirrored copy of one that stays.
    """
    order = np.lexsort((rows, -scores))
    stay, kept = np.zeros(len(rows), bool), _Kept(images, len(rows))
    for start in range(0, len(rows), BLOCK):
        places = order[start : start + BLOCK]
        own = np.ascontiguousarray(images[rows[places]])
        vectors = (_coarse(own), _coarse(own[:, :, ::-1]))
        fresh = np.flatnonzero(~kept.copies(own, vectors, near_correlation))
        fresh = fresh[
            _first_within(own[fresh], vectors[0][fresh], vectors[1][fresh], near_correlation)
        ]
        kept.add(rows[places[fresh]], vectors[0][fresh])
        stay[places[fresh]] = True
    return stay


class _Kept:
    """The images that stay so far: rows and coarse vectors."""

    def __init__(self, images: np.ndarray, capacity: int) -> None:
        self._images, self._count = images, 0
        self._rows = np.empty(capacity, np.int64)
        self._vectors = np.empty((capacity, CELLS**2), np.float32)

    def add(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        here = slice(self._count, self._count + len(rows))
        self._rows[here], self._vectors[here] = rows, vectors
        self._count += len(rows)

    def copies(
        self, own: np.ndarray, vectors: tuple[np.ndarray, np.ndarray], near_correlation: float
    ) -> np.ndarray:
        """[n] bool: near or mirrored copies of an image that stays."""
        copies = np.zeros(len(own), bool)
        for start in range(0, self._count, COLUMNS):
            columns = slice(start, min(start + COLUMNS, self._count))
            for side, mine in zip((own, own[:, :, ::-1]), vectors, strict=True):
                candidates = mine @ self._vectors[columns].T >= CANDIDATE_CORRELATION
                pairs = np.argwhere(candidates & ~copies[:, None])
                rows = self._rows[columns][pairs[:, 1]]
                for i in range(0, len(pairs), PAIRS):
                    part = slice(i, i + PAIRS)
                    images = self._images[rows[part]]
                    near = aligned_correlation(images, side[pairs[part, 0]]) >= near_correlation
                    copies[pairs[part, 0][near]] = True
        return copies


def _first_within(
    own: np.ndarray, plain: np.ndarray, flipped: np.ndarray, near_correlation: float
) -> np.ndarray:
    """[n] bool: images without a near or mirrored copy among the earlier ones that stay."""
    sides = ((own, plain), (own[:, :, ::-1], flipped))
    likely = [np.triu(plain @ mine.T >= CANDIDATE_CORRELATION, 1) for _, mine in sides]
    stay = np.ones(len(own), bool)
    for i in np.flatnonzero((likely[0] | likely[1]).any(axis=1)):
        for (side, _), candidates in zip(sides, likely, strict=True):
            later = np.flatnonzero(candidates[i] & stay & stay[i])
            if len(later):
                first = np.broadcast_to(own[i], (len(later), *own[i].shape))
                near = aligned_correlation(first, side[later]) >= near_correlation
                stay[later[near]] = False
    return stay


def _coarse(images: np.ndarray) -> np.ndarray:
    """[n, 64] float32 of mean 0 and norm 1: area averages."""
    cell = IMAGE_PX // CELLS
    small = images.reshape(-1, CELLS, cell, CELLS, cell).mean(axis=(2, 4), dtype=np.float32)
    flat = small.reshape(len(images), -1)
    return unit(flat - flat.mean(axis=1, keepdims=True))
