"""Operators of StyleGAN2-ADA, each twice differentiable on CPU and CUDA, and copies to a GPU."""

from .bias_act import bias_act
from .build import set_impl
from .conv2d_resample import conv2d_resample
from .scaled_act import scaled_act, scaled_sum
from .transfer import to_device
from .upfirdn2d import downsample2d, setup_filter, upfirdn2d, upsample2d

__all__ = [
    "bias_act",
    "conv2d_resample",
    "downsample2d",
    "scaled_act",
    "scaled_sum",
    "set_impl",
    "setup_filter",
    "to_device",
    "upfirdn2d",
    "upsample2d",
]
