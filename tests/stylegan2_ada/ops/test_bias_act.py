"""bias_act: reference numbers, derivatives, and the kernel against plain PyTorch."""

import pytest
import torch

from stylegan2_ada.ops import bias_act
from stylegan2_ada.ops.bias_act import ACTIVATIONS

REFERENCE = "bias_act.npz"
CHANNELS_LAST = torch.channels_last


def relative_error(got, want):
    return float((got.detach() - want.detach()).norm() / want.detach().norm().clamp(min=1e-30))


def test_matches_the_published_numbers(case):
    x, b = case.arrays["x"].requires_grad_(), case.arrays["b"].requires_grad_()
    y = bias_act(x, b, **case.settings)
    assert relative_error(y, case.arrays["y"]) < 1e-5
    dx, db = torch.autograd.grad(y, [x, b], case.arrays["grad_y"], create_graph=True)
    assert relative_error(dx, case.arrays["grad_x"]) < 1e-4
    assert relative_error(db, case.arrays["grad_b"]) < 1e-4
    if "grad2_x" in case.arrays:
        (ddx,) = torch.autograd.grad(dx.square().sum(), x)
        assert relative_error(ddx, case.arrays["grad2_x"]) < 1e-4


def test_lrelu_by_hand():
    """sqrt(2) * lrelu([-3 + 1, 1 + 1], 0.2) = sqrt(2) * [-0.4, 2], and the last is cut at 2."""
    y = bias_act(torch.tensor([[-3.0, 1.0]]), torch.tensor([1.0, 1.0]), act="lrelu", clamp=2)
    torch.testing.assert_close(y, torch.tensor([[-0.4 * 2**0.5, 2.0]]))


@pytest.mark.parametrize("dim", [0, 2, -1])
def test_bias_goes_along_dim(dim):
    x = torch.randn(3, 4, 5)
    b = torch.randn(x.shape[dim])
    want = (x.movedim(dim, -1) + b).movedim(-1, dim)
    torch.testing.assert_close(bias_act(x, b, dim=dim), want)


def test_bias_is_cast_to_the_input():
    y = bias_act(torch.randn(2, 3).bfloat16(), torch.randn(3), act="lrelu")
    assert y.dtype == torch.bfloat16


def test_input_is_left_alone():
    x = torch.randn(2, 3)
    before = x.clone()
    for act in ACTIVATIONS:
        for b in (None, torch.ones(3)):
            bias_act(x, b, act=act, clamp=0.1)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


@pytest.mark.parametrize("gain", [1.0, 2.0])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_an_input_that_may_be_lost_gives_the_same_numbers_and_gradients(act, gain):
    leaf, b = torch.randn(3, 4, 5, requires_grad=True), torch.randn(4, requires_grad=True)
    grad = torch.randn(3, 4, 5)
    results = []
    for overwrite in (False, True):
        y = bias_act(leaf * 2, b, act=act, gain=gain, overwrite=overwrite)
        results.append((y, *torch.autograd.grad(y, (leaf, b), grad)))
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_memory_format_is_kept(act):
    x = torch.randn(2, 3, 4, 5).contiguous(memory_format=CHANNELS_LAST).requires_grad_()
    y = bias_act(x, torch.randn(3), act=act, clamp=1)
    assert y.is_contiguous(memory_format=CHANNELS_LAST)
    (dx,) = torch.autograd.grad(y, x, torch.randn_like(y))
    assert dx.is_contiguous(memory_format=CHANNELS_LAST)


@pytest.mark.parametrize(
    ("settings", "message"), [({"act": "gelu"}, "gelu"), ({"clamp": 0.0}, "clamp=0.0")]
)
def test_unknown_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        bias_act(torch.zeros(1, 1), **settings)


@pytest.mark.parametrize("clamp", [None, 0.7])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_reference_is_twice_differentiable(act, clamp):
    check_derivatives(act, clamp, impl="ref", device="cpu")


