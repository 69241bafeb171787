"""Random numbers of the augmentations: from a generator, or one percentile for all of them."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """Draws for `images` images, each happening with its own probability.

    percentile: instead of drawing, take this percentile in [0, 1] of every distribution, with
    every augmentation on (for tests against known numbers).
    """

    images: int
    p: float
    generator: torch.Generator
    percentile: float | None = None

    def uniform(self, *shape: int) -> Tensor:
        """[images, *shape] float32 in [0, 1)."""
        size = (self.images, *shape)
        if self.percentile is not None:
            return torch.full(size, self.percentile, device=self.generator.device)
        return torch.rand(size, generator=self.generator, device=self.generator.device)

    def symmetric(self, *shape: int) -> Tensor:
        """[images, *shape] uniform in [-1, 1)."""
        return self.uniform(*shape) * 2 - 1

    def choice(self, options: int) -> Tensor:
        """[images] whole numbers from 0 to options - 1, as float32."""
        return (self.uniform() * options).floor()

    def normal(self, *shape: int) -> Tensor:
        """[images, *shape] standard normal."""
        size = (self.images, *shape)
        if self.percentile is not None:
            return torch.erfinv(self.symmetric(*shape))
        return torch.randn(size, generator=self.generator, device=self.generator.device)

    def gated(self, value: Tensor, neutral: float, strength: float) -> Tensor:
        """value where the augmentation happens (probability p * strength), else neutral."""
        return self.gated_at(value, neutral, self.p * strength)

    def gated_at(self, value: Tensor, neutral: float, probability: float) -> Tensor:
        """The same with the probability given; one gate an image, whatever value's shape."""
        if self.percentile is not None:
            return value
        device = self.generator.device
        happens = torch.rand(self.images, generator=self.generator, device=device) < probability
        happens = happens.reshape(-1, *[1] * (value.ndim - 1))
        return torch.where(happens, value, torch.full_like(value, neutral))
