"""The discriminator: images and conditions to logits."""

from math import sqrt

import torch
from torch import Tensor, nn

from ..ops import downsample2d, setup_filter
from .config import DiscriminatorConfig, channels
from .layers import RESAMPLE_TAPS, Conv, Linear
from .mapping import MappingNetwork


def minibatch_deviation(x: Tensor, *, group: int, maps: int) -> Tensor:
    """Mean deviation of the features across groups of images (Karras et al. 2018, section 3).

    x: [N, C, H, W], C a multiple of `maps`. A group holds the largest divisor of N up to `group`;
    image i belongs to the group of i modulo the number of groups.
    Returns [N, maps, H, W]: one number a group and map, to be appended to x.
    """
    n, c, height, width = x.shape
    size = next(size for size in range(min(group, n), 0, -1) if n % size == 0)
    y = x.reshape(size, n // size, maps, c // maps, height, width)
    deviation = ((y - y.mean(0)).square().mean(0) + 1e-8).sqrt()  # [n / size, maps, c / maps, H, W]
    value = deviation.mean([2, 3, 4])[:, :, None, None]  # [n / size, maps, 1, 1]
    return value.repeat(size, 1, height, width)


class DiscriminatorBlock(nn.Module):
    """Two convolutions, the second halving the resolution."""

    resample_filter: Tensor

    def __init__(
        self, in_channels: int, width: int, out_channels: int, *, config: DiscriminatorConfig
    ) -> None:
        super().__init__()
        self.architecture = config.architecture
        clamp = config.conv_clamp
        if in_channels == 0 or self.architecture == "skip":
            self.fromrgb = Conv(config.img_channels, width, kernel=1, clamp=clamp)
        self.conv0 = Conv(width, width, kernel=3, clamp=clamp)
        self.conv1 = Conv(width, out_channels, kernel=3, down=2, clamp=clamp)
        if self.architecture == "resnet":
            self.skip = Conv(width, out_channels, kernel=1, bias=False, down=2, activation="linear")
        self.register_buffer("resample_filter", setup_filter(RESAMPLE_TAPS))

    def forward(
        self, x: Tensor | None, img: Tensor | None, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor | None]:
        """x: features [N, in, H, W] or None at the first block; img: image for `fromrgb` or None.

        Returns features [N, out, H / 2, W / 2] and, for "skip", the image at half the resolution.
        """
        if hasattr(self, "fromrgb"):
            assert img is not None
            rgb = self.fromrgb(img.to(dtype, memory_format=torch.channels_last))
            x = rgb if x is None else x + rgb
            skip = self.architecture == "skip"
            img = downsample2d(img, self.resample_filter.float()) if skip else None
        if self.architecture == "resnet":
            shortcut = self.skip(x, gain=sqrt(0.5))
            x = shortcut + self.conv1(self.conv0(x), gain=sqrt(0.5))
        else:
            x = self.conv1(self.conv0(x))
        return x, img


class DiscriminatorEpilogue(nn.Module):
    """Minibatch deviation and the last layers, in float32."""

    def __init__(
        self, in_channels: int, *, cmap_dim: int, resolution: int, config: DiscriminatorConfig
    ) -> None:
        super().__init__()
        self.group, self.maps = config.mbstd_group, config.mbstd_channels
        if config.architecture == "skip":
            self.fromrgb = Conv(config.img_channels, in_channels, kernel=1)
        wide = in_channels + config.mbstd_channels
        self.conv = Conv(wide, in_channels, kernel=3, clamp=config.conv_clamp)
        self.fc = Linear(in_channels * resolution**2, in_channels, activation="lrelu")
        self.out = Linear(in_channels, cmap_dim or 1)

    def forward(self, x: Tensor, img: Tensor | None) -> Tensor:
        """x: [N, in, R, R] with R = 4 or 3. Returns [N, cmap_dim], or [N, 1] unconditionally."""
        if img is not None:
            x = x + self.fromrgb(img)
        if self.maps > 0:
            x = torch.cat([x, minibatch_deviation(x, group=self.group, maps=self.maps)], 1)
        embedding: Tensor = self.out(self.fc(self.conv(x).flatten(1)))
        return embedding


class Discriminator(nn.Module):
    """Blocks from the image down to 4 x 4 (3 x 3), then a projection on the condition."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        widths = channels(
            config.img_resolution, channel_base=config.channel_base, channel_max=config.channel_max
        )
        *steps, (self.last, last_width) = sorted(widths.items(), reverse=True)
        self.resolutions = [resolution for resolution, _ in steps]
        outs = [width for _, width in steps[1:]] + [last_width]
        wide = 0
        for (resolution, width), out in zip(steps, outs, strict=True):
            self.add_module(f"b{resolution}", DiscriminatorBlock(wide, width, out, config=config))
            wide = out
        self.cmap_dim = (config.cmap_dim or last_width) if config.c_dim > 0 else 0
        if self.cmap_dim > 0:
            self.mapping = MappingNetwork(
                z_dim=0,
                c_dim=config.c_dim,
                w_dim=self.cmap_dim,
                num_ws=None,
                num_layers=config.mapping_layers,
                w_avg_beta=None,
            )
        epilogue = DiscriminatorEpilogue(
            last_width, cmap_dim=self.cmap_dim, resolution=self.last, config=config
        )
        self.add_module(f"b{self.last}", epilogue)

    def forward(
        self, img: Tensor, c: Tensor | None = None, *, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Logits [N] in img's dtype, positive for real.

        img: [N, img_channels, H, W] float32 about [-1, 1]; c: [N, c_dim] conditions.
        dtype: of the features down to the last block, img's for None; the rest keeps img's.
        Images of one call are compared by the minibatch deviation: a logit depends on its group.
        """
        x: Tensor | None = None
        rgb: Tensor | None = img
        for resolution in self.resolutions:
            x, rgb = self.get_submodule(f"b{resolution}")(x, rgb, dtype or img.dtype)
        assert x is not None
        logits: Tensor = self.get_submodule(f"b{self.last}")(x.to(img.dtype), rgb)
        if self.cmap_dim > 0:  # projection: Miyato & Koyama 2018
            logits = logits * self.mapping(None, c) / sqrt(self.cmap_dim)
        return logits.sum(1)
