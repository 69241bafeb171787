"""Plain conditional GANs for comparison: small convolutional networks without styles.

Both are DCGANs (Radford et al. 2016, arXiv 1511.06434): a dense layer, then strided convolutions
of 4 x 4 pixels. They differ in how the discriminator uses the condition.

cgan: the condition is embedded and joined with the features of the last resolution, before the
    last convolution: Mirza & Osindero 2014 (arXiv 1411.1784) in the convolutional form of Reed et
    al. 2016 (arXiv 1605.05396, section 4.1).
acgan: the discriminator does not get the condition; a second head predicts it from the image
    (Odena et al. 2017, arXiv 1610.09585). See `class_loss` and TrainOptions.aux_weight.

Two things differ from these papers. The discriminators have no batch normalisation and no dropout:
a logit depends on its own image, as R1 asks for, and R1 and augmentation regularise instead. The
embedding of a condition starts with deviation 1, that of z, so that it counts from the start.
"""

from itertools import pairwise
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .batch_norm import BatchNorm
from .config import PlainDiscriminatorConfig, PlainGeneratorConfig, channels
from .generator import TwoStageGenerator
from .mapping import truncate
from .synthesis import check_noise

SLOPE = 0.2  # of the discriminators' leaky ReLU
KERNEL = 4


class PlainMapping(nn.Module):
    """z beside the embedded condition: the one style vector of a plain generator."""

    w_avg: Tensor
    num_ws = 1

    def __init__(self, config: PlainGeneratorConfig) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = config.z_dim, config.c_dim, config.w_dim
        self.w_avg_beta = config.w_avg_beta
        if self.c_dim > 0:
            self.embed = _embedding(self.c_dim, config.embed_dim)
        self.register_buffer("w_avg", torch.zeros(self.w_dim))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None,
        *,
        psi: float = 1.0,
        cutoff: int | None = None,
        center: Tensor | None = None,
    ) -> Tensor:
        """[N, 1, w_dim] with w_dim = z_dim + embed_dim.

        z: [N, z_dim] normal latents; c: [N, c_dim] conditions, one-hot or any numbers.
        psi, cutoff, center: see `truncate`. Toward the centre of a class, psi scales z alone;
        toward the running mean (None) it blends the classes, too.
        """
        ws = self.style(z, c)[:, None]  # [N, 1, w_dim]
        if psi == 1:
            return ws
        return truncate(ws, self.w_avg if center is None else center, psi=psi, cutoff=cutoff)

    def style(self, z: Tensor, c: Tensor | None) -> Tensor:
        """z and the embedded condition, [N, w_dim]."""
        assert z.shape[1] == self.z_dim
        if self.c_dim == 0:
            return z
        assert c is not None and c.shape[1] == self.c_dim
        return torch.cat([z, self.embed(c)], 1)


