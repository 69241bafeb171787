"""A judge's score of a generator in training: a distance, and the accuracy of each class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import stylegan2_ada as sg
from ferbench.classes import IMAGE_PX
from ferbench.classifiers.judge import Judge
from ferbench.data.label_counts import class_counts
from ferbench.data.resize import resize_tensor
from ferbench.files import load_cached, save_arrays
from ferbench.metrics.feature_sets import frechet_distance

FIRST_SEED = 1_000_000  # of the images that are scored
BATCH = 128


@dataclass(frozen=True)
class Reference:
    """Mean [F] and covariance [F, F] of the judge's features of the real faces, float64."""

    mean: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True)
class Score:
    """distance: Fréchet distance to the real faces in the judge's features, classes equally often.

    accuracy: share of samples that the judge takes for the class they were asked for, the mean
    over classes; by_class: the same for each class.
    """

    distance: float
    accuracy: float
    by_class: tuple[float, ...]


def reference(judge: Judge, images: np.ndarray, labels: np.ndarray, *, cache: Path) -> Reference:
    """Features of real faces [N, 48, 48] uint8, each class with the same weight.

    cache: a file that keeps them for this judge and these faces, which are distinguished by hash.
    """
    key = np.array([judge.hash, str(len(labels))])
    kept = load_cached(cache, "key", "mean", "covariance")
    if kept is not None and np.array_equal(kept["key"], key):
        return Reference(kept["mean"], kept["covariance"])
    features = judge.describe(images, what="real faces, judged").features
    weights = (1 / np.maximum(class_counts(labels), 1))[labels]
    computed = Reference(*weighted_gaussian(features, weights))
    save_arrays(cache, key=key, mean=computed.mean, covariance=computed.covariance)
    return computed


def weighted_gaussian(features: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [F] and covariance [F, F] of features [N, F] with weights [N] > 0, in float64."""
    rows, shares = features.astype(np.float64), weights / weights.sum()
    mean = shares @ rows
    rows -= mean
    return mean, (rows * shares[:, None]).T @ rows


def score(
    generator: sg.TwoStageGenerator,
    class_conditions: torch.Tensor,
    judge: Judge,
    real: Reference,
    *,
    per_class: int,
    dtype: torch.dtype,
) -> Score:
    """Draw `per_class` images of every class, of the same seeds each time, and score them.

    class_conditions: [K, c_dim]; K = 1 is an unconditional generator, whose accuracy is nan.
    """
    classes = len(class_conditions)
    labels = np.arange(classes * per_class) % classes
    parts = [
        _gray(_draw(generator, class_conditions[labels[i : i + BATCH]], FIRST_SEED + i, dtype))
        for i in range(0, len(labels), BATCH)
    ]
    described = judge.describe(torch.cat(parts))
    own = weighted_gaussian(described.features, np.ones(len(labels)))
    distance = frechet_distance(*own, real.mean, real.covariance)
    if classes == 1:
        return Score(distance, float("nan"), ())
    hits = described.logits.argmax(1) == labels
    by_class = tuple(float(hits[labels == k].mean()) for k in range(classes))
    return Score(distance, float(np.mean(by_class)), by_class)


def _draw(
    generator: sg.TwoStageGenerator, conditions: torch.Tensor, seed: int, dtype: torch.dtype
) -> torch.Tensor:
    """[N, C, H, W] uint8 images of N seeds in a row."""
    seeds = range(seed, seed + len(conditions))
    images = sg.sample(generator, seeds, conditions, noise="seed", dtype=dtype)
    return sg.to_uint8(images.float())


def _gray(images: torch.Tensor) -> torch.Tensor:
    """[N, 48, 48] uint8 of images [N, 1 or 3, H, W] uint8."""
    gray = images.float().mean(1).round().to(torch.uint8)
    return resize_tensor(gray, IMAGE_PX)
