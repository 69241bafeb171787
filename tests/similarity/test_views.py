"""Vectors of images: what they are blind to, and distances to the nearest."""

import numpy as np
import pytest

from ferbench.metrics.neighbors import nearest
from ferbench.similarity import views
from ferbench.similarity.views import Nearest, Views

ENCODERS = [views.pixels, views.gradients, views.hashes]


@pytest.fixture
def images(faces):
    return faces.splits["train"].images[:50]


@pytest.mark.parametrize("encode", ENCODERS)
def test_brightness_and_contrast_do_not_count(images, encode):
    """Halving and shifting the gray levels leaves an image nearest to itself by far."""
    changed = (images // 2 + 60).astype(np.uint8)
    distances, rows = nearest(encode(changed), encode(images), 2)
    assert (rows[:, 0] == np.arange(len(images))).all()
    assert (distances[:, 0] < 0.4 * distances[:, 1]).all()


@pytest.mark.parametrize("encode", [views.pixels, views.gradients])
def test_vectors_have_norm_one(images, encode):
    assert np.allclose(np.linalg.norm(encode(images), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("encode", ENCODERS)
def test_a_vector_does_not_depend_on_its_batch(images, encode):
    whole = encode(np.tile(images, (8, 1, 1)))
    assert np.allclose(whole[300:350], encode(images), atol=1e-6)


def test_flat_images_are_finite():
    flat = np.full((2, 48, 48), 77, np.uint8)
    for encode in ENCODERS:
        assert np.isfinite(encode(flat)).all()
    assert not views.pixels(flat).any()


def test_pixel_distance_is_a_correlation(images):
    """|a - b|^2 = 2 - 2 r for vectors of mean 0 and norm 1."""
    vectors = views.pixels(images).astype(np.float64)
    small = images.reshape(50, 16, 3, 16, 3).mean(axis=(2, 4)).reshape(50, -1)
    r = np.corrcoef(small[0], small[1])[0, 1]
    assert np.isclose(np.square(vectors[0] - vectors[1]).sum(), 2 - 2 * r, atol=1e-5)


def test_hash_distance_counts_bits(images):
    codes = views.hashes(images)
    assert set(np.unique(codes)) == {-0.5, 0.5}
    different = (codes[0] != codes[1]).sum()
    assert np.isclose(np.square(codes[0] - codes[1]).sum(), different)
    assert 15 < different < 48  # of 63: half of them between strangers


def test_a_grating_has_its_direction():
    """Vertical stripes have gradients along direction 0 alone, horizontal ones along 4."""
    stripes = np.tile((np.arange(48) // 4 % 2 * 200).astype(np.uint8), (48, 1))
    cells = views.gradients(np.stack([stripes, stripes.T])).reshape(2, 8, 36)
    energy = np.square(cells).sum(axis=2)
    assert np.allclose(energy[0], np.eye(8)[0], atol=1e-6)
    assert np.allclose(energy[1], np.eye(8)[4], atol=1e-6)


def test_a_mirrored_copy_is_at_distance_zero(images):
    seen = views.view(np.ascontiguousarray(images[:5, :, ::-1]), views.pixels)
    near = views.nearest_real(seen, views.pixels(images))
    assert (near.row == np.arange(5)).all()
    assert (near.first < 1e-3).all()
    assert (near.second > 0.5).all()
    assert (near.ratio < 1e-2).all()


def test_the_second_is_another_reference():
    """Both sides of a symmetric image find the same nearest reference: that is not the second."""
    references = np.array([[0.0, 0.0], [3.0, 0.0], [5.0, 0.0]], np.float32)
    query = np.array([[1.0, 0.0]], np.float32)
    near = views.nearest_real(Views(query, query), references)
    assert near.row[0] == 0
    assert np.allclose([near.first[0], near.second[0]], [1, 2])


def test_the_ratio_of_two_zeros_is_one():
    zero = np.zeros(1, np.float32)
    assert Nearest(np.zeros(1, np.int64), zero, zero).ratio[0] == 1


def test_candidates_are_scored_by_the_nearer_side():
    candidates = np.array([[0.0], [10.0]], np.float32)
    synthetic = Views(np.array([[1.0], [2.0]], np.float32), np.array([[9.0], [30.0]], np.float32))
    assert np.allclose(views.nearest_synthetic(candidates, synthetic), 1)


def test_nearest_ones_are_joined_and_taken():
    one = Nearest(np.array([1, 2]), np.array([0.1, 0.2]), np.array([0.3, 0.4]))
    both = one.take(slice(1)).then(one)
    assert both.row.tolist() == [1, 1, 2]
    assert both.second.tolist() == [0.3, 0.3, 0.4]
