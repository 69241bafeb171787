"""Which faces an epoch shows, and in which order: by chance, classes alike, real ones by share."""

from __future__ import annotations

import math

import numpy as np


def epoch_order(
    labels: np.ndarray,
    *,
    balanced: bool,
    rng: np.random.Generator,
    first: int = 0,
    first_share: float | None = None,
) -> np.ndarray:
    """[N] int64 row numbers of one epoch, for labels [N].

    Natural sampling is a permutation. Balanced sampling draws the classes equally often (those
    that come first in a random order once more where N is no multiple of their number), and
    repeats no face of a class before all of them were drawn. With a first_share, that share of the
    N draws falls on the rows below `first` and the rest on the others, each part sampled so, and
    repeating no row before all of them were drawn.
    """
    n = len(labels)
    if first_share is None:
        return _sampled(labels, n, balanced, rng)
    n_first = round(first_share * n)
    parts = [
        _sampled(labels[:first], n_first, balanced, rng),
        first + _sampled(labels[first:], n - n_first, balanced, rng),
    ]
    return rng.permutation(np.concatenate(parts))


def _sampled(
    labels: np.ndarray, count: int, balanced: bool, rng: np.random.Generator
) -> np.ndarray:
    """`count` row numbers in random order; balanced: the classes equally often."""
    if not balanced:
        return _in_rounds(np.arange(len(labels)), count, rng)
    present = rng.permutation(np.unique(labels))
    counts = [len(range(i, count, len(present))) for i in range(len(present))]
    rows = [
        _in_rounds(np.flatnonzero(labels == c), n, rng)
        for c, n in zip(present, counts, strict=True)
    ]
    return rng.permutation(np.concatenate(rows))


def _in_rounds(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of the rows: whole shuffled rounds, then a part of one."""
    rounds = [rng.permutation(rows) for _ in range(math.ceil(count / len(rows)))]
    return np.concatenate(rounds)[:count]
