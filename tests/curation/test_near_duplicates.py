"""Of images that look alike the best one stays."""

import numpy as np
import pytest

from ferbench.curation import near_duplicates
from ferbench.curation.near_duplicates import first_of_alike
from ferbench.similarity.near_copies import aligned_correlation


def stay(images, scores, rows=None):
    rows = np.arange(len(images)) if rows is None else rows
    return first_of_alike(images, rows, np.asarray(scores, float), near_correlation=0.95)


@pytest.fixture
def planted(photos):
    """30 pictures; 7 is brighter than 2, 11 the mirror image of 2, 20 the same as 12."""
    images = photos(30, 0)
    images[7] = np.clip(images[2] * 0.8 + 30, 0, 255)
    images[11] = images[2][:, ::-1]
    images[20] = images[12]
    return images


def test_the_best_of_each_group_stays(planted):
    scores = np.full(30, 0.5)
    scores[[2, 7, 11]] = 0.6, 0.9, 0.7
    assert np.flatnonzero(~stay(planted, scores)).tolist() == [2, 11, 20]


def test_of_equals_the_first_stays(planted):
    assert np.flatnonzero(~stay(planted, np.zeros(30))).tolist() == [7, 11, 20]


def test_only_the_rows_given_count(planted):
    rows = np.array([3, 7, 12, 20, 25])
    assert stay(planted, [0.1, 0.2, 0.3, 0.4, 0.5], rows).tolist() == [
        True,
        True,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("block", [1, 4, 64])
def test_the_block_does_not_matter(planted, block, monkeypatch):
    scores = np.random.default_rng(0).random(30)
    want = stay(planted, scores)
    monkeypatch.setattr(near_duplicates, "BLOCK", block)
    monkeypatch.setattr(near_duplicates, "COLUMNS", 3)
    monkeypatch.setattr(near_duplicates, "PAIRS", 2)
    np.testing.assert_array_equal(stay(planted, scores), want)


def test_a_collapsed_generator_leaves_one(photos):
    """1,500 equal pictures have a million pairs; each is compared with the one that stays."""
    images = np.broadcast_to(photos(1, 0), (1500, 48, 48))
    kept = stay(images, np.arange(1500.0))
    assert np.flatnonzero(kept).tolist() == [1499]


def test_a_chain_keeps_both_ends(photos):
    """b is near a and c, a is not near c: if b is worst, a and c stay; if it is best, b alone."""
    a, far = photos(2, 4).astype(float)
    b, c = 0.84 * a + 0.16 * far, 0.70 * a + 0.30 * far
    images = np.stack([a, b, c]).round().astype(np.uint8)
    ab, bc, ac = aligned_correlation(images[[0, 1, 0]], images[[1, 2, 2]])
    assert min(ab, bc) >= 0.95 > ac
    assert stay(images, [0.9, 0.1, 0.8]).tolist() == [True, False, True]
    assert stay(images, [0.5, 0.9, 0.4]).tolist() == [False, True, False]
