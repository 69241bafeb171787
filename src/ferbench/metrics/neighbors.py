"""Distances between many points, a block of rows at a time: exact, and bounded in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

BLOCK_NUMBERS = 2**25  # distances in memory at once: 128 MiB; no result depends on it


def nearest(
    queries: np.ndarray,
    references: np.ndarray,
    k: int,
    *,
    exclude_self: bool = False,
    block: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Euclidean distances [N, k] float32 of the k nearest references, ascending, and their rows.

    queries: [N, F]; references: [M, F], both finite float; rows: [N, k] int64. exclude_self: row i
    of the queries is row i of the references and is left out of its own neighbors (its equals are
    not). block: queries at a time. Raises ValueError if there are fewer than k references.
    """
    others = len(references) - exclude_self
    if others < k:
        raise ValueError(f"{others} references; {k} neighbors were asked for")
    squares, rows = [], []
    for start, distances in _blocks(queries, references, block):
        if exclude_self:
            own = torch.arange(len(distances))
            distances[own, start + own] = torch.inf
        smallest = distances.topk(k, largest=False)
        squares.append(smallest.values)
        rows.append(smallest.indices)
    return torch.cat(squares).sqrt_().numpy(), torch.cat(rows).numpy()


def balls(
    points: np.ndarray, centers: np.ndarray, radii: np.ndarray, *, block: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Which points lie in which balls, for R radii a center at once.

    points: [N, F]; centers: [M, F]; radii: [M, R]; a point on the border is inside. Returns the
    number of balls around each point, [N, R] int64, and whether a ball holds a point, [M, R] bool.
    """
    limits = np.square(radii.astype(np.float32)).T.copy()  # [R, M]
    counts = np.empty((len(points), len(limits)), dtype=np.int64)
    holds = np.zeros(limits.shape, dtype=np.bool_)
    for start, distances in _blocks(points, centers, block):
        for r, limit in enumerate(limits):
            inside = distances.numpy() <= limit
            counts[start : start + len(inside), r] = np.count_nonzero(inside, axis=1)
            holds[r] |= inside.any(axis=0)
    return counts, holds.T.copy()


def mean_distance(points: np.ndarray, *, block: int | None = None) -> float:
    """Mean Euclidean distance over all pairs of the points [N, F], N > 1."""
    total = 0.0
    for start, distances in _blocks(points, points, block):
        own = torch.arange(len(distances))
        distances[own, start + own] = 0.0  # exactly, whatever the rounding
        total += float(distances.sqrt_().sum(dtype=torch.float64))
    return total / (len(points) * (len(points) - 1))


def _blocks(
    queries: np.ndarray, references: np.ndarray, block: int | None
) -> Iterator[tuple[int, Tensor]]:
    """(first row, squared distances [block, M] float32) for all rows of the queries in turn.

    |q - r|^2 = |q|^2 + |r|^2 - 2 q r, around the mean of the references: differences of large
    numbers lose digits. A distance is off by some 1e-7 of the squared norms.
    """
    origin = references.mean(axis=0, dtype=np.float64).astype(np.float32)
    right = torch.from_numpy(np.subtract(references, origin, dtype=np.float32))
    right_norms = right.square().sum(1)
    block = block or max(1, BLOCK_NUMBERS // len(references))
    for start in range(0, len(queries), block):
        rows = np.subtract(queries[start : start + block], origin, dtype=np.float32)
        left = torch.from_numpy(rows)
        distances = torch.addmm(right_norms, left, right.T, alpha=-2.0)
        distances += left.square().sum(1, keepdim=True)
        yield start, distances.clamp_(min=0.0)
