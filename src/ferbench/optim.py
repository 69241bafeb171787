"""Optimizers and learning-rate schedules, chosen by name."""

from __future__ import annotations

import math

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from ferbench.recipe import Recipe


def build(model: nn.Module, recipe: Recipe) -> Optimizer:
    """AdamW or SGD with Nesterov momentum over the trainable weights.

    Weight decay goes to matrices and kernels alone: norms and biases have one dimension.
    """
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "adamw":
        return AdamW(groups, lr=recipe.peak_lr, betas=(recipe.momentum, 0.999), fused=True)
    return SGD(groups, lr=recipe.peak_lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def lr_factor(step: int, *, steps: int, warmup_steps: int, schedule: str) -> float:
    """Share of the peak learning rate in [0, 1] at a step in [0, steps).

    cosine: linear warm-up, then half a cosine to 0 (Loshchilov & Hutter 2017). one_cycle: cosine
    from 1/25 up over the warm-up and cosine down to 1/10,000 (Smith & Topin 2018). constant: the
    peak after the warm-up.
    """
    if step < warmup_steps:
        rise = (step + 1) / (warmup_steps + 1)
        return _cosine(1 / 25, 1.0, rise) if schedule == "one_cycle" else rise
    if schedule == "constant":
        return 1.0
    done = (step - warmup_steps) / max(steps - warmup_steps, 1)
    return _cosine(1.0, 1e-4 if schedule == "one_cycle" else 0.0, done)


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Give every parameter group the learning rate `lr`."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2
