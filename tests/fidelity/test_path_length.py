"""Path length: of a linear generator in closed form, whatever the batch."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import stylegan2_ada as sg
from ferbench.fidelity.path_length import EPSILON, path_length
from ferbench.gan import trained


class Linear:
    """Images whose pixels are styles: w is z, and the image is w times 2 on one row."""

    def __init__(self, c_dim=0):
        style = lambda z, c: z  # noqa: E731
        self.mapping = SimpleNamespace(
            z_dim=3, c_dim=c_dim, num_ws=1, w_avg=torch.zeros(3), style=style
        )

    def synthesis(self, ws, *, noise, dtype):
        assert (noise, dtype) == ("const", torch.float32)
        return 2 * ws[:, :1, None, :]  # [N, 1, 1, 3]


def flat(images):
    return images.flatten(1)


def test_a_linear_generator_in_closed_form():
    """|2 epsilon (w' - w)|^2 / epsilon^2 = 4 |w' - w|^2, with w and w' from their own seeds."""
    draws = [torch.randn(3, generator=torch.Generator().manual_seed(s)) for s in range(400)]
    ends = torch.stack(draws).view(200, 2, 3)
    lengths = 4 * (ends[:, 1] - ends[:, 0]).square().sum(1).double().numpy()
    low = np.percentile(lengths, 1, method="lower")
    high = np.percentile(lengths, 99, method="higher")
    want = lengths[(lengths >= low) & (lengths <= high)].mean()
    got = path_length(Linear(), flat, pairs=200, seed=0, batch=64)
    assert got == pytest.approx(want, rel=2e-3)  # differences of 1e-4 in float32
    assert got == pytest.approx(4 * 2 * 3, rel=0.15)  # E |w' - w|^2 = 2 * 3


@pytest.fixture
def network(tmp_path, make_generator):
    path = make_generator(tmp_path / "g.safetensors")
    return trained.load(path, device=torch.device("cpu")).network


def test_the_batch_plays_no_part(network):
    one, other = (path_length(network, flat, pairs=20, seed=3, batch=b) for b in (20, 7))
    assert one == pytest.approx(other, rel=2e-2)
    assert one > 0
    assert path_length(network, flat, pairs=20, seed=4, batch=20) != pytest.approx(one, rel=1e-3)


def test_classes_take_turns_and_a_path_stays_in_its_class():
    """The style gets one-hot rows of classes 0, 1, 2, 0, ... for both ends of a path."""
    seen = []
    generator = Linear(c_dim=3)
    generator.mapping.style = lambda z, c: (seen.append(c), z)[1]
    path_length(generator, flat, pairs=4, seed=0, batch=4)
    want = torch.eye(3)[[0, 1, 2, 0]]
    assert len(seen) == 2
    assert all(torch.equal(c, want) for c in seen)


@pytest.mark.parametrize("kind", ["cgan", "acgan"])
def test_plain_generators_have_a_path_too(kind):
    torch.manual_seed(0)
    config = {
        "kind": kind,
        "img_resolution": 48,
        "img_channels": 1,
        "c_dim": 7,
        "z_dim": 8,
        "embed_dim": 8,
        "w_avg_beta": 0.995,
        "channel_base": 64,
        "channel_max": 8,
    }
    generator = sg.generator_of(config).eval()
    assert path_length(generator, flat, pairs=6, seed=0, batch=4) > 0


def test_unconditional_generators_have_one_kind_of_path(tmp_path, make_generator):
    path = make_generator(tmp_path / "g.safetensors", classes=())
    network = trained.load(path, device=torch.device("cpu")).network
    assert path_length(network, flat, pairs=6, seed=0, batch=4) > 0


def test_the_step_is_the_published_one():
    assert EPSILON == 1e-4
