"""The parts that real images play in an audit, and what each image of a set has next to it.

All of them are singletons: images without a near copy among all real ones, so that a held-out image
says nothing about a training image.

- members: the training images;
- held: held-out images, as many as there are or half of them;
- sample: as many members as there are held images, of the same classes;
- half_sample, reference: halves of sample and held; probe: the other half of held.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ferbench.similarity.views import Nearest


@dataclass(frozen=True)
class Roles:
    """Which real images play which part: rows of the members, and rows of the held-out images."""

    held: np.ndarray
    sample: np.ndarray
    half_sample: np.ndarray
    reference: np.ndarray
    probe: np.ndarray


def assign(
    held: np.ndarray, held_labels: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> Roles:
    """Draw the roles.

    held: rows of the held-out images in use, held_labels: [H] of all; labels: [M] of the members.
    The sample has as many members of each class as there are held images, or all that there are.
    """
    parts = []
    for label in np.unique(held_labels[held]):
        candidates = np.flatnonzero(labels == label)
        wanted = int((held_labels[held] == label).sum())
        parts.append(rng.permutation(candidates)[:wanted])
    sample = rng.permutation(np.concatenate(parts))
    mixed = rng.permutation(held)
    half = len(mixed) // 2
    return Roles(np.sort(held), sample, sample[:half], mixed[:half], mixed[half:])


@dataclass(frozen=True)
class Seen:
    """A set of images in one space: for each of its N images what lies next to it.

    members, sample, held, half_sample, reference: the nearest image of the role; cell: [N] int, the
    region of C_T.
    """

    members: Nearest
    sample: Nearest
    held: Nearest
    half_sample: Nearest
    reference: Nearest
    cell: np.ndarray

    def take(self, rows: np.ndarray | slice) -> Seen:
        """The rows of an index array, a mask or a slice."""
        near = {name: part.take(rows) for name, part in self._near().items()}
        return Seen(**near, cell=self.cell[rows])

    def then(self, other: Seen) -> Seen:
        """These images, then the other ones."""
        theirs = other._near()
        near = {name: part.then(theirs[name]) for name, part in self._near().items()}
        return Seen(**near, cell=np.concatenate([self.cell, other.cell]))

    def _near(self) -> dict[str, Nearest]:
        return {name: part for name, part in vars(self).items() if name != "cell"}


@dataclass(frozen=True)
class Attacked:
    """Something of each member and of each held image: [M] and [H]."""

    members: np.ndarray
    others: np.ndarray


def smallest(parts: Iterable[Attacked]) -> Attacked:
    """The distances to the nearest image of several sets together."""
    members, others = zip(*((part.members, part.others) for part in parts), strict=True)
    return Attacked(np.minimum.reduce(members), np.minimum.reduce(others))
