"""scaled_act: the fused end of a modulated convolution against its single steps."""

import pytest
import torch
import torch.nn.functional as F

from stylegan2_ada.networks import Discriminator, Generator
from stylegan2_ada.networks.config import DiscriminatorConfig, GeneratorConfig
from stylegan2_ada.ops import bias_act, build, scaled_act, setup_filter, upfirdn2d

CHANNELS_LAST = torch.channels_last


def plain(x, scale, noise, b, clamp):
    """The definition, in float64."""
    u = x * scale[:, :, None, None] + b[:, None, None]
    u = u if noise is None else u + noise
    y = F.leaky_relu(u, 0.2)
    return y if clamp is None else y.clamp(-clamp, clamp)


def inputs(shape, noise, dtype, layout=CHANNELS_LAST):
    """x, scale, noise, b; off the kink and the clamp at 1, where rounding decides on gradients."""
    generator = torch.Generator().manual_seed(0)
    n, c, height, width = shape
    shapes = [shape, (n, c), {"one": (height, width), "each": (n, 1, height, width)}.get(noise)]
    x, scale, drawn, b = (
        None if size is None else torch.randn(size, generator=generator) for size in (*shapes, (c,))
    )
    scale = 1 + scale.abs()
    u = plain(x, scale, drawn, b, None)
    near = (u.abs() < 0.1) | ((u - 1).abs() < 0.1) | ((u + 1).abs() < 0.1)
    x = torch.where(
        near, (3 - b[:, None, None] - (0 if drawn is None else drawn)) / scale[:, :, None, None], x
    )
    exact = torch.float64 if dtype == torch.float64 else torch.float32
    drawn = None if drawn is None else drawn.to(dtype)
    return x.to(dtype).contiguous(memory_format=layout), scale.to(exact), drawn, b.to(dtype)


SHAPES = [(2, 8, 5, 3), (3, 32, 7, 6), (1, 128, 9, 8), (2, 256, 3, 3)]
TOLERANCES = [
    (torch.float16, 2e-3),
    (torch.bfloat16, 2e-2),
    (torch.float32, 1e-5),
    (torch.float64, 1e-12),
]


@pytest.mark.parametrize("clamp", [None, 1.0])
@pytest.mark.parametrize("noise", ["none", "one", "each"])
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_matches_the_definition(shape, dtype, tolerance, noise, clamp, kernel_device):
    """Values and the gradients of all inputs."""
    given = inputs(shape, noise, dtype)
    dy = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    got = gradients(given, dy, kernel_device, lambda *t: scaled_act(*t, clamp=clamp, impl="cuda"))
    exact = [None if t is None else t.double() for t in given]
    want = gradients(exact, dy.double(), "cpu", lambda *t: plain(*t, clamp))
    assert got[0].is_contiguous(memory_format=CHANNELS_LAST)
    for g, w, t in zip(got, want, [given[0], *(t for t in given if t is not None)], strict=True):
        assert g.dtype == t.dtype
        assert float((g.cpu().double() - w).norm() / w.norm()) < tolerance


def gradients(given, dy, device, operator):
    """y and the gradients of those inputs that are there."""
    leaves = [None if t is None else t.detach().to(device).requires_grad_() for t in given]
    y = operator(*leaves)
    there = [leaf for leaf in leaves if leaf is not None]
    return [y.detach(), *torch.autograd.grad(y, there, dy.to(device))]


@pytest.mark.parametrize("channels", [3, 24, 512])
@pytest.mark.parametrize("layout", [torch.contiguous_format, CHANNELS_LAST])
def test_other_inputs_take_the_single_steps(channels, layout, kernel_device):
    """Layouts and channels that the kernel does not know."""
    given = inputs((2, channels, 4, 3), "each", torch.float32, layout)
    dy = torch.randn_like(given[0])
    got = gradients(given, dy, kernel_device, lambda *t: scaled_act(*t, clamp=1, impl="cuda"))
    want = gradients(given, dy, "cpu", lambda *t: plain(*t, 1.0))
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g.cpu(), w, rtol=1e-4, atol=1e-4)


