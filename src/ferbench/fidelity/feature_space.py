"""Two sets of images in one feature space: a distance of histograms, and maps to look at."""

from __future__ import annotations

import importlib.util

import numpy as np
from sklearn.decomposition import PCA

from ferbench.classes import CLASSES
from ferbench.errors import UserError
from ferbench.fidelity.findings import FeatureDistance
from ferbench.metrics import clusters
from ferbench.metrics.histograms import js_distance

CELLS = 50  # of the histograms; another number gives another distance
FITTED = 10_000  # images that the cells are fitted to, at most
DIMENSIONS = 50  # principal components that a map starts from (van der Maaten and Hinton 2008)
PERPLEXITY = 30  # of t-SNE, fewer with fewer images; neighbors of UMAP likewise
MAPS = ("tsne", "umap")


class Cells:
    """The feature space in 50 cells, and how many real images of each class lie in each.

    The cells are those of k-means on the real features (at most 10,000 of them, drawn by `seed`);
    an image belongs to the cell whose center is nearest. Fewer different images than 50 give as
    many cells.

    features: [N, F] float32; labels: [N] int64, every class among them.
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray, *, seed: int) -> None:
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.choice(len(features), min(FITTED, len(features)), replace=False))
        self._cells = clusters.cells(features[rows], CELLS, seed=seed)
        self._real = self._counts(features, labels)

    def distance(self, features: np.ndarray, labels: np.ndarray) -> FeatureDistance:
        """Distances of the histograms of [M, F] features and [M] labels from the real ones."""
        counts = self._counts(features, labels)
        classes = js_distance(counts, self._real)
        overall = js_distance(counts.sum(axis=0), self._real.sum(axis=0))
        return FeatureDistance(float(overall), tuple(float(value) for value in classes))

    def _counts(self, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """[7, cells] int64 images."""
        place, cells = self._cells.of(features), len(self._cells)
        flat = np.bincount(labels * cells + place, minlength=len(CLASSES) * cells)
        return flat.reshape(len(CLASSES), cells)


def check_map(kind: str) -> None:
    """UserError if the map needs a package that is not there."""
    if kind == "umap" and importlib.util.find_spec("umap") is None:
        raise UserError(
            "map=umap: the package umap-learn is not installed; `pip install 'ferbench[umap]'` "
            "brings it, map=tsne works without"
        )


def plane(features: np.ndarray, kind: str, *, seed: int) -> np.ndarray:
    """[N, 2] float64: features [N, F] of both sides together, N > 3, by t-SNE or UMAP.

    Both keep neighbors together (van der Maaten and Hinton 2008; McInnes, Healy and Melville
    2018); distances between far images, and the sizes of clouds, mean nothing in such a map. It
    begins with the first 50 principal components. kind: "tsne" or "umap".
    """
    assert kind in MAPS, kind
    count = min(DIMENSIONS, *features.shape)
    reduced = PCA(count, svd_solver="full").fit_transform(features.astype(np.float64))
    near = min(PERPLEXITY, (len(features) - 1) // 3)
    if kind == "umap":
        import umap

        mapper = umap.UMAP(n_neighbors=max(near, 2), random_state=seed, n_jobs=1)
        return np.asarray(mapper.fit_transform(reduced), np.float64)
    from sklearn.manifold import TSNE

    mapper = TSNE(perplexity=near, init="pca", random_state=seed)
    return np.asarray(mapper.fit_transform(reduced), np.float64)
