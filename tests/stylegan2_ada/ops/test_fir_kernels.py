"""The kernels of upfirdn2d against plain PyTorch: every filter, layout, dtype and kind of load."""

from functools import partial

import pytest
import torch

from stylegan2_ada.ops import upfirdn2d

CHANNELS_LAST = torch.channels_last
LAYOUTS = (torch.contiguous_format, CHANNELS_LAST)


def relative_error(got, want):
    return float((got.detach() - want).norm() / want.norm())


KNOWN = [  # filter, up, down: those with a kernel of their own; [horizontal, vertical]
    ((4, 4), (1, 1), (1, 1)),
    ((4, 4), (2, 2), (1, 1)),
    ((4, 4), (1, 1), (2, 2)),
    ((1, 12), (2, 1), (1, 1)),
    ((12, 1), (1, 2), (1, 1)),
    ((1, 12), (1, 1), (2, 1)),
    ((12, 1), (1, 1), (1, 2)),
]
UNKNOWN = [((3, 5), (2, 3), (3, 2)), ((4, 4), (2, 1), (1, 2)), ((2, 2), (5, 5), (1, 1))]
HALF = [(torch.float16, 2e-3), (torch.bfloat16, 2e-2)]


@pytest.mark.parametrize("padding", [(9, 8, 7, 9), (8, 7, 8, -1), (-1, 12, 11, 6)])
@pytest.mark.parametrize(("size", "up", "down"), KNOWN + UNKNOWN)
def test_kernel_matches_the_reference(size, up, down, padding, kernel_device):
    """Images that fill each kind of tile in part, in both layouts; the gradient is a kernel too."""
    torch.manual_seed(0)
    f = torch.randn(size)
    for i, shape in enumerate([(1, 2, 17, 9), (3, 6, 5, 4), (2, 35, 6, 5), (1, 16, 9, 7)]):
        for layout in LAYOUTS:
            x = torch.randn(shape).contiguous(memory_format=layout)
            settings = {"up": up, "down": down, "padding": padding, "flip_filter": i == 1}
            check_kernel(x, f, kernel_device, 1e-6, gain=1.3, **settings)


