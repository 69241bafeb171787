from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stylegan2_ada.networks.modulation import demodulation, modulated_conv2d
from stylegan2_ada.ops import setup_filter

FILE = Path(__file__).parents[2] / "reference" / "modulated_conv2d.npz"


@pytest.fixture(scope="module")
def arrays():
    return dict(np.load(FILE, allow_pickle=False))


@pytest.mark.parametrize("number", range(12))
def test_published_numbers(arrays, number):
    case = dict(item.split("=") for item in arrays["cases"][number].split())
    common = {key: torch.from_numpy(arrays[key]) for key in ("x", "styles", "filter_1331")}
    prefix = f"case{number:03d}/"
    noise = torch.from_numpy(arrays[prefix + "noise"]) if case["noise"] == "True" else None
    y = modulated_conv2d(
        common["x"],
        torch.from_numpy(arrays[f"weight_{case['weight']}"]),
        common["styles"],
        noise=noise,
        up=int(case["up"]),
        padding=int(case["padding"]),
        resample_filter=common["filter_1331"],
        demodulate=case["demodulate"] == "True",
    )
    reference = torch.from_numpy(arrays[prefix + "y"])
    assert y.shape == reference.shape
    assert (y - reference).norm() / reference.norm() < 1e-5


def test_equals_one_weight_per_image():
    """conv(x, d * w * s) per image, d from the weight's norm (equations 1 to 3)."""
    x, styles = torch.randn(3, 4, 5, 5), torch.randn(3, 4)
    weight = torch.randn(6, 4, 3, 3)
    w = weight * styles[:, None, :, None, None]
    w = w / (w.square().sum([2, 3, 4], keepdim=True) + 1e-8).sqrt()
    want = torch.cat([F.conv2d(x[i : i + 1], w[i], padding=1) for i in range(3)])
    torch.testing.assert_close(
        modulated_conv2d(x, weight, styles, padding=1), want, rtol=1e-4, atol=1e-5
    )


def test_demodulation_makes_the_scale_of_styles_cancel():
    x, weight, styles = torch.randn(2, 4, 5, 5), torch.randn(3, 4, 3, 3), torch.randn(2, 4)
    once = modulated_conv2d(x, weight, styles, padding=1)
    torch.testing.assert_close(modulated_conv2d(x, weight, 50 * styles, padding=1), once)
    assert demodulation(weight, styles).shape == (2, 3)


def test_float16_stays_finite_where_the_plain_product_overflows():
    x, weight = torch.full([1, 64, 4, 4], 200.0), torch.full([2, 64, 3, 3], 30.0)
    styles = torch.full([1, 64], 100.0)
    y = modulated_conv2d(x.half(), weight, styles, padding=1)
    assert torch.isfinite(y).all()
    want = modulated_conv2d(x, weight, styles, padding=1)
    torch.testing.assert_close(y.float(), want, rtol=5e-3, atol=0.1)


@pytest.mark.parametrize("up", [1, 2])
def test_gradients_in_float64(up):
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 2, 3, 3), (2, 2, 3, 3), (2, 2), (2, 1, 3 * up, 3 * up)]
    inputs = [
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in shapes
    ]
    taps = setup_filter([1, 3, 3, 1])

    def layer(x, weight, styles, noise):
        return modulated_conv2d(
            x, weight, styles, noise=noise, up=up, padding=1, resample_filter=taps
        )

    assert torch.autograd.gradcheck(layer, inputs)
    assert torch.autograd.gradgradcheck(layer, inputs)