@pytest.mark.parametrize("clamp", [None, 0.7])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_kernel_is_twice_differentiable(act, clamp, kernel_device):
    check_derivatives(act, clamp, impl="cuda", device=kernel_device)


def check_derivatives(act, clamp, *, impl, device):
    # Numerical derivatives are wrong across a kink, here at u = 0 and |gain * u| = 0.7.
    u = torch.tensor([[-2.0, -0.9, -0.3, -0.05], [0.03, 0.2, 0.8, 1.7]], dtype=torch.float64)
    b = torch.tensor([0.5, -0.1, 0.3, 0.2], dtype=torch.float64)
    x = (u - b).to(device).requires_grad_()
    b = b.to(device).requires_grad_()

    def op(x, b):
        return bias_act(x, b, act=act, gain=1.1, clamp=clamp, impl=impl)

    assert torch.autograd.gradcheck(op, (x, b))
    assert torch.autograd.gradgradcheck(op, (x, b))


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float16, 2e-3), (torch.bfloat16, 2e-2), (torch.float32, 1e-5), (torch.float64, 1e-12)],
)
@pytest.mark.parametrize("shape", [(3, 5), (2, 6, 7), (2, 8, 4, 6), (2, 3, 5, 7)])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_kernel_matches_the_reference(act, shape, dtype, tolerance, kernel_device):
    """Values, both gradients and their gradients; float64 plain PyTorch is the truth."""
    torch.manual_seed(0)
    for layout in (torch.contiguous_format, CHANNELS_LAST)[: 2 if len(shape) == 4 else 1]:
        x = torch.randn(shape).to(dtype).contiguous(memory_format=layout)
        b, dy = torch.randn(shape[1]).to(dtype), torch.randn(shape).to(dtype)
        for bias, alpha, gain, clamp in [
            (b, None, None, None),
            (None, 0.3, 1.5, 0.9),
            (b, 0.0, -1.5, 0.9),
            (b, -0.5, 2, 1.2),
        ]:
            if clamp is not None and dtype in (torch.float16, torch.bfloat16):
                continue  # where a value is near the limit, rounding decides on its gradient
            settings = {"act": act, "alpha": alpha, "gain": gain, "clamp": clamp}
            got = derivatives(x, bias, dy, kernel_device, impl="cuda", **settings)
            want = derivatives(x.double(), bias, dy.double(), "cpu", impl="ref", **settings)
            for g, w in zip(got, want, strict=True):
                assert g.dtype == dtype
                assert relative_error(g.cpu().double(), w) < tolerance, (layout, settings)
            assert got[0].stride() == x.stride()


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float16, 2e-3), (torch.bfloat16, 2e-2), (torch.float32, 1e-5)],
)
@pytest.mark.parametrize("shape", [(9, 24, 10, 11), (9, 24, 16, 6), (7, 3, 30, 29), (2, 2, 20001)])
@pytest.mark.parametrize("act", ["lrelu", "swish"])
def test_kernel_takes_tensors_of_many_parts(act, shape, dtype, tolerance, kernel_device):
    """More than the emulation lets a launch index, cut within images and within channels.

    Biases change within a pack of 16 bytes, from pack to pack, or lie beside each other.
    """
    torch.manual_seed(0)
    for layout in (torch.contiguous_format, CHANNELS_LAST)[: 2 if len(shape) == 4 else 1]:
        x, b, dy = torch.randn(shape), torch.randn(shape[1]).to(dtype), torch.randn(shape)
        u = x + b.reshape(-1, *[1] * (x.ndim - 2))
        x += 0.2 * (u.abs() < 0.1)  # off the kink, where rounding decides on the gradient
        x, dy = (t.to(dtype).contiguous(memory_format=layout) for t in (x, dy))
        got = derivatives(x, b, dy, kernel_device, act=act, impl="cuda")
        want = derivatives(x.double(), b, dy.double(), "cpu", act=act, impl="ref")
        for g, w in zip(got, want, strict=True):
            assert relative_error(g.cpu().double(), w) < tolerance, layout


