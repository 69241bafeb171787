"""Bias, activation, gain and clamp in one operator."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import build

DEFAULT_GAIN = {"relu": sqrt(2), "lrelu": sqrt(2), "swish": sqrt(2)}  # keeps the variance; else 1
DEFAULT_SLOPE = 0.2  # of lrelu below zero

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": F.relu,
    "lrelu": F.leaky_relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "elu": F.elu,
    "selu": F.selu,
    "softplus": F.softplus,
    "swish": F.silu,
}
PIECEWISE = ("linear", "relu", "lrelu")  # straight lines that meet at zero
KERNEL_CODES = {"tanh": 1, "sigmoid": 2, "elu": 3, "selu": 4, "softplus": 5, "swish": 6}  # else 0


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    *,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
    overwrite: bool = False,
    impl: str = "auto",
) -> Tensor:
    """clamp(gain * act(x + b)) in one kernel (Karras et al. 2020, appendix B: fused on the GPU).

    x: float tensor of any shape; b: [x.shape[dim]], cast to x's dtype.
    act: one of ACTIVATIONS. alpha: slope of lrelu below zero, 0.2 by default; others ignore it.
    gain: sqrt(2) by default for relu, lrelu and swish, else 1.
    clamp: limits the result to [-clamp, clamp]; its gradient is zero beyond.
    overwrite: x may be lost, for which plain PyTorch takes less time; x must then be a result that
    no gradient needs.
    impl: "ref" plain PyTorch; "cuda" the kernel, RuntimeError if there is none for x;
    "auto" the kernel for CUDA tensors where it builds, else "ref".
    Returns x's shape, dtype and memory format. Twice differentiable in x and b.
    Raises ValueError for an unknown activation or a clamp that is not positive.
    """
    if act not in ACTIVATIONS:
        raise ValueError(f"act={act!r}: expected one of {', '.join(ACTIVATIONS)}")
    if clamp is not None and not clamp > 0:
        raise ValueError(f"clamp={clamp}: must be positive")
    slope = DEFAULT_SLOPE if alpha is None else alpha
    gain = DEFAULT_GAIN.get(act, 1.0) if gain is None else gain
    b = None if b is None else b.to(x.dtype)
    compiled = impl == "auto" and torch.compiler.is_compiling()  # which fuses plain PyTorch itself
    if not compiled and build.use_kernel(impl, x.device):
        return _kernel(x, b, _Settings(act, dim % x.ndim, slope, gain, clamp))
    if b is not None:
        b = b.reshape([-1 if i == dim % x.ndim else 1 for i in range(x.ndim)])
    y = _activated(x, b, act, slope, gain, overwrite)
    # hardtanh: the gradient of `clamp` takes 13.6 ms for 4 million bfloat16 numbers on one
    # AVX-512 core, that of hardtanh 1.1 ms
    return y if clamp is None else F.hardtanh(y, -clamp, clamp)


def _activated(
    x: Tensor, b: Tensor | None, act: str, slope: float, gain: float, overwrite: bool
) -> Tensor:
    """gain * act(x + b) in plain PyTorch, in as few passes over memory as it can do.

    b: of x's rank, or None. slope: of lrelu below zero.
    """
    u = x
    if act in PIECEWISE and gain > 0:  # gain * act(u) = act(gain * u), which needs no own pass
        if b is not None:
            u = x.add_(b) if overwrite and gain == 1 else torch.add(b * gain, x, alpha=gain)
        elif gain != 1:
            u = x * gain
        gain = 1.0
    elif b is not None:
        u = x + b
    if act == "lrelu":
        y = F.leaky_relu(u, slope, inplace=(overwrite or u is not x) and slope >= 0)
    else:
        y = ACTIVATIONS[act](u)
    return y if gain == 1 else y * gain


@dataclass(frozen=True)
class _Settings:
    """What the kernel needs beside tensors."""

    act: str
    dim: int
    slope: float
    gain: float
    clamp: float | None

    @property
    def from_output(self) -> bool:
        """Whether the slope follows from the output, so that the input need not be kept."""
        return self.act in PIECEWISE and (self.act != "lrelu" or self.slope >= 0) and self.gain != 0

    @property
    def is_affine(self) -> bool:
        """Whether the slope is the gain everywhere, so that nothing need be kept."""
        return self.act == "linear" and self.clamp is None

    def run(self, saved: Tensor, b: Tensor | None, *grads: Tensor) -> Tensor:
        """Derivative of order len(grads).

        saved: the output if from_output and the order is above 0, else the input.
        """
        slope = {"linear": 1.0, "relu": 0.0}.get(self.act, self.slope)
        padded = (*grads, None, None)[:2]
        from_output = self.from_output and len(grads) > 0
        clamp = -1.0 if self.clamp is None else self.clamp
        code = KERNEL_CODES.get(self.act, 0)
        return build.kernels().bias_act(
            saved, b, *padded, self.dim, code, len(grads), from_output, slope, self.gain, clamp
        )

    def sum_to_bias(self, grad: Tensor) -> Tensor:
        return grad.sum([i for i in range(grad.ndim) if i != self.dim])


def _kernel(x: Tensor, b: Tensor | None, settings: _Settings) -> Tensor:
    if settings.is_affine and b is None:
        return x if settings.gain == 1 else x * settings.gain
    return _BiasAct.apply(x, b, settings)


def lrelu_gradient(dy: Tensor, y: Tensor, clamp: float | None) -> Tensor:
    """dy times the slope of y = clamp(leaky_relu(x)), by the kernel; differentiable in dy.

    dy, y: alike, on a device that has the kernel.
    """
    return _Slope.apply(dy, y, None, _Settings("lrelu", 1, DEFAULT_SLOPE, 1.0, clamp))


Grads = tuple[Tensor | None, ...]


class _BiasAct(torch.autograd.Function):
    """y = clamp(gain * act(x + b))."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, b: Tensor | None, settings: _Settings) -> Tensor:
        y = settings.run(x, b)
        ctx.settings = settings
        if not settings.is_affine:
            ctx.save_for_backward(*((y, None) if settings.from_output else (x, b)))
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Grads:
        settings = ctx.settings
        if settings.is_affine:
            dx = dy if settings.gain == 1 else dy * settings.gain
        else:
            dx = _Slope.apply(dy, *ctx.saved_tensors, settings)
        return dx, settings.sum_to_bias(dx) if ctx.needs_input_grad[1] else None, None


