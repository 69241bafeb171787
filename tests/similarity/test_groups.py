"""Pairs become groups."""

import numpy as np

from ferbench.similarity.groups import components


def test_a_chain_of_pairs_is_one_group():
    """1 - 4 - 2 are linked, 0 and 3 are alone; numbers ascend with the first image."""
    pairs = np.array([[4, 1], [2, 4], [4, 2]])
    assert components(5, pairs).tolist() == [0, 1, 1, 2, 1]


def test_without_pairs_every_image_is_alone():
    assert components(3, np.empty((0, 2), np.int64)).tolist() == [0, 1, 2]
    assert len(components(0, np.empty((0, 2), np.int64))) == 0