@pytest.mark.parametrize("layout", [torch.contiguous_format, CHANNELS_LAST])
def test_kernel_takes_any_address(layout, kernel_device):
    """Two bytes behind one that 16 divides, as a view may lie; the bias as well."""
    x = torch.randn(2, 16, 6, 4).bfloat16().contiguous(memory_format=layout)
    b, dy = torch.randn(17).bfloat16()[1:], torch.randn_like(x)
    source = torch.empty(x.numel() + 1).bfloat16().as_strided(x.shape, x.stride(), 1).copy_(x)
    for given in (x, source):
        got = derivatives(given, b, dy, kernel_device, act="swish", impl="cuda")
        want = derivatives(x.double(), b, dy.double(), "cpu", act="swish", impl="ref")
        for g, w in zip(got, want, strict=True):
            assert relative_error(g.cpu().double(), w) < 2e-2


@pytest.mark.parametrize(
    ("shape", "layout"),
    [((2, 16, 6, 4), CHANNELS_LAST), ((2, 3, 4, 4), torch.contiguous_format), ((2, 3, 5), None)],
)
def test_kernel_loads_16_bytes(shape, layout, emulator):
    x = torch.randn(shape).bfloat16()
    x = x if layout is None else x.contiguous(memory_format=layout)
    for grads in ((None, None), (x, None), (x, x)):
        order = sum(g is not None for g in grads)
        bias = torch.randn(shape[1]).bfloat16()
        emulator.bias_act(x, bias, *grads, 1, 6, order, False, 0.2, 1.0, -1.0)
        loads = emulator.library.last_wide_loads()
        assert loads >= (1 + order) * (x.numel() // 8)


def derivatives(x, b, dy, device, **settings):
    """y, dx, (db,) and the derivatives of sum(dx ** 2) by dy and x."""
    x, dy = x.detach().to(device).requires_grad_(), dy.to(device).requires_grad_()
    inputs = [x] if b is None else [x, b.detach().to(x).requires_grad_()]
    y = bias_act(*inputs, **settings)
    first = torch.autograd.grad(y, inputs, dy, create_graph=True)
    second = torch.autograd.grad(
        first[0].square().sum(), [dy, x], allow_unused=True, materialize_grads=True
    )
    return [y, *first, *second]


def test_kernel_refuses_a_third_derivative(kernel_device):
    """It would be wrong without a word; the reference has as many as PyTorch."""
    x = torch.randn(2, 3, dtype=torch.float64, device=kernel_device, requires_grad=True)
    for impl in ("ref", "cuda"):
        grad = bias_act(x, act="swish", impl=impl).sum()
        for _ in range(2):
            (grad,) = torch.autograd.grad(grad.sum(), x, create_graph=True)
        if impl == "ref":
            torch.autograd.grad(grad.sum(), x)
    with pytest.raises(RuntimeError, match="two derivatives"):
        torch.autograd.grad(grad.sum(), x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_no_gradient_passes_a_clamped_value(dtype, kernel_device):
    """0.8 is no half-precision number: the limit is compared as it was stored."""
    x = torch.tensor([[-9.0, -0.1, 0.1, 9.0]], dtype=dtype, device=kernel_device)
    x.requires_grad_()
    for act in ("linear", "relu", "lrelu"):
        y = bias_act(x, act=act, gain=1, clamp=0.8, impl="cuda")
        (dx,) = torch.autograd.grad(y.sum(), x)
        below_zero = {"linear": 1.0, "relu": 0.0, "lrelu": 0.2}[act]
        want = torch.tensor([[0.0, below_zero, 1.0, 0.0]])
        torch.testing.assert_close(dx.cpu().float(), want, rtol=4e-3, atol=0)
