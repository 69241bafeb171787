"""Which images show their class."""

import numpy as np

from ferbench.curation import verdicts

CHANCES = np.array([[0.6, 0.4], [0.4, 0.6], [0.1, 0.9], [0.5, 0.5]], np.float32)


def test_mismatched_is_another_class_with_enough_confidence():
    """All are asked for class 0; the tie goes to the first class, so it is none."""
    labels = np.zeros(4, np.int64)
    assert verdicts.mismatched(labels, CHANCES, 0.5).tolist() == [False, True, True, False]
    assert verdicts.mismatched(labels, CHANCES, 0.7).tolist() == [False, False, True, False]
    assert not verdicts.mismatched(labels, CHANCES, 0.95).any()


def test_of_label_reads_the_own_class():
    np.testing.assert_allclose(
        verdicts.of_label(np.array([0, 0, 1, 1]), CHANCES), [0.6, 0.4, 0.9, 0.5]
    )


def test_the_best_share_is_of_each_class():
    """Half of 4 strong and of 3 weak images: 2 and 2 (rounded up); the first of equals."""
    labels = np.array([0, 1, 0, 1, 0, 1, 0])
    scores = np.array([0.9, 0.1, 0.8, 0.1, 0.7, 0.1, 0.99])
    keep = verdicts.best_share(labels, scores, 0.5)
    assert keep.tolist() == [True, True, False, True, False, False, True]
    assert verdicts.best_share(labels, scores, 1.0).all()
    assert not verdicts.best_share(labels, scores, 0.0).any()


def test_the_best_share_of_ten_is_exact():
    """0.7 * 10 is 7.000000000000001 in floats; 7 images, not 8."""
    assert verdicts.best_share(np.zeros(10, int), np.arange(10.0), 0.1 * 7).sum() == 7
