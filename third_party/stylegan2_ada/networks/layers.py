"""Layers with equalised learning rate, and the modulated convolution.

Parameters are stored with unit deviation and scaled at run time, so that Adam moves all layers at
one relative speed (Karras et al. 2018, section 4.1). Weights follow the input's dtype: float32
parameters and a bfloat16 input give a bfloat16 product.
"""

from math import sqrt

import torch
from torch import Tensor, nn

from ..ops import bias_act, conv2d_resample, setup_filter

RESAMPLE_TAPS = (1, 3, 3, 1)


class Linear(nn.Module):
    """Dense layer with equalised learning rate, lr_multiplier for slow mapping layers."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full([out_features], bias_init))
        self.weight_gain = lr_multiplier / sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """[N, in_features] to [N, out_features], in x's dtype."""
        weight = (self.weight * self.weight_gain).to(x.dtype)
        bias = (self.bias * self.bias_gain).to(x.dtype)
        if self.activation == "linear":
            return torch.addmm(bias, x, weight.t())
        return bias_act(x @ weight.t(), bias, act=self.activation)


class Conv(nn.Module):
    """Convolution with equalised learning rate, optional 2x resampling, bias and activation."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int,
        activation: str = "lrelu",
        bias: bool = True,
        up: int = 1,
        down: int = 1,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.activation, self.up, self.down, self.clamp = activation, up, down, clamp
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.weight_gain = 1 / sqrt(in_channels * kernel**2)
        self.register_buffer("resample_filter", setup_filter(RESAMPLE_TAPS))

    def forward(self, x: Tensor, *, gain: float = 1.0) -> Tensor:
        """[N, in, H, W] to [N, out, H * up / down, W * up / down], scaled by gain.

        All factors go into the weight and the bias: gain * act(x) = act(gain * x) for linear and
        leaky ReLU, and a scalar pass over the features is saved in each direction.
        """
        clamp = None if self.clamp is None else self.clamp * gain
        gain *= sqrt(2) if self.activation == "lrelu" else 1.0
        bias = None if self.bias is None else (self.bias * gain).to(x.dtype)
        folded = self.up == 1 and x.device.type == "cpu"  # oneDNN adds it while it convolves
        x = conv2d_resample(
            x,
            (self.weight * (self.weight_gain * gain)).to(x.dtype),
            self.resample_filter.float(),
            bias=bias if folded else None,
            up=self.up,
            down=self.down,
            padding=self.weight.shape[-1] // 2,
            flip_weight=self.up == 1,
        )
        bias = None if folded else bias
        return bias_act(x, bias, act=self.activation, gain=1.0, clamp=clamp, overwrite=True)
