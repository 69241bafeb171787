"""Optimizers, learning-rate schedules and averaged weights."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from ferbench.recipes.classifier import Recipe


def build(model: nn.Module, recipe: Recipe) -> Optimizer:
    """AdamW, SGD or Muon, the last two with Nesterov momentum, over the trainable weights.

    Weight decay goes to matrices and kernels alone: norms and biases have one dimension. Muon
    (Jordan et al. 2024) turns the update of a matrix, or of a kernel as a matrix of its output
    channels, into the nearest orthogonal one, scaled so that rates are those of AdamW (Liu et al.
    2025, arXiv 2502.16982); what has one dimension gets AdamW with Nesterov momentum.
    """
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "adamw":
        fused = all(p.device.type in ("cpu", "cuda") for p in trainable)
        return AdamW(groups, lr=recipe.peak_lr, betas=(recipe.momentum, 0.999), fused=fused)
    if recipe.optimizer == "muon":
        from timm.optim.muon import Muon  # here: it takes a second to import

        return Muon(groups, lr=recipe.peak_lr, momentum=recipe.momentum, nesterov=True)
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


class AveragedWeights:
    """Exponential moving average of a model's weights and running statistics.

    `model` is a copy that holds the averages; what counts in integers is copied. In update n
    (from 0 on) the average keeps min(decay, (1 + n) / (10 + n)) of itself, so that a short run is
    not the average of its initial weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model)
        self.decay, self.updates = decay, 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the averages towards the weights of `model`, the one that was copied."""
        keep = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        means, counts = _tensors(self.model)
        values, counts_now = _tensors(model)
        torch._foreach_lerp_(means, values, 1 - keep)
        if counts:
            torch._foreach_copy_(counts, counts_now)

    def state_dict(self) -> dict[str, object]:
        """Averages and number of updates, as `load_state_dict` takes them."""
        return {"model": self.model.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take up what `state_dict` returned."""
        self.model.load_state_dict(state["model"])  # type: ignore[arg-type]
        self.updates = int(state["updates"])  # type: ignore[call-overload]


def _tensors(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and running statistics of a model: those with a fraction, and the integers."""
    tensors = [*model.parameters(), *model.buffers()]
    return (
        [tensor for tensor in tensors if tensor.is_floating_point()],
        [tensor for tensor in tensors if not tensor.is_floating_point()],
    )


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2
