"""The networks against numbers of the published implementation (tests/reference/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stylegan2_ada.networks import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig
from stylegan2_ada.training.losses import gradient_penalty, path_lengths

REFERENCE = Path(__file__).parents[2] / "reference"


def relative_error(out: Tensor, reference: Tensor) -> float:
    out, reference = out.detach().double(), reference.double()
    return float((out - reference).norm() / reference.norm())


class Case:
    """Both networks with the file's weights, and its arrays as tensors."""

    def __init__(self, name: str) -> None:
        arrays = dict(np.load(REFERENCE / f"{name}.npz", allow_pickle=False))
        meta = dict(item.split("=") for item in str(arrays.pop("meta")).split())
        self.size = {key: int(value) for key, value in meta.items() if value.isdigit()}
        self.arrays = {key: torch.from_numpy(value) for key, value in arrays.items()}
        common = {key: self.size[key] for key in ("img_resolution", "img_channels", "c_dim")}
        common |= {key: self.size[key] for key in ("channel_base", "channel_max")}
        style = {key: self.size[key] for key in ("z_dim", "w_dim", "mapping_layers")}
        self.g = Generator(GeneratorConfig(**common, **style))
        group, maps = self.size["mbstd_group_size"], self.size["mbstd_num_channels"]
        self.d = Discriminator(
            DiscriminatorConfig(**common, mbstd_group=group, mbstd_channels=maps)
        )
        for prefix, network in (("G/", self.g), ("D/", self.d)):
            state = {k[2:]: v for k, v in self.arrays.items() if k.startswith(prefix)}
            network.load_state_dict(state, strict=True)
        self.z = self.arrays["in/z"]
        self.c = self.arrays.get("in/c")

    def derivative(self, start: str) -> tuple[str, Tensor]:
        """Name of the weight in 'out/dpl_d(name)' and the array."""
        key = next(key for key in self.arrays if key.startswith(start))
        return key[len(start) + 1 : -1], self.arrays[key]


@pytest.fixture(scope="module", params=["networks_cond_gray_32", "networks_uncond_rgb_64"])
def case(request):
    return Case(request.param)


@pytest.mark.parametrize(
    ("name", "psi", "cutoff"),
    [("ws", 1.0, None), ("ws_psi0.7", 0.7, None), ("ws_psi0.5_cutoff4", 0.5, 4)],
)
def test_styles(case, name, psi, cutoff):
    ws = case.g.mapping(case.z, case.c, psi=psi, cutoff=cutoff)
    assert relative_error(ws, case.arrays[f"out/{name}"]) < 1e-5


@pytest.mark.parametrize("noise", ["const", "none"])
def test_images(case, noise):
    images = case.g(case.z, case.c, noise=noise)
    assert relative_error(images, case.arrays[f"out/img_noise_{noise}"]) < 1e-5


def test_path_lengths_and_their_derivative(case):
    ws = case.g.mapping(case.z, case.c)
    images = case.g.synthesis(ws)
    directions = case.arrays["in/pl_noise"] * case.size["img_resolution"]  # unit deviation
    lengths = path_lengths(images, ws, directions)
    assert relative_error(lengths, case.arrays["out/pl_lengths"]) < 1e-4
    name, reference = case.derivative("out/dpl_d")
    (grad,) = torch.autograd.grad(lengths.sum(), case.g.get_parameter(name))
    assert relative_error(grad, reference) < 1e-4


def test_logits_r1_and_their_derivatives(case):
    images = case.arrays["in/x"].clone().requires_grad_()
    logits = case.d(images, case.c)
    assert relative_error(logits, case.arrays["out/logits"][:, 0]) < 1e-5
    (slope,) = torch.autograd.grad(logits.sum(), images, retain_graph=True)
    assert relative_error(slope, case.arrays["out/dlogits_dx"]) < 1e-4
    penalty = gradient_penalty(logits, images)
    assert relative_error(penalty, case.arrays["out/r1_per_image"]) < 1e-4
    name, reference = case.derivative("out/dr1_d")
    (grad,) = torch.autograd.grad(penalty.sum(), case.d.get_parameter(name))
    assert relative_error(grad, reference) < 1e-4
