"""How a judge classifies many images: class probabilities, and regions of the real features.

An image and its mirror image count alike: probabilities and features are the means of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from ferbench.classes import CLASSES
from ferbench.classifiers.judge import Judge
from ferbench.errors import UserError
from ferbench.metrics import clusters

BLOCK = 4096  # images at a time; no result depends on it


class ClassCells:
    """Regions of the feature space for each class: k-means cells of its real images.

    features: [M, F] float32 of real images; labels: [M] int64, every class among them; count: cells
    of a class, fewer where it has fewer different images. The same seed gives the same cells.
    real: [C] int64 for each class, its real images in each cell.
    Raises UserError if a class has no image.
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray, *, count: int, seed: int) -> None:
        self._cells, self.real = [], []
        for k, name in enumerate(CLASSES):
            own = features[labels == k]
            if not len(own):
                raise UserError(f"data: no Training image is {name}; spread=true needs some")
            self._cells.append(clusters.cells(own, count, seed=seed))
            self.real.append(self._cells[k].sizes)

    def of(self, features: np.ndarray) -> np.ndarray:
        """[N, 7] int16: of each image its cell among those of every class."""
        return np.stack([cells.of(features) for cells in self._cells], axis=1).astype(np.int16)


@dataclass(frozen=True)
class Judged:
    """What is kept of N images: probabilities [N, 7] float32, and cells [N, 7] (`ClassCells.of`).

    cells: None where nobody asked for them.
    """

    probabilities: np.ndarray
    cells: np.ndarray | None


def real_cells(
    judge: Judge, images: np.ndarray, labels: np.ndarray, *, count: int, seed: int, batch: int
) -> ClassCells:
    """The cells of real images [M, 48, 48] uint8 by the features of this judge."""
    features = [part for part, _ in _described(judge, images, batch)]
    return ClassCells(np.concatenate(features), labels, count=count, seed=seed)


def judge_images(
    judge: Judge, images: np.ndarray, cells: ClassCells | None, *, batch: int
) -> Judged:
    """Judge a pool [N, 48, 48] uint8, maybe memory-mapped, a block at a time.

    The features of one block alone are in memory at once.
    """
    probabilities, places = [], []
    for features, part in _described(judge, images, batch):
        probabilities.append(part)
        if cells is not None:
            places.append(cells.of(features))
    return Judged(np.concatenate(probabilities), np.concatenate(places) if places else None)


def _described(
    judge: Judge, images: np.ndarray, batch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(features [n, F], probabilities [n, 7]) of all images, block by block."""
    for start in range(0, len(images), BLOCK):
        block = np.ascontiguousarray(images[start : start + BLOCK])
        mirrored = np.ascontiguousarray(block[:, :, ::-1])
        one, other = (judge.describe(side, batch=batch) for side in (block, mirrored))
        probabilities = softmax(one.logits, axis=1) + softmax(other.logits, axis=1)
        yield (one.features + other.features) / 2, probabilities / 2


# --- which images show their class ---------------------------------------------------------------


def mismatched(labels: np.ndarray, probabilities: np.ndarray, confidence: float) -> np.ndarray:
    """[N] bool: the judge gives the image to another class, with at least this probability.

    labels: [N] int64; probabilities: [N, K].
    """
    best = probabilities.argmax(axis=1)
    sure: np.ndarray = probabilities.max(axis=1) >= confidence
    return sure & (best != labels)


def label_probabilities(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """[N] float32: the probability of each image's label."""
    own: np.ndarray = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    return own


def best_share(labels: np.ndarray, scores: np.ndarray, share: float) -> np.ndarray:
    """[N] bool: the images of each class with the largest scores, rounded up; the first of equals.

    So no class vanishes, however low the judge scores it.
    """
    keep = np.zeros(len(labels), bool)
    for k in np.unique(labels):
        own = np.flatnonzero(labels == k)
        order = own[np.argsort(-scores[own], kind="stable")]
        keep[order[: int(np.ceil(share * len(own) - 1e-9))]] = True
    return keep
