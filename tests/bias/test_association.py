"""Associations of class and attribute against closed forms."""

import numpy as np
import pytest

from ferbench.bias.association import (
    balanced_v,
    cramers_v,
    eta_squared,
    normalized_information,
    npmi,
)

PERFECT = np.diag([30, 10, 20])
INDEPENDENT = np.outer([10, 20, 30], [1, 2, 3, 4])


def test_a_perfect_table():
    """Class and group decide each other: V = 1, also corrected, information 1, NPMI 1 and -1."""
    assert cramers_v(PERFECT) == pytest.approx(1)
    assert balanced_v(PERFECT) == pytest.approx(1)
    assert normalized_information(PERFECT) == pytest.approx(1)
    want = np.where(np.eye(3, dtype=bool), 1, -1)
    np.testing.assert_allclose(npmi(PERFECT), want)


def test_an_independent_table():
    assert cramers_v(INDEPENDENT) == pytest.approx(0, abs=1e-12)
    assert balanced_v(INDEPENDENT) == 0
    assert normalized_information(INDEPENDENT) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(npmi(INDEPENDENT), 0, atol=1e-12)


def test_a_table_of_two_by_two():
    """[[30, 10], [10, 30]]: phi = (30 * 30 - 10 * 10) / (40 * 40) = 1/2."""
    table = np.array([[30, 10], [10, 30]])
    assert cramers_v(table) == pytest.approx(0.5)
    n, phi = 80, 0.25
    left = phi - 1 / (n - 1)
    assert balanced_v(table) == pytest.approx(np.sqrt(left / (1 - 1 / (n - 1))))
    want = np.log(0.375 / 0.25) / -np.log(0.375)
    assert npmi(table)[0, 0] == pytest.approx(want)


def test_shares_of_the_classes_play_no_part_in_the_balanced_v():
    """The same recipe within classes, with 1,000 images each or with 100 and 10,000."""
    rows = np.array([[0.7, 0.3], [0.4, 0.6]])
    equal = balanced_v(rows * 100_000)
    other = balanced_v(rows * np.array([[100_000], [1_000_000]]))
    assert other == pytest.approx(equal, abs=1e-4)
    assert cramers_v(rows * np.array([[1], [100]])) < 0.5 * equal


def test_chance_is_corrected():
    """Independent draws: the corrected V is 0 in about half of them, the plain one never."""
    rng = np.random.default_rng(0)
    tables = rng.multinomial(40, [0.25] * 4, size=(300, 7))
    corrected, plain = balanced_v(tables), cramers_v(tables)
    assert 0.35 < (corrected == 0).mean() < 0.7
    assert plain.min() > 0 and corrected.mean() < plain.mean() / 2


def test_groups_of_one_kind_have_no_association():
    table = np.array([[5, 0], [9, 0]])
    assert cramers_v(table) == 0 and balanced_v(table) == 0
    assert normalized_information(table) == 0
    assert np.isnan(npmi(table)[:, 1]).all()


def test_eta_of_known_means_and_variances():
    """Means 0 and 2, variances 1, many images: B = 1, W = 1, eta squared = 1/2."""
    many = np.array([10**9, 10**9])
    assert eta_squared(np.array([0.0, 2]), np.ones(2), many) == pytest.approx(0.5)
    assert eta_squared(np.array([0.0, 2]), np.zeros(2), many) == 1
    assert eta_squared(np.array([3.0, 3]), np.zeros(2), many) == 0


def test_eta_is_zero_on_average_without_an_association():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(2000, 7, 10))
    found = eta_squared(draws.mean(2), draws.var(2, ddof=1), np.full(7, 10))
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))
    assert (found < 0).any()
