"""Which synthetic images are too near to a training image, by the tests of `ferbench audit`.

- identical: the pixels of a Training image or of its mirror image;
- near copy: the aligned correlation of `similarity.matches` reaches a threshold;
- standing out: one training image is much nearer than the next (`Nearest.ratio`), more than it is
  for all but a small quantile of held-out faces. The limits come from PublicTest alone.

The limits rest on singletons: training images without a near copy in Training, and held-out images
without one there. FER2013 has many copies across its splits, which would make them meaningless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ferbench.errors import UserError
from ferbench.similarity import matches, near_copies
from ferbench.similarity.views import Encode, Nearest, gradients, hashes, nearest_real, view

BLOCK = 4096  # images at a time; no result depends on it
LEAST_HELD = 40  # held-out singletons


@dataclass(frozen=True)
class Strictness:
    """From where on an image counts as a copy.

    near_correlation: aligned correlation of a near copy; drop_correlation: from which real images
    are no singletons; quantile: of the held-out ratios.
    """

    near_correlation: float
    drop_correlation: float
    quantile: float


class TrainingCopies:
    """Training images whose copies are sought, with limits from held-out images.

    train: [M, 48, 48], held: [H, 48, 48] uint8; encoders: further spaces besides the hashes.
    limits: {space: ratio under which an image is suspicious}. held_singles: behind those limits.
    held_near: how many of all held-out images are near copies of a training image (as many as the
    data set has). Raises UserError if there are too few singletons.
    """

    def __init__(
        self,
        train: np.ndarray,
        held: np.ndarray,
        encoders: Mapping[str, Encode],
        strictness: Strictness,
    ) -> None:
        self._train, self._near = train, strictness.near_correlation
        self._pixels, self._gradients = matches.Pixels(train), gradients(train)
        self._encoders = {**encoders, "hashes": hashes}
        members = train[_singles(train, strictness.drop_correlation)]
        match = self._match(held)
        singles = held[match.correlation < strictness.drop_correlation]
        _check(members, singles)
        self._vectors = {name: encode(members) for name, encode in self._encoders.items()}
        self.held_singles = len(singles)
        self.held_near = int((match.correlation >= self._near).sum())
        self.limits = {
            name: _limit(self._nearest(name, singles), strictness.quantile)
            for name in self._vectors
        }

    def find(self, images: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
        """[n] bool by test, of the rows [n] of images [N, 48, 48] uint8 (maybe memory-mapped)."""
        masks = {name: np.zeros(len(rows), bool) for name in self.tests}
        for start in range(0, len(rows), BLOCK):
            part = slice(start, start + BLOCK)
            for name, mask in self._find(np.ascontiguousarray(images[rows[part]])).items():
                masks[name][part] = mask
        return masks

    @property
    def tests(self) -> list[str]:
        """Names of the tests."""
        return ["identical", "near copy", *(f"standing out: {name}" for name in self.limits)]

    def _find(self, images: np.ndarray) -> dict[str, np.ndarray]:
        standing_out = [
            self._nearest(name, images).ratio < limit for name, limit in self.limits.items()
        ]
        identical = self._pixels.find(images) >= 0
        near = self._match(images).correlation >= self._near
        return dict(zip(self.tests, [identical, near, *standing_out], strict=True))

    def _match(self, images: np.ndarray) -> matches.Match:
        return matches.best_match(images, view(images, gradients), self._train, self._gradients)

    def _nearest(self, name: str, images: np.ndarray) -> Nearest:
        return nearest_real(view(images, self._encoders[name]), self._vectors[name])


def _singles(images: np.ndarray, drop_correlation: float) -> np.ndarray:
    """Rows of the images that have no near copy among the others, and are not of one gray level."""
    flat = images.reshape(len(images), -1)
    varied = np.flatnonzero(flat.min(axis=1) < flat.max(axis=1))
    pairs, _, _ = near_copies.find_pairs(images[varied], near_correlation=drop_correlation)
    single = np.ones(len(varied), bool)
    single[pairs.ravel()] = False
    rows: np.ndarray = varied[single]
    return rows


def _limit(near: Nearest, quantile: float) -> float:
    return float(np.sort(near.ratio)[int(quantile * len(near.ratio))])


def _check(members: np.ndarray, held: np.ndarray) -> None:
    if len(held) < LEAST_HELD or len(members) < 2:
        raise UserError(
            f"train_copies=true: {len(members)} images of Training and {len(held)} of PublicTest "
            f"have no near copy; {LEAST_HELD} held-out ones are needed to estimate chance"
        )
