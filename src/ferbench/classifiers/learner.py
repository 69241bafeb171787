"""A network with what trains it: loss, optimizer, number format and averaged weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ferbench.classes import CLASSES
from ferbench.classifiers import losses, optim
from ferbench.classifiers.batches import Batch
from ferbench.recipes.classifier import Recipe
from ferbench.runs.precision import Precision


class Learner:
    """Takes batches one by one and changes the network in place.

    model: maps [N, 1, H, W] float32 in [-1, 1] to [N, 7] logits. labels: [N] int64 of all training
    faces, on the network's device; the loss weights of the classes come from them.
    capturable: what changes from step to step lies on the device, set by `begin_step`, and a step
    reads no value to the host; on CUDA it is so by default.
    """

    def __init__(
        self,
        model: nn.Module,
        labels: Tensor,
        recipe: Recipe,
        precision: Precision,
        *,
        capturable: bool | None = None,
    ) -> None:
        self.model, self.recipe, self.precision = model, recipe, precision
        if capturable is None:
            capturable = labels.device.type == "cuda"
        precision.prepare(model)
        self.forward = torch.compile(model) if recipe.compile else model
        self.average: optim.AveragedWeights | None = None
        if recipe.ema_decay:
            self.average = optim.AveragedWeights(model, recipe.ema_decay, capturable=capturable)
        self.optimizer = optim.build(model, recipe, capturable=capturable)
        self.scaler = torch.amp.GradScaler(enabled=precision.scales_loss)
        self.class_weight = losses.class_weights(labels, len(CLASSES), recipe.class_weights)
        self.group: float | Tensor = torch.ones((), device=labels.device) if capturable else 1.0
        # Gradients that add up over several graphs need memory that belongs to none of them.
        self.keeps_gradients = capturable and recipe.accumulate > 1

    @property
    def scored(self) -> nn.Module:
        """The network to score and to keep: the averaged weights, where they are averaged."""
        return self.model if self.average is None else self.average.model

    @property
    def refusal(self) -> str | None:
        """Why no CUDA graph may hold a step; None if one may."""
        if self.precision.scales_loss and self.recipe.optimizer == "muon":
            return "Muon in float16 asks the host whether a gradient overflowed"
        return None

    def begin_step(self, *, lr: float, group: int, update: bool) -> None:
        """Set what the next step takes from the host.

        lr: learning rate. group: batches whose mean gradient makes a step. update: whether the
        next batch is the last of its group.
        """
        optim.set_lr(self.optimizer, lr)
        if isinstance(self.group, Tensor):
            self.group.fill_(group)
        else:
            self.group = group
        if update and self.average is not None:
            self.average.advance()

    def step(self, batch: Batch, *, update: bool) -> Tensor:
        """Add the gradient of a batch, and step at the end of a group: [2] float32 on the device.

        The two numbers are the batch's mean loss (nats) and how many images it gets right.
        update: as `begin_step` was told for this batch.
        """
        with self.precision.autocast():
            logits = self.forward(batch.images).float()
        loss = losses.mixed_cross_entropy(
            logits, batch, weight=self.class_weight, label_smoothing=self.recipe.label_smoothing
        )
        self.scaler.scale(loss / self.group).backward()
        if update:
            self._update()
        return torch.stack([loss.detach(), losses.mixed_hits(logits.detach(), batch)])

    def _update(self) -> None:
        """Clip, step, average."""
        if self.recipe.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=not self.keeps_gradients)
        if self.average is not None:
            self.average.follow(self.model)

    def forget_step(self) -> None:
        """Remove what a step left on the host whose kernels never ran, as in a failed capture."""
        if not self.keeps_gradients:
            self.optimizer.zero_grad(set_to_none=True)
        for name in ("grad_scale", "found_inf"):  # of the optimizer while the scaler lets it step
            vars(self.optimizer).pop(name, None)
        state = self.scaler.state_dict()
        self.scaler = torch.amp.GradScaler(enabled=self.precision.scales_loss)
        self.scaler.load_state_dict(state)

    def state_dict(self) -> dict[str, Any]:
        """Everything the next step depends on, but for gradients: to be asked between groups."""
        return {
            "model": self.model.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        self.model.load_state_dict(state["model"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        optim.load_state(self.optimizer, state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
