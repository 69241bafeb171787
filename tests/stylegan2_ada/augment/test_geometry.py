import numpy as np
import pytest
import torch

from stylegan2_ada.augment import AugmentConfig
from stylegan2_ada.augment.draws import Draws
from stylegan2_ada.augment.geometry import SYM6, move, terms

TAPS = np.array(SYM6) / np.sum(SYM6)
MARGIN = 400  # pixels that the explicit copies reach beyond the image


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moved_by_hand(image: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """[H, W] resampled from an image that is reflected again and again, as far as the map reaches.

    Doubled pixel q lies at pixel q / 2; five of them are needed before the image for the filter.
    """
    wide = np.pad(image, MARGIN, mode="reflect")
    doubled = np.zeros((2 * wide.shape[0], 2 * wide.shape[1]))
    doubled[::2, ::2] = wide
    for axis in (0, 1):
        doubled = np.apply_along_axis(np.convolve, axis, doubled, 2 * TAPS)
    height, width = image.shape
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    pixels = np.meshgrid(*((np.arange(2 * size + 10) - 5) / 2 for size in (width, height)))
    at = np.stack([*(pixels[i] - center[i] for i in (0, 1)), np.ones_like(pixels[0])], -1)
    at = 2 * (at @ backward.T + center + MARGIN)
    moved = bilinear(doubled[5:, 5:], at[..., 0], at[..., 1])
    for axis in (0, 1):
        moved = np.apply_along_axis(np.correlate, axis, moved, TAPS, "valid")
    return moved[::2, ::2]


def bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    x, y = x - left, y - top
    above = image[top, left] * (1 - x) + image[top, left + 1] * x
    below = image[top + 1, left] * (1 - x) + image[top + 1, left + 1] * x
    return above * (1 - y) + below * y


@pytest.mark.parametrize("size", [(24, 24), (10, 16), (7, 5)])
@pytest.mark.parametrize(
    "backward",
    [
        [[0.9, -0.3, 1.5], [0.2, 1.1, -0.75]],
        [[1.0, 0.0, 131.25], [0.0, 1.0, -97.5]],
        [[-3.1, 1.7, 40.25], [2.2, 4.3, -61.5]],  # nine times the width
    ],
    ids=["near", "far", "scaled"],
)
def test_an_image_is_reflected_as_often_as_a_map_needs(size, backward):
    image = torch.randn(1, 2, *size, dtype=torch.float64, generator=seeded(0))
    out = move(image, torch.tensor([backward], dtype=torch.float64))
    want = [moved_by_hand(channel, np.array(backward)) for channel in image[0].numpy()]
    np.testing.assert_allclose(out[0].numpy(), want, atol=1e-9)


@pytest.mark.parametrize("size", [(24, 24), (6, 9)])
def test_whole_pixel_shifts_reach_over_many_reflections(size):
    """100 pixels to the right and 67 up: a window of the padded image."""
    image = torch.randn(1, 1, *size, dtype=torch.float64, generator=seeded(0))
    out = move(image, torch.tensor([[[1.0, 0.0, 100.0], [0.0, 1.0, -67.0]]], dtype=torch.float64))
    wide = np.pad(image[0, 0].numpy(), MARGIN, mode="reflect")
    top, left = MARGIN - 67, MARGIN + 100
    want = wide[top : top + size[0], left : left + size[1]]
    np.testing.assert_allclose(out[0, 0].numpy(), want, atol=1e-6)


def test_only_images_with_a_map_change():
    images = torch.randn(3, 1, 24, 24, generator=seeded(0))
    maps = torch.eye(2, 3).repeat(3, 1, 1)
    maps[1, 0, 2] = 1e-3
    out = move(images, maps)
    same = [torch.equal(one, before) for one, before in zip(out, images, strict=True)]
    assert same == [True, False, True]


def test_an_unmoved_image_passes_its_gradient_on_as_it_is():
    images = torch.randn(2, 1, 24, 24, generator=seeded(0), requires_grad=True)
    weights = torch.randn(2, 1, 24, 24, generator=seeded(1))
    maps = torch.stack([torch.eye(2, 3), torch.eye(2, 3) * 0.9])
    (grad,) = torch.autograd.grad((move(images, maps) * weights).sum(), images)
    assert torch.equal(grad[0], weights[0])
    assert not torch.equal(grad[1], weights[1])


def test_either_rotation_happens_with_the_probability_asked_for():
    """20,000 images at p = 0.4: 0.4 within 3 deviations (0.0035 each); both in 0.2254**2."""
    draws = Draws(terms(AugmentConfig(rotate=1.0)))
    drawn = draws(20_000, torch.tensor(0.4, dtype=torch.float64), seeded(0))
    turns = torch.cat([drawn["rotate"], drawn["rotate_after"]], 1) != 0
    assert abs(turns.any(1).float().mean() - 0.4) < 0.0105
    assert abs(turns.all(1).float().mean() - (1 - 0.6**0.5) ** 2) < 0.0046
    assert not drawn["scale"].any()
