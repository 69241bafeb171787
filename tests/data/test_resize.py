"""Resizing: closed forms of averages, no aliasing, ranges kept."""

import numpy as np
import pytest

from ferbench.data.resize import BLOCK, area_weights, resize


def test_area_is_the_mean_of_the_pixels_covered() -> None:
    images = np.arange(16, dtype=np.uint8).reshape(1, 4, 4) * 10
    np.testing.assert_array_equal(resize(images, 2, method="area")[0], [[25, 45], [105, 125]])


def test_area_shares_pixels_that_lie_across_an_edge() -> None:
    """3 to 2: a new pixel covers one old pixel and half of the next: (2 a + b) / 3."""
    images = np.array([[[30, 60, 120]] * 3], np.uint8)
    np.testing.assert_array_equal(resize(images, 2, method="area")[0], [[40, 100]] * 2)


@pytest.mark.parametrize(("source", "target"), [(64, 48), (32, 48), (48, 24), (1024, 48)])
def test_area_weights_are_shares(source: int, target: int) -> None:
    """Every new pixel is a mean, and every old one counts target / source in all."""
    weights = area_weights(source, target)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(weights.sum(0), target / source, rtol=1e-5)


@pytest.mark.parametrize("method", ["area", "bicubic"])
@pytest.mark.parametrize("px", [24, 48, 64])
def test_a_flat_image_stays_flat(method: str, px: int) -> None:
    found = resize(np.full((2, 48, 48), 77, np.uint8), px, method=method)
    assert found.shape == (2, px, px)
    assert (found == 77).all()


@pytest.mark.parametrize("method", ["area", "bicubic"])
def test_a_fine_pattern_turns_gray(method: str) -> None:
    """A checkerboard of single pixels at half the size: its mean, not a new pattern."""
    board = (np.indices((48, 48)).sum(0) % 2 * 255).astype(np.uint8)[None]
    found = resize(board, 24, method=method)[0, 4:-4, 4:-4].astype(int)
    assert abs(found - 127).max() <= 3


def test_values_beyond_white_are_clipped_not_wrapped() -> None:
    """Bicubic weights overshoot at an edge."""
    edge = np.zeros((1, 12, 12), np.uint8)
    edge[:, :, 6:] = 255
    found = resize(edge, 48)[0].astype(int)
    assert (np.diff(found[24]) >= -2).all()


def test_many_images_are_resized_block_by_block() -> None:
    images = np.random.default_rng(0).integers(0, 256, (BLOCK + 3, 8, 8), dtype=np.uint8)
    np.testing.assert_array_equal(resize(images, 4)[-3:], resize(images[-3:], 4))
