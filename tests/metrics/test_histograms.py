"""Distances of histograms against their closed forms."""

import numpy as np
import pytest

from ferbench.metrics.histograms import js_distance, total_variation


def test_equal_shares_are_at_distance_zero():
    """Counts do not matter, shares do; an empty bin on both sides is nothing."""
    assert js_distance(np.array([1, 2, 0]), np.array([10, 20, 0])) == 0
    assert total_variation(np.array([1, 2, 0]), np.array([10, 20, 0])) == 0


def test_disjoint_histograms_are_at_distance_one():
    assert js_distance(np.array([3, 1, 0, 0]), np.array([0, 0, 5, 2])) == pytest.approx(1)
    assert total_variation(np.array([3, 1, 0, 0]), np.array([0, 0, 5, 2])) == 1


def test_two_bins_match_the_closed_form():
    """(1, 0) against (1/2, 1/2): m = (3/4, 1/4), JSD = 1 - (3/4) log2(3) / 2 ... = 0.3113 bits."""
    want = (np.log2(4 / 3) + (np.log2(2 / 3) + np.log2(2)) / 2) / 2
    assert want == pytest.approx(0.31127812)
    assert js_distance(np.array([1, 0]), np.array([1, 1])) == pytest.approx(np.sqrt(want))
    assert total_variation(np.array([1, 0]), np.array([1, 1])) == pytest.approx(0.5)


def test_it_is_a_metric_on_many_at_once():
    """Symmetric, with the triangle inequality, over leading dimensions."""
    a, b, c = np.random.default_rng(0).integers(1, 20, (3, 50, 6))
    np.testing.assert_allclose(js_distance(a, b), js_distance(b, a))
    assert (js_distance(a, b) <= js_distance(a, c) + js_distance(c, b) + 1e-12).all()
    assert js_distance(a[3], b[3]) == pytest.approx(js_distance(a, b)[3])
