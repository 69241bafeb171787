"""What an audit measured of a set, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ferbench.data.face_set import Faces
from ferbench.similarity.matches import Match
from ferbench.similarity.views import Nearest

DISCRIMINATOR, INVERSION = "discriminator", "inversion"
NETWORK_ATTACKS = frozenset({DISCRIMINATOR, INVERSION})  # the set alone does not allow them

TestKey = tuple[str, str]  # the name of a test, and the space that it looks at


# --- what lies next to the images ----------------------------------------------------------------


@dataclass(frozen=True)
class Neighbors:
    """A set of images in one space: for each of its N images the nearest real ones.

    members, sample, held, half_sample, reference: the nearest image of the role (see `roles`);
    cell: [N] int, the region of C_T.
    """

    members: Nearest
    sample: Nearest
    held: Nearest
    half_sample: Nearest
    reference: Nearest
    cell: np.ndarray

    def take(self, rows: np.ndarray | slice) -> Neighbors:
        """The rows of an index array, a mask or a slice."""
        near = {name: part.take(rows) for name, part in self._near().items()}
        return Neighbors(**near, cell=self.cell[rows])

    def then(self, other: Neighbors) -> Neighbors:
        """These images, then the other ones."""
        theirs = other._near()
        near = {name: part.then(theirs[name]) for name, part in self._near().items()}
        return Neighbors(**near, cell=np.concatenate([self.cell, other.cell]))

    def _near(self) -> dict[str, Nearest]:
        return {name: part for name, part in vars(self).items() if name != "cell"}


@dataclass(frozen=True)
class Portrait:
    """What lies next to each of the N images of a set.

    identical: [N] int64, row of the Training image with these pixels, or -1. match: the Training
    image that correlates most; held: the held-out one. hashes: nearest members by perceptual hash.
    neighbors: by space.
    """

    identical: np.ndarray
    match: Match
    held: Match
    hashes: Nearest
    neighbors: Mapping[str, Neighbors]

    def __len__(self) -> int:
        return len(self.identical)

    def take(self, rows: np.ndarray | slice) -> Portrait:
        """The rows of an index array, a mask or a slice."""
        neighbors = {name: part.take(rows) for name, part in self.neighbors.items()}
        match, held = self.match.take(rows), self.held.take(rows)
        return Portrait(self.identical[rows], match, held, self.hashes.take(rows), neighbors)

    def then(self, other: Portrait) -> Portrait:
        """These images, then the other ones."""
        return Portrait(
            np.concatenate([self.identical, other.identical]),
            self.match.then(other.match),
            self.held.then(other.held),
            self.hashes.then(other.hashes),
            {name: part.then(other.neighbors[name]) for name, part in self.neighbors.items()},
        )


# --- tests and attacks ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What one test gave.

    value: the statistic; chance: what it would be without memorization; excess: how far it is from
    chance, positive towards memorization; error: standard deviation of the excess by chance, None
    where the p-value is exact; p: one-sided p-value.
    """

    value: float
    chance: float
    excess: float
    error: float | None
    p: float


Outcomes = dict[TestKey, Outcome]


@dataclass(frozen=True)
class Candidates:
    """A value for every candidate of an attack: [M] of the members, [H] of the held-out images."""

    members: np.ndarray
    others: np.ndarray


@dataclass(frozen=True)
class Attack:
    """How well a score tells members (training images) from others (held-out ones).

    auc: area under the ROC curve in [0, 1], 1/2 by chance. tpr: share of members recognized where
    at most 1 % of the others are taken for members; that is what chance gives, too. p_auc, p_tpr:
    one-sided (see `statistics`). Intervals: 95 %, percentile bootstrap; None where none was asked
    for.
    """

    auc: float
    tpr: float
    members: int
    others: int
    p_auc: float
    p_tpr: float
    auc_interval: tuple[float, float] | None = None
    tpr_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class AttackResult:
    """An attack on all candidates, and on those of each class (None where there are too few).

    space: where its score comes from. p: of the AUC, less the space's bias; class_p: the smallest
    of the classes', times their number (Bonferroni). curve: false and true positive rates.
    decides: whether the TPR counts; a space that knows the members favors some of them.
    """

    name: str
    space: str
    overall: Attack
    classes: tuple[Attack | None, ...]
    p: float
    class_p: float
    curve: tuple[np.ndarray, np.ndarray]
    decides: bool = True

    @property
    def key(self) -> TestKey:
        """Its name and space."""
        return self.name, self.space

    def flagged(self, alpha: float) -> bool:
        """Whether training images are distinguished from others, all together or in one class."""
        tpr = self.overall.p_tpr < alpha and self.decides
        return min(self.p, self.class_p) < alpha or tpr


