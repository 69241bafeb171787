"""Regions of a feature space: the cells of k-means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

from ferbench.metrics.neighbors import nearest


@dataclass(frozen=True)
class Cells:
    """Regions of a feature space; a point belongs to the nearest of the centers [C, F] float32."""

    centers: np.ndarray

    def __len__(self) -> int:
        return len(self.centers)

    def of(self, features: np.ndarray) -> np.ndarray:
        """[N] int64: the cell of each of the features [N, F]."""
        place: np.ndarray = nearest(features, self.centers, 1)[1][:, 0]
        return place

    def counts(self, features: np.ndarray) -> np.ndarray:
        """[C] int64: how many of the features [N, F] lie in each cell."""
        return np.bincount(self.of(features), minlength=len(self))


def cells(features: np.ndarray, count: int, *, seed: int) -> Cells:
    """`count` cells of features [N, F] by k-means; as many as different points if they are fewer.

    The same seed gives the same cells.
    """
    distinct = len(np.unique(features, axis=0))
    fitted = KMeans(min(count, distinct), n_init=1, random_state=seed).fit(features)
    return Cells(fitted.cluster_centers_.astype(np.float32))
