"""From pairs of images that are the same to groups."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def components(size: int, pairs: np.ndarray) -> np.ndarray:
    """[size] int64: images with one number are linked by a chain of pairs [P, 2] of their rows.

    Numbers ascend with the first image of each group, an image without a pair is a group alone.
    """
    links = coo_matrix((np.ones(len(pairs), bool), tuple(pairs.T)), shape=(size, size))
    _, numbers = connected_components(links, directed=False)
    return np.asarray(numbers, dtype=np.int64)
