"""Cells of k-means."""

import numpy as np

from ferbench.metrics import clusters


def test_two_heaps_are_two_cells():
    """30 points around 0 and 20 around 9: each heap is a cell."""
    rng = np.random.default_rng(0)
    heaps = [rng.normal(place, 0.1, (n, 3)) for place, n in ((0, 30), (9, 20))]
    points = np.concatenate(heaps).astype(np.float32)
    cells = clusters.cells(points, 2, seed=0)
    place = cells.of(points)
    assert len(set(place[:30])) == len(set(place[30:])) == 1 and place[0] != place[30]
    assert cells.sizes.tolist() == np.bincount(place).tolist()
    assert sorted(cells.sizes) == [20, 30]
    assert cells.of(np.full((1, 3), 5, np.float32)) == place[30]
    assert cells.centers.dtype == np.float32


def test_there_are_no_more_cells_than_different_points():
    points = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    assert len(clusters.cells(points, 50, seed=0)) == 3


def test_the_seed_decides():
    points = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    one, same = (clusters.cells(points, 4, seed=3).centers for _ in range(2))
    np.testing.assert_array_equal(one, same)
