"""The only classifier loop: fit and predict."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from ferbench import checkpoint, optim
from ferbench.data import batches
from ferbench.data.batches import DeviceFaces
from ferbench.precision import Precision
from ferbench.recipe import Recipe

CHECK_STEPS = 20  # how often the loss is read: each reading makes a GPU wait


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
    loss_sum: float = 0.0
    hits: int = 0
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
) -> Fit:
    """Train `model` in place and return the weights that did best on the held-out faces.

    model: maps [N, 1, H, W] float32 in [-1, 1] to [N, classes] logits, on the faces' device.
    state: file for the whole state, written after every epoch and when stopped; if it exists, the
    run goes on from it, and on a CPU ends bit for bit as if it had never been interrupted.
    on_epoch gets the numbers of every epoch so far, the latest last. should_stop is asked after every step.
    Raises Stopped once the state is saved, FloatingPointError when the loss is not finite.
    """
    loop = _Loop(model, train, held_out, recipe, classes, seed, precision)
    if state.exists():
        loop.load(checkpoint.load_state(state))
    bar = tqdm(total=recipe.epochs * loop.steps * recipe.batch, unit="img", unit_scale=True,
               initial=loop.images_done(), disable=None, smoothing=0.05)  # fmt: skip
    with bar:
        while not loop.finished():
            for _ in loop.epoch_steps(bar):
                if should_stop():
                    checkpoint.save_state(state, loop.state())
                    raise Stopped
            loop.end_epoch()
            checkpoint.save_state(state, loop.state())
            on_epoch(loop.at.history)
    at = loop.at
    return Fit(loop.best, at.history, at.best_epoch, at.seconds,
               at.train_images / max(at.train_seconds, 1e-9))  # fmt: skip


@torch.inference_mode()
def predict(
    model: nn.Module, images: Tensor, *, batch: int, precision: Precision, tta: str
) -> np.ndarray:
    """[N, K] float32 logits of images [N, 1, H, W] uint8.

    With several views of an image, the logarithm of the mean of their probabilities.
    """
    was_training = model.training
    model.eval()
    rows = []
    for chunk in images.split(batch):
        with precision.autocast():
            logits = [model(view).float() for view in batches.views(batches.normalize(chunk), tta)]
        mean = torch.stack([one.log_softmax(1) for one in logits]).logsumexp(0) - math.log(len(logits))
        rows.append((logits[0] if len(logits) == 1 else mean).cpu())
    model.train(was_training)
    return torch.cat(rows).numpy()


class _Loop:
    """The training loop's parts and its position; `state` and `load` hold all of it."""

    def __init__(
        self, model: nn.Module, train: DeviceFaces, held_out: DeviceFaces, recipe: Recipe,
        classes: int, seed: int, precision: Precision,
    ) -> None:  # fmt: skip
        self.model, self.train, self.held_out, self.recipe = model, train, held_out, recipe
        self.seed, self.precision, self.at = seed, precision, Position()
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.forward = torch.compile(model) if recipe.compile else model
        average = moving_average(recipe.ema_decay)
        self.ema = (
            AveragedModel(model, multi_avg_fn=average, use_buffers=True)
            if recipe.ema_decay
            else None
        )
        self.optimizer = optim.build(model, recipe)
        self.scaler = torch.amp.GradScaler(enabled=precision.scales_loss)
        self.generator = torch.Generator()
        self.class_weight = class_weights(train.labels, classes, recipe.class_weights)
        self.steps = max(len(train) // recipe.batch, 1)
        self.best: dict[str, Tensor] = {}

    def finished(self) -> bool:
        """All epochs done, or no gain on the held-out faces for `patience_epochs`."""
        patience = self.recipe.patience_epochs
        stale = bool(patience) and self.at.epoch - self.at.best_epoch >= patience
        return self.at.epoch >= self.recipe.epochs or (stale and self.at.best_epoch > 0)

    def images_done(self) -> int:
        return (self.at.epoch * self.steps + self.at.step) * self.recipe.batch

    def epoch_steps(self, bar: tqdm[Any]) -> Any:
        """Train the rest of the current epoch, yielding after every step."""
        at, recipe = self.at, self.recipe
        order = batches.epoch_order(self.train.labels, balanced=recipe.sampling == "balanced",
                                    seed=self.seed, epoch=at.epoch)  # fmt: skip
        if at.step == 0:
            self.generator.manual_seed(self.seed * 1_000_003 + at.epoch + 1_000_000_000)
        self.model.train()
        sums = torch.zeros(2, dtype=torch.float64, device=self.train.images.device)
        for images, labels in batches.training_batches(self.train, order, recipe.batch, first=at.step):
            began = time.perf_counter()
            loss, hits = self._step(images, labels)
            sums += torch.stack([loss.double() * len(labels), hits.double()])
            at.step, at.seen = at.step + 1, at.seen + len(labels)
            if at.step % CHECK_STEPS == 0 or at.step == self.steps:
                self._read(sums, bar)
            elapsed = time.perf_counter() - began
            at.train_seconds, at.train_images = at.train_seconds + elapsed, at.train_images + len(labels)
            at.seconds += elapsed
            bar.update(len(labels))
            yield
            if at.step == self.steps:
                return

    def _step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One optimizer step (or a part of one); returns the loss and the number of hits."""
        recipe, at = self.recipe, self.at
        changed = batches.augment(images, recipe.augment, self.generator)
        changed, partners, share = batches.mix(changed, labels, mixup=recipe.mixup,
                                               cutmix=recipe.cutmix, generator=self.generator)  # fmt: skip
        optim.set_lr(self.optimizer, recipe.peak_lr * self._lr_factor())
        with self.precision.autocast():
            logits = self.forward(changed).float()
        loss = share * self._loss(logits, labels)
        if share < 1:
            loss = loss + (1 - share) * self._loss(logits, partners)
        self.scaler.scale(loss / recipe.accumulate).backward()
        if (at.step + 1) % recipe.accumulate == 0 or at.step + 1 == self.steps:
            self._update()
        return loss.detach(), (logits.detach().argmax(1) == labels).sum()

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, weight=self.class_weight,
                               label_smoothing=self.recipe.label_smoothing)  # fmt: skip

    def _lr_factor(self) -> float:
        recipe = self.recipe
        return optim.lr_factor(
            self.at.epoch * self.steps + self.at.step, steps=recipe.epochs * self.steps,
            warmup_steps=round(recipe.warmup_epochs * self.steps), schedule=recipe.schedule,
        )  # fmt: skip

    def _update(self) -> None:
        if self.recipe.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.ema is not None:
            self.ema.update_parameters(self.model)

    def _read(self, sums: Tensor, bar: tqdm[Any]) -> None:
        """Move the device's sums into the position, check them, show them."""
        loss_sum, hits = sums.tolist()
        sums.zero_()
        at = self.at
        if not math.isfinite(loss_sum):
            raise FloatingPointError(
                f"the loss is {loss_sum} at epoch {at.epoch + 1}, step {at.step}; "
                "a lower train.peak_lr or precision=fp32 may help"
            )
        at.loss_sum, at.hits = at.loss_sum + loss_sum, at.hits + int(hits)
        bar.set_description(f"epoch {at.epoch + 1}/{self.recipe.epochs}", refresh=False)
        best = f"{at.best_score:.4f}" if at.best_epoch else "-"
        bar.set_postfix_str(f"loss {at.loss_sum / at.seen:.3f} acc {at.hits / at.seen:.3f} "
                            f"best {best}", refresh=False)  # fmt: skip

    def end_epoch(self) -> None:
        """Score the averaged weights on the held-out faces, keep the best, go to the next epoch."""
        at, began = self.at, time.perf_counter()
        scored = self.ema.module if self.ema is not None else self.model
        logits = predict(scored, self.held_out.images, batch=512, precision=self.precision, tta="none")
        held_out = held_out_scores(self.held_out.labels.cpu(), torch.from_numpy(logits))
        at.seconds += time.perf_counter() - began
        row = {
            "epoch": at.epoch + 1,
            "lr": self.recipe.peak_lr * self._lr_factor(),
            "train_loss": at.loss_sum / at.seen,
            "train_accuracy": at.hits / at.seen,
            **{f"public_{name}": value for name, value in held_out.items()},
            "seconds": at.seconds,
            "images_per_second": at.train_images / max(at.train_seconds, 1e-9),
        }
        self._keep_best(scored, held_out)
        at.history.append(row)
        at.epoch, at.step, at.seen, at.loss_sum, at.hits = at.epoch + 1, 0, 0, 0.0, 0

    def _keep_best(self, scored: nn.Module, held_out: dict[str, float]) -> None:
        at, by = self.at, self.recipe.select
        score = at.epoch if by == "last" else -held_out["loss"] if by == "loss" else held_out[by]
        if score > at.best_score:
            at.best_score, at.best_epoch = score, at.epoch + 1
            self.best = {name: value.detach().cpu().clone() for name, value in scored.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """Everything the rest of the run depends on."""
        return {
            "model": self.model.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generator": self.generator.get_state(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "best": self.best,
            "position": copy.deepcopy(vars(self.at)),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned."""
        self.model.load_state_dict(state["model"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_rng"])
        if torch.cuda.is_available() and len(state["cuda_rng"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(state["cuda_rng"])
        self.best = state["best"]
        self.at = Position(**state["position"])


def held_out_scores(labels: Tensor, logits: Tensor) -> dict[str, float]:
    """Cross-entropy (nats), accuracy and macro F1 of logits [N, K] against labels [N], on the CPU."""
    predicted = logits.argmax(1)
    return {
        "loss": float(F.cross_entropy(logits, labels)),
        "accuracy": float((predicted == labels).double().mean()),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
    }


def moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """Update of averaged weights and buffers toward the current ones, in place.

    The decay rises as (1 + n) / (10 + n) with the number of updates n up to `decay`, so that the
    random initial weights do not stay in the average for long. Counters are copied.
    """

    @torch.no_grad()
    def update(averaged: Any, current: Any, count: Any) -> None:
        n = int(count)
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + n) / (10 + n)))
        else:
            for old, new in zip(averaged, current, strict=True):
                old.copy_(new)

    return update


def class_weights(labels: Tensor, classes: int, kind: str) -> Tensor | None:
    """[classes] float32 loss weights, or None for `none`.

    inverse: total / (classes * count), as scikit-learn's `balanced`; sqrt_inverse: its square root.
    A class without faces gets weight 0.
    """
    if kind == "none":
        return None
    counts = torch.bincount(labels, minlength=classes).float()
    weights = torch.where(counts > 0, len(labels) / (classes * counts.clamp_min(1)), 0.0)
    return weights if kind == "inverse" else weights.sqrt()
