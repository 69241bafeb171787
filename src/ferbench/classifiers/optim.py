"""Optimizers, learning-rate schedules and averaged weights."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from ferbench.classifiers.muon import Muon
from ferbench.recipes.classifier import Recipe


def build(model: nn.Module, recipe: Recipe, *, capturable: bool = False) -> Optimizer:
    """AdamW, SGD or Muon, the last two with Nesterov momentum, over the trainable weights.

    Weight decay goes to matrices and kernels alone: norms and biases have one dimension.
    capturable: a step reads no value to the host, so a CUDA graph may hold it; the learning rate
    is a tensor on the weights' device then, as `set_lr` knows.
    """
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    lr: float | Tensor = recipe.peak_lr
    if capturable:
        lr = torch.tensor(recipe.peak_lr, dtype=torch.float32, device=trainable[0].device)
    if recipe.optimizer == "adamw":
        fused = all(p.device.type in ("cpu", "cuda") for p in trainable)
        betas = (recipe.momentum, 0.999)
        return AdamW(groups, lr=lr, betas=betas, fused=fused, capturable=capturable)
    if recipe.optimizer == "muon":
        return Muon(groups, lr=lr, momentum=recipe.momentum, capturable=capturable)
    return _sgd(groups, lr, recipe.momentum, fused=capturable)


def _sgd(
    groups: list[dict[str, Any]], lr: float | Tensor, momentum: float, *, fused: bool
) -> Optimizer:
    """torch's SGD; its fused kernels are the ones that do not read a rate that is a tensor."""
    optimizer = SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0, fused=fused)
    if fused and momentum:  # a first step that float16 skips would leave them as they were found
        for parameter in (p for group in groups for p in group["params"]):
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


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
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr


def load_state(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Take up what another's `state_dict` returned, but for the numbers and switches of groups.

    Those stay this optimizer's own: the state may come from another device.
    """
    own = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    pairs = zip(state["param_groups"], own, strict=True)
    optimizer.load_state_dict(
        {**state, "param_groups": [{**saved, **mine} for saved, mine in pairs]}
    )


class AveragedWeights:
    """Exponential moving average of a model's weights and running statistics.

    `model` is a copy that holds the averages; what counts in integers is copied. In update n
    (from 0 on) the average keeps min(decay, (1 + n) / (10 + n)) of itself, so that a short run is
    not the average of its initial weights.
    capturable: what it gives up is a tensor on the model's device, which `follow` does not read.
    """

    def __init__(self, model: nn.Module, decay: float, *, capturable: bool = False) -> None:
        self.model = copy.deepcopy(model)
        self.decay, self.updates = decay, 0
        self.share: float | Tensor = 0.0  # of the model in the next average
        if capturable:
            self.share = torch.zeros((), device=next(model.parameters()).device)

    def update(self, model: nn.Module) -> None:
        """Move the averages towards the weights of `model`, the one that was copied."""
        self.advance()
        self.follow(model)

    def advance(self) -> None:
        """Go to the next update: the part of it that is the host's."""
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        if isinstance(self.share, Tensor):
            self.share.fill_(share)
        else:
            self.share = share

    @torch.no_grad()
    def follow(self, model: nn.Module) -> None:
        """Move the averages: the part of an update that is the device's."""
        means, counts = _tensors(self.model)
        values, counts_now = _tensors(model)
        if isinstance(self.share, Tensor):  # lerp takes numbers, or a tensor for each tensor
            ways = torch._foreach_sub(values, means)
            torch._foreach_mul_(ways, self.share)
            torch._foreach_add_(means, ways)
        else:
            torch._foreach_lerp_(means, values, self.share)
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
