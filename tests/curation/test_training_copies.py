"""Planted copies of training images are found, all of them and nothing else."""

import numpy as np
import pytest
from scipy import ndimage

from ferbench.curation import training_copies
from ferbench.curation.training_copies import Strictness, TrainingCopies
from ferbench.errors import UserError
from ferbench.similarity import views
from ferbench.similarity.near_copies import aligned_correlation

STRICT = Strictness(0.95, 0.9, 0.01)
SPACES = {"pixels": views.pixels, "gradients": views.gradients}


@pytest.fixture
def train(photos):
    return photos(120, 0)


@pytest.fixture
def finder(train, photos):
    return TrainingCopies(train, photos(100, 1), SPACES, STRICT)


def any_of(found):
    return np.any(list(found.values()), axis=0)


TESTS = [
    "identical",
    "near copy",
    "standing out: pixels",
    "standing out: gradients",
    "standing out: hashes",
]


def test_nothing_is_found_among_others(finder, photos):
    """The limits are 1 % quantiles of 100 images, so some of 300 others stand out by chance."""
    found = finder.find(photos(300, 2), np.arange(300))
    assert list(found) == finder.tests == TESTS
    assert not found["identical"].any() and not found["near copy"].any()
    assert all(mask.mean() < 0.1 for mask in found.values())


def test_the_quantile_is_that_of_the_held_out_images(train, photos):
    """Under the limit of the 7 % quantile lie 7 of the 100 held-out images themselves."""
    held = photos(100, 1)
    finder = TrainingCopies(train, held, SPACES, Strictness(0.95, 0.9, 0.07))
    found = finder.find(held, np.arange(100))
    assert found["standing out: pixels"].sum() == found["standing out: gradients"].sum() == 7
    assert found["standing out: hashes"].sum() <= 7  # whole numbers of bits, so there are ties


def test_planted_copies_are_found(finder, train, photos):
    """The same pixels, mirrored, shifted by 2 px with noise, brighter."""
    rng = np.random.default_rng(0)
    images = photos(20, 3)
    images[0] = train[5]
    images[3] = train[6][:, ::-1]
    noisy = ndimage.shift(train[7].astype(float), (2, -2), mode="nearest")
    images[4] = np.clip(noisy + rng.normal(0, 4, (48, 48)), 0, 255)
    images[9] = np.clip(train[8][:, ::-1] * 0.7 + 60, 0, 255)
    found = finder.find(images, np.arange(20))
    assert np.flatnonzero(found["identical"]).tolist() == [0, 3]
    assert np.flatnonzero(found["near copy"]).tolist() == [0, 3, 4, 9]
    assert any_of(found)[[0, 3, 4, 9]].all()
    assert np.flatnonzero(any_of(finder.find(images, np.array([4, 9])))).tolist() == [0, 1]


def test_an_image_that_one_training_image_stands_out_for(finder, train, photos):
    """Half of a training image and half of another: no near copy, but nearer than chance."""
    mixed = np.round(0.75 * train[11] + 0.25 * photos(1, 9)[0]).astype(np.uint8)[None]
    assert aligned_correlation(train[11][None], mixed)[0] < 0.97
    found = finder.find(mixed, np.arange(1))
    assert found["standing out: pixels"].all() and found["standing out: gradients"].all()
    assert not found["identical"].any()


def test_copies_across_the_real_splits_do_not_move_the_limits(train, photos):
    """Held-out copies of training images are left out of the held-out images behind the limits."""
    held = photos(100, 1)
    leaky = np.concatenate([held, train[:30]])
    clean, found = (TrainingCopies(train, one, SPACES, STRICT) for one in (held, leaky))
    assert clean.limits == found.limits
    assert (clean.held_near, found.held_near) == (0, 30)
    assert clean.held_singles == found.held_singles == 100


def test_pairs_in_training_do_not_hide_a_copy(train, photos):
    """A copy of an image that Training has twice has two equal neighbors; it is found all the same.

    Both are left out of the singletons, blank images too.
    """
    double = np.concatenate([train, train[:1], np.zeros((2, 48, 48), np.uint8)])
    finder = TrainingCopies(double, photos(100, 1), SPACES, STRICT)
    assert len(finder._vectors["pixels"]) == 119
    assert finder.find(train, np.array([0]))["identical"].all()


def test_the_block_does_not_matter(finder, train, photos, monkeypatch):
    images = np.concatenate([photos(40, 3), train[:5]])
    whole = finder.find(images, np.arange(45))
    monkeypatch.setattr(training_copies, "BLOCK", 6)
    parts = finder.find(images, np.arange(45))
    for name, mask in whole.items():
        np.testing.assert_array_equal(mask, parts[name])


def test_no_rows_are_no_trouble(finder, train):
    assert all(len(mask) == 0 for mask in finder.find(train, np.empty(0, np.int64)).values())


def test_too_few_singletons_are_refused(train, photos):
    with pytest.raises(UserError, match=r"120 images of Training and 10 of PublicTest have no"):
        TrainingCopies(train, photos(10, 1), SPACES, STRICT)
    with pytest.raises(UserError, match="train_copies=true: 0 images of Training"):
        TrainingCopies(np.repeat(train[:1], 5, axis=0), photos(60, 1), SPACES, STRICT)
