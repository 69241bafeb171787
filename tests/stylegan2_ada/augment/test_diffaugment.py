import pytest
import torch

from stylegan2_ada.augment import diff_augment


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("policy", ["color", "translation", "cutout", "color,translation,cutout"])
def test_changes_images_as_the_generator_says(policy, channels):
    images = torch.randn(6, channels, 16, 16, generator=seeded(0))
    once = diff_augment(images, policy, seeded(1))
    assert once.shape == images.shape
    assert not torch.equal(once, images)
    assert torch.equal(once, diff_augment(images, policy, seeded(1)))
    assert not torch.equal(once, diff_augment(images, policy, seeded(2)))


def test_no_policy_is_the_identity():
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(diff_augment(images, "", seeded(0)), images)


def test_unknown_policy_is_named():
    with pytest.raises(ValueError, match="blur"):
        diff_augment(torch.zeros(1, 1, 8, 8), "color,blur", seeded(0))


def test_translation_moves_by_whole_pixels_within_an_eighth():
    """One bright pixel at (8, 8) of 16 lands within 2 pixels; the draws reach both ends."""
    images = torch.zeros(200, 1, 16, 16)
    images[:, :, 8, 8] = 1
    moved = diff_augment(images, "translation", seeded(0))
    assert torch.equal(moved.sum([1, 2, 3]), torch.ones(200))
    at = moved[:, 0].nonzero()
    assert set(at[:, 1].tolist()) == set(at[:, 2].tolist()) == {6, 7, 8, 9, 10}


def test_cutout_takes_at_most_a_quarter_of_the_image():
    ones = torch.ones(100, 1, 16, 16)
    kept = diff_augment(ones, "cutout", seeded(0)).mean([1, 2, 3])
    assert kept.min() == 0.75
    assert kept.max() < 0.95


def test_color_keeps_a_flat_gray_image_flat():
    flat = torch.full([8, 3, 4, 4], 0.25)
    out = diff_augment(flat, "color", seeded(0))
    assert out.flatten(1).std(1).max() < 1e-6
    assert ((out - 0.25).abs() <= 0.5).all()
    assert out[:, 0, 0, 0].std() > 0.1


@pytest.mark.parametrize("policy", ["color", "translation", "cutout"])
def test_differentiable_twice(policy):
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=seeded(0), requires_grad=True)

    def function(x):
        return diff_augment(x, policy, seeded(1))

    assert torch.autograd.gradcheck(function, [images])
    assert torch.autograd.gradgradcheck(lambda x: function(x).square(), [images])
