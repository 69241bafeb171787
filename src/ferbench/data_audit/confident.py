"""Confident learning: from given labels and out-of-fold probabilities to wrong labels.

Northcutt, Jiang and Chuang (2021), Confident learning: estimating uncertainty in dataset labels,
JAIR 70. An image counts for class j if its probability of j is at least what images labeled j have
on average; the counts of (given label, such a class) estimate the joint distribution of given and
true labels. It supposes that noise depends on the classes alone, and that the probabilities are
right up to a constant a class; a face that is in truth between two classes fits neither.
"""

from __future__ import annotations

import numpy as np

from ferbench.classes import CLASSES
from ferbench.data_audit.findings import LabelIssues

CLASS_COUNT = len(CLASSES)


def learn(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> LabelIssues:
    """The label issues of N images: labels [N] int64, probabilities [N, 7] of other classifiers.

    weights: [N] how often an image counts, for resampling; None: once.
    """
    weight = np.ones(len(labels)) if weights is None else weights
    own = probabilities[np.arange(len(labels)), labels]
    sums = np.bincount(labels, weight * own, CLASS_COUNT)
    counts = np.bincount(labels, weight, CLASS_COUNT)
    limits = np.divide(sums, counts, out=np.full(CLASS_COUNT, np.inf), where=counts > 0)  # eq. 2
    allowed = np.where(probabilities >= limits, probabilities, -1.0)
    best = allowed.argmax(axis=1)
    confident = allowed[np.arange(len(labels)), best] >= 0
    pairs = (labels * CLASS_COUNT + best)[confident]
    joint = np.bincount(pairs, weight[confident], CLASS_COUNT**2).reshape(CLASS_COUNT, -1)  # eq. 1
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1.0
    return LabelIssues(
        labels,
        proposed=np.where(confident, best, labels),
        margin=own - others.max(axis=1),
        thresholds=limits,
        joint=_calibrated(joint, counts),
    )


def _calibrated(joint: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The confident counts, each row scaled to the images with that label; sums to 1 (eq. 3)."""
    filled = np.where(joint.sum(axis=1, keepdims=True) > 0, joint, np.eye(CLASS_COUNT))
    scaled = filled * (counts / filled.sum(axis=1))[:, None]
    normal: np.ndarray = scaled / scaled.sum()
    return normal


def noise(joint: np.ndarray) -> np.ndarray:
    """[8] float64: share of wrong labels of each given class (NaN without any), then of all."""
    given = joint.sum(axis=1)
    kept = np.divide(np.diag(joint), given, out=np.full(len(given), np.nan), where=given > 0)
    return np.append(1 - kept, 1 - np.trace(joint))


def noise_intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    groups: np.ndarray,
    *,
    rounds: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> np.ndarray:
    """[8, 2] float64: percentile bootstrap intervals of `noise`; copies are drawn together.

    They hold the spread of the images, neither that of the training nor the method's own bias.
    groups: [N] int64, numbers of photographs. NaN for a class without images.
    """
    _, group = np.unique(groups, return_inverse=True)
    size = int(group.max()) + 1
    rates = np.empty((rounds, CLASS_COUNT + 1))
    for i in range(rounds):
        drawn = np.bincount(rng.integers(0, size, size), minlength=size)
        rates[i] = noise(learn(labels, probabilities, drawn[group].astype(np.float64)).joint)
    tail = (1 - level) / 2
    ends = np.full((CLASS_COUNT + 1, 2), np.nan)
    known = ~np.isnan(rates).all(axis=0)
    ends[known] = np.nanquantile(rates[:, known], [tail, 1 - tail], axis=0).T
    return ends
