"""Regions of a feature space: the cells of k-means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

from ferbench.metrics.neighbors import nearest


def k_means(features: np.ndarray, count: int, *, seed: int) -> KMeans:
    """`count` clusters of features [N, F]; as many as different points if they are fewer.

    The same seed gives the same clusters.
    """
    distinct = len(np.unique(features, axis=0))
    return KMeans(min(count, distinct), n_init=1, random_state=seed).fit(features)


@dataclass(frozen=True)
class Cells:
    """Regions of a feature space; a point belongs to the nearest of the centers [C, F] float32.

    sizes: [C] int64, how many of the features that the cells were fitted to lie in each.
    """

    centers: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.centers)

    def of(self, features: np.ndarray) -> np.ndarray:
        """[N] int64: the cell of each of the features [N, F]."""
        place: np.ndarray = nearest(features, self.centers, 1)[1][:, 0]
        return place


def cells(features: np.ndarray, count: int, *, seed: int) -> Cells:
    """The cells of `k_means` on features [N, F]."""
    fitted = k_means(features, count, seed=seed)
    sizes = np.bincount(fitted.labels_, minlength=fitted.n_clusters)
    return Cells(fitted.cluster_centers_.astype(np.float32), sizes)
