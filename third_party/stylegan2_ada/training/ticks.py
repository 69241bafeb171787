"""The numbers of a training run, averaged over images and processes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from . import distributed

NAMES = (
    "loss_g",
    "loss_d",
    "real_sign",
    "real_logit",
    "fake_logit",
    "grad_norm_g",
    "grad_norm_d",
    "r1_penalty",
)
AUX_NAMES = ("aux_loss_real", "aux_loss_fake")  # of a discriminator with a class head


@dataclass(frozen=True)
class Tick:
    """Where a run stands; means are those since the last tick, nan where nothing was counted."""

    images: int  # real images shown so far
    seconds: float  # of training since the last tick, ticks themselves left out
    images_per_second: float
    augment_p: float  # probability of the adaptive pipeline, 0 without one
    loss_g: float  # without AC-GAN's class loss, as loss_d
    loss_d: float  # on generated and real images together
    real_sign: float  # mean sign of D's logits on reals: near 1 where D overfits
    real_logit: float
    fake_logit: float  # on the images that D is trained with
    grad_norm_g: float  # of the main phases
    grad_norm_d: float
    r1_penalty: float  # before gamma / 2
    path_length: float  # running mean
    skipped_steps: int  # updates left out for gradients that were not finite, in all
    diversity: tuple[float, ...]  # of each class, see `class_diversity`
    aux_loss_real: float = 0.0  # AC-GAN's class loss before its weight, in D main; 0: none
    aux_loss_fake: float = 0.0  # the same of generated images, in G main


class Meter:
    """Sums and counts of named values, on their device: adding makes no device wait."""

    def __init__(self, names: tuple[str, ...], device: torch.device) -> None:
        self.names = names
        self.sums = torch.zeros(len(names), 2, dtype=torch.float64, device=device)

    def add(self, name: str, values: Tensor) -> None:
        """Count every finite number of `values`."""
        values = values.detach().double()
        finite = values.isfinite()
        row = torch.stack([values.where(finite, 0).sum(), finite.double().sum()])
        self.sums[self.names.index(name)] += row

    def take(self) -> dict[str, float]:
        """Means over all processes since the last call, nan for nothing; starts again."""
        return self.means(self.take_sums())

    def take_sums(self) -> Tensor:
        """Sums and counts over all processes since the last call, [names, 2]; starts again."""
        sums = distributed.sum_(self.sums.clone())
        self.sums.zero_()
        return sums

    def means(self, sums: Tensor) -> dict[str, float]:
        """What `take_sums` returned as means, nan for nothing."""
        means: list[float] = (sums[:, 0] / sums[:, 1]).tolist()
        return dict(zip(self.names, means, strict=True))
