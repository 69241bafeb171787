import copy

import pytest
import torch
from torch import nn

from ferbench.errors import UserError
from ferbench.runs import precision
from ferbench.runs.precision import Precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def network():
    """A depthwise separable convolution and a head."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.Conv2d(4, 6, 1), nn.Flatten(), nn.Linear(96, 2)
    )


@pytest.fixture
def images():
    return torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("hardware", "name"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_bfloat16_where_the_hardware_has_it(monkeypatch, hardware, name):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: hardware)
    assert precision.choose("auto", CPU) == Precision(name, "cpu")
    assert precision.choose("bf16", CPU) == Precision("bf16", "cpu")
    assert precision.choose("fp32", CPU) == Precision("fp32", "cpu")


@pytest.mark.parametrize(
    ("capability", "name"),
    [((6, 1), "fp32"), ((7, 0), "fp16"), ((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")],
)
def test_auto_is_the_fastest_format_of_a_gpu(monkeypatch, capability, name):
    """A T4 (7.5) has units for float16 alone, Ampere (8.0) and later ones for bfloat16."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precision.choose("auto", CUDA) == Precision(name, "cuda")


@pytest.mark.parametrize("device", [CPU, torch.device("mps")])
def test_float16_needs_a_cuda_device(device):
    with pytest.raises(UserError, match=f"precision=fp16: needs a CUDA device.*{device.type}"):
        precision.choose("fp16", device)
    assert precision.choose("fp16", CUDA) == Precision("fp16", "cuda")


def test_only_float16_scales_the_loss():
    assert [Precision(name, "cuda").scales_loss for name in ("fp32", "bf16", "fp16")] == [
        False,
        False,
        True,
    ]


def test_autocast_computes_in_the_format(images):
    linear = nn.Linear(4, 2)
    with Precision("bf16", "cpu").autocast():
        assert linear(images).dtype == torch.bfloat16
    with Precision("fp32", "cpu").autocast():
        assert linear(images).dtype == torch.float32


def test_prepare_keeps_names_values_and_results_outside_autocast(network, images):
    want, before = network(images), copy.deepcopy(network.state_dict())
    for _ in range(2):
        Precision("bf16", "cpu").prepare(network)
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert network[1].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network(images), want)


def test_grouped_convolutions_of_a_cpu_stay_in_float32(network, images):
    """The depthwise layer gives exactly its float32 result; the others compute in bfloat16."""
    chosen, want = Precision("bf16", "cpu"), network[0](images)
    chosen.prepare(network)
    copied = copy.deepcopy(network)
    for one in (network, copied):
        with chosen.autocast():
            depthwise = one[0](images.bfloat16().float())
            assert depthwise.dtype == torch.float32
            assert one[1](depthwise).dtype == torch.bfloat16
            torch.testing.assert_close(one[0](images), want)
    assert copied[0].weight is not network[0].weight


@pytest.mark.parametrize("chosen", [Precision("fp32", "cpu"), Precision("bf16", "cuda")])
def test_elsewhere_the_layers_stay_what_they_are(network, chosen):
    chosen.prepare(network)
    assert [type(layer) for layer in network] == [nn.Conv2d, nn.Conv2d, nn.Flatten, nn.Linear]
