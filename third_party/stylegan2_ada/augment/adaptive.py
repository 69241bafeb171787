"""Adaptive discriminator augmentation: the pipeline and the controller of its probability.

The pipeline is that of Karras et al. 2020 (limited data, appendix B). Every augmentation happens
to each image on its own with probability p times its strength. As long as p stays below about 0.8
the generator cannot mistake augmented images for real ones, even where an augmentation alone would
leak into its images (90-degree turns, large rotations, color): an unaugmented image remains the
likeliest. The upper bound of p keeps it there. A mirrored face is a face, so flips may leak.
"""

from typing import Any

import torch
from torch import Tensor, nn

from . import geometry
from .color import (
    BAND_POWER,
    color_basis,
    color_terms,
    cut_out,
    filter_bank,
    filter_images,
    filter_taps,
    filter_terms,
    recolor,
)
from .config import AugmentConfig
from .draws import Drawn, Draws, Term, normal_draws


class AugmentPipe(nn.Module):
    """The pipeline with its current probability p, a scalar float64 tensor on its device.

    Nothing here reads a value of the device or has a shape that depends on one, so a call can be
    captured as a CUDA graph, after a first one with images of that size. p is all of its state.

    skip_at_zero: read p first, and do and draw nothing where it is 0. On a CPU reading costs
    nothing, and a run may be at p = 0 for long.
    """

    p: Tensor
    bank: Tensor
    power: Tensor
    basis: Tensor

    def __init__(self, config: AugmentConfig, *, p_max: float) -> None:
        super().__init__()
        assert 0 <= p_max <= 1
        self.config, self.p_max = config, p_max
        self.skip_at_zero = False
        self.register_buffer("p", torch.zeros([], dtype=torch.float64))
        self.register_buffer("bank", filter_bank(), persistent=False)
        self.register_buffer("power", torch.tensor(BAND_POWER), persistent=False)
        self.register_buffer("basis", color_basis(), persistent=False)
        self.moves, self.recolors = geometry.terms(config), color_terms(config)
        self.filters = filter_terms(config)
        self.draws = Draws(self.moves + self.recolors + self.filters + _corruption_terms(config))
        self.register_load_state_dict_post_hook(_clamp_p)

    def set_p(self, p: float) -> None:
        """Set p, clamped to [0, p_max], in place."""
        self.p.fill_(min(max(p, 0.0), self.p_max))

    def forward(
        self, images: Tensor, generator: torch.Generator, *, percentile: float | None = None
    ) -> Tensor:
        """Augment images [N, 1 or 3, H, W], float32 about [-1, 1]; the range may be exceeded.

        All draws come from `generator`, which lies on the images' device, as the module does.
        Images to which nothing happens are returned as they are, to the bit: all of them at p = 0.
        Differentiable twice with respect to the images.
        percentile: replaces every draw by this percentile of its distribution (for tests).
        """
        if not self.draws.columns or (self.skip_at_zero and self.p == 0):
            return images
        drawn = self.draws(len(images), self.p, generator, percentile)
        if self.moves:
            images = geometry.move(images, geometry.backward_map(drawn, images))
        if self.recolors:
            images = recolor(images, drawn, self.basis)
        if self.filters:
            images = filter_images(images, filter_taps(drawn, self.bank, self.power))
        if self.config.noise > 0:
            noise = normal_draws(images.shape, generator, percentile)
            deviation = drawn["noise"].abs()
            images = images + (noise * deviation[:, :, None, None]).to(images)
        return images if self.config.cutout <= 0 else self._cut_out(images, drawn)

    def _cut_out(self, images: Tensor, drawn: Drawn) -> Tensor:
        size = drawn.happens("cutout") * self.config.cutout_size
        return cut_out(images, drawn["cutout"] + 0.5, size)


def _corruption_terms(config: AugmentConfig) -> list[Term]:
    """What noise and cutout draw: the noise's deviation, the square's centre from the image's."""
    every = [
        Term("noise", "normal", config.noise_std, config.noise),
        Term("cutout", "uniform", 0.5, config.cutout, size=2),
    ]
    return [term for term in every if term.strength > 0]


def _clamp_p(pipe: AugmentPipe, _: Any) -> None:
    """Keep a loaded p within the pipe's own bound."""
    pipe.p.clamp_(0, pipe.p_max)


def ada_step(
    p: Tensor,
    sign_mean: Tensor,
    *,
    target: float,
    images: int,
    ramp_kimg: float,
    p_max: float,
) -> Tensor:
    """Next augmentation probability (Karras et al. 2020, limited data, section 3).

    p, sign_mean and the result are float64 scalars on one device; they are not read.
    sign_mean: mean sign of D's real logits in [-1, 1] since the last step; the more it exceeds
    `target`, the more D overfits. p keeps its value where the two are equal, and where the mean is
    nan because nothing was counted.
    images: real images shown since then; p moves by images / (1000 * ramp_kimg).
    p_max: upper bound of p, in [0, 1].
    """
    step = images / (1000 * ramp_kimg)
    direction = (sign_mean > target).to(p) - (sign_mean < target).to(p)
    return (p + step * direction).clamp(0, p_max)
