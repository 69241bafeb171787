"""Copies as they are planted."""

import numpy as np
import pytest

from ferbench.privacy import controls


@pytest.fixture
def images(faces):
    return faces.splits["train"].images[:20]


@pytest.mark.parametrize("variant", controls.VARIANTS)
def test_a_variant_keeps_the_format_and_follows_its_generator(images, variant):
    change = controls.VARIANTS[variant]
    one, two = (change(images, np.random.default_rng(3)) for _ in range(2))
    assert one.shape == images.shape and one.dtype == np.uint8
    assert (one == two).all()


def test_plain_and_mirrored_are_exact(images):
    rng = np.random.default_rng(0)
    assert (controls.plain(images, rng) == images).all()
    assert (controls.mirrored(images, rng)[:, :, ::-1] == images).all()


def test_faded_copies_differ_but_not_in_kind(images):
    """Blurred and noisy: no pixel-identical copy, and still most of the picture."""
    faded = controls.faded(images, np.random.default_rng(0)).astype(float)
    r = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(faded, images, strict=True)]
    assert min(r) > 0.8 and max(r) < 0.999


def test_a_crop_shows_a_window(images):
    """Enlarging 44 pixels to 48: the corners lie in the source's outer 5 pixels."""
    ramp = np.tile(np.arange(0, 240, 5, dtype=np.uint8), (30, 48, 1))
    crops = controls.cropped(ramp, np.random.default_rng(0))
    assert set(crops[:, 0, 0]) <= {0, 5, 10, 15, 20}
    assert (crops[:, 0, -1] - crops[:, 0, 0].astype(int) == 215).all()
