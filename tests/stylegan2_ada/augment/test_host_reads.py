"""Nothing of the augmentation reads the device, so that it can be captured as a CUDA graph."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from host_reads import HostReadError, no_host_reads
from stylegan2_ada.augment import AugmentPipe, ada_step, diff_augment, pipe
from stylegan2_ada.augment.config import PIPES
from stylegan2_ada.networks import mix_styles

POLICIES = ["color", "translation", "cutout", "color,translation,cutout"]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def differentiate_twice(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Forward, backward and double backward; returns the last gradient."""
    x = x.requires_grad_()
    (grad,) = torch.autograd.grad(function(x).square().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(grad.square().sum(), x)
    return second


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", sorted(PIPES))
def test_pipes_read_nothing(name, channels):
    augment = AugmentPipe(pipe(name), p_max=1.0)
    images = torch.randn(4, channels, 12, 12, generator=seeded(0))
    with no_host_reads():
        augment.set_p(0.5)
        second = differentiate_twice(lambda x: augment(x, seeded(1)), images)
    assert second.isfinite().all()


@pytest.mark.parametrize("policy", POLICIES)
def test_diffaugment_reads_nothing(policy):
    images = torch.randn(4, 3, 16, 16, generator=seeded(0))
    with no_host_reads():
        second = differentiate_twice(lambda x: diff_augment(x, policy, seeded(1)), images)
    assert second.isfinite().all()


def test_mixing_styles_reads_nothing():
    ws, other = torch.randn(2, 6, 5, 4, generator=seeded(0))
    with no_host_reads():
        second = differentiate_twice(
            lambda x: mix_styles(x, other, probability=0.9, generator=seeded(1)), ws
        )
    assert second.isfinite().all()


def test_the_controller_reads_nothing():
    p, mean = torch.tensor([0.3, 0.7], dtype=torch.float64).unbind()
    with no_host_reads():
        moved = ada_step(p, mean, target=0.6, images=256, ramp_kimg=500, p_max=0.8)
    assert moved > p


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).any()),
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: x.cpu(),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x.masked_select(x > 0),
        lambda x: x.unique(),
        lambda x: torch.equal(x, x),
        lambda x: x.to("meta"),
        lambda x: x.new_zeros(3).repeat_interleave(torch.tensor([1, 2, 0])),
        lambda x: x.index_put_((x > 0,), x.sum()),
    ],
)
def test_the_watch_sees_what_it_must(read):
    x = torch.tensor([1.0, -1.0, 2.0])
    with no_host_reads(), pytest.raises(HostReadError):
        read(x)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["bgc", "bgcfnc"])
def test_a_captured_pipe_draws_as_an_eager_one(name):
    """Three replays with p set between them, against three calls from the same state."""
    augment = AugmentPipe(pipe(name), p_max=1.0).cuda()
    images = torch.randn(8, 1, 24, 24, generator=seeded(0)).cuda()
    generator = torch.Generator("cuda").manual_seed(1)
    augment(images, generator)  # makes the constants of this size
    graph = torch.cuda.CUDAGraph()
    if hasattr(graph, "register_generator_state"):
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        captured = augment(images, generator)
    eager = torch.Generator("cuda").manual_seed(2)
    generator.set_state(eager.get_state())
    for p in (0.0, 0.5, 1.0):
        augment.set_p(p)
        graph.replay()
        torch.testing.assert_close(captured, augment(images, eager), rtol=1e-4, atol=1e-5)
        assert torch.equal(captured, images) == (p == 0)
