"""How different two histograms are: numbers from counts alone."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import jensenshannon


def js_distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Jensen-Shannon distance of histograms: the root of their divergence in bits (Lin 1991).

    With shares p, q and m = (p + q) / 2: sqrt((KL(p | m) + KL(q | m)) / 2), logarithms to base 2.
    It is 0 for equal shares, 1 where no bin is in both, and a metric (Endres and Schindelin 2003).

    one, other: [..., B] counts or shares, each with a positive sum; returns [...] in [0, 1].
    """
    with np.errstate(invalid="ignore"):  # equal shares may give the root of a number just below 0
        distance = np.nan_to_num(jensenshannon(one, other, base=2, axis=-1))
    return np.minimum(distance, 1.0)


def total_variation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Half the sum of |p - q|: the share of images that would have to change their bin.

    one, other: [..., B] counts or shares, each with a positive sum; returns [...] in [0, 1].
    """
    distance: np.ndarray = np.abs(shares(one) - shares(other)).sum(axis=-1) / 2
    return distance


def shares(counts: np.ndarray) -> np.ndarray:
    """[..., B] float64 that sum to 1, of counts [..., B] with a positive sum."""
    total = np.asarray(counts, np.float64)
    normal: np.ndarray = total / total.sum(axis=-1, keepdims=True)
    return normal
