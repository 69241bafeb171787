"""Planted copies are found in every variant, with their originals; strangers are not."""

import numpy as np
import pytest

from ferbench.privacy import controls
from ferbench.similarity import matches, views


@pytest.fixture(scope="module")
def train(faces):
    return faces.splits["train"].images


def matched(images, references, **options):
    seen, vectors = views.view(images, views.gradients), views.gradients(references)
    return matches.best_match(images, seen, references, vectors, **options)


@pytest.mark.parametrize("variant", controls.VARIANTS)
def test_a_planted_copy_is_matched_with_its_original(train, variant):
    rows = np.arange(0, 400, 10)
    changed = controls.VARIANTS[variant](train[rows], np.random.default_rng(0))
    found = matched(changed, train)
    assert (found.row == rows).all()
    assert (found.correlation > (0.92 if variant == "faded" else 0.99)).all()
    assert (found.mirrored == (variant == "mirrored")).all()


def test_a_cropped_copy_needs_zoom(train):
    """A 44 x 44 window is enlarged by 48 / 44 = 1.09."""
    changed = controls.cropped(train[:40], np.random.default_rng(1))
    found = matched(changed, train)
    assert np.allclose(found.zoom, 1.09)
    plain = matches.aligned_correlation(train[:40].astype(float), changed.astype(float))
    assert plain.mean() < 0.9 < found.correlation.min()


def test_strangers_do_not_match(faces, train):
    strangers = faces.splits["public"].images[:60]
    assert matched(strangers, train).correlation.max() < 0.8


def test_an_image_is_not_its_own_match(train):
    own = matched(train[:50], train[:50])
    assert np.allclose(own.correlation, 1)
    others = matched(train[:50], train[:50], exclude_self=True)
    assert (others.row != np.arange(50)).all()
    assert others.correlation.max() < 0.8


def test_matches_do_not_depend_on_the_batch(train):
    changed = controls.cropped(train[:30], np.random.default_rng(2))
    whole, part = matched(changed, train), matched(changed[7:9], train)
    assert np.allclose(whole.take(slice(7, 9)).correlation, part.correlation)


def test_fewer_references_than_candidates(train):
    assert (matched(train[:2], train[:2]).row == [0, 1]).all()


def test_enlarging_shows_the_middle():
    ramp = np.tile(np.arange(48, dtype=np.float32), (1, 48, 1))
    shown = matches.enlarged(ramp, 1.2)[0, 24]
    assert np.allclose(np.diff(shown), 1 / 1.2, atol=1e-4)
    assert np.isclose(shown.mean(), 23.5, atol=1e-4)


def test_identical_pixels_are_found_mirrored_too(train):
    index = matches.Pixels(train)
    some = np.concatenate([train[[5, 8]], train[[3], :, ::-1], 255 - train[[3]]])
    assert index.find(some).tolist() == [5, 8, 3, -1]