# --- controls ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Controls:
    """What the tests give for the control sets.

    images: of each set. bias: outcomes for held-out images in the spaces that learned from the
    members, from a first half of them. negative: outcomes for the second half. levels: planted
    images, ascending. positive: by variant, the outcomes at each level.
    """

    images: int
    bias: Outcomes
    negative: Outcomes
    levels: tuple[int, ...]
    positive: dict[str, tuple[Outcomes, ...]]

    def limit(self, variant: str, alpha: float, test: TestKey | None = None) -> int | None:
        """Planted images from which on the test flags the set (any sound test for None)."""
        flags = [self._flagged(outcomes, alpha, test) for outcomes in self.positive[variant]]
        missed = [i for i, flag in enumerate(flags) if not flag]
        first = missed[-1] + 1 if missed else 0
        return self.levels[first] if first < len(self.levels) else None

    def unsound(self, alpha: float) -> list[TestKey]:
        """Tests that flag the negative control: they do not count."""
        return [key for key, outcome in self.negative.items() if outcome.p < alpha]

    def _flagged(self, outcomes: Outcomes, alpha: float, test: TestKey | None) -> bool:
        if test is not None:
            return test in outcomes and outcomes[test].p < alpha
        unsound = self.unsound(alpha)
        return any(one.p < alpha for key, one in outcomes.items() if key not in unsound)


# --- the whole -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """How strict the audit is; conf/audit.yaml explains each."""

    near_correlation: float
    quantile: float
    alpha: float
    bootstrap: int
    control_images: int
    percents: tuple[float, ...]


@dataclass(frozen=True)
class Findings:
    """Everything that an audit measured of a set of N images.

    labels: [N] int64, the set's own. train: all Training images; candidates: labels of the members
    and of the held-out images. dropped: real images of each split that were left out because they
    have a near copy among the real ones. portrait: of the set's images; outcomes: of the tests;
    c_t: the data-copying statistic as published, by space; attacks: from the set alone, then those
    that were added.
    """

    labels: np.ndarray
    train: Faces = field(repr=False)
    candidates: Candidates
    dropped: Mapping[str, int]
    portrait: Portrait
    outcomes: Outcomes
    c_t: Mapping[str, float | None]
    attacks: Sequence[AttackResult]
    controls: Controls
    options: Options

    @property
    def images(self) -> int:
        """How many images the set has."""
        return len(self.labels)

    @property
    def members(self) -> int:
        """How many training images were compared."""
        return len(self.candidates.members)

    @property
    def held(self) -> int:
        """How many held-out images were compared."""
        return len(self.candidates.others)

    @property
    def unsound(self) -> list[TestKey]:
        """Tests that the negative control failed: they do not count."""
        return self.controls.unsound(self.options.alpha)

    @property
    def flags(self) -> list[TestKey]:
        """Tests (with their space) that the set did not pass."""
        alpha, unsound = self.options.alpha, self.unsound
        tests = [k for k, one in self.outcomes.items() if one.p < alpha and k not in unsound]
        flagged = [one.key for one in self.attacks if one.flagged(alpha)]
        return tests + [key for key in flagged if key not in [*tests, *unsound]]

    @property
    def identical(self) -> int:
        """Images with the pixels of a training image, or of its mirror image."""
        return int((self.portrait.identical >= 0).sum())

    @property
    def near(self) -> np.ndarray:
        """[N] bool: the near copies of training images, the identical ones among them."""
        correlated = self.portrait.match.correlation >= self.options.near_correlation
        near: np.ndarray = correlated | (self.portrait.identical >= 0)
        return near

    def detection_limit(self, variant: str) -> float | None:
        """Smallest planted share in percent from which on the control sets are flagged."""
        count = self.controls.limit(variant, self.options.alpha)
        return None if count is None else 100 * count / self.controls.images
