"""Neighbors and balls against the plain way: all distances at once, in float64."""

import numpy as np
import pytest

from ferbench.metrics import neighbors

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(70, 5)).astype(np.float32)
OTHERS = (RNG.normal(size=(50, 5)) + 0.5).astype(np.float32)


def all_distances(a, b):
    difference = a[:, None].astype(np.float64) - b[None].astype(np.float64)
    return np.sqrt((difference**2).sum(axis=2))


@pytest.mark.parametrize("block", [None, 1, 7, 1000])
def test_nearest_are_the_nearest(block):
    """Whatever the block, the k smallest distances in order, and where they are."""
    want = all_distances(POINTS, OTHERS)
    distances, rows = neighbors.nearest(POINTS, OTHERS, 4, block=block)
    np.testing.assert_array_equal(rows, want.argsort(axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(want, axis=1)[:, :4], rtol=1e-5)
    assert (distances.dtype, rows.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("block", [None, 3])
def test_a_point_is_not_its_own_neighbor_but_its_copy_is(block):
    points = np.concatenate([POINTS, POINTS[:1]])
    _, rows = neighbors.nearest(points, points, 2, exclude_self=True, block=block)
    assert not (rows == np.arange(len(points))[:, None]).any()
    assert rows[0, 0] == len(POINTS)
    assert rows[-1, 0] == 0
    alone, _ = neighbors.nearest(points, points, 1, block=block)
    np.testing.assert_allclose(alone, 0, atol=1e-2)


def test_points_far_from_the_origin_keep_their_digits():
    """On a line at 10,000, one apart: the neighbor is at 1, though the norms are 10^8."""
    points = (np.arange(5, dtype=np.float32) + 10_000)[:, None]
    distances, _ = neighbors.nearest(points, points, 1, exclude_self=True)
    np.testing.assert_allclose(distances, 1, rtol=1e-6)


@pytest.mark.parametrize(("k", "exclude"), [(51, False), (50, True)])
def test_more_neighbors_than_there_are_is_an_error(k, exclude):
    with pytest.raises(ValueError, match=r"references; 5\d neighbors were asked for"):
        neighbors.nearest(OTHERS, OTHERS, k, exclude_self=exclude)


@pytest.mark.parametrize("block", [None, 1, 9])
def test_balls_are_counted(block):
    radii = RNG.uniform(0.5, 3, size=(50, 2)).astype(np.float32)
    inside = all_distances(POINTS, OTHERS)[:, :, None] <= radii[None]
    counts, holds = neighbors.balls(POINTS, OTHERS, radii, block=block)
    np.testing.assert_array_equal(counts, inside.sum(axis=1))
    np.testing.assert_array_equal(holds, inside.any(axis=0))


def test_the_border_of_a_ball_is_inside():
    """Points at 3 and 4 from the center, radius 4; whole numbers leave no rounding."""
    points, center = np.array([[3.0], [4.0], [5.0]], np.float32), np.zeros((1, 1), np.float32)
    counts, _ = neighbors.balls(points, center, np.full((1, 1), 4.0))
    assert counts[:, 0].tolist() == [1, 1, 0]


@pytest.mark.parametrize("block", [None, 4])
def test_the_mean_distance_is_over_pairs_of_different_points(block):
    """0, 1 and 3 on a line: (1 + 2 + 3) / 3 = 2."""
    points = np.array([[0.0], [1.0], [3.0]], np.float32)
    assert neighbors.mean_distance(points, block=block) == pytest.approx(2)
    want = all_distances(POINTS, POINTS).sum() / (70 * 69)
    assert neighbors.mean_distance(POINTS, block=block) == pytest.approx(want, rel=1e-5)


def test_equal_points_have_no_distance_at_all():
    assert neighbors.mean_distance(np.full((20, 3), 0.1, np.float32)) == 0
