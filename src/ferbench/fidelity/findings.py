"""What was measured of a set's fidelity: the numbers alone, of all images and class by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferbench.metrics import classification
from ferbench.results.rows import ClassifierRow


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
class FeatureDistance:
    """Jensen-Shannon distances, 0 to 1: overall of all images, classes one a class."""

    overall: float
    classes: tuple[float, ...]


@dataclass(frozen=True)
class Side:
    """Some images against the reference.

    judged: confusion of the judge on them, [7, 7] int64, rows are the labels; None without a
    judge. js: Jensen-Shannon distances from the reference in the space of the features.
    """

    comparison: Comparison
    judged: np.ndarray | None
    js: FeatureDistance

    @property
    def gate_accuracy(self) -> float:
        """Share of the images that the judge takes for their class."""
        assert self.judged is not None
        return float(np.trace(self.judged) / self.judged.sum())

    @property
    def gate_recall(self) -> np.ndarray:
        """[7] the same for each class."""
        assert self.judged is not None
        return classification.per_class(self.judged).recall


@dataclass(frozen=True)
class Diversity:
    """Of each class of the reference: features, pixels [7] float64, as in `Values`."""

    features: np.ndarray
    pixels: np.ndarray


@dataclass(frozen=True)
class Findings:
    """All numbers of one set; either all sides have a judge or none.

    reference: the real images' own diversity. whole: the set against the reference. matched: a
    part of the set with as many images of each class as the floor. floor: PublicTest without
    copies of Training images, against the same reference. trained: classifiers that learned from
    this very set. has_generator: whether it is known what drew the images.
    """

    reference: Diversity
    whole: Side
    matched: Side
    floor: Side
    path_length: float | None
    trained: tuple[ClassifierRow, ...]
    has_generator: bool = True

    @property
    def sides(self) -> dict[str, Side]:
        """The sides by name, in the order in which they are printed."""
        return {"set": self.whole, "matched": self.matched, "floor": self.floor}

    @property
    def has_judge(self) -> bool:
        """Whether a judge classified the images."""
        return self.whole.judged is not None

    def relative_diversity(self, side: Side) -> np.ndarray:
        """[7] diversity of each class in its features, as a share of that of the real images."""
        own = np.array([values.diversity for values in side.comparison.classes])
        share: np.ndarray = own / self.reference.features
        return share
