"""What a data audit measured of a set of real faces, as values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferbench.data_audit.pool import Pool


@dataclass(frozen=True)
class Groups:
    """Groups of copies of one kind.

    images: in all groups; redundant: all but one of each group; across: groups that lie in several
    splits; conflicting: groups with several labels. mixed: [7, 7] int64, symmetric: groups that
    hold both classes; its diagonal is 0.
    """

    groups: int
    images: int
    redundant: int
    across: int
    conflicting: int
    mixed: np.ndarray


@dataclass(frozen=True)
class Leak:
    """Images of a split that are identical to one of an earlier split.

    other_label: those of them that no such image of the earlier split has the label of.
    """

    split: str
    earlier: str
    images: int
    other_label: int


@dataclass(frozen=True)
class Balance:
    """counts: [3, 7] int64, images of each split and class.

    chi2, freedom, p: Pearson's test of the hypothesis that all splits have the same shares; it
    takes images for independent draws, which copies are not. cramers_v: the size of the
    difference in [0, 1]. largest_ratio: the largest class over the smallest.
    """

    counts: np.ndarray
    chi2: float
    freedom: int
    p: float
    cramers_v: float
    largest_ratio: float


@dataclass(frozen=True)
class Faults:
    """Everything that is counted.

    groups: by kind, and of all kinds joined ("any"). within: redundant identical copies inside each
    split, by name. blank: [3, 7] int64; constant_blank: blank images of one single gray level;
    blank_groups: groups of identical images that are blank ones.
    """

    groups: dict[str, Groups]
    leaks: list[Leak]
    within: dict[str, int]
    balance: Balance
    blank: np.ndarray
    constant_blank: int
    blank_groups: Groups

    def leak(self, split: str, earlier: str) -> Leak:
        """Images of `split` that are identical to one of `earlier`."""
        (leak,) = (one for one in self.leaks if (one.split, one.earlier) == (split, earlier))
        return leak


@dataclass(frozen=True)
class LabelIssues:
    """What confident learning makes of the labels [N] int64 of N images.

    proposed: [N] int64, the class that an image counts for, or the given label if for none.
    margin: [N] float64 in [-1, 1], probability of the given label less the largest of another.
    thresholds: [7] float64. joint: [7, 7] float64, summing to 1, rows are the given labels.
    """

    labels: np.ndarray
    proposed: np.ndarray
    margin: np.ndarray
    thresholds: np.ndarray
    joint: np.ndarray

    @property
    def disputed(self) -> np.ndarray:
        """[N] bool: off the diagonal, the images whose label is called wrong."""
        mask: np.ndarray = self.proposed != self.labels
        return mask

    def ranked(self) -> np.ndarray:
        """Rows of the disputed images, the lowest margin first."""
        rows = np.flatnonzero(self.disputed)
        return rows[np.argsort(self.margin[rows], kind="stable")]


@dataclass(frozen=True)
class Control:
    """How good the list of disputed images is, on images of which `flipped` are wrong on purpose.

    listed: images on the list; caught: flipped ones among them; restored: those of them whose own
    label is proposed. ranks: [flipped] int64, for each flipped image how many images have a lower
    margin: over all images, in ascending order.
    """

    images: int
    flipped: int
    listed: int
    caught: int
    restored: int
    ranks: np.ndarray

    @property
    def recall(self) -> float:
        """Share of the flipped images that are on the list."""
        return self.caught / max(self.flipped, 1)

    @property
    def precision(self) -> float:
        """Share of the list that is flipped; a lower bound, since other labels are wrong too."""
        return self.caught / max(self.listed, 1)

    @property
    def top(self) -> int:
        """Flipped images among as many images with the lowest margins as were flipped."""
        return int((self.ranks < self.flipped).sum())

    @property
    def by_chance(self) -> float:
        """Share of all images that are on the list: the recall of a list drawn at random."""
        return self.listed / self.images


@dataclass(frozen=True)
class LabelNoise:
    """What out-of-fold predictions show of the labels.

    rows: [N] int64, the images of the pool that were judged (all but the blank ones); every further
    array is over them. probabilities: [N, 7]; noise: [8] float64, estimated share of wrong labels
    of each given class, then of all; intervals: [8, 2], of these. control: None if no label was
    flipped.
    """

    rows: np.ndarray
    folds: int
    probabilities: np.ndarray
    issues: LabelIssues
    noise: np.ndarray
    intervals: np.ndarray
    control: Control | None

    @property
    def accuracy(self) -> float:
        """Share of images whose given label is the classifiers' first choice."""
        return float((self.probabilities.argmax(axis=1) == self.issues.labels).mean())


@dataclass(frozen=True)
class Enlarged:
    """Test images that show a Training photograph at another scale, by split.

    tested: the near-clean test images; copies: those of them that show one.
    """

    tested: dict[str, int]
    copies: dict[str, int]


@dataclass(frozen=True)
class Findings:
    """Everything that was measured. noise, enlarged: None if they were not asked for."""

    pool: Pool
    faults: Faults
    noise: LabelNoise | None
    enlarged: Enlarged | None
