"""From predictions to numbers: accuracy, macro averages, ranking, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special
from scipy.stats import binomtest
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)

from ferbench.classes import CLASSES

CALIBRATION_BINS = 15  # as in Guo et al. 2017; another number gives another ECE
CONFIDENCE_LEVEL = 0.95


def scores(
    labels: np.ndarray, logits: np.ndarray, *, clean: np.ndarray | None = None
) -> dict[str, float | int | None]:
    """Every score of the common table, by its column's name (docs/metrics.md defines them).

    labels: [N] integers in the order of `CLASSES`, N > 0; logits: [N, 7] floats.
    clean: [N] bool, False where the image is a copy of an earlier one, of training or test; None
    where nobody has looked, which leaves the `_dedup` scores None.

    The prediction is the largest logit, the first of `CLASSES` among equals. A class that is
    never predicted has precision and F1 of 0. A class without a test image has no recall (None),
    and macro averages run over the classes that have one. AUROC and average precision
    need images in and out of a class, and are None if the test set has one class only.
    Raises ValueError on shapes that do not fit, labels out of range or logits that are not finite.
    """
    _check(labels, logits)
    log_probabilities = log_softmax(logits)
    probabilities = np.exp(log_probabilities)
    hit = labels == logits.argmax(axis=1)
    low, high = wilson_interval(int(hit.sum()), len(hit))
    each = per_class(confusion(labels, logits.argmax(axis=1)))
    present = each.support > 0
    area, average_precision = _ranking(labels, probabilities)
    nll = -log_probabilities[np.arange(len(labels)), labels].mean()
    recall = {
        f"recall_{name}": float(each.recall[k]) if present[k] else None
        for k, name in enumerate(CLASSES)
    }
    return {
        "n_test": len(labels),
        "accuracy": float(hit.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        **_dedup(hit, clean),
        "balanced_accuracy": float(each.recall[present].mean()),
        "macro_precision": float(each.precision[present].mean()),
        "macro_recall": float(each.recall[present].mean()),
        "macro_f1": float(each.f1[present].mean()),
        "auroc": area,
        "average_precision": average_precision,
        "ece": reliability(labels, probabilities).ece,
        "nll": max(float(nll), 0.0),  # the mean of zeros is -0.0
        **recall,
    }


def confusion(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """[7, 7] int64 counts: rows are the true classes, columns the predicted ones."""
    counts = confusion_matrix(labels, predicted, labels=range(len(CLASSES)))
    return np.asarray(counts, dtype=np.int64)


@dataclass(frozen=True)
class PerClass:
    """Scores of each class: precision, recall, f1 [K] float64 in [0, 1], support [K] int64.

    recall is 0 where support is 0 and precision where nothing was predicted; f1 is 0 in both.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def per_class(counts: np.ndarray) -> PerClass:
    """Precision, recall and F1 of each class from a [K, K] confusion matrix (rows are true)."""
    true, predicted = np.indices(counts.shape).reshape(2, -1)
    precision, recall, f1, support = precision_recall_fscore_support(
        true,
        predicted,
        labels=range(len(counts)),
        sample_weight=counts.ravel(),
        zero_division=0.0,
    )
    return PerClass(precision, recall, f1, np.asarray(support, dtype=np.int64))


@dataclass(frozen=True)
class Reliability:
    """What a reliability diagram shows; B bins of equal width over the confidence.

    edges: [B + 1] in [0, 1]; counts: [B] int64 images; confidence, accuracy: [B] float64 means
    of a bin in [0, 1], NaN where it is empty; ece: expected calibration error in [0, 1].
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    ece: float


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS
) -> Reliability:
    """Accuracy against confidence, and the ECE (Guo et al. 2017, equations 1 to 3).

    labels: [N]; probabilities: [N, K], rows sum to 1. Confidence is the largest probability of an
    image; bin b holds the images with b / bins < confidence <= (b + 1) / bins.
    """
    sure = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.digitize(sure, edges, right=True) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sure_sum = np.bincount(place, weights=sure, minlength=bins)
    hit_sum = np.bincount(place, weights=hit, minlength=bins)
    some = np.where(counts > 0, counts, np.nan)
    ece = float(np.abs(hit_sum - sure_sum).sum() / len(labels))
    return Reliability(edges, counts, sure_sum / some, hit_sum / some, ece)


def wilson_interval(hits: int, n: int, level: float = CONFIDENCE_LEVEL) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927), both ends in [0, 1].

    It treats the n > 0 images as independent draws: the uncertainty of the test set, not that of
    the seed.
    """
    interval = binomtest(hits, n).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def softmax(logits: np.ndarray) -> np.ndarray:
    """[N, K] float64 probabilities of [N, K] logits; rows sum to 1."""
    probabilities: np.ndarray = special.softmax(logits.astype(np.float64), axis=1)
    return probabilities


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """[N, K] float64 log probabilities of [N, K] finite logits."""
    log_probabilities: np.ndarray = special.log_softmax(logits.astype(np.float64), axis=1)
    return log_probabilities


def _check(labels: np.ndarray, logits: np.ndarray) -> None:
    if labels.ndim != 1 or len(labels) == 0 or logits.shape != (len(labels), len(CLASSES)):
        raise ValueError(f"labels {labels.shape} and logits {logits.shape} must be [N], [N, 7]")
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels are {labels.dtype}; expected integers")
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise ValueError(f"labels {labels.min()} to {labels.max()}; expected 0 to 6")
    bad = int((~np.isfinite(logits)).any(axis=1).sum())
    if bad:
        raise ValueError(f"logits of {bad} of {len(logits)} images are not finite")


def _dedup(hit: np.ndarray, clean: np.ndarray | None) -> dict[str, float | int | None]:
    """Count and accuracy of the clean images; both None without a mask."""
    if clean is None:
        return {"n_test_dedup": None, "accuracy_dedup": None}
    if clean.shape != hit.shape or clean.dtype != np.bool_:
        raise ValueError(f"clean is {clean.dtype} {clean.shape}; expected bool {hit.shape}")
    accuracy = float(hit[clean].mean()) if clean.any() else None
    return {"n_test_dedup": int(clean.sum()), "accuracy_dedup": accuracy}


def _ranking(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float | None, float | None]:
    """Macro AUROC and average precision, one class against the rest; equal scores share a rank."""
    one_hot = labels[:, None] == np.arange(probabilities.shape[1])
    rankable = one_hot.any(axis=0) & ~one_hot.all(axis=0)
    if not rankable.any():
        return None, None
    true, ranked = one_hot[:, rankable], probabilities[:, rankable]
    area = [roc_auc_score(t, s) for t, s in zip(true.T, ranked.T, strict=True)]
    precision = [average_precision_score(t, s) for t, s in zip(true.T, ranked.T, strict=True)]
    return float(np.mean(area)), float(np.mean(precision))
