"""Which images show the class that they were made for, going by a judge's probabilities."""

from __future__ import annotations

import numpy as np


def mismatched(labels: np.ndarray, probabilities: np.ndarray, confidence: float) -> np.ndarray:
    """[N] bool: the judge gives the image to another class, with at least this probability.

    labels: [N] int64; probabilities: [N, K].
    """
    best = probabilities.argmax(axis=1)
    sure: np.ndarray = probabilities.max(axis=1) >= confidence
    return sure & (best != labels)


def of_label(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """[N] float32: the probability of each image's label."""
    found: np.ndarray = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    return found


def best_share(labels: np.ndarray, scores: np.ndarray, share: float) -> np.ndarray:
    """[N] bool: the images of each class with the largest scores, rounded up; the first of equals.

    So no class vanishes, however little the judge thinks of it.
    """
    keep = np.zeros(len(labels), bool)
    for k in np.unique(labels):
        own = np.flatnonzero(labels == k)
        order = own[np.argsort(-scores[own], kind="stable")]
        keep[order[: int(np.ceil(share * len(own) - 1e-9))]] = True
    return keep
