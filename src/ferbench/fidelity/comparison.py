"""Two labeled sets of images compared: every number of fidelity, overall and class by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferbench.classes import CLASSES
from ferbench.data import label_counts
from ferbench.fidelity.findings import Comparison, Values
from ferbench.metrics import feature_sets
from ferbench.metrics.feature_sets import Neighborhoods

ALL = -1  # in the place of a class: all of them together


@dataclass(frozen=True)
class FeatureSet:
    """Labeled images with their features; row i of every array is image i.

    images: [N, H, W] uint8; labels: [N] int64 in the order of `CLASSES`; features: [N, F] float32;
    logits: [N, K] float32, of the network whose features these are.
    """

    images: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    logits: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> FeatureSet:
        """The images of an index array or a boolean mask."""
        return FeatureSet(
            self.images[rows], self.labels[rows], self.features[rows], self.logits[rows]
        )

    def of_class(self, k: int) -> FeatureSet:
        """The images of class k, or all of them for `ALL`."""
        return self if k == ALL else self.take(np.flatnonzero(self.labels == k))


@dataclass(frozen=True)
class Settings:
    """How the numbers are computed.

    neighbors: k of precision and recall; density_neighbors: k of density and coverage;
    neighbor_images: so many of a set at most, drawn at random, have their neighbors looked for;
    kid_subsets, kid_images: how many subsets of how many images (fewer where a class has fewer);
    score_splits: parts of the Inception Score; diversity_images: so many of a class at most are
    compared pair by pair; seed: of every draw.
    """

    neighbors: int
    density_neighbors: int
    neighbor_images: int
    kid_subsets: int
    kid_images: int
    score_splits: int
    diversity_images: int
    seed: int

    @property
    def least_images(self) -> int:
        """So many images of a class every number needs."""
        return 1 + max(self.neighbors, self.density_neighbors)


@dataclass(frozen=True)
class Part:
    """The reference's images of one class, or all, with what every comparison needs of them."""

    mean: np.ndarray
    covariance: np.ndarray
    points: Neighborhoods


@dataclass(frozen=True)
class Reference:
    """The real images, prepared once for several comparisons: parts by class and `ALL`.

    diversity, pixel_diversity: by class and `ALL`, as in `Values`.
    """

    parts: dict[int, Part]
    diversity: dict[int, float]
    pixel_diversity: dict[int, float]


def reference(real: FeatureSet, settings: Settings) -> Reference:
    """Prepare the real images; every class has at least `settings.least_images`."""
    parts, spread, pixels = {}, {}, {}
    for k in _scopes():
        own = real.of_class(k)
        mean, covariance = feature_sets.gaussian_of(own.features)
        points = feature_sets.neighborhoods(
            own.features, settings.neighbors, settings.density_neighbors
        )
        parts[k] = Part(mean, covariance, points)
        spread[k], pixels[k] = _diversity(own, settings, k)
    return Reference(parts, spread, pixels)


def compare(real: Reference, sample: FeatureSet, settings: Settings) -> Comparison:
    """All numbers of the sample; every class has at least `settings.least_images`.

    Equal seeds give equal numbers; a class's draws do not depend on the other classes.
    """
    values = [_values(real.parts[k], sample.of_class(k), k, settings) for k in _scopes()]
    splits = min(settings.score_splits, len(sample))
    score, spread = feature_sets.inception_score(
        sample.logits, splits=splits, rng=_rng(settings, ALL)
    )
    return Comparison(values[0], tuple(values[1:]), score, spread)


def class_counts(labels: np.ndarray) -> tuple[int, ...]:
    """Number of images of each class."""
    return tuple(label_counts.class_counts(labels).tolist())


def draw(labels: np.ndarray, counts: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Rows of so many random images of each class, ascending; there are as many."""
    chosen = [
        rng.choice(np.flatnonzero(labels == k), count, replace=False)
        for k, count in enumerate(counts)
    ]
    return np.sort(np.concatenate(chosen))


def _scopes() -> range:
    """`ALL`, then every class."""
    return range(ALL, len(CLASSES))


def _values(real: Part, own: FeatureSet, k: int, settings: Settings) -> Values:
    mean, covariance = feature_sets.gaussian_of(own.features)
    kid_images = min(settings.kid_images, len(own), len(real.points.features))
    kid, kid_sd = feature_sets.kernel_distance(
        real.points.features,
        own.features,
        subsets=settings.kid_subsets,
        size=kid_images,
        rng=_rng(settings, k),
    )
    points = _some(own.features, settings.neighbor_images, _rng(settings, k))
    overlap = feature_sets.overlap(
        real.points, points, k=settings.neighbors, density_k=settings.density_neighbors
    )
    spread, pixels = _diversity(own, settings, k)
    return Values(
        images=len(own),
        reference_images=len(real.points.features),
        fid=feature_sets.frechet_distance(real.mean, real.covariance, mean, covariance),
        kid=kid,
        kid_sd=kid_sd,
        kid_images=kid_images,
        precision=overlap.precision,
        recall=overlap.recall,
        density=overlap.density,
        coverage=overlap.coverage,
        diversity=spread,
        pixel_diversity=pixels,
    )


def _diversity(own: FeatureSet, settings: Settings, k: int) -> tuple[float, float]:
    """Of features and of pixels, over some of the images."""
    rows = _some(np.arange(len(own)), settings.diversity_images, _rng(settings, k))
    return feature_sets.diversity(own.features[rows]), feature_sets.pixel_diversity(
        own.images[rows]
    )


def _some(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """The rows, or `most` of them, drawn at random, where there are more."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(rng.choice(len(rows), most, replace=False))]


def _rng(settings: Settings, k: int) -> np.random.Generator:
    return np.random.default_rng([settings.seed, k + 1])
