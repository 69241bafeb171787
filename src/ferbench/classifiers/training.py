"""The only classifier loop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ferbench.classifiers import batches, losses, optim
from ferbench.classifiers.batches import Batch, DeviceFaces
from ferbench.classifiers.prediction import predict
from ferbench.errors import UserError
from ferbench.recipes.classifier import Recipe
from ferbench.runs import checkpoint, keep_freed_memory
from ferbench.runs.precision import Precision

CHECK_STEPS = 20  # how often the losses are read: each reading makes a GPU wait
SCORE_BATCH = 512  # images at a time when the held-out faces are scored


class Stopped(Exception):
    """The run was asked to stop; its state is saved."""


@dataclass
class Position:
    """Where a run stands; all of it is saved, so that a resumed run ends in the same numbers."""

    epoch: int = 0
    step: int = 0  # inside the epoch
    seconds: float = 0.0
    train_seconds: float = 0.0
    train_images: int = 0
    loss_sum: float = 0.0  # of the epoch so far, one term an image
    hits: float = 0.0
    seen: int = 0
    best_epoch: int = 0  # counted from 1; 0: none yet
    best_score: float = -math.inf
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Fit:
    """What training left: the selected weights and the way there."""

    weights: dict[str, Tensor]
    history: list[dict[str, float]]
    best_epoch: int
    seconds: float
    images_per_second: float


def fit(
    model: nn.Module,
    train: DeviceFaces,
    held_out: DeviceFaces,
    recipe: Recipe,
    *,
    classes: int,
    seed: int,
    precision: Precision,
    state: Path,
    on_epoch: Callable[[list[dict[str, float]]], None],
    should_stop: Callable[[], bool],
    on_start: Callable[[int], None] | None = None,
    renew: Callable[[int], bool] | None = None,
) -> Fit:
    """Train `model` in place and return the weights that did best on the held-out faces.

    model: maps [N, 1, H, W] float32 in [-1, 1] to [N, classes] logits, on the faces' device.
    state: file for the whole state, written after every scored epoch and when stopped; if it
    exists, the run goes on from it, and on a CPU ends bit for bit as if it had never been
    interrupted.
    on_start gets the number of epochs that were done before, once the state is read.
    on_epoch gets the numbers of every epoch so far, the latest last; it is called before the state
    is saved, so a run that is killed in between calls it for that epoch again.
    should_stop is asked after every optimizer step.
    renew gets the epoch, from 0, before its first step or its first after going on: it may change
    images and targets of `train` in place, by the epoch alone; False if it was asked to stop.
    Raises Stopped once the state is saved, FloatingPointError when a loss is not finite, UserError
    if the state is damaged or another run's.
    """
    if train.images.device.type == "cpu":
        keep_freed_memory()
    loop = _Loop(model, train, held_out, recipe, classes, seed, precision, renew)
    if state.exists():
        loop.go_on_from(state)
    if on_start is not None:
        on_start(loop.at.epoch)
    shown = loop.at.epoch * loop.epoch_images + loop.at.step * recipe.batch
    bar = tqdm(
        total=recipe.epochs * loop.epoch_images,
        initial=shown,
        unit="img",
        unit_scale=True,
        disable=None,
        smoothing=0.05,
    )
    with bar:
        while not loop.finished():
            if not loop.renewed():
                checkpoint.save_state(state, loop.state())
                raise Stopped
            for _ in loop.rest_of_epoch(bar):
                if should_stop():
                    checkpoint.save_state(state, loop.state())
                    raise Stopped
            scored = loop.end_epoch()
            on_epoch(loop.at.history)
            if scored:
                checkpoint.save_state(state, loop.state())
    at = loop.at
    speed = at.train_images / max(at.train_seconds, 1e-9)
    return Fit(loop.best, at.history, at.best_epoch, at.seconds, speed)


class _Loop:
    """The training loop's parts and its position; `state` and `go_on_from` hold all of it."""

    def __init__(
        self,
        model: nn.Module,
        train: DeviceFaces,
        held_out: DeviceFaces,
        recipe: Recipe,
        classes: int,
        seed: int,
        precision: Precision,
        renew: Callable[[int], bool] | None,
    ) -> None:
        self.renew = renew
        self.model, self.train, self.held_out, self.recipe = model, train, held_out, recipe
        self.seed, self.precision, self.at = seed, precision, Position()
        precision.prepare(model)
        self.forward = torch.compile(model) if recipe.compile else model
        self.average = optim.AveragedWeights(model, recipe.ema_decay) if recipe.ema_decay else None
        self.optimizer = optim.build(model, recipe)
        self.scaler = torch.amp.GradScaler(enabled=precision.scales_loss)
        self.class_weight = losses.class_weights(train.labels, classes, recipe.class_weights)
        self.steps = batches.steps_per_epoch(len(train), recipe.batch)
        self.epoch_images = self.steps * min(len(train), recipe.batch)
        self.unread: list[Tensor] = []  # loss and hits of the latest steps, on the device
        self.best: dict[str, Tensor] = {}

    def finished(self) -> bool:
        """All epochs done, or no gain on the held-out faces for `patience_epochs`."""
        at, patience = self.at, self.recipe.patience_epochs
        stale = 0 < patience <= at.epoch - at.best_epoch
        return at.epoch >= self.recipe.epochs or (stale and self._is_scored(at.epoch))

    def _is_scored(self, epoch: int) -> bool:
        """Whether the held-out faces are scored after this epoch, counted from 1."""
        return epoch % self.recipe.score_epochs == 0 or epoch == self.recipe.epochs

    def renewed(self) -> bool:
        """Have the epoch's images put in place; False if that was stopped."""
        began = time.perf_counter()
        done = self.renew is None or self.renew(self.at.epoch)
        self.at.seconds += time.perf_counter() - began
        return done

    def rest_of_epoch(self, bar: tqdm[Any]) -> Iterator[None]:
        """Train what is left of the current epoch, yielding after every optimizer step."""
        at, clock = self.at, time.perf_counter()
        self.model.train()
        for batch in batches.training_batches(
            self.train, self.recipe, seed=self.seed, epoch=at.epoch, first=at.step
        ):
            updated = self._step(batch)
            if at.step % CHECK_STEPS == 0 or at.step == self.steps:
                self._read_losses()
                self._describe(bar)
            now = time.perf_counter()
            at.seconds, at.train_seconds = at.seconds + now - clock, at.train_seconds + now - clock
            clock = now
            at.train_images += len(batch.labels)
            bar.update(len(batch.labels))
            if updated:
                yield

    def _step(self, batch: Batch) -> bool:
        """Forward and backward of one batch; True if the optimizer stepped after it."""
        recipe, at = self.recipe, self.at
        optim.set_lr(self.optimizer, recipe.peak_lr * self._lr_factor())
        with self.precision.autocast():
            logits = self.forward(batch.images).float()
        loss = losses.mixed_cross_entropy(
            logits, batch, weight=self.class_weight, label_smoothing=recipe.label_smoothing
        )
        group_start = at.step - at.step % recipe.accumulate
        group = min(recipe.accumulate, self.steps - group_start)
        self.scaler.scale(loss / group).backward()
        self.unread.append(torch.stack([loss.detach(), losses.mixed_hits(logits.detach(), batch)]))
        at.step += 1
        at.seen += len(batch.labels)
        updates = at.step == group_start + group
        if updates:
            self._update()
        return updates

    def _lr_factor(self) -> float:
        recipe = self.recipe
        return optim.lr_factor(
            self.at.epoch * self.steps + self.at.step,
            steps=recipe.epochs * self.steps,
            warmup_steps=round(recipe.warmup_epochs * self.steps),
            schedule=recipe.schedule,
        )

    def _update(self) -> None:
        """Clip, step, average."""
        if self.recipe.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.model)

    def _read_losses(self) -> None:
        """Move the unread losses into the position; raise FloatingPointError at a bad one."""
        if not self.unread:
            return
        at, rows = self.at, torch.stack(self.unread).tolist()
        images = min(len(self.train), self.recipe.batch)
        first = at.step - len(rows) + 1
        self.unread.clear()
        for step, (loss, hits) in enumerate(rows, first):
            _require_finite(loss, f"at epoch {at.epoch + 1}, step {step}")
            at.loss_sum, at.hits = at.loss_sum + loss * images, at.hits + hits

    def _describe(self, bar: tqdm[Any]) -> None:
        at = self.at
        best = f"{at.best_score:.4f}" if at.best_epoch else "-"
        bar.set_description(f"epoch {at.epoch + 1}/{self.recipe.epochs}", refresh=False)
        bar.set_postfix_str(
            f"loss {at.loss_sum / at.seen:.3f} acc {at.hits / at.seen:.3f} best {best}",
            refresh=False,
        )

    def end_epoch(self) -> bool:
        """Score the held-out faces if it is time, go to the next epoch; whether they were scored.

        The last epoch is always scored.
        """
        at, began = self.at, time.perf_counter()
        due = self._is_scored(at.epoch + 1)
        held_out = self._score() if due else {}
        at.seconds += time.perf_counter() - began
        at.history.append(
            {
                "epoch": at.epoch + 1,
                "lr": self.recipe.peak_lr * self._lr_factor(),
                "train_loss": at.loss_sum / at.seen,
                "train_accuracy": at.hits / at.seen,
                **{f"public_{name}": value for name, value in held_out.items()},
                "seconds": at.seconds,
                "images_per_second": at.train_images / max(at.train_seconds, 1e-9),
            }
        )
        at.epoch, at.step, at.seen, at.loss_sum, at.hits = at.epoch + 1, 0, 0, 0.0, 0.0
        return due

    def _score(self) -> dict[str, float]:
        """Scores of the averaged weights on the held-out faces; the best weights are kept."""
        scored = self.model if self.average is None else self.average.model
        logits = predict(
            scored, self.held_out.images, batch=SCORE_BATCH, precision=self.precision, tta="none"
        )
        found = losses.held_out_scores(self.held_out.labels.cpu(), torch.from_numpy(logits))
        _require_finite(found["loss"], f"on the held-out faces after epoch {self.at.epoch + 1}")
        self._keep_best(scored, found)
        return found

    def _keep_best(self, scored: nn.Module, held_out: dict[str, float]) -> None:
        at, by = self.at, self.recipe.select
        score = at.epoch if by == "last" else -held_out["loss"] if by == "loss" else held_out[by]
        if score > at.best_score:
            at.best_score, at.best_epoch = score, at.epoch + 1
            self.best = {name: x.detach().cpu().clone() for name, x in scored.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """Everything the rest of the run depends on; gradients are not in it (see `fit`)."""
        self._read_losses()
        return {
            "model": self.model.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "best": self.best,
            "position": copy.deepcopy(vars(self.at)),
        }

    def go_on_from(self, path: Path) -> None:
        """Take up what `state` returned; UserError if the file is not this run's."""
        state = checkpoint.load_state(path)
        try:
            self._load(state)
        except (LookupError, RuntimeError, TypeError, ValueError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{path}: not a state of this run ({reason}); delete it") from None

    def _load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["torch_rng"])
        if torch.cuda.is_available() and len(state["cuda_rng"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(state["cuda_rng"])
        self.best = state["best"]
        self.at = Position(**state["position"])


def _require_finite(loss: float, where: str) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} {where}; a lower train.peak_lr or precision=fp32 may help"
        )
