"""conv2d_resample: reference numbers, the plain sequence, derivatives, layout."""

import pytest
import torch
import torch.nn.functional as F

from stylegan2_ada.ops import conv2d_resample, setup_filter, upfirdn2d
from stylegan2_ada.ops.upfirdn2d import same_size_padding

REFERENCE = "conv2d_resample.npz"
FILTER = setup_filter([1, 3, 3, 1])


def test_matches_the_published_numbers(case):
    settings = dict(case.settings)
    w = case.arrays[f"weight_{settings.pop('weight')}"]
    y = conv2d_resample(case.arrays["x"], w, case.arrays["filter_1331"], **settings)
    want = case.arrays["y"]
    assert y.shape == want.shape
    assert (y - want).norm() / want.norm() < 1e-5


def plain_sequence(x, w, f, *, up, down, padding, flip_weight):
    pads = same_size_padding(f, padding, up=up) if up > 1 else padding
    pads = same_size_padding(f, pads, down=down) if down > 1 else pads
    x = upfirdn2d(x, f if up > 1 else None, up=up, padding=pads, gain=up**2)
    x = F.conv2d(x, w if flip_weight else w.flip([2, 3]))
    return upfirdn2d(x, f, down=down) if down > 1 else x


@pytest.mark.parametrize("padding", [2, [3, 1, 2, 4], [0, -1, 2, 1]])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 5)])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (2, 2)])
def test_equals_the_plain_sequence(up, down, size, padding):
    x, w = torch.randn(2, 4, 7, 12).double(), torch.randn(6, 4, *size).double()
    for f in (None, FILTER, torch.randn(5, 3), torch.randn(8)):
        for flip in (True, False):
            settings = {"up": up, "down": down, "padding": padding, "flip_weight": flip}
            got = conv2d_resample(x, w, f, **settings)
            torch.testing.assert_close(got, plain_sequence(x, w, f, **settings))


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("down", [1, 2])
def test_a_bias_is_added_to_the_result(down, size):
    x, w, b = torch.randn(2, 4, 8, 8), torch.randn(6, 4, size, size), torch.randn(6)
    settings = {"down": down, "padding": size // 2}
    want = conv2d_resample(x, w, FILTER, **settings) + b[:, None, None]
    torch.testing.assert_close(conv2d_resample(x, w, FILTER, bias=b, **settings), want)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
def test_reference_is_twice_differentiable(up, down, size):
    check_derivatives(up, down, size, impl="ref", device="cpu")


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
def test_kernel_is_twice_differentiable(up, down, size, kernel_device):
    check_derivatives(up, down, size, impl="cuda", device=kernel_device)


def check_derivatives(up, down, size, *, impl, device):
    options = {"dtype": torch.float64, "device": device, "requires_grad": True}
    x, w = torch.randn(1, 2, 4, 4, **options), torch.randn(2, 2, size, size, **options)

    def op(x, w):
        settings = {"up": up, "down": down, "padding": size // 2, "impl": impl}
        return conv2d_resample(x, w, FILTER.to(device), **settings)

    assert torch.autograd.gradcheck(op, (x, w))
    assert torch.autograd.gradgradcheck(op, (x, w))


@pytest.mark.parametrize(("up", "down"), [(2, 1), (1, 2), (1, 1)])
def test_kernel_matches_the_reference(up, down, kernel_device):
    x, w = torch.randn(2, 33, 9, 8), torch.randn(5, 33, 3, 3)
    settings = {"up": up, "down": down, "padding": 1}
    want = conv2d_resample(x.double(), w, FILTER, **settings, impl="ref")
    x, w, f = (t.to(kernel_device) for t in (x, w, FILTER))
    got = conv2d_resample(x, w, f, **settings, impl="cuda").cpu().double()
    assert (got - want).norm() / want.norm() < 1e-3  # TF32 in cuDNN's convolutions


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
def test_memory_format_and_dtype_are_kept(up, down, size, dtype):
    x = torch.randn(2, 16, 8, 6, dtype=dtype).contiguous(memory_format=torch.channels_last)
    x.requires_grad_()
    y = conv2d_resample(x, torch.randn(3, 16, size, size), FILTER, up=up, down=down)
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=torch.channels_last)
    (dx,) = torch.autograd.grad(y.float().sum(), x)
    assert dx.is_contiguous(memory_format=torch.channels_last)


def test_half_precision_is_near_the_truth():
    """bfloat16 keeps 8 bits: 2 ** -8 a rounding, and there are a few."""
    x, w = torch.randn(2, 32, 8, 8), torch.randn(16, 32, 3, 3)
    for settings in ({"up": 2}, {"down": 2}):
        want = conv2d_resample(x, w, FILTER, padding=1, **settings)
        got = conv2d_resample(x.bfloat16(), w, FILTER, padding=1, **settings).float()
        assert (got - want).norm() / want.norm() < 0.01
