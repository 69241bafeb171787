"""Settings of a training run: options, random streams, optimizers, and checks of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
import torch
from torch import nn

from ..augment import AugmentPipe
from ..networks import PlainDiscriminator, TwoStageGenerator, check_noise
from .batches import ConditionSampler
from .losses import LOSSES, lazy_adam
from .schedule import Schedules


@dataclass(frozen=True)
class AdaOptions:
    """The controller of the augmentation probability; its bound is AugmentPipe's p_max."""

    target: float  # mean sign of D's logits on reals
    interval: int  # steps between two moves
    ramp_kimg: float  # thousand images in which p can go from 0 to 1


@dataclass(frozen=True)
class TrainOptions:
    """How the two networks are trained (Karras et al. 2020, both)."""

    batch: int  # images a step, of all processes together
    loss: str  # logistic | relativistic
    r1_gamma: float  # of the gradient penalty on real images
    r2_gamma: float  # of that on generated images; 0: none
    r1_interval: int  # steps between two penalties; 0: none
    path_weight: float
    path_interval: int  # steps; 0: no path length regularisation
    path_decay: float  # of the running mean of the path length
    path_shrink: int  # the path length is taken of 1 / path_shrink of the batch
    style_mixing: float  # probability, in [0, 1]
    aux_weight: float  # of AC-GAN's class loss, for G and D alike; 0: no class loss
    label_smoothing: float  # share of the opposite target in D's loss on reals, in [0, 0.5)
    ema_images: float  # half-life of the averaged weights
    ema_rampup: float | None  # bound of the half-life, as a share of the images seen
    noise: str  # of generated images while training: random | const | none
    reuse_fakes: bool  # D is shown the images of the G phase before it, not fresh ones
    dtype: torch.dtype  # of feature maps
    regularizer_dtype: torch.dtype  # of feature maps where R1 and path length are taken
    compile: bool  # torch.compile both networks in the main phases
    ada: AdaOptions | None  # None: the probability stays where the pipe has it
    nonfinite_limit: int  # skipped steps in a row of one phase that end the run; 1: the first
    graphs: bool | None  # each phase as a CUDA graph; None: where that is possible
    schedules: Schedules = field(default_factory=Schedules)

    def __post_init__(self) -> None:
        """Raise ValueError for values that no run can have."""
        bounds = {"batch": 1, "r1_interval": 0, "path_interval": 0, "path_shrink": 1}
        for name, least in (bounds | {"nonfinite_limit": 1}).items():
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)}: must be at least {least}")
        if not 0 <= self.style_mixing <= 1:
            raise ValueError(f"style_mixing={self.style_mixing}: must be in [0, 1]")
        if not 0 <= self.label_smoothing < 0.5:
            raise ValueError(f"label_smoothing={self.label_smoothing}: must be in [0, 0.5)")
        if not 0 <= self.aux_weight < inf:
            raise ValueError(f"aux_weight={self.aux_weight}: must be 0 or more")
        if self.loss not in LOSSES:
            raise ValueError(f"loss={self.loss}: must be one of {', '.join(LOSSES)}")
        if not min(self.r1_gamma, self.r2_gamma) >= 0:
            raise ValueError(f"r2_gamma={self.r2_gamma}: must be 0 or more")
        check_noise(self.noise)


@dataclass(frozen=True)
class Streams:
    """Random generators of one shard of the batch, on the networks' device."""

    latents: torch.Generator  # z, conditions, style mixing, directions of the path length
    augment: torch.Generator
    noise: torch.Generator  # of the synthesis network

    def state(self) -> list[torch.Tensor]:
        """The three states, uint8."""
        return [one.get_state() for one in (self.latents, self.augment, self.noise)]

    def set_state(self, state: Sequence[torch.Tensor]) -> None:
        """Go on where `state` was taken."""
        for one, saved in zip((self.latents, self.augment, self.noise), state, strict=True):
            one.set_state(saved.cpu())


def shard_streams(seed: int, shard: int, *, device: torch.device | str) -> Streams:
    """Generators of shard number `shard`, independent of every other shard's.

    device: that of the networks. Another kind of device draws other numbers from the same seed.
    """
    seeds = np.random.SeedSequence([seed, shard]).generate_state(3, np.uint64)
    return Streams(*(torch.Generator(device).manual_seed(int(number) >> 1) for number in seeds))


def build_optimizers(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    path_interval: int,
    r1_interval: int,
) -> tuple[torch.optim.Adam, torch.optim.Adam]:
    """Adam of G and of D, corrected for the lazy regularisers' steps (see `lazy_adam`).

    path_interval, r1_interval: steps between two regularising steps of G and D; 0: none, and no
    correction. On a GPU a step of them can be captured.
    """

    def adam(network: nn.Module, interval: int) -> torch.optim.Adam:
        settings: tuple[Any, ...] = (lr, betas)
        if interval > 0:
            settings = lazy_adam(lr, betas, interval=interval)
        rate, decays = settings
        weights = list(network.parameters())
        on_gpu = weights[0].device.type == "cuda"
        return torch.optim.Adam(weights, rate, decays, eps, fused=True, capturable=on_gpu)

    return adam(generator, path_interval), adam(discriminator, r1_interval)


def check_setup(
    generator: TwoStageGenerator,
    discriminator: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    options: TrainOptions,
    *,
    shards: int,
    conditions: ConditionSampler,
    augment: AugmentPipe | str | None,
) -> None:
    """Raise ValueError for options that do not go with these networks, shards or augmentation.

    Likewise for an optimizer that cannot leave an update out on the device, as fused ones do.
    """
    if not all(getattr(one, "_step_supports_amp_scaling", False) for one in optimizers):
        raise ValueError("optimizers: must be fused, as those of build_optimizers are")
    if shards == 0 or options.batch % shards:
        raise ValueError(f"batch={options.batch}: must be a multiple of {shards} shards")
    if options.path_interval and options.batch // shards < options.path_shrink:
        raise ValueError(f"batch={options.batch}: too small for path_shrink={options.path_shrink}")
    if options.ada is not None and not isinstance(augment, AugmentPipe):
        raise ValueError(f"augment={augment}: has no probability that ada could control")
    if generator.config.num_ws == 1:
        for name in ("style_mixing", "path_interval"):
            if getattr(options, name) > 0:
                raise ValueError(
                    f"{name}={getattr(options, name)}: must be 0 for a generator of one style"
                )
    device = generator.mapping.w_avg.device
    _check_classes(discriminator, options, conditions, torch.Generator(device).manual_seed(0))


def _check_classes(
    discriminator: nn.Module,
    options: TrainOptions,
    conditions: ConditionSampler,
    draws: torch.Generator,
) -> None:
    """Raise ValueError unless a class loss is asked of a class head and for class probabilities."""
    acgan = isinstance(discriminator, PlainDiscriminator) and discriminator.config.kind == "acgan"
    weight = options.aux_weight
    if acgan and weight == 0:
        raise ValueError("aux_weight=0: must be positive, an acgan learns its classes by it")
    if not acgan and weight > 0:
        raise ValueError(f"aux_weight={weight}: must be 0, the discriminator has no class head")
    if acgan:
        rows = conditions(16, draws).double()
        if (rows < 0).any() or not torch.allclose(rows.sum(1), torch.ones_like(rows[:, 0])):
            raise ValueError("conditions: must be class probabilities (one-hot) for an acgan")
