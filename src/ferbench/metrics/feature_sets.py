"""From features to numbers: how near one set of images is to another, and how varied it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferbench.metrics import neighbors
from ferbench.metrics.classification import log_softmax

# --- Gaussians -----------------------------------------------------------------------------------


def gaussian_of(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [F] and covariance [F, F] (over n - 1) of features [N, F], N > 1, in float64."""
    rows = features.astype(np.float64)
    mean = rows.mean(axis=0)
    rows -= mean
    return mean, rows.T @ rows / (len(rows) - 1)


def frechet_distance(
    mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray
) -> float:
    """Squared Fréchet distance of two Gaussians (Dowson and Landau 1982, equation 4), >= 0.

    |mean_a - mean_b|^2 + tr(A) + tr(B) - 2 tr((A^1/2 B A^1/2)^1/2). On features of a network this
    is the FID (Heusel et al. 2017, equation 6). The roots are taken by eigenvalues of symmetric
    matrices, which is exact for singular covariances too (fewer images than features) and needs
    no small number on the diagonal.

    means: [F], covariances: [F, F] symmetric, positive semidefinite; all float64.
    """
    root = _symmetric_root(cov_a)
    product = root @ cov_b @ root
    eigenvalues = np.linalg.eigvalsh((product + product.T) / 2)
    cross = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    gap = mean_a - mean_b
    return max(float(gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * cross), 0.0)


def _symmetric_root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric square root of a symmetric, positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    root: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


# --- kernels -------------------------------------------------------------------------------------


def kernel_distance(
    features_a: np.ndarray,
    features_b: np.ndarray,
    *,
    subsets: int,
    size: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Kernel distance (KID; Binkowski et al. 2018, section 4): mean and deviation over subsets.

    Each of the `subsets` takes `size` images of both sides without replacement. The mean has no
    bias, whatever the size: it is about 0, and may be below, for images of one distribution. The
    deviation (over n) tells how far one such subset scatters, not the error of the mean.

    features: [N, F] and [M, F], N and M at least `size`, size at least 2.
    """
    sides = (features_a, features_b)
    values = [
        squared_mmd(*(rng.choice(side, size, replace=False) for side in sides))
        for _ in range(subsets)
    ]
    return float(np.mean(values)), float(np.std(values))


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy (Gretton et al. 2012, equation 3).

    With the kernel (x y / F + 1)^3 of Binkowski et al. x: [N, F]; y: [M, F]; N and M above 1.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    return _mean_off_diagonal(x) + _mean_off_diagonal(y) - 2 * float(_kernel(x, y).mean())


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    product: np.ndarray = x @ y.T / x.shape[1] + 1
    return product * product * product


def _mean_off_diagonal(x: np.ndarray) -> float:
    kernel, n = _kernel(x, x), len(x)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))


# --- neighborhoods -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Neighborhoods:
    """Points and how far their k-th neighbor among them is, for every k of `ks`.

    features: [N, F] float32; radii: [N, len(ks)] float32. A point is no neighbor of itself, but
    its exact copies are.
    """

    features: np.ndarray
    ks: tuple[int, ...]
    radii: np.ndarray

    def radius(self, k: int) -> np.ndarray:
        """[N, 1] distances of the k-th neighbor."""
        return self.radii[:, [self.ks.index(k)]]


def neighborhoods(features: np.ndarray, *ks: int) -> Neighborhoods:
    """Distances of the k-th neighbors of every point; N must be above the largest k."""
    distances, _ = neighbors.nearest(features, features, max(ks), exclude_self=True)
    return Neighborhoods(features, ks, distances[:, [k - 1 for k in ks]])


@dataclass(frozen=True)
class Overlap:
    """How two sets of points cover each other.

    precision, recall (Kynkäänniemi et al. 2019, equations 1 and 2): share of the sample inside the
    real neighborhoods, share of the real points inside those of the sample; in [0, 1].
    density, coverage (Naeem et al. 2020, equations 4 and 5): how many real neighborhoods hold a
    point of the sample, over k (about 1 for equal distributions, above it for a sample that keeps
    to the dense places), and the share of real neighborhoods that hold one, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(real: Neighborhoods, sample: np.ndarray, *, k: int, density_k: int) -> Overlap:
    """Overlap of sample features [M, F] with the real points.

    k: of precision and recall, 3 in the paper; density_k: of density and coverage, 5 in the paper;
    `real` has both. All four grow or shrink with the numbers of points: compare equal numbers.
    """
    radii = np.concatenate([real.radius(k), real.radius(density_k)], axis=1)
    counts, holds = neighbors.balls(sample, real.features, radii)  # [M, 2], [N, 2]
    own = neighborhoods(sample, k)
    back, _ = neighbors.balls(real.features, sample, own.radii)  # [N, 1]
    return Overlap(
        precision=float((counts[:, 0] > 0).mean()),
        recall=float((back[:, 0] > 0).mean()),
        density=float(counts[:, 1].mean() / density_k),
        coverage=float(holds[:, 1].mean()),
    )


# --- variety -------------------------------------------------------------------------------------


def inception_score(
    logits: np.ndarray, *, splits: int, rng: np.random.Generator
) -> tuple[float, float]:
    """exp(E KL(p(y | x) || p(y))) (Salimans et al. 2016): mean and deviation over random splits.

    logits: [N, K] of a classifier, N at least `splits`. From 1 (the classifier sees the same in
    every image) to K (it is sure of every image and sees all classes equally often).
    """
    log_p = log_softmax(logits[rng.permutation(len(logits))])
    scores = [_score(part) for part in np.array_split(log_p, splits)]
    return float(np.mean(scores)), float(np.std(scores))


def _score(log_p: np.ndarray) -> float:
    p = np.exp(log_p)
    mean = p.mean(axis=0)
    marginal = np.log(np.where(mean > 0, mean, 1))  # 0 log 0 = 0: p is 0 there too
    return float(np.exp((p * (log_p - marginal)).sum(axis=1).mean()))


def diversity(features: np.ndarray) -> float:
    """Mean Euclidean distance between two images' features [N, F]; 0 for a collapsed class."""
    return neighbors.mean_distance(features)


def pixel_diversity(images: np.ndarray) -> float:
    """Mean over pairs of the root mean square difference of pixels in [-1, 1]; images uint8."""
    rows = images.reshape(len(images), -1).astype(np.float32) / 127.5
    return float(neighbors.mean_distance(rows) / rows.shape[1] ** 0.5)


# --- principal components ------------------------------------------------------------------------


@dataclass(frozen=True)
class Plane:
    """The two directions in which features vary most: mean [F], axes [F, 2], shares (2) of 1."""

    mean: np.ndarray
    axes: np.ndarray
    shares: tuple[float, float]

    def project(self, features: np.ndarray) -> np.ndarray:
        """[N, 2] coordinates of features [N, F]."""
        coordinates: np.ndarray = (features - self.mean) @ self.axes
        return coordinates


def principal_plane(mean: np.ndarray, covariance: np.ndarray) -> Plane:
    """The plane of the two largest eigenvalues; each axis' largest component is positive."""
    values, vectors = np.linalg.eigh(covariance)
    axes = vectors[:, [-1, -2]]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    share = values[[-1, -2]] / values.sum()
    return Plane(mean, axes, (float(share[0]), float(share[1])))
