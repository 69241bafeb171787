"""Two labeled sets of images compared: every number of fidelity, overall and class by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferbench.classes import CLASSES
from ferbench.data import label_counts
from ferbench.metrics import feature_sets
from ferbench.metrics.feature_sets import Neighborhoods

ALL = -1  # in the place of a class: all of them together


@dataclass(frozen=True)
class Described:
    """Labeled images and what a classifier sees in them; row i of every array is image i.

    images: [N, H, W] uint8; labels: [N] int64 in the order of `CLASSES`; features: [N, F] float32;
    logits: [N, K] float32, of the classifier whose features these are.
    """

    images: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    logits: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> Described:
        """The images of an index array or a boolean mask."""
        return Described(
            self.images[rows], self.labels[rows], self.features[rows], self.logits[rows]
        )

    def of_class(self, k: int) -> Described:
        """The images of class k, or all of them for `ALL`."""
        return self if k == ALL else self.take(np.flatnonzero(self.labels == k))


@dataclass(frozen=True)
class How:
    """How the numbers are taken.

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
class Values:
    """The numbers of one set, or of one class of it, against the same of the reference.

    images, reference_images: how many; kid_images: of a subset. diversity, pixel_diversity: of the
    set alone; see ferbench.metrics.feature_sets for each number.
    """

    images: int
    reference_images: int
    fid: float
    kid: float
    kid_sd: float
    kid_images: int
    precision: float
    recall: float
    density: float
    coverage: float
    diversity: float
    pixel_diversity: float


@dataclass(frozen=True)
class Comparison:
    """overall: of all images; classes: one a class, in the order of `CLASSES`.

    inception_score, inception_score_sd: of all images of the set.
    """

    overall: Values
    classes: tuple[Values, ...]
    inception_score: float
    inception_score_sd: float

    @property
    def intra_fid(self) -> float:
        """Mean of the classes' FIDs (Miyato and Koyama 2018): no matter how large each class is."""
        return float(np.mean([values.fid for values in self.classes]))


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


def reference(real: Described, how: How) -> Reference:
    """Prepare the real images; every class has at least `how.least_images`."""
    parts, spread, pixels = {}, {}, {}
    for k in _scopes():
        own = real.of_class(k)
        mean, covariance = feature_sets.gaussian_of(own.features)
        points = feature_sets.neighborhoods(own.features, how.neighbors, how.density_neighbors)
        parts[k] = Part(mean, covariance, points)
        spread[k], pixels[k] = _diversity(own, how, k)
    return Reference(parts, spread, pixels)


def compare(real: Reference, sample: Described, how: How) -> Comparison:
    """All numbers of the sample; every class has at least `how.least_images`.

    Equal seeds give equal numbers; a class's draws do not depend on the other classes.
    """
    values = [_values(real.parts[k], sample.of_class(k), k, how) for k in _scopes()]
    splits = min(how.score_splits, len(sample))
    score, spread = feature_sets.inception_score(sample.logits, splits=splits, rng=_rng(how, ALL))
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


def _values(real: Part, own: Described, k: int, how: How) -> Values:
    mean, covariance = feature_sets.gaussian_of(own.features)
    kid_images = min(how.kid_images, len(own), len(real.points.features))
    kid, kid_sd = feature_sets.kernel_distance(
        real.points.features,
        own.features,
        subsets=how.kid_subsets,
        size=kid_images,
        rng=_rng(how, k),
    )
    points = _some(own.features, how.neighbor_images, _rng(how, k))
    found = feature_sets.overlap(
        real.points, points, k=how.neighbors, density_k=how.density_neighbors
    )
    spread, pixels = _diversity(own, how, k)
    return Values(
        images=len(own),
        reference_images=len(real.points.features),
        fid=feature_sets.frechet_distance(real.mean, real.covariance, mean, covariance),
        kid=kid,
        kid_sd=kid_sd,
        kid_images=kid_images,
        precision=found.precision,
        recall=found.recall,
        density=found.density,
        coverage=found.coverage,
        diversity=spread,
        pixel_diversity=pixels,
    )


def _diversity(own: Described, how: How, k: int) -> tuple[float, float]:
    """Of features and of pixels, over some of the images."""
    rows = _some(np.arange(len(own)), how.diversity_images, _rng(how, k))
    return feature_sets.diversity(own.features[rows]), feature_sets.pixel_diversity(
        own.images[rows]
    )


def _some(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """The rows, or `most` of them, drawn at random, where there are more."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(rng.choice(len(rows), most, replace=False))]


def _rng(how: How, k: int) -> np.random.Generator:
    return np.random.default_rng([how.seed, k + 1])
