"""Mixup and CutMix: which part of an image is whose, and how the shares are drawn."""

import math

import numpy as np
import pytest
import torch

from ferbench.classifiers import batches, mixup
from ferbench.classifiers.mixup import Mixing


@pytest.fixture
def pixels():
    random = torch.Generator().manual_seed(0)
    faces = torch.randint(0, 256, (6, 1, 48, 48), generator=random, dtype=torch.uint8)
    return batches.normalize(faces)


def mix(images, mixing):
    """One batch mixed so."""
    return mixup.mix(images, mixup.numbers([mixing])[0])


def test_mixup_is_the_weighted_sum_with_the_reversed_batch(pixels):
    mixed = mix(pixels, Mixing(share=0.3))
    torch.testing.assert_close(mixed, 0.3 * pixels + 0.7 * pixels.flip(0))


def test_cutmix_shows_the_partner_in_the_square_only(pixels):
    mixed = mix(pixels, Mixing(share=1 - (12 / 48) ** 2, cut_px=12, top=5, left=20))
    want = pixels.clone()
    want[..., 5:17, 20:32] = pixels.flip(0)[..., 5:17, 20:32]
    assert torch.equal(mixed, want)


def test_unmixed_batches_pass_unchanged(pixels):
    assert mixup.mix(pixels, None) is pixels
    assert torch.equal(mix(pixels, Mixing()), pixels)
    rng = np.random.default_rng(0)
    assert mixup.draw_mixing(0, 0, side_px=48, rng=rng) == Mixing()


def test_mixup_shares_follow_the_beta_law():
    """Beta(a, a) has mean 1 / 2 and variance 1 / (4 (2 a + 1)): 0.125 for a = 0.5."""
    rng = np.random.default_rng(0)
    shares = [mixup.draw_mixing(0.5, 0, side_px=48, rng=rng).share for _ in range(4000)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.02)
    assert np.var(shares) == pytest.approx(0.125, abs=0.01)


def test_cutmix_shares_are_what_the_square_leaves():
    """The square lies inside the image; with alpha 1 the share is uniform, so its mean is 1 / 2."""
    rng = np.random.default_rng(0)
    drawn = [mixup.draw_mixing(0, 1.0, side_px=48, rng=rng) for _ in range(2000)]
    for one in drawn:
        assert one.share == 1 - (one.cut_px / 48) ** 2
        assert 0 <= one.top <= 48 - one.cut_px
        assert 0 <= one.left <= 48 - one.cut_px
    assert np.mean([one.share for one in drawn]) == pytest.approx(0.5, abs=0.03)


def test_with_both_on_a_coin_decides():
    rng = np.random.default_rng(0)
    drawn = [mixup.draw_mixing(0.2, 1.0, side_px=48, rng=rng) for _ in range(1000)]
    cuts = np.mean([one.cut_px > 0 for one in drawn])
    assert cuts == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("alpha", [1e-3, 0.2, 8.0])
def test_shares_are_finite_for_any_alpha(alpha):
    rng = np.random.default_rng(0)
    shares = [mixup.draw_mixing(alpha, 0, side_px=48, rng=rng).share for _ in range(500)]
    assert all(0 <= share <= 1 and math.isfinite(share) for share in shares)
