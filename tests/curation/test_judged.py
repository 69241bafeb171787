"""How a judge classifies many images: means over mirror images, and cells, whatever the block."""

import numpy as np
import pytest

from ferbench.curation import judged
from ferbench.errors import UserError


def test_image_and_mirror_image_count_alike(judge, photos, write_verdicts):
    """Seen plain: happy with 0.9, feature 10; mirrored: sad with 0.5, feature 30."""
    image = write_verdicts(photos(1, 0), 3, 90, 10)
    image[0, 0, [-1, -2, -3]] = 4, 50, 30
    found = judged.judge_images(judge, image, None, batch=8)
    np.testing.assert_allclose(found.probabilities[0, 3], (0.9 + 0.5 / 6) / 2, atol=1e-6)
    np.testing.assert_allclose(found.probabilities[0, 4], (0.1 / 6 + 0.5) / 2, atol=1e-6)
    np.testing.assert_allclose(found.probabilities.sum(), 1, atol=1e-6)
    ((features, _),) = judged._described(judge, image, 8)
    np.testing.assert_allclose(features, [[20, 0]])
    assert found.cells is None


def real(judge, photos, write_verdicts):
    """Real images of two kinds in every class: features near 0 (4 images) and near 100 (2)."""
    labels = np.repeat(np.arange(7), 6)
    feature = np.tile([0, 1, 2, 3, 100, 101], 7)
    images = write_verdicts(photos(42, 1), labels, 99, feature)
    return judged.real_cells(judge, images, labels, count=2, seed=0, batch=8)


def test_cells_are_those_of_each_class(judge, photos, write_verdicts):
    cells = real(judge, photos, write_verdicts)
    found = cells.of(np.array([[1, 0], [99, 0]], np.float32))
    assert found.shape == (2, 7) and found.dtype == np.int16
    for k in range(7):
        assert [cells.real[k][cell] for cell in found[:, k]] == [4, 2]


def test_the_block_does_not_matter(judge, photos, write_verdicts, monkeypatch):
    cells = real(judge, photos, write_verdicts)
    rng = np.random.default_rng(0)
    pool = write_verdicts(
        photos(50, 2), rng.integers(0, 7, 50), rng.integers(20, 99, 50), rng.integers(0, 110, 50)
    )
    whole = judged.judge_images(judge, pool, cells, batch=8)
    monkeypatch.setattr(judged, "BLOCK", 7)
    parts = judged.judge_images(judge, pool, cells, batch=3)
    np.testing.assert_array_equal(whole.probabilities, parts.probabilities)
    np.testing.assert_array_equal(whole.cells, parts.cells)


def test_a_class_with_few_images_has_fewer_cells():
    labels = np.arange(7)
    cells = judged.ClassCells(np.eye(7, dtype=np.float32), labels, count=20, seed=0)
    assert [len(real) for real in cells.real] == [1] * 7


def test_a_class_without_images_is_refused():
    with pytest.raises(UserError, match=r"no Training image is neutral; spread=true"):
        judged.ClassCells(np.eye(6, dtype=np.float32), np.arange(6), count=2, seed=0)


# --- which images show their class ---------------------------------------------------------------

PROBABILITIES = np.array([[0.6, 0.4], [0.4, 0.6], [0.1, 0.9], [0.5, 0.5]], np.float32)


def test_mismatched_is_another_class_with_enough_confidence():
    """All are asked for class 0; the tie goes to the first class, so it is none."""
    labels = np.zeros(4, np.int64)
    assert judged.mismatched(labels, PROBABILITIES, 0.5).tolist() == [False, True, True, False]
    assert judged.mismatched(labels, PROBABILITIES, 0.7).tolist() == [False, False, True, False]
    assert not judged.mismatched(labels, PROBABILITIES, 0.95).any()


def test_the_label_s_probability_is_that_of_the_own_class():
    np.testing.assert_allclose(
        judged.label_probabilities(np.array([0, 0, 1, 1]), PROBABILITIES), [0.6, 0.4, 0.9, 0.5]
    )


def test_the_best_share_is_of_each_class():
    """Half of 4 strong and of 3 weak images: 2 and 2 (rounded up); the first of equals."""
    labels = np.array([0, 1, 0, 1, 0, 1, 0])
    scores = np.array([0.9, 0.1, 0.8, 0.1, 0.7, 0.1, 0.99])
    keep = judged.best_share(labels, scores, 0.5)
    assert keep.tolist() == [True, True, False, True, False, False, True]
    assert judged.best_share(labels, scores, 1.0).all()
    assert not judged.best_share(labels, scores, 0.0).any()


def test_the_best_share_of_ten_is_exact():
    """0.7 * 10 is 7.000000000000001 in floats; 7 images, not 8."""
    assert judged.best_share(np.zeros(10, int), np.arange(10.0), 0.1 * 7).sum() == 7
