"""Groups and histograms of attributes: the same limits on both sides."""

import numpy as np

from ferbench.bias import attributes
from ferbench.bias.attributes import UNKNOWN


def test_groups_are_quantiles_of_the_real_images():
    """Real values 1 to 100: limits 25, 50 and 75, which belong to the group below."""
    own = np.array([25.0, 25.5, 75, 76, -4, 500, np.nan])
    found = attributes.of_numbers("x", own, np.arange(1.0, 101), groups=4)
    assert found.own.groups.tolist() == [0, 1, 2, 3, 0, 3, UNKNOWN]
    assert found.own.known.tolist() == [True] * 6 + [False]
    assert np.bincount(found.real.groups).tolist() == [25] * 4
    assert np.bincount(found.real.bins).tolist() == [10] * found.bin_count
    assert found.group_names == ("to 25", "25 to 50", "50 to 75", "over 75")


def test_a_value_that_most_share_is_one_group():
    """60 zeros of 100: two limits fall on 0."""
    real = np.concatenate([np.zeros(60), np.linspace(1, 4, 40)])
    found = attributes.of_numbers("x", real, real, groups=4)
    assert np.bincount(found.own.groups)[0] == 60
    assert len(found.group_names) == len(np.unique(found.own.groups))


def test_one_single_value_is_one_group():
    found = attributes.of_numbers("x", np.ones(5), np.ones(9), groups=4)
    assert found.group_names == ("all",) and set(found.own.groups) == {0}


def test_words_are_groups():
    found = attributes.of_words("sex", ["b", "", "a"], ["a", "c"])
    assert found.group_names == ("a", "b", "c")
    assert found.own.groups.tolist() == [1, UNKNOWN, 0]
    assert found.real.groups.tolist() == [0, 2]
    assert not found.numeric


def test_the_table_counts_by_class_and_group():
    labels, places = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, UNKNOWN])
    assert attributes.table(labels, places, (3, 2)).tolist() == [[1, 1], [0, 2], [0, 0]]
