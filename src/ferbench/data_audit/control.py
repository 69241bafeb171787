"""Does the search for wrong labels find any? It is given labels made wrong on purpose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferbench.classes import CLASSES
from ferbench.data_audit.confident import Opinion


def flip(labels: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """[N] int64: the labels, of which a share (rounded) are replaced by another class at random."""
    rows = rng.permutation(len(labels))[: round(share * len(labels))]
    changed = labels.copy()
    changed[rows] = (labels[rows] + rng.integers(1, len(CLASSES), len(rows))) % len(CLASSES)
    return changed


@dataclass(frozen=True)
class Control:
    """How the list of disputed images fares on n images of which `flipped` are wrong on purpose.

    listed: images on the list; found: flipped ones among them; restored: those of them whose own
    label is proposed. ranks: [flipped] int64, for each flipped image how many images have a lower
    margin: over all images, in ascending order.
    """

    images: int
    flipped: int
    listed: int
    found: int
    restored: int
    ranks: np.ndarray

    @property
    def recall(self) -> float:
        """Share of the flipped images that are on the list."""
        return self.found / max(self.flipped, 1)

    @property
    def precision(self) -> float:
        """Share of the list that is flipped; a lower bound, since other labels are wrong too."""
        return self.found / max(self.listed, 1)

    @property
    def at_top(self) -> float:
        """Share of flipped images among as many images with the lowest margins as were flipped."""
        return float((self.ranks < self.flipped).sum() / max(self.flipped, 1))

    @property
    def by_chance(self) -> float:
        """Share of all images that are on the list: the recall of a list drawn at random."""
        return self.listed / self.images


def score(opinion: Opinion, labels: np.ndarray) -> Control:
    """The opinion on changed labels against the given ones, [N] int64."""
    wrong, listed = opinion.labels != labels, opinion.disputed
    order = np.argsort(opinion.margin, kind="stable")
    found = wrong & listed
    return Control(
        images=len(labels),
        flipped=int(wrong.sum()),
        listed=int(listed.sum()),
        found=int(found.sum()),
        restored=int((opinion.proposed == labels)[found].sum()),
        ranks=np.flatnonzero(wrong[order]),
    )
