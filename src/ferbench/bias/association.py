"""How strongly attribute and class are associated: from counts and moments to numbers.

The measures follow the metrics of stereotypical bias of Dominguez-Catena, Paternain and Galar
(2024, Metrics for dataset demographic bias: a case study on facial expression recognition):
Cramer's V for a whole table, normalized pointwise mutual information for one cell of it.
"""

from __future__ import annotations

import numpy as np


def eta_squared(means: np.ndarray, variances: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Share of a number's variance that lies between the classes, every class counted alike.

    B / (B + W): W is the mean of the classes' variances, B the variance of their means (over K)
    less what the means scatter by chance, (1 - 1/K) mean(variance / count). So it is 0 on average
    where there is no association (and may be below), 1 where the class decides the number; 0 if
    nothing varies at all.

    means, variances (over n - 1): [..., K] float64; counts: [K], each at least 2. Returns [...].
    """
    k = means.shape[-1]
    between = means.var(axis=-1) - (1 - 1 / k) * (variances / counts).mean(axis=-1)
    whole = between + variances.mean(axis=-1)
    return np.divide(between, whole, out=np.zeros_like(whole), where=whole > 0)


def cramers_v(table: np.ndarray) -> np.ndarray:
    """Cramer's V of tables [..., K, J] of counts as they are: 0 independent, 1 perfect.

    sqrt(phi^2 / (min(K, J) - 1)), phi^2 = chi^2 / n, over rows and columns that are not empty; 0
    where there is one row or column only. Returns [...] in [0, 1].
    """
    least = np.minimum(_filled(table, -1), _filled(table, -2)) - 1
    ratio = np.divide(_phi_squared(table), least, out=np.zeros(least.shape), where=least > 0)
    return np.sqrt(np.clip(ratio, 0, 1))


def balanced_v(table: np.ndarray) -> np.ndarray:
    """Cramer's V with every class counted alike, and corrected for chance (Bergsma 2013).

    The rows of the table are scaled to the same sum, so that other shares of the classes play no
    part. What chance gives is taken off phi^2, (K - 1)(J - 1) / (n - 1), and K and J are corrected
    accordingly; n = K times the harmonic mean of the classes' counts, which is the plain n where
    the classes are equally large. Returns [...] in [0, 1], 0 also where less than nothing is left.

    table: [..., K, J] counts; no row is empty.
    """
    rows = table.sum(axis=-1, keepdims=True)
    k, j = table.shape[-2], _filled(table, -2).astype(np.float64)
    n = k / np.mean(1 / rows[..., 0], axis=-1)
    left = np.maximum(_phi_squared(table / rows) - (k - 1) * (j - 1) / (n - 1), 0)
    least = np.minimum(k - (k - 1) ** 2 / (n - 1), j - (j - 1) ** 2 / (n - 1)) - 1
    ratio = np.divide(left, least, out=np.zeros_like(left), where=least > 0)
    return np.sqrt(np.clip(ratio, 0, 1))


def normalized_information(table: np.ndarray) -> float:
    """Mutual information of class and group over the smaller of their entropies, in [0, 1].

    table: [K, J] counts, no row empty; every class counts alike. 0 independent, 1 if one of the
    two decides the other; 0 where there is one group only.
    """
    p = table / table.sum(axis=1, keepdims=True) / len(table)
    rows, groups = p.sum(axis=1), p.sum(axis=0)
    entropy = min(_entropy(rows), _entropy(groups))
    shared = _entropy(rows) + _entropy(groups) - _entropy(p.ravel())
    return min(max(shared / entropy, 0.0), 1.0) if entropy > 0 else 0.0


def npmi(table: np.ndarray) -> np.ndarray:
    """Normalized pointwise mutual information of each cell (Bouma 2009), in [-1, 1].

    ln(p(c, a) / (p(c) p(a))) / -ln p(c, a): 0 independent, 1 if class and group come together
    only, -1 if never. NaN in empty rows and columns, and for one single cell.

    table: [K, J] counts as they are.
    """
    p = table / table.sum()
    expected = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    values = np.full(p.shape, np.nan)
    values[(expected > 0) & (p == 0)] = -1.0
    some = (p > 0) & (p < 1)
    values[some] = np.log(p[some] / expected[some]) / -np.log(p[some])
    return values


def _phi_squared(table: np.ndarray) -> np.ndarray:
    """[...] of tables [..., K, J]: sum of (p - e)^2 / e over the cells, e for independence."""
    p = table / table.sum(axis=(-2, -1), keepdims=True)
    expected = p.sum(axis=-1, keepdims=True) * p.sum(axis=-2, keepdims=True)
    parts = np.divide((p - expected) ** 2, expected, out=np.zeros_like(p), where=expected > 0)
    phi_squared: np.ndarray = parts.sum(axis=(-2, -1))
    return phi_squared


def _filled(table: np.ndarray, axis: int) -> np.ndarray:
    """How many rows (axis -1) or columns (axis -2) are not empty, [...]."""
    count: np.ndarray = (table.sum(axis=axis) > 0).sum(axis=-1)
    return count


def _entropy(p: np.ndarray) -> float:
    some = p[p > 0]
    return float(-(some * np.log(some)).sum())
