"""The synthesis network: style vectors to images."""

from collections.abc import Sequence
from functools import partial
from math import sqrt
from typing import cast

import torch
from torch import Tensor, nn

from ..ops import bias_act, setup_filter, upsample2d
from .config import GeneratorConfig, channels
from .layers import RESAMPLE_TAPS, Conv, Linear
from .modulation import modulated_conv2d, modulated_layer

NOISE_MODES = ("const", "random", "none")
LRELU_GAIN = sqrt(2)


def check_noise(noise: str) -> None:
    """Raise ValueError for an unknown kind of noise."""
    if noise not in NOISE_MODES:
        raise ValueError(f"noise={noise}: must be one of {', '.join(NOISE_MODES)}")


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias and leaky ReLU."""

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        w_dim: int,
        resolution: int,
        up: int = 1,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.clamp = resolution, up, clamp
        self.affine = Linear(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("resample_filter", setup_filter(RESAMPLE_TAPS))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None, *, gain: float = 1.0) -> Tensor:
        """x: [N, in, H, W]; w: [N, w_dim]; noise as `noise` gives it.

        Returns [N, out, H * up, W * up] in x's dtype.
        """
        clamp = None if self.clamp is None else self.clamp * gain
        gain *= LRELU_GAIN
        return modulated_layer(
            x,
            self.weight,
            self.affine(w),
            self.bias,
            noise=None if noise is None else noise * self.noise_strength,
            up=self.up,
            resample_filter=self.resample_filter.float(),
            gain=gain,
            clamp=clamp,
        )

    def noise(self, images: int, mode: str, generator: torch.Generator | None) -> Tensor | None:
        """Before its strength: [H, W] for "const", [images, 1, H, W] for "random", or None."""
        if mode == "none":
            return None
        if mode == "const":
            return self.noise_const
        shape = (images, 1, self.resolution, self.resolution)
        device = generator.device if generator is not None else self.noise_const.device
        return torch.randn(shape, generator=generator, device=device).to(self.noise_const)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to image channels, without demodulation and activation."""

    def __init__(
        self, in_channels: int, img_channels: int, *, w_dim: int, clamp: float | None
    ) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = Linear(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))
        self.weight_gain = 1 / sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x: [N, in, H, W]; w: [N, w_dim]. Returns [N, img_channels, H, W] in x's dtype."""
        styles = self.affine(w) * self.weight_gain
        x = modulated_conv2d(x, self.weight, styles, demodulate=False)
        return bias_act(x, self.bias, clamp=self.clamp)


class SynthesisBlock(nn.Module):
    """Layers of one resolution; the first block starts from a learned constant."""

    resample_filter: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, *, resolution: int, config: GeneratorConfig
    ) -> None:
        super().__init__()
        self.is_first = in_channels == 0
        self.architecture = config.architecture
        layer = partial(
            SynthesisLayer, w_dim=config.w_dim, resolution=resolution, clamp=config.conv_clamp
        )
        if self.is_first:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        else:
            self.conv0 = layer(in_channels, out_channels, up=2)
        self.conv1 = layer(out_channels, out_channels)
        if self.architecture == "skip" or resolution == config.img_resolution:
            self.torgb = ToRGB(
                out_channels, config.img_channels, w_dim=config.w_dim, clamp=config.conv_clamp
            )
        if self.architecture == "resnet" and not self.is_first:
            self.skip = Conv(
                in_channels, out_channels, kernel=1, bias=False, up=2, activation="linear"
            )
        self.register_buffer("resample_filter", setup_filter(RESAMPLE_TAPS))

    def layers(self) -> list[SynthesisLayer]:
        """The layers that take noise, in their order."""
        return [self.conv1] if self.is_first else [self.conv0, self.conv1]

    def forward(
        self, x: Tensor, img: Tensor | None, ws: Tensor, noise: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor | None]:
        """x: features; img: the image so far in float32 or None; ws: [N, 3, w_dim] or [N, 2, ...].

        The last of ws goes to the image layer. noise: one for each of `layers`. Returns features
        and image at this resolution.
        """
        if self.is_first:
            x = self.conv1(x, ws[:, 0], noise[0])
        elif self.architecture == "resnet":
            shortcut = self.skip(x, gain=sqrt(0.5))
            x = self.conv0(x, ws[:, 0], noise[0])
            x = shortcut + self.conv1(x, ws[:, 1], noise[1], gain=sqrt(0.5))
        else:
            x = self.conv0(x, ws[:, 0], noise[0])
            x = self.conv1(x, ws[:, 1], noise[1])
        if img is not None:
            img = upsample2d(img, self.resample_filter.float())
        if hasattr(self, "torgb"):
            rgb = self.torgb(x, ws[:, -1]).to(ws.dtype)
            img = rgb if img is None else img + rgb
        return x, img


class SynthesisNetwork(nn.Module):
    """Blocks b4, b8, ... (b3, b6, ... for 3 * 2^k pixels)."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        widths = channels(
            config.img_resolution, channel_base=config.channel_base, channel_max=config.channel_max
        )
        self.resolutions = list(widths)
        self.num_ws = config.num_ws
        wide = 0
        for resolution, width in widths.items():
            block = SynthesisBlock(wide, width, resolution=resolution, config=config)
            self.add_module(f"b{resolution}", block)
            wide = width

    def forward(
        self,
        ws: Tensor,
        *,
        noise: str = "const",
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Images [N, img_channels, H, W], about [-1, 1] but not clamped, in ws's dtype.

        ws: [N, num_ws, w_dim]. noise: "const" (the stored map: image i depends on its ws alone),
        "random" (drawn from `generator`, or torch's own for None) or "none".
        dtype: of the features, ws's for None; styles, their statistics and the image keep ws's.
        """
        return self.render(ws, self.noise(len(ws), noise, generator), dtype)

    def noise(
        self, images: int, mode: str, generator: torch.Generator | None
    ) -> list[Tensor | None]:
        """Noise of every layer, first to last, see `SynthesisLayer.noise`."""
        check_noise(mode)
        layers = [layer for block in self.blocks() for layer in block.layers()]
        return [layer.noise(images, mode, generator) for layer in layers]

    def render(
        self, ws: Tensor, noise: Sequence[Tensor | None], dtype: torch.dtype | None
    ) -> Tensor:
        """As `forward`, with the noise of every layer: nothing is drawn, so it can be compiled."""
        assert ws.shape[1] == self.num_ws, f"{ws.shape[1]} style vectors, expected {self.num_ws}"
        x = self.constant(len(ws), dtype or ws.dtype)
        img: Tensor | None = None
        start = 0
        for block in self.blocks():
            convs = len(block.layers())
            styles = ws[:, start : start + convs + 1]
            layers = slice(start, start + convs)
            x, img = block(x, img, styles, noise[layers])
            start += convs  # the next block's first layer shares the style of this image layer
        assert img is not None
        return img

    def blocks(self) -> list[SynthesisBlock]:
        """From the constant to the image."""
        return [cast(SynthesisBlock, self.get_submodule(f"b{px}")) for px in self.resolutions]

    def constant(self, images: int, dtype: torch.dtype) -> Tensor:
        """The first block's input, [N, C, 4, 4] or [N, C, 3, 3], with the channels last."""
        const = self.get_parameter(f"b{self.resolutions[0]}.const").to(dtype)
        return const.expand(images, -1, -1, -1).contiguous(memory_format=torch.channels_last)
