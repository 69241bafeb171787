"""How different two histograms are: numbers from counts alone."""

from __future__ import annotations

import numpy as np


def js_distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Jensen-Shannon distance of histograms: the root of their divergence in bits (Lin 1991).

    With shares p, q and m = (p + q) / 2: sqrt((KL(p | m) + KL(q | m)) / 2), logarithms to base 2.
    It is 0 for equal shares, 1 where no bin is in both, and a metric (Endres and Schindelin 2003).

    one, other: [..., B] counts or shares, each with a positive sum; returns [...] in [0, 1].
    """
    p, q = shares(one), shares(other)
    middle = (p + q) / 2
    divergence = (_relative(p, middle) + _relative(q, middle)) / 2
    return np.sqrt(np.clip(divergence, 0, 1))


def total_variation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Half the sum of |p - q|: the share of images that would have to change their bin.

    one, other: [..., B] counts or shares, each with a positive sum; returns [...] in [0, 1].
    """
    found: np.ndarray = np.abs(shares(one) - shares(other)).sum(axis=-1) / 2
    return found


def shares(counts: np.ndarray) -> np.ndarray:
    """[..., B] float64 that sum to 1, of counts [..., B] with a positive sum."""
    total = np.asarray(counts, np.float64)
    found: np.ndarray = total / total.sum(axis=-1, keepdims=True)
    return found


def _relative(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Relative entropy in bits, [..., B] to [...]; q is positive wherever p is."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    found: np.ndarray = (p * np.log2(ratio)).sum(axis=-1)
    return found
