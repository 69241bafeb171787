import copy

import pytest
import torch
from torch import nn

from stylegan2_ada.training.ema import ema_decay, ema_update


def test_decay_halves_over_the_half_life():
    decay = ema_decay(batch=64, half_life_images=640, images_seen=10**6, rampup=None)
    assert decay**10 == pytest.approx(0.5)


def test_rampup_bounds_the_half_life_by_a_share_of_the_images_seen():
    early = ema_decay(batch=64, half_life_images=20_000, images_seen=2000, rampup=0.05)
    assert early == pytest.approx(0.5 ** (64 / 100))
    late = ema_decay(batch=64, half_life_images=20_000, images_seen=10**6, rampup=0.05)
    assert late == pytest.approx(0.5 ** (64 / 20_000))
    assert ema_decay(batch=64, half_life_images=20_000, images_seen=0, rampup=0.05) == 0


def test_average_of_a_constant_network():
    """From 0 toward 1, after n steps: 1 - decay^n; buffers are copied."""
    network = nn.BatchNorm1d(3)
    average = copy.deepcopy(network)
    nn.init.zeros_(average.weight)
    network.running_mean.fill_(5.0)
    for _ in range(4):
        ema_update(average, network, renewed=torch.tensor(0.1))
    torch.testing.assert_close(average.weight.detach(), torch.full([3], 1 - 0.9**4))
    assert average.running_mean.tolist() == [5.0] * 3
    assert network.weight.tolist() == [1.0] * 3
