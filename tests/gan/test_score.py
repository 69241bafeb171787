"""The judge's score of a generator: weighted Gaussians, accuracy, the cache of real features."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import stylegan2_ada as sg
from ferbench.gan import score
from ferbench.gan.score import Reference
from ferbench.metrics.feature_sets import gaussian_of


class ByBrightness:
    """Features: mean and deviation of the pixels; class 0 for dark images, 1 for bright ones."""

    hash = "made"
    calls = 0

    def describe(self, images: Any, **_: Any) -> SimpleNamespace:
        self.calls += 1
        pixels = np.asarray(images, dtype=np.float32).reshape(len(images), -1)
        features = np.stack([pixels.mean(1), pixels.std(1)], 1)
        bright = (features[:, 0] > 127).astype(np.float32)
        return SimpleNamespace(features=features, logits=np.stack([1 - bright, bright], 1))


def generator(c_dim: int) -> sg.Generator:
    torch.manual_seed(0)
    config = sg.GeneratorConfig(
        img_resolution=12,
        img_channels=1,
        c_dim=c_dim,
        z_dim=4,
        w_dim=4,
        mapping_layers=1,
        channel_base=64,
        channel_max=8,
    )
    return sg.Generator(config).eval()


def test_equal_weights_give_the_plain_gaussian() -> None:
    """The covariance is over n here and over n - 1 there."""
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    mean, covariance = score.weighted_gaussian(x, np.full(20, 5.0))
    wanted_mean, wanted = gaussian_of(x)
    np.testing.assert_allclose(mean, wanted_mean)
    np.testing.assert_allclose(covariance, wanted * 19 / 20)


def test_a_weight_of_two_is_the_row_twice() -> None:
    x = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    weighted = score.weighted_gaussian(x, np.array([2.0, 1, 1, 1]))
    doubled = score.weighted_gaussian(np.concatenate([x[:1], x]), np.ones(5))
    np.testing.assert_allclose(weighted[0], doubled[0])
    np.testing.assert_allclose(weighted[1], doubled[1])


def test_a_generator_that_ignores_its_class_is_at_chance() -> None:
    """The same images for both classes: what is right for one is wrong for the other."""
    network = generator(2)
    with torch.no_grad():
        network.mapping.embed.weight.zero_()
        network.mapping.embed.bias.zero_()
    real = Reference(np.zeros(2), np.eye(2))
    judge: Any = ByBrightness()
    found = score.score(network, torch.eye(2), judge, real, per_class=64, dtype=torch.float32)
    assert found.accuracy == pytest.approx(sum(found.by_class) / 2)
    assert found.accuracy == pytest.approx(0.5, abs=0.15)
    assert found.distance > 0


def test_an_unconditional_generator_has_a_distance_alone() -> None:
    real = Reference(np.zeros(2), np.eye(2))
    judge: Any = ByBrightness()
    found = score.score(
        generator(0), torch.zeros(1, 0), judge, real, per_class=4, dtype=torch.float32
    )
    assert np.isnan(found.accuracy)
    assert np.isfinite(found.distance)


def test_real_features_are_computed_once_a_judge(tmp_path: Path) -> None:
    """Classes count alike: 6 dark faces of class 0 and 2 bright ones of class 1 give the middle."""
    images = np.zeros((8, 48, 48), np.uint8)
    images[6:] = 200
    labels = np.array([0] * 6 + [1] * 2)
    judge: Any = ByBrightness()
    cache = tmp_path / "reference.npz"
    first = score.reference(judge, images, labels, cache=cache)
    again = score.reference(judge, images, labels, cache=cache)
    assert judge.calls == 1
    np.testing.assert_array_equal(first.mean, again.mean)
    assert first.mean[0] == pytest.approx(100)
    judge.hash = "another"
    score.reference(judge, images, labels, cache=cache)
    assert judge.calls == 2
