"""What was measured of bias, numbers alone: class shares, attributes, groups of a classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ferbench.bias.attributes import Attribute
from ferbench.classes import CLASSES
from ferbench.metrics.classification import wilson_interval

T = TypeVar("T")


# --- the images beside the real ones -------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def noise(self) -> bool:
        """Whether the interval holds 0."""
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class Representation:
    """Shares of the classes. own, real: [7] int64 images; floor: of the distance, by chance."""

    own: np.ndarray
    real: np.ndarray
    distance: float
    floor: float

    @property
    def ratio(self) -> float:
        """Largest class over smallest."""
        return float(self.own.max() / self.own.min())


@dataclass(frozen=True)
class AttributeFindings:
    """One attribute of the examined images, and of the real ones where it is known of them.

    own_counts, real_counts: [7, groups] int64, as they are. distance, floor: Jensen-Shannon, at
    equal shares of the classes, and up to where chance takes it between two samples of the real
    images (95 %). own, real: association with the class (eta squared of a number, Cramer's V of a
    word), every class counted alike; amplification: own - real. own_information,
    real_information: mutual information of class and group, normalized.
    """

    attribute: Attribute
    own_counts: np.ndarray
    own: Interval
    own_information: float
    real_counts: np.ndarray | None = None
    real: Interval | None = None
    real_information: float | None = None
    amplification: Interval | None = None
    distance: float | None = None
    floor: float | None = None

    @property
    def measure(self) -> str:
        """What own and real are."""
        return "η²" if self.attribute.numeric else "V"

    @property
    def excess_distance(self) -> float | None:
        """The distance less what chance gives."""
        return None if self.distance is None or self.floor is None else self.distance - self.floor

    @property
    def shifted(self) -> bool:
        """Whether the distance is more than chance gives."""
        return self.excess_distance is not None and self.excess_distance > 0


# --- groups under a classifier -------------------------------------------------------------------


@dataclass(frozen=True)
class Gap:
    """Largest value of a group minus smallest, its 95 % interval, and what chance stays below.

    chance: the 95 % quantile of the gap when the images of each class are assigned to the groups at
    random, as many of each class to each group as there are.
    """

    value: float
    low: float
    high: float
    chance: float

    @property
    def noise(self) -> bool:
        """Whether it is no more than chance gives."""
        return self.value <= self.chance


@dataclass(frozen=True)
class GroupScores:
    """One attribute's G groups under a classifier.

    confusion: [G, 7, 7] int64, rows are true classes. too_few: [G] bool, groups with fewer images
    than min_count; class_too_few: [G, 7], classes with fewer in the group. Both are left out of
    the gaps, which are None where fewer than two groups are left.
    accuracy_gap: over groups. recall_gaps: one a class; recall_gap: the largest of them.
    odds_gap: equalized odds difference, the largest gap of a class's recall (true positive rate)
    or false positive rate (Hardt, Price and Srebro 2016).
    """

    attribute: Attribute
    confusion: np.ndarray
    too_few: np.ndarray
    class_too_few: np.ndarray
    accuracy_gap: Gap | None
    recall_gaps: tuple[Gap | None, ...]
    recall_gap: Gap | None
    odds_gap: Gap | None

    @property
    def images(self) -> np.ndarray:
        """[G] int64."""
        images: np.ndarray = self.confusion.sum(axis=(1, 2))
        return images

    @property
    def accuracy(self) -> np.ndarray:
        """[G, 3]: accuracy, with its 95 % interval (Wilson); NaN for an empty group."""
        return _with_intervals(np.trace(self.confusion, axis1=1, axis2=2), self.images)

    @property
    def recall(self) -> np.ndarray:
        """[G, 7, 3]: recall of each class likewise; NaN where there is no image."""
        hits = np.diagonal(self.confusion, axis1=1, axis2=2)
        return _with_intervals(hits, self.confusion.sum(axis=2))

    @property
    def worst_class(self) -> str:
        """The class with the largest recall gap, "-" where no class has one."""
        gaps = [
            (gap.value, name)
            for gap, name in zip(self.recall_gaps, CLASSES, strict=True)
            if gap is not None
        ]
        return max(gaps)[1] if gaps else "-"


def _with_intervals(hits: np.ndarray, images: np.ndarray) -> np.ndarray:
    """[..., 3]: share and its interval."""
    shares = np.full((*hits.shape, 3), np.nan)
    for place, n in np.ndenumerate(images):
        if n:
            shares[place] = (hits[place] / n, *wilson_interval(int(hits[place]), int(n)))
    return shares


# --- all of it -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Findings:
    """All numbers of a set, or of a classifier on its test images.

    images: how many; blank: those without computed attributes. synthetic: whether a generator made
    them. is_reference: whether they are the real Training images, which are compared with nothing.
    groups: one an attribute with a classifier, else empty. min_count: images of a group from which
    on its scores say something.
    """

    images: int
    blank: int
    synthetic: bool
    is_reference: bool
    representation: Representation
    attributes: tuple[AttributeFindings, ...]
    groups: tuple[GroupScores, ...]
    min_count: int

    @property
    def farthest(self) -> AttributeFindings | None:
        """The attribute with the largest distance over what chance gives."""
        return largest(self.attributes, lambda one: one.excess_distance)

    @property
    def strongest(self) -> AttributeFindings | None:
        """The attribute with the strongest association to the class, in the examined images."""
        return largest(self.attributes, lambda one: one.own.value)

    @property
    def amplified(self) -> AttributeFindings | None:
        """The attribute whose association differs most from that in the real images."""
        return largest(
            self.attributes,
            lambda one: None if one.amplification is None else abs(one.amplification.value),
        )

    def widest(self, gap: str) -> GroupScores | None:
        """The attribute whose gap of this name is largest over what chance gives."""
        return largest(self.groups, lambda scores: _excess(getattr(scores, gap)))


def largest(items: Sequence[T], value: Callable[[T], float | None]) -> T | None:
    """The item with the largest value, the first among equals; None where none has a value."""
    known = [(number, item) for item in items if (number := value(item)) is not None]
    return max(known, key=lambda pair: pair[0])[1] if known else None


def _excess(gap: Gap | None) -> float | None:
    return None if gap is None else gap.value - gap.chance
