"""Which candidates are taken: as the real images are spread, where there are candidates."""

import numpy as np
import pytest

from ferbench.curation import spread


@pytest.mark.parametrize(
    ("room", "shares", "wanted", "want"),
    [
        ([50, 50, 50], [1, 2, 1], 40, [10, 20, 10]),
        ([50, 5, 50], [1, 2, 1], 40, [18, 5, 17]),
        ([0, 5, 50], [1, 2, 1], 40, [0, 5, 35]),
        ([3, 3, 3], [9, 1, 1], 9, [3, 3, 3]),
        ([9, 9, 9], [1, 1, 1], 10, [4, 3, 3]),
        ([5, 5], [1, 1], 0, [0, 0]),
        ([2, 100, 100], [10, 10, 1], 24, [2, 20, 2]),
    ],
)
def test_cells_are_filled_in_proportion_as_far_as_there_is_room(room, shares, wanted, want):
    found = spread.fill(np.array(room), np.array(shares), wanted)
    assert found.tolist() == want


def test_fill_takes_exactly_what_is_wanted_and_never_more_than_there_is():
    rng = np.random.default_rng(0)
    for _ in range(300):
        room, shares = rng.integers(0, 30, 12), rng.integers(1, 50, 12)
        wanted = int(rng.integers(0, room.sum() + 1))
        found = spread.fill(room, shares, wanted)
        assert found.sum() == wanted
        assert (found <= room).all() and (found >= 0).all()
        # One level fits all: each cell has it times its share, to less than an image, or is full.
        lowest, highest = (found - 1) / shares, (found + 1) / shares
        assert lowest.max() < highest[found < room].min(initial=np.inf) + 1e-9


def test_a_pool_with_a_dropped_mode_is_brought_back():
    """90 candidates in a cell where a third of the real images lie, 30 where two thirds do."""
    cells = np.repeat([0, 1], [90, 30])
    rows = spread.choose(np.arange(120), cells, np.array([100, 200]), 45, np.random.default_rng(0))
    assert np.bincount(cells[rows]).tolist() == [15, 30]
    assert spread.likeness(cells, np.array([100, 200])) == pytest.approx(1 / 3 + 1 / 4)
    assert spread.likeness(cells[rows], np.array([100, 200])) == pytest.approx(1)
    assert (np.diff(rows) > 0).all()


def test_inside_a_cell_chance_decides_and_the_seed_alone():
    """Of 1,000 candidates any is as likely: the mean of 200 is that of all, within 3 errors."""
    cells, real = np.zeros(1000, int), np.array([7])
    first, again, other = (
        spread.choose(np.arange(1000), cells, real, 200, np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert first.tolist() != other.tolist()
    assert abs(first.mean() - 499.5) < 3 * 288.7 / np.sqrt(200)


def test_without_cells_they_are_drawn_from_all_and_too_few_are_all():
    candidates = np.array([3, 5, 8, 13])
    rng = np.random.default_rng(0)
    assert set(spread.choose(candidates, None, None, 3, rng)) < set(candidates.tolist())
    assert spread.choose(candidates, None, None, 9, rng).tolist() == [3, 5, 8, 13]
    places = np.zeros(4, int)
    assert spread.choose(candidates, places, np.array([1]), 9, rng).tolist() == [3, 5, 8, 13]


def test_likeness_of_nothing_is_not_defined():
    assert spread.likeness(np.empty(0, int), np.array([1, 2])) is None


def test_the_largest_number_that_the_balance_allows():
    """Equal: three times the smallest. 1 : 2 : 3 of 10, 6, 100: 6 of the second makes 18 in all."""
    assert spread.largest([10, 6, 100], [1, 1, 1]) == 18
    assert spread.largest([10, 6, 100], [1, 2, 3]) == 18
    assert spread.largest([10, 6, 0], [1, 1, 0]) == 12
