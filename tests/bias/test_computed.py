"""Computed attributes of made images whose values are known."""

import numpy as np
import pytest

from ferbench.bias import computed
from ferbench.bias.computed import ATTRIBUTES, MEANING, compute


def of(image):
    """All attributes of one image [48, 48]."""
    found = compute(np.asarray(image, np.uint8)[None])
    return {name: float(values[0]) for name, values in found.items()}


def half_and_half():
    image = np.full((48, 48), 50)
    image[:, 24:] = 150
    return image


def test_brightness_and_contrast_of_two_halves():
    """Half 50 and half 150: mean 100, deviation 50."""
    found = of(half_and_half())
    assert (found["brightness"], found["contrast"]) == (100, 50)


def test_two_halves_are_their_own_negative_in_the_mirror():
    assert of(half_and_half())["symmetry"] == pytest.approx(-1)
    top = half_and_half().T
    assert of(top)["symmetry"] == pytest.approx(1)


def test_sharpness_of_a_checkerboard():
    """Pixels 100 +- 20 in turn: the Laplacian is -+160, its variance 25,600."""
    board = 100 + 20 * (-1) ** (np.arange(48)[:, None] + np.arange(48))
    assert of(board)["sharpness"] == pytest.approx(np.log10(25_601), rel=1e-6)
    ramp = np.tile(np.arange(48) * 4, (48, 1))
    assert of(ramp)["sharpness"] == 0


def test_equal_edges_everywhere_have_the_widest_plain_scale():
    """A ramp has one gradient at all 46 x 46 inner pixels: sqrt(2 (46^2 - 1) / 12) / 48."""
    ramp = np.tile(np.arange(48) * 4, (48, 1))
    assert of(ramp)["face_scale"] == pytest.approx(np.sqrt((46**2 - 1) / 6) / 48)


@pytest.mark.parametrize("place", [4, 20])
def test_the_scale_is_of_the_size_and_not_the_place(place):
    """Squares of side 8 and 16: the larger one's edges are spread about twice as widely."""

    def square(side):
        image = np.full((48, 48), 60)
        image[place : place + side, 10 : 10 + side] = 180
        return of(image)["face_scale"]

    assert square(16) / square(8) == pytest.approx(2, abs=0.1)
    assert square(8) == pytest.approx(np.sqrt(2 * 16 * 2 / 3) / 48, abs=0.02)


def test_letters_count_along_the_border_alone():
    """Single white pixels on gray: 30 of the 48^2 - 32^2 = 1280 pixels of the border."""
    image = np.full((48, 48), 100)
    image[3, 2:32:2] = 255
    image[45, 2:32:2] = 255
    image[24, 12:36:2] = 255  # in the middle: not counted
    assert of(image)["border_text"] == pytest.approx(30 / 1280)


def test_bright_areas_without_edges_are_no_text():
    """Ten white rows: of the one that meets the gray, 2 x 8 pixels lie in the border."""
    image = np.full((48, 48), 100)
    image[:10] = 255
    assert of(image)["border_text"] == pytest.approx(16 / 1280)


def test_blank_images_have_no_attribute():
    images = np.stack([np.full((48, 48), 90), half_and_half()]).astype(np.uint8)
    found = compute(images)
    assert set(found) == set(ATTRIBUTES) == set(MEANING)
    for values in found.values():
        assert np.isnan(values[0]) and np.isfinite(values[1])


def test_blocks_play_no_part(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (9, 48, 48), dtype=np.uint8)
    whole = compute(images)
    monkeypatch.setattr(computed, "BLOCK", 4)
    for name, values in compute(images).items():
        np.testing.assert_array_equal(values, whole[name])
