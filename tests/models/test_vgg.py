"""The VGG of Khaireddin and Chen."""

import torch
from torch import nn

from ferbench.models.vgg import Vgg


def test_eight_convolutions_and_three_linear_layers():
    network = Vgg(7, dropout=0.5, width=64)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    linears = [m for m in network.modules() if isinstance(m, nn.Linear)]
    assert [m.out_channels for m in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [m.in_features for m in linears] == [512 * 3 * 3, 1024, 1024]
    assert linears[-1] is network.head


def test_parameters_follow_the_closed_form():
    """Convolutions 9 a b, two per output channel for the norm, linear layers (a + 1) b."""
    w, classes = 8, 7
    pairs = [(1, w), (w, w), (w, 2 * w), (2 * w, 2 * w), (2 * w, 4 * w), (4 * w, 4 * w)]
    pairs += [(4 * w, 8 * w), (8 * w, 8 * w)]
    linears = [(72 * w, 16 * w), (16 * w, 16 * w), (16 * w, classes)]
    want = sum(9 * a * b + 2 * b for a, b in pairs) + sum((a + 1) * b for a, b in linears)
    network = Vgg(classes, dropout=0.5, width=w)
    assert sum(parameter.numel() for parameter in network.parameters()) == want


def test_the_pool_before_the_linear_layers_does_nothing_at_48_px():
    network = Vgg(7, dropout=0.5, width=8).eval()
    maps = network.stages(torch.rand(2, 1, 48, 48))
    assert torch.equal(network.pool(maps), maps)


def test_initial_weights_are_those_of_he():
    """Standard deviation sqrt(2 / (9 * 512)) by outputs in the last convolution."""
    torch.manual_seed(0)
    conv = [m for m in Vgg(7, dropout=0.5, width=64).modules() if isinstance(m, nn.Conv2d)][-1]
    assert abs(conv.weight.std().item() / (2 / (9 * 512)) ** 0.5 - 1) < 0.01
