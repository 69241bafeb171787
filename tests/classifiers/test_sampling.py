"""The order of an epoch's faces: by chance, classes alike, real ones by share."""

import numpy as np
import pytest

from ferbench.classifiers.sampling import epoch_order


def test_natural_order_is_a_permutation_that_changes_with_the_epoch():
    labels = np.arange(50) % 7
    one, two = (
        epoch_order(labels, balanced=False, rng=np.random.default_rng([0, e])) for e in (0, 1)
    )
    assert sorted(one) == list(range(50))
    assert (one != two).any()


def test_balanced_order_has_every_class_equally_often():
    """23 draws of 3 classes: 8, 8 and 7; the 2 faces of class 2 four times each at most."""
    labels = np.array([0] * 15 + [1] * 6 + [2] * 2)
    for epoch in range(20):
        rng = np.random.default_rng([0, epoch])
        order = epoch_order(labels, balanced=True, rng=rng)
        assert sorted(np.bincount(labels[order])) == [7, 8, 8]
        times = np.bincount(order, minlength=23)
        assert times[:15].max() == 1
        assert set(times[15:21]) <= {1, 2}
        assert set(times[21:]) <= {3, 4}


def test_natural_order_is_what_the_generator_s_permutation_gives():
    """Runs that were stopped, and those done earlier, rest on these very numbers."""
    order = epoch_order(np.arange(50), balanced=False, rng=np.random.default_rng([3, 1]))
    np.testing.assert_array_equal(order, np.random.default_rng([3, 1]).permutation(50))


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize(("share", "first"), [(0.5, 50), (0.25, 25), (0.13, 13)])
def test_a_share_of_the_draws_falls_on_the_first_faces(balanced, share, first):
    """Of 100 draws round(100 share) are of the 20 real faces, whatever their number."""
    labels = np.concatenate([np.arange(20) % 5, np.arange(80) % 5])
    for epoch in range(5):
        rng = np.random.default_rng([0, epoch])
        order = epoch_order(labels, balanced=balanced, rng=rng, first=20, first_share=share)
        assert len(order) == 100
        assert (order < 20).sum() == first
        times = np.bincount(order, minlength=100)
        for part in (times[:20], times[20:]):
            assert part.max() - part.min() <= 1 + balanced
        if balanced:
            assert np.ptp(np.bincount(labels[order])) <= 2


def test_balanced_order_leaves_out_absent_classes():
    labels = np.array([1, 1, 1, 5])
    order = epoch_order(labels, balanced=True, rng=np.random.default_rng(0))
    assert np.bincount(labels[order]).tolist() == [0, 2, 0, 0, 0, 2]
