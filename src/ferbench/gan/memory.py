"""How much memory the training of a GAN takes, estimated from a few images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ferbench.gan.setup import Training
from ferbench.runs import memory

WORK = 1.8  # augmentation adds to what a step takes
STATES = 2  # of Adam
Phase = Callable[[Any, Any, Tensor, Any], Tensor]


def training_bytes(training: Training) -> float:
    """Bytes at the peak of a step: all that has the weights' size, and the largest phase.

    The phases looked at: G through D, and D with R1, whose gradient is differentiated again.
    """
    recipe, trainer = training.recipe, training.trainer
    networks = [trainer.generator, trainer.discriminator]
    conditions = training.faces.class_conditions.to(trainer.losses.device)
    phases = [_generator_phase]
    if recipe.r1_interval and recipe.r1_gamma:
        phases.append(_penalty)

    def step(phase: Phase) -> float:
        def compute(count: int, generator: Any, discriminator: Any) -> Tensor:
            c = conditions[torch.arange(count) % len(conditions)]
            return phase(generator, discriminator, c, trainer.options)

        shard = recipe.batch // trainer.losses.shards
        probe = max(2, recipe.mbstd_group)
        return memory.of_step(networks, compute, probe=probe, images=shard, work=WORK)

    weights = [one for network in networks for one in network.parameters()]
    return memory.of_weights(weights, 2 + STATES) + max(map(step, phases))


def _generator_phase(generator: Any, discriminator: Any, c: Tensor, options: Any) -> Tensor:
    z = torch.zeros(len(c), generator.config.z_dim, device=c.device)
    ws = generator.mapping(z, c)
    images = generator.synthesis(ws, noise="none", dtype=options.dtype)
    return discriminator(images, c, dtype=options.dtype).sum()


def _penalty(generator: Any, discriminator: Any, c: Tensor, options: Any) -> Tensor:
    config = generator.config
    shape = (len(c), config.img_channels, config.img_resolution, config.img_resolution)
    images = torch.zeros(shape, device=c.device, requires_grad=True)
    logits = discriminator(images, c, dtype=options.regularizer_dtype)
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum()