def test_kernel_takes_gradients_of_any_layout_and_address(kernel_device):
    """As they come from a slice, or from an operator of another layout."""
    given = inputs((2, 16, 4, 3), "one", torch.float32)
    dy = torch.randn(2 * 16 * 12 + 1)[1:].reshape(given[0].shape)
    want = gradients(given, dy, "cpu", lambda *t: plain(*t, None))
    for arrived in (dy, dy.contiguous(memory_format=CHANNELS_LAST)):
        got = gradients(given, arrived, kernel_device, lambda *t: scaled_act(*t, impl="cuda"))
        for g, w in zip(got, want, strict=True):
            torch.testing.assert_close(g.cpu(), w, rtol=1e-4, atol=1e-4)


@pytest.fixture
def _kernels_everywhere(emulator, monkeypatch):
    monkeypatch.setattr(build, "kernels", lambda: emulator)
    monkeypatch.setattr(build, "use_kernel", lambda impl, device: impl != "ref")


@pytest.mark.usefixtures("_kernels_everywhere")
def test_the_fused_kernel_runs(emulator):
    """And not the single steps in its place."""
    given = inputs((2, 32, 4, 3), "each", torch.bfloat16)
    x = given[0].requires_grad_()
    y = scaled_act(*given)
    assert emulator.last_kernel() == ("ScaledWork", True)
    y.sum().backward()
    assert emulator.last_kernel() == ("ScaledWork", True)
    assert x.grad is not None


def test_networks_give_the_same_with_kernels(request):
    """Images, logits, and gradients of a loss with R1 and path length, of tiny networks."""
    torch.manual_seed(0)
    sizes = {"img_resolution": 12, "img_channels": 1, "c_dim": 2, "channel_base": 128}
    styles = {"z_dim": 8, "w_dim": 8, "mapping_layers": 1}
    generator = Generator(GeneratorConfig(**sizes, **styles, channel_max=16)).double()
    settings = {**sizes, "channel_max": 16, "mbstd_group": 2, "mapping_layers": 1}
    discriminator = Discriminator(DiscriminatorConfig(**settings)).double()
    for parameter in generator.parameters():  # the noise's strength and biases begin as 0
        parameter.data += 0.1 * torch.randn_like(parameter)
    z, c = torch.randn(2, 8).double(), torch.eye(2).double()
    want = everything(generator, discriminator, z, c)
    request.getfixturevalue("_kernels_everywhere")
    got = everything(generator, discriminator, z, c)
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w, rtol=1e-5, atol=1e-7)


def everything(generator, discriminator, z, c):
    """Image, logits, and the gradients of all parameters."""
    ws = generator.mapping(z, c)
    image = generator.synthesis(ws)
    logits = discriminator(image, c)
    (slope,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
    (jacobian,) = torch.autograd.grad((image * image.detach()).sum(), ws, create_graph=True)
    loss = logits.square().sum() + slope.square().sum() + jacobian.square().sum()
    parameters = [*generator.parameters(), *discriminator.parameters()]
    grads = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    return [image, logits, *grads]


@pytest.mark.parametrize("impl", ["ref", "cuda"])
def test_twice_differentiable(impl, kernel_device):
    device = kernel_device if impl == "cuda" else "cpu"
    given = inputs((2, 2, 2, 2), "each", torch.float64)
    leaves = [t.to(device).requires_grad_() for t in given]

    def operator(*leaves):
        return scaled_act(*leaves, clamp=1, impl=impl)

    assert torch.autograd.gradcheck(operator, leaves)
    assert torch.autograd.gradgradcheck(operator, leaves)


@pytest.mark.gpu
def test_kernels_can_be_captured():
    """All three in one CUDA graph, which gives for new inputs what the operators give."""
    given = [t.cuda() for t in inputs((2, 32, 8, 8), "each", torch.bfloat16)]
    f = setup_filter([1, 3, 3, 1]).cuda()

    def run():
        y = scaled_act(*given, clamp=1, impl="cuda")
        y = upfirdn2d(y, f, up=2, padding=2, impl="cuda")
        return bias_act(y, given[3], act="lrelu", impl="cuda")

    run()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = run()
    given[0].normal_()
    graph.replay()
    torch.testing.assert_close(y, run(), rtol=0, atol=0)
