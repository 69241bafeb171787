"""upfirdn2d and its helpers: reference numbers, closed forms, and the kernel."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stylegan2_ada.ops import downsample2d, setup_filter, upfirdn2d, upsample2d

REFERENCE = "upfirdn2d.npz"
CHANNELS_LAST = torch.channels_last
LAYOUTS = (torch.contiguous_format, CHANNELS_LAST)


def relative_error(got, want):
    return float((got.detach() - want).norm() / want.norm())


def test_matches_the_published_numbers(case):
    settings = dict(case.settings)
    x, f = case.arrays["x"].requires_grad_(), case.arrays[f"filter_{settings.pop('filter')}"]
    y = upfirdn2d(x, f, **settings)
    assert relative_error(y, case.arrays["y"]) < 1e-5
    (dx,) = torch.autograd.grad(y, x, case.arrays["grad_y"])
    assert relative_error(dx, case.arrays["grad_x"]) < 1e-4


def zero_insertion(x, f, up, down, padding, flip_filter, gain):
    """The definition, literally: zeros, padding, a convolution, every down-th pixel."""
    n, c, h, w = x.shape
    full = x.new_zeros(n, c, h * up[1], w * up[0])
    full[:, :, :: up[1], :: up[0]] = x
    full = F.pad(full, padding)
    f = f.to(x)
    f = torch.outer(f, f) if f.ndim == 1 else f
    f = f if flip_filter else f.flip([0, 1])
    y = F.conv2d(full, f.expand(c, 1, -1, -1), groups=c)
    return gain * y[:, :, :: down[1], :: down[0]]


def filters():
    torch.manual_seed(0)
    shapes = [(4, 4), (1, 1), (1, 12), (12, 1), (3, 5), (4,), (12,), (2, 2)]
    return [torch.randn(shape) for shape in shapes]


GEOMETRIES = [  # up, down, padding: [horizontal, vertical] and [left, right, top, bottom]
    ((1, 1), (1, 1), (6, 5, 7, 4)),
    ((2, 2), (1, 1), (6, 5, 5, 6)),
    ((2, 2), (1, 1), (5, 6, 6, 6)),
    ((1, 1), (2, 2), (5, 5, 6, 6)),
    ((2, 1), (1, 1), (6, 6, 5, 5)),
    ((1, 2), (1, 1), (5, 6, 6, 7)),
    ((1, 1), (2, 1), (6, 6, 6, 6)),
    ((1, 1), (1, 2), (6, 6, 7, 6)),
    ((3, 2), (2, 3), (9, 9, 8, 8)),
    ((4, 4), (6, 2), (9, 7, 8, 9)),
    ((2, 2), (1, 1), (-3, 12, 12, -1)),
    ((1, 1), (2, 2), (13, -2, -1, 12)),
    ((5, 5), (1, 1), (3, 8, 9, 3)),
]


@pytest.mark.parametrize(("up", "down", "padding"), GEOMETRIES)
def test_reference_matches_the_definition(up, down, padding):
    """Every filter and both layouts, and a channel count for either way of filtering."""
    for f in filters():
        for shape in [(2, 3, 9, 8), (2, 17, 6, 7)]:
            x = torch.randn(shape, dtype=torch.float64)
            want = zero_insertion(x, f, up, down, padding, True, 1.3)
            for layout in LAYOUTS:
                source = x.contiguous(memory_format=layout)
                y = upfirdn2d(
                    source, f, up=up, down=down, padding=padding, flip_filter=True, gain=1.3
                )
                torch.testing.assert_close(y, want)
                assert y.is_contiguous(memory_format=layout)


def test_kernel_is_twice_differentiable(kernel_device):
    check_derivatives(impl="cuda", device=kernel_device)


def test_reference_is_twice_differentiable():
    check_derivatives(impl="ref", device="cpu")


def check_derivatives(*, impl, device):
    """The operator is linear, so its derivatives are tested on its square."""
    x = torch.randn(1, 2, 3, 2, dtype=torch.float64, device=device, requires_grad=True)
    for f in (torch.randn(4, 3, device=device), torch.randn(5, device=device)):
        for up, down in [(1, 1), (2, 1), (1, 2), (2, [3, 1])]:
            settings = {"up": up, "down": down, "padding": [3, 2, 1, 4], "impl": impl}
            op = partial(squared, f=f, **settings)
            assert torch.autograd.gradcheck(op, x)
            assert torch.autograd.gradgradcheck(op, x)


def squared(x, **settings):
    return upfirdn2d(x, **settings).square()


@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (3, 2)])
def test_gradient_is_the_adjoint(up, down):
    """<A x, y> = <x, A^T y>."""
    x = torch.randn(2, 3, 7, 6, dtype=torch.float64, requires_grad=True)
    z = upfirdn2d(x, torch.randn(5, 4), up=up, down=down, padding=[2, 1, -1, 3])
    y = torch.randn_like(z)
    (back,) = torch.autograd.grad(z, x, y)
    torch.testing.assert_close((z * y).sum(), (x * back).sum())


def test_no_filter_and_a_filter_of_one_tap_are_the_identity():
    x = torch.randn(2, 3, 5, 4)
    for f in (None, setup_filter([1])):
        torch.testing.assert_close(upfirdn2d(x, f), x, rtol=0, atol=0)
        torch.testing.assert_close(upsample2d(x, f)[:, :, 1::2, 1::2], 4 * x, rtol=0, atol=0)


@pytest.mark.parametrize("taps", [[1, 3, 3, 1], [1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1]])
@pytest.mark.parametrize("channels", [1, 20])
def test_a_constant_stays_constant_inside(taps, channels):
    """For filters that sum to 1, and whose even and odd taps sum to the same."""
    f = setup_filter(taps)
    x = torch.full((1, channels, 20, 24), 3.0)
    for y, size in [
        (upsample2d(x, f), (40, 48)),
        (downsample2d(x, f), (10, 12)),
    ]:
        assert y.shape[2:] == size
        inside = y[:, :, 4:-4, 4:-4] if len(taps) == 4 else y[:, :, 7:-7, 7:-7]
        torch.testing.assert_close(inside, torch.full_like(inside, 3.0))


def test_upsampling_is_bilinear_for_1331():
    """[1, 3, 3, 1] between the pixels: weights 3/4 and 1/4, as bilinear resizing by 2."""
    x = torch.randn(1, 2, 6, 5)
    want = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    got = upsample2d(x, setup_filter([1, 3, 3, 1]))
    torch.testing.assert_close(got[:, :, 1:-1, 1:-1], want[:, :, 1:-1, 1:-1])


def test_helpers_keep_symmetric_images_symmetric():
    x = torch.randn(1, 1, 8, 8)
    x = x + x.flip(3)
    for op in (upsample2d, downsample2d):
        y = op(x, setup_filter([1, 3, 3, 1]))
        torch.testing.assert_close(y, y.flip(3))


def test_setup_filter():
    f = setup_filter([1, 3, 3, 1])
    torch.testing.assert_close(f, torch.outer(*[torch.tensor([1, 3, 3, 1]) / 8] * 2))
    assert setup_filter(range(8)).shape == (8,)


@pytest.mark.parametrize("taps", [[], [[[1.0]]], 1.0])
def test_setup_filter_refuses_other_ranks(taps):
    with pytest.raises(ValueError, match="expected"):
        setup_filter(taps)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [((1, 1, 4), {}), ((1, 1, 2, 2), {}), ((1, 1, 8, 8), {"up": 0})],
)
def test_impossible_settings_are_refused(shape, settings):
    with pytest.raises(ValueError, match=r"\d|expected"):
        upfirdn2d(torch.zeros(shape), torch.ones(4, 4), **settings)


def test_setup_filter_matches_the_published_numbers():
    """The filters made of [1, 3, 3, 1], kept as their outer product, and of 1..8."""
    with np.load(Path(__file__).resolve().parents[2] / "reference" / REFERENCE) as file:
        for taps, name in [([1, 3, 3, 1], "[1,3,3,1]"), (range(1, 9), "1..8")]:
            want = torch.tensor(file[f"setup_filter({name})"])
            torch.testing.assert_close(setup_filter(taps), want)


@pytest.mark.parametrize("channels_last", [False, True])
def test_the_kernel_is_one_operator_of_compiled_code(kernel_device, channels_last):
    """The same numbers and gradient, in one graph."""
    f = setup_filter([1, 3, 3, 1]).to(kernel_device)
    x = torch.randn(2, 3, 5, 6, generator=torch.Generator().manual_seed(0)).to(kernel_device)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)

    def loss(x):
        return (upfirdn2d(x * 2, f, up=2, padding=2, impl="cuda") + 1).square()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    results = []
    for one in (loss, compiled):
        leaf = x.clone().requires_grad_()
        y = one(leaf)
        results.append((y, *torch.autograd.grad(y.sum(), leaf)))
    torch.testing.assert_close(results[1], results[0])
