"""The plain PyTorch ways to upsample, filter and downsample."""

from dataclasses import dataclass, replace
from math import gcd

import torch
import torch.nn.functional as F
from torch import Tensor

Pair = tuple[int, int]  # vertical, horizontal: the order of a tensor's dimensions


@dataclass(frozen=True)
class FirTask:
    """One filtering by a 2-D filter; pairs are (vertical, horizontal).

    y[o] = gain * sum_k f[k] * x_up[o * down + k - lead], with f reversed first if `convolve`;
    x_up[i] is x[i / up] where that is a pixel, else 0. The padding behind the image follows from
    the size of the output.
    """

    up: Pair
    down: Pair
    lead: Pair
    size: Pair
    convolve: bool
    gain: float
    use_kernel: bool

    def adjoint(self, f: Tensor, size: Pair) -> "FirTask":
        """The transposed task, from y's gradient to that of x, which is of `size`."""
        lead = (f.shape[0] - 1 - self.lead[0], f.shape[1] - 1 - self.lead[1])
        return FirTask(  # torch 2.5 cannot compile dataclasses.replace
            up=self.down,
            down=self.up,
            lead=lead,
            size=size,
            convolve=not self.convolve,
            gain=self.gain,
            use_kernel=self.use_kernel,
        )

    def leaves_alone(self, axis: int, x: Tensor) -> bool:
        """Whether an axis keeps its pixels as they are, but for the filter."""
        rates = (self.up[axis], self.down[axis], self.lead[axis], self.size[axis])
        return rates == (1, 1, 0, x.shape[2 + axis])

    def columns(self, x: Tensor) -> "FirTask":
        """The horizontal half, for a separable filter; rows() is the other."""
        return replace(
            self,
            up=(1, self.up[1]),
            down=(1, self.down[1]),
            lead=(0, self.lead[1]),
            size=(x.shape[2], self.size[1]),
        )

    def rows(self) -> "FirTask":
        """The vertical half, to be applied to the result of columns()."""
        return replace(
            self, up=(self.up[0], 1), down=(self.down[0], 1), lead=(self.lead[0], 0), gain=1.0
        )


def fir(x: Tensor, f: Tensor, task: FirTask) -> Tensor:
    """The task in plain PyTorch, for autograd functions: keeps x's dtype and memory format.

    x: [N, C, H, W]; f: float32 [height, width].
    """
    f = (f.to(torch.promote_types(x.dtype, f.dtype)) * task.gain).to(x.dtype)
    f = f.flip([0, 1]) if task.convolve else f
    axis = 0 if f.shape[1] == 1 else 1
    one_axis = f.shape[1 - axis] == 1 and task.leaves_alone(1 - axis, x)
    if one_axis and x.shape[1] < 16:  # too few channels for the other way
        return _banded(x, f.flatten(), axis, task).contiguous(memory_format=layout_of(x))
    return _polyphase(x, f, task)


def _banded(x: Tensor, taps: Tensor, axis: int, task: FirTask) -> Tensor:
    """Multiply one axis by the banded matrix of the filter.

    Measured on one AVX-512 core in float32, 12 taps, one axis of 32 images: 1 x 160 x 160 to 80
    pixels 1.5 ms (depthwise convolution 2.2 ms), 3 x 160 x 160 4.5 ms (29 ms), 3 x 512 x 512
    145 ms (400 ms).
    """
    source = torch.arange(x.shape[2 + axis], device=x.device)[:, None] * task.up[axis]
    target = torch.arange(task.size[axis], device=x.device) * task.down[axis] - task.lead[axis]
    k = source - target  # [in, out]: the tap that leads from one to the other
    band = taps[k.clamp(0, len(taps) - 1)] * ((k >= 0) & (k < len(taps)))
    return band.T @ x if axis == 0 else x @ band


@dataclass(frozen=True)
class _Phase:
    """Along one axis, the outputs that meet the same taps: a strided correlation of its own."""

    outputs: slice
    taps: slice
    first: int  # input pixel under the first of these taps, for the first of these outputs
    stride: int
    count: int


def _phases(axis: int, task: FirTask) -> list[_Phase]:
    """All outputs of an axis, phase by phase."""
    up, down, size = task.up[axis], task.down[axis], task.size[axis]
    every = up // gcd(up, down)
    phases = []
    for output in range(min(every, size)):
        base = output * down - task.lead[axis]  # in upsampled pixels, under tap 0
        skip = -base % up  # taps until one meets a pixel
        outputs, taps = slice(output, size, every), slice(skip, None, up)
        count = len(range(output, size, every))
        phases.append(_Phase(outputs, taps, (base + skip) // up, every * down // up, count))
    return phases


def _polyphase(x: Tensor, f: Tensor, task: FirTask) -> Tensor:
    """One depthwise convolution for each phase of the upsampling; no zeros are inserted.

    Measured on one AVX-512 core in bfloat16 and channels-last, 32 images of 128 channels: the
    4 x 4 filter takes 0.9 ms at 32 pixels (shifted sums 6.0 ms, two separable passes 1.2 ms) and
    0.8 ms from 16 to 32 pixels (zero insertion 6.2 ms, bilinear resizing 1.5 ms, a transposed
    depthwise convolution 166 ms, which is also what gradients would cost if PyTorch made them).
    """
    rows, columns = _phases(0, task), _phases(1, task)
    layout = layout_of(x)
    if len(rows) == len(columns) == 1:
        return _correlate(x, f, rows[0], columns[0]).contiguous(memory_format=layout)
    shape = (*x.shape[:2], *task.size)
    y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout)
    for row in rows:
        for column in columns:
            y[:, :, row.outputs, column.outputs] = _correlate(x, f, row, column)
    return y


def _correlate(x: Tensor, f: Tensor, row: _Phase, column: _Phase) -> Tensor:
    """The outputs of one phase, [N, C, row.count, column.count]."""
    f = f[row.taps, column.taps]
    if f.numel() == 0:  # fewer taps than phases
        return x.new_zeros(1, 1, 1, 1).expand(*x.shape[:2], row.count, column.count)
    top, skipped_rows = _even_padding(row, f.shape[0], x.shape[2])
    left, skipped_columns = _even_padding(column, f.shape[1], x.shape[3])
    weight = f.expand(x.shape[1], 1, *f.shape)
    stride = (row.stride, column.stride)
    y = F.conv2d(x, weight, stride=stride, padding=(top, left), groups=x.shape[1])
    y = y.narrow(2, skipped_rows, row.count)
    return y.narrow(3, skipped_columns, column.count)


def _even_padding(phase: _Phase, taps: int, pixels: int) -> Pair:
    """Padding for both ends, so that the convolution can do it, and outputs to skip for it."""
    left = -phase.first
    right = phase.first + (phase.count - 1) * phase.stride + taps - pixels
    padding = max(left, right, 0)
    padding += (left - padding) % phase.stride
    return padding, (padding - left) // phase.stride


def layout_of(x: Tensor) -> torch.memory_format:
    """Channels-last or contiguous, whichever [N, C, H, W] is; a single channel is contiguous."""
    nhwc = not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if nhwc else torch.contiguous_format