class PlainSynthesis(nn.Module):
    """Dense layer to 4 x 4 (3 x 3) pixels, then transposed convolutions; tanh at the end."""

    def __init__(self, config: PlainGeneratorConfig) -> None:
        super().__init__()
        widths = _widths(config)
        self.start, *_ = self.resolutions = list(widths)
        self.num_ws = PlainMapping.num_ws
        first = widths[self.start]
        self.fc = nn.Linear(config.w_dim, first * self.start**2, bias=False)  # a norm follows
        self.norm = BatchNorm(first)
        for low, high in pairwise(self.resolutions):
            self.add_module(f"up{high}", Upsampling(widths[low], widths[high], bias=False))
            self.add_module(f"norm{high}", BatchNorm(widths[high]))
        last = widths[self.resolutions[-1]]
        self.to_image = Upsampling(last, config.img_channels, bias=True)

    def forward(
        self,
        ws: Tensor,
        *,
        noise: str = "const",
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Images [N, img_channels, H, W] in [-1, 1], in ws's dtype.

        ws: [N, 1, w_dim]. dtype: of the features, ws's for None; statistics are float32.
        There is no noise beside z: `noise` and `generator` change nothing.
        """
        check_noise(noise)
        assert ws.shape[1] == self.num_ws, f"{ws.shape[1]} style vectors, expected {self.num_ws}"
        x = self.fc(ws[:, 0]).unflatten(1, (-1, self.start, self.start))  # [N, C, 4, 4]
        x = x.to(dtype or ws.dtype, memory_format=torch.channels_last)
        x = self.norm(x).relu()
        for high in self.resolutions[1:]:
            x = self.get_submodule(f"up{high}")(x)
            x = self.get_submodule(f"norm{high}")(x).relu()
        images: Tensor = self.to_image(x).to(ws.dtype).tanh()
        return images


class PlainGenerator(TwoStageGenerator):
    """Generator of cGAN and AC-GAN; initial weights come from torch's own generator.

    Batch normalisation: in training mode an image depends on its batch (see `BatchNorm`); in
    evaluation mode, which `sample` and the trainer's average use, on its z and c alone.
    """

    def __init__(self, config: PlainGeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.synthesis = PlainSynthesis(config)
        self.mapping = PlainMapping(config)


class PlainDiscriminator(nn.Module):
    """Discriminator of cGAN or AC-GAN. A logit does not depend on the other images of its batch."""

    def __init__(self, config: PlainDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        widths = _widths(config)
        outs = sorted(widths.items(), reverse=True)
        self.resolutions = [resolution for resolution, _ in outs]
        wide = config.img_channels
        for resolution, out in outs:
            self.add_module(f"down{resolution}", Convolution(wide, out, kernel=KERNEL, stride=2))
            wide = out
        joined = wide
        if config.kind == "cgan" and config.c_dim > 0:
            self.embed = _embedding(config.c_dim, config.embed_dim)
            joined += config.embed_dim
        self.conv = Convolution(joined, wide, kernel=3, stride=1)
        features = wide * self.resolutions[-1] ** 2
        self.out = nn.Linear(features, 1)
        if config.kind == "acgan":
            self.classes = nn.Linear(features, config.c_dim)

    def forward(
        self, img: Tensor, c: Tensor | None = None, *, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Logits [N] in img's dtype, positive for real.

        img: [N, img_channels, H, W] float32 about [-1, 1]; c: [N, c_dim], for acgan not needed.
        dtype: of the features down to the last resolution, img's for None; the rest keeps img's.
        """
        logits: Tensor = self.out(self._features(img, c, dtype))[:, 0]
        return logits

    def with_classes(
        self, img: Tensor, *, dtype: torch.dtype | None = None
    ) -> tuple[Tensor, Tensor]:
        """AC-GAN's logits [N], as `forward`, and class logits [N, c_dim], in img's dtype."""
        features = self._features(img, None, dtype)
        return self.out(features)[:, 0], self.classes(features)

    def _features(self, img: Tensor, c: Tensor | None, dtype: torch.dtype | None) -> Tensor:
        """[N, features] after the last convolution."""
        x = img.to(dtype or img.dtype, memory_format=torch.channels_last)
        for resolution in self.resolutions:
            x = F.leaky_relu(self.get_submodule(f"down{resolution}")(x), SLOPE)
        x = x.to(img.dtype)  # [N, C, 4, 4]
        if hasattr(self, "embed"):
            maps = self.embed(c)[:, :, None, None].expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, maps], 1)
        return F.leaky_relu(self.conv(x), SLOPE).flatten(1)


class Convolution(nn.Module):
    """Convolution that keeps the size (stride 1) or halves it; initial weights of He et al. 2015.

    Weights are float32 and follow the input's dtype.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        gain = sqrt(2 / (1 + SLOPE**2))
        deviation = gain / sqrt(in_channels * kernel**2)
        self.weight = nn.Parameter(
            torch.randn(out_channels, in_channels, kernel, kernel) * deviation
        )
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] to [N, out, H / stride, W / stride]."""
        return F.conv2d(
            x, self.weight.to(x.dtype), self.bias.to(x.dtype), stride=self.stride, padding=1
        )


class Upsampling(nn.Module):
    """Transposed convolution that doubles the size: 2 x 2 taps of 4 x 4 reach each pixel."""

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool) -> None:
        super().__init__()
        deviation = 1 / sqrt(in_channels * (KERNEL / 2) ** 2)
        self.weight = nn.Parameter(
            torch.randn(in_channels, out_channels, KERNEL, KERNEL) * deviation
        )
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] to [N, out, 2 H, 2 W]."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.conv_transpose2d(x, self.weight.to(x.dtype), bias, stride=2, padding=1)


def _embedding(c_dim: int, embed_dim: int) -> nn.Linear:
    """Row k is the vector of entry k, of deviation 1 as z has."""
    embed = nn.Linear(c_dim, embed_dim, bias=False)
    nn.init.normal_(embed.weight)
    return embed


def _widths(config: PlainGeneratorConfig | PlainDiscriminatorConfig) -> dict[int, int]:
    """Feature maps at each resolution below the image's, lowest first."""
    widths = channels(
        config.img_resolution, channel_base=config.channel_base, channel_max=config.channel_max
    )
    del widths[config.img_resolution]
    return widths