class _Slope(torch.autograd.Function):
    """dx = dy * v'(x + b), linear in dy."""

    @staticmethod
    def forward(
        ctx: Any, dy: Tensor, saved: Tensor, b: Tensor | None, settings: _Settings
    ) -> Tensor:
        ctx.settings = settings
        ctx.save_for_backward(dy, saved, b)
        return settings.run(saved, b, dy)

    @staticmethod
    def backward(ctx: Any, ddx: Tensor) -> Grads:
        dy, saved, b = ctx.saved_tensors
        settings = ctx.settings
        ddy = _Slope.apply(ddx, saved, b, settings) if ctx.needs_input_grad[0] else None
        if settings.act in PIECEWISE:
            return ddy, None, None, None
        dx = _Curvature.apply(ddx, dy, saved, b, settings)
        db = settings.sum_to_bias(dx) if b is not None else None
        return ddy, dx, db, None


class _Curvature(torch.autograd.Function):
    """dx = ddx * dy * v''(x + b): the end, the kernels know two derivatives."""

    @staticmethod
    def forward(
        ctx: Any, ddx: Tensor, dy: Tensor, saved: Tensor, b: Tensor | None, settings: _Settings
    ) -> Tensor:
        return settings.run(saved, b, dy, ddx)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Grads:
        raise RuntimeError("the bias_act kernel has two derivatives; impl='ref' has more")
