"""What a judge sees of many images: class probabilities, and regions of the real images' features.

Image and mirror image count alike: probabilities and features are the means of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from sklearn.cluster import KMeans

from ferbench.classes import CLASSES
from ferbench.classifiers.judge import Judge
from ferbench.errors import UserError
from ferbench.metrics.neighbors import nearest

BLOCK = 4096  # images at a time; no result depends on it


class Cells:
    """Regions of the feature space for each class: k-means cells of its real images.

    features: [M, F] float32 of real images; labels: [M] int64, every class among them; count: cells
    of a class, fewer where it has fewer different images. The same seed gives the same cells.
    Raises UserError if a class has no image.
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray, *, count: int, seed: int) -> None:
        self._centers, self.real = [], []
        for k, name in enumerate(CLASSES):
            own = features[labels == k]
            if not len(own):
                raise UserError(f"data: no Training image is {name}; spread=true needs some")
            distinct = len(np.unique(own, axis=0))
            found = KMeans(min(count, distinct), n_init=1, random_state=seed).fit(own)
            self._centers.append(found.cluster_centers_.astype(np.float32))
            self.real.append(np.bincount(found.labels_, minlength=found.n_clusters))

    def of(self, features: np.ndarray) -> np.ndarray:
        """[N, 7] int16: of each image its cell among those of every class."""
        columns = [nearest(features, centers, 1)[1][:, 0] for centers in self._centers]
        return np.stack(columns, axis=1).astype(np.int16)


@dataclass(frozen=True)
class Seen:
    """What is kept of N images: probabilities [N, 7] float32, and cells [N, 7] as of `Cells.of`.

    cells: None where nobody asked for them.
    """

    probabilities: np.ndarray
    cells: np.ndarray | None


def real_cells(
    judge: Judge, images: np.ndarray, labels: np.ndarray, *, count: int, seed: int, batch: int
) -> Cells:
    """The cells of real images [M, 48, 48] uint8, as this judge sees them."""
    features = [part for part, _ in _described(judge, images, batch)]
    return Cells(np.concatenate(features), labels, count=count, seed=seed)


def look(judge: Judge, images: np.ndarray, cells: Cells | None, *, batch: int) -> Seen:
    """Look at a pool [N, 48, 48] uint8, maybe memory-mapped, a block at a time.

    The features of one block alone are in memory at once.
    """
    probabilities, places = [], []
    for features, chances in _described(judge, images, batch):
        probabilities.append(chances)
        if cells is not None:
            places.append(cells.of(features))
    return Seen(np.concatenate(probabilities), np.concatenate(places) if places else None)


def _described(
    judge: Judge, images: np.ndarray, batch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(features [n, F], probabilities [n, 7]) of all images, block by block."""
    for start in range(0, len(images), BLOCK):
        block = np.ascontiguousarray(images[start : start + BLOCK])
        mirrored = np.ascontiguousarray(block[:, :, ::-1])
        one, other = (judge.describe(side, batch=batch) for side in (block, mirrored))
        chances = softmax(one.logits, axis=1) + softmax(other.logits, axis=1)
        yield (one.features + other.features) / 2, chances / 2
