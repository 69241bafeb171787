"""Adaptive discriminator augmentation: the pipeline and the controller of its probability.

The pipeline is that of Karras et al. 2020 (limited data, appendix B). Every augmentation happens
to each image on its own with probability p times its strength. As long as p stays below about 0.8
the generator cannot mistake augmented images for real ones, even where an augmentation alone would
leak into its images (90-degree turns, large rotations, color): an unaugmented image remains the
likeliest. The upper bound of p keeps it there. A mirrored face is a face, so flips may leak.
"""

import torch
from torch import Tensor, nn

from ..ops import setup_filter, to_device
from .color import (
    band_gains,
    color_map,
    cut_out,
    filter_bank,
    filter_images,
    recolor,
)
from .config import AugmentConfig
from .draws import Draws
from .geometry import backward_map, move

# Low-pass taps of the sym6 wavelet (Daubechies 1992, table 6.3).
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)


class AugmentPipe(nn.Module):
    """The pipeline with its current probability p.

    p is a plain number, so that no GPU has to be waited for to read it; checkpoints keep it.
    """

    Hz_geom: Tensor
    Hz_fbank: Tensor

    def __init__(self, config: AugmentConfig, *, p_max: float) -> None:
        super().__init__()
        assert 0 <= p_max <= 1
        self.config, self.p_max = config, p_max
        self.p = 0.0
        self.register_buffer("Hz_geom", setup_filter(SYM6))
        self.register_buffer("Hz_fbank", filter_bank())

    def set_p(self, p: float) -> float:
        """Set p, clamped to [0, p_max]; returns what was set."""
        self.p = min(max(p, 0.0), self.p_max)
        return self.p

    def get_extra_state(self) -> Tensor:
        """p, for `state_dict`."""
        return torch.tensor(self.p)

    def set_extra_state(self, state: Tensor) -> None:
        """Take up p from `load_state_dict`."""
        self.set_p(float(state))

    def forward(
        self, images: Tensor, generator: torch.Generator, *, percentile: float | None = None
    ) -> Tensor:
        """Augment images [N, 1 or 3, H, W], float32 about [-1, 1]; the range may be exceeded.

        All draws come from `generator`, on its device. At p = 0 the images are returned as they
        are. Differentiable twice with respect to the images.
        percentile: replaces every draw by this percentile of its distribution (for tests).
        """
        if self.p == 0:
            return images
        draws = Draws(len(images), self.p, generator, percentile)
        images = self.geometry(images, draws)
        images = self.color(images, draws)
        images = self.filter(images, draws)
        return self.corruption(images, draws)

    def geometry(self, images: Tensor, draws: Draws) -> Tensor:
        """Pixel blitting and general geometric transformations."""
        height, width = images.shape[2:]
        backward = backward_map(draws, self.config, width=width, height=height)
        return images if backward is None else move(images, backward, self.Hz_geom.float())

    def color(self, images: Tensor, draws: Draws) -> Tensor:
        """Color transformations."""
        color = color_map(draws, self.config, channels=images.shape[1])
        return images if color is None else recolor(images, color)

    def filter(self, images: Tensor, draws: Draws) -> Tensor:
        """Image-space filtering."""
        if self.config.imgfilter <= 0:
            return images
        gains = to_device(band_gains(draws, self.config), images.device).to(images)
        return filter_images(images, gains @ self.Hz_fbank.to(images))

    def corruption(self, images: Tensor, draws: Draws) -> Tensor:
        """Additive noise and cutout."""
        if self.config.noise > 0:
            deviation = draws.normal().abs() * self.config.noise_std
            deviation = draws.gated(deviation, 0, self.config.noise)
            noise = draws.normal(*images.shape[1:]) * deviation[:, None, None, None]
            images = images + to_device(noise, images.device).to(images)
        if self.config.cutout > 0:
            size = torch.full([len(images)], self.config.cutout_size, device=draws.generator.device)
            size = draws.gated(size, 0, self.config.cutout)
            images = cut_out(images, draws.uniform(2), size)
        return images


def ada_step(
    p: float,
    sign_mean: float,
    *,
    target: float,
    images: int,
    ramp_kimg: float,
    p_max: float,
) -> float:
    """Next augmentation probability (Karras et al. 2020, limited data, section 3).

    sign_mean: mean sign of D's real logits in [-1, 1] since the last step; the more it exceeds
    `target`, the more D overfits. p keeps its value where the two are equal.
    images: real images shown since then; p moves by images / (1000 * ramp_kimg).
    p_max: upper bound of p, in [0, 1].
    """
    step = images / (1000 * ramp_kimg)
    step *= (sign_mean > target) - (sign_mean < target)
    return min(max(p + step, 0.0), p_max)