@pytest.mark.parametrize(("dtype", "tolerance"), [*HALF, (torch.float32, 1e-6)])
@pytest.mark.parametrize(("size", "up", "down"), KNOWN)
def test_kernel_covers_images_of_many_tiles(size, up, down, dtype, tolerance, kernel_device):
    """Wide packs and single numbers, both parities of the padding, images of less than a block.

    Filters of one axis are padded along it alone, as in a separable filtering.
    """
    torch.manual_seed(0)
    f = torch.randn(size)
    for i, shape in enumerate([(5, 1, 37, 72), (1, 3, 70, 33), (2, 16, 13, 20), (3, 9, 11, 6)]):
        for layout in LAYOUTS:
            horizontal, vertical = (0 if n == 1 else n // 2 + i % 2 for n in size[::-1])
            x = torch.randn(shape).to(dtype).contiguous(memory_format=layout)
            padding = [horizontal, max(horizontal - 1, 0), vertical, max(vertical - 1, 0)]
            settings = {"up": up, "down": down, "padding": padding}
            check_kernel(x, f, kernel_device, tolerance, **settings)


@pytest.mark.parametrize(("dtype", "tolerance"), [*HALF, (torch.float64, 1e-12)])
@pytest.mark.parametrize(("size", "up", "down"), KNOWN[1:3] + UNKNOWN[:1])
def test_kernel_knows_all_dtypes(size, up, down, dtype, tolerance, kernel_device):
    for channels in (3, 8):
        x = torch.randn(2, channels, 7, 6).to(dtype).contiguous(memory_format=CHANNELS_LAST)
        settings = {"up": up, "down": down, "padding": 3}
        check_kernel(x, torch.randn(size), kernel_device, tolerance, **settings)
        check_kernel(x.contiguous(), torch.randn(size), kernel_device, tolerance, **settings)


@pytest.mark.parametrize(("size", "up", "down"), [*KNOWN, UNKNOWN[0]])
def test_kernel_takes_any_address(size, up, down, kernel_device):
    """Two bytes behind one that 16 divides, as a view may lie: loads must be narrow."""
    vertical, horizontal = (6 if n > 1 else 0 for n in size)
    padding, f = [horizontal, horizontal, vertical, vertical], torch.randn(size)
    operator = partial(upfirdn2d, up=up, down=down, padding=padding)
    for layout in LAYOUTS:
        x = misaligned(torch.randn(2, 16, 12, 8).bfloat16(), layout, kernel_device)
        y = operator(x, f.to(kernel_device), impl="cuda")
        want = operator(x.cpu().double(), f, impl="ref")
        assert relative_error(y.cpu().double(), want) < 1e-2


def misaligned(x, layout, device):
    x = x.to(device).contiguous(memory_format=layout)
    return x.new_empty(x.numel() + 1).as_strided(x.shape, x.stride(), 1).copy_(x)


PACKS, TILES, ANY = "PackWork", "TileWork", "AnyWork"


@pytest.mark.parametrize(
    ("size", "up", "down", "layout", "kernel"),
    [(*known, CHANNELS_LAST, PACKS) for known in KNOWN]
    + [(*known, torch.contiguous_format, TILES) for known in KNOWN if known[0][1] > 1]
    + [(*known, torch.contiguous_format, PACKS) for known in KNOWN if known[0][1] == 1]
    + [(*unknown, layout, ANY) for unknown in UNKNOWN for layout in LAYOUTS],
)
def test_the_right_kernel_runs(size, up, down, layout, kernel, emulator):
    """And loads 16 bytes where numbers beside each other are wanted."""
    x = torch.randn(1, 16, 6, 8).bfloat16().contiguous(memory_format=layout)
    factors, lead = (up[::-1], down[::-1]), [0 if n == 1 else 2 for n in size]
    out = [8 if n > 1 else x.shape[2 + axis] for axis, n in enumerate(size)]
    emulator.upfirdn2d(x, torch.randn(size), *factors, lead, out, False, 1.0)
    wide = layout == CHANNELS_LAST or kernel == PACKS
    assert emulator.last_kernel() == (kernel, wide)


def test_kernel_takes_images_beyond_32_bits(kernel_device):
    """Of many numbers: in the emulation, more than it lets a launch index."""
    x = torch.randn(1, 8, 50, 52)
    for layout in LAYOUTS:
        source = x.contiguous(memory_format=layout)
        for size in ((4, 4), (3, 2)):
            check_kernel(source, torch.randn(size), kernel_device, 1e-6, padding=2)


def test_kernel_takes_separable_filters(kernel_device):
    """Two passes, of which only the first multiplies by the gain."""
    x = torch.randn(1, 2, 6, 5)
    check_kernel(x, torch.randn(12), kernel_device, 1e-6, up=2, padding=7, gain=3)


def check_kernel(x, f, device, tolerance, **settings):
    """Value, dtype, layout and gradient against plain PyTorch in float64."""
    source, truth = x.detach().to(device).requires_grad_(), x.double().requires_grad_()
    y = upfirdn2d(source, f.to(device), **settings, impl="cuda")
    want = upfirdn2d(truth, f, **settings, impl="ref")
    dy = torch.randn(y.shape).to(x)
    (dx,) = torch.autograd.grad(y, source, dy.to(device))
    (want_dx,) = torch.autograd.grad(want, truth, dy.double())
    assert (y.dtype, dx.dtype) == (x.dtype, x.dtype)
    channels_last = x.is_contiguous(memory_format=CHANNELS_LAST)
    assert y.is_contiguous(memory_format=CHANNELS_LAST) == channels_last
    assert relative_error(y.cpu().double(), want.detach()) < tolerance
    assert relative_error(dx.cpu().double(), want_dx) < tolerance
