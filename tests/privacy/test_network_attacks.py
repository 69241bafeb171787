"""Attacks with the generator's networks: what the discriminator remembers, what can be drawn."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import stylegan2_ada as sg
from ferbench.gan import trained
from ferbench.privacy import network_attacks, statistics
from ferbench.privacy.network_attacks import Inversion

CPU = torch.device("cpu")


class Memory(nn.Module):
    """A discriminator that knows images by the sum of their pixels, and hears its group."""

    def __init__(self, images: np.ndarray, *, heard: float = 0.0, res: int = 48) -> None:
        super().__init__()
        sizes = {"img_resolution": res, "img_channels": 1, "c_dim": 7}
        self.config = SimpleNamespace(**sizes)
        known = sg.from_uint8(torch.from_numpy(images)).flatten(1).sum(1)
        self.register_buffer("known", known)
        self.heard, self.conditions = heard, []

    def forward(self, images: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        self.conditions.append(c)
        sums = images.flatten(1).sum(1)
        near = (sums[:, None] - self.known).abs().min(1).values
        return -near + self.heard * sums.mean()


@pytest.fixture
def members(faces):
    return faces.splits["train"].images[:100]


@pytest.fixture
def others(faces):
    return faces.splits["public"].images[:80]


def scored(discriminator, images, labels=None, seed=0):
    labels = np.zeros(len(images), np.int64) if labels is None else labels
    rng = np.random.default_rng(seed)
    return network_attacks.discriminator_scores(discriminator, images, labels, rng=rng, device=CPU)


def test_a_discriminator_that_remembers_is_found_out(members, others):
    scores = scored(Memory(members), np.concatenate([members, others]))
    assert statistics.attack(scores[:100], scores[100:]).auc == 1


def test_a_score_belongs_to_its_image(members, others):
    """Whatever the order of the images, where a discriminator looks at each alone."""
    images = np.concatenate([members, others])
    order = np.random.default_rng(5).permutation(len(images))
    discriminator = Memory(members)
    one, two = scored(discriminator, images), scored(discriminator, images[order], seed=9)
    assert np.allclose(one[order], two)


def test_members_and_others_share_their_groups(members, others):
    """A discriminator that hears the group alone tells nothing: groups are drawn from all."""
    images = np.concatenate([members // 2, others])
    scores = scored(Memory(images, heard=1.0), images)
    assert abs(statistics.attack(scores[:100], scores[100:]).auc - 0.5) < 0.15


def test_the_condition_is_the_own_class(members):
    discriminator = Memory(members)
    scored(discriminator, members, np.arange(100) % 7)
    conditions = torch.cat(discriminator.conditions)
    assert (
        len(conditions) == network_attacks.ROUNDS * 128
    )  # two groups of 64, the last one filled up
    assert (conditions.sum(1) == 1).all()
    assert abs(conditions.mean(0) - 1 / 7).max() < 0.03


def test_a_real_discriminator_of_another_size_and_colors(make_generator, tmp_path, members):
    path = make_generator(tmp_path / "g.safetensors", classes=(), res=32, channels=3)
    discriminator = trained.load(path, device=CPU).discriminator
    scores = scored(discriminator, members[:10])
    assert scores.shape == (10,)
    assert np.isfinite(scores).all()


# --- inversion -----------------------------------------------------------------------------------


@pytest.fixture
def network(make_generator, tmp_path):
    return trained.load(make_generator(tmp_path / "g.safetensors"), device=CPU).network


def drawn(network, count, seed=0):
    """Images that the generator can draw, with their classes."""
    labels = np.arange(count) % 7
    conditions = torch.eye(7)[torch.from_numpy(labels)]
    images = sg.sample(network, range(seed, seed + count), conditions)
    return sg.to_uint8(images)[:, 0].numpy(), labels


def inverted(network, images, labels, *, steps=40, batch=8, features=None):
    how = Inversion(steps=steps, rate=0.2, batch=batch, features=features)
    done = []
    errors = network_attacks.invert(network, images, labels, how, seed=0, on_batch=done.append)
    assert sum(done) == len(images)
    return errors


def test_what_a_generator_draws_it_gives_back_better_than_other_images(network, others):
    own, labels = drawn(network, 8)
    mine = inverted(network, own, labels)
    strangers = inverted(network, others[:8], labels)
    assert np.median(mine) < 0.5 * np.median(strangers)


def test_more_steps_are_no_worse(network):
    own, labels = drawn(network, 4)
    errors = [inverted(network, own, labels, steps=steps).mean() for steps in (1, 10, 60)]
    assert errors[2] < errors[1] < errors[0]


def test_an_error_does_not_depend_on_the_batch(network):
    own, labels = drawn(network, 6)
    whole = inverted(network, own, labels, steps=5)
    parts = inverted(network, own, labels, steps=5, batch=4)
    assert np.allclose(whole, parts, rtol=1e-3)


def test_features_may_take_the_place_of_pixels(network):
    """Of the mean gray level alone: one number is reached exactly."""
    own, labels = drawn(network, 4)
    errors = inverted(network, own, labels, steps=60, features=lambda x: x.mean((2, 3)))
    assert errors.max() < 1e-3


def test_unconditional_generators_of_colors_are_inverted(make_generator, tmp_path, others):
    path = make_generator(tmp_path / "g.safetensors", classes=(), res=32, channels=3)
    network = trained.load(path, device=CPU).network
    errors = inverted(network, others[:2], np.zeros(2, np.int64), steps=2)
    assert np.isfinite(errors).all()


def test_the_learning_rate_rises_stays_and_falls():
    rates = [network_attacks._rate(done) for done in (0, 0.025, 0.5, 0.875, 1)]
    assert np.allclose(rates, [0, 0.5, 1, 0.5, 0])
