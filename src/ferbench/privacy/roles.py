"""The parts that real images play in an audit.

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

from ferbench.privacy.findings import Candidates


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


def smallest(parts: Iterable[Candidates]) -> Candidates:
    """The distances to the nearest image of several sets together."""
    members, others = zip(*((part.members, part.others) for part in parts), strict=True)
    return Candidates(np.minimum.reduce(members), np.minimum.reduce(others))
