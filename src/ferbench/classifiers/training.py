"""The only classifier loop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from ferbench.classifiers import batches, losses, optim
from ferbench.classifiers.batches import DeviceFaces
from ferbench.classifiers.learner import Learner
from ferbench.classifiers.position import Position
from ferbench.classifiers.prediction import predict
from ferbench.classifiers.stepping import Losses, build_step
from ferbench.errors import UserError
from ferbench.progress import Counter
from ferbench.recipes.classifier import Recipe
from ferbench.runs import checkpoint, keep_freed_memory
from ferbench.runs.precision import Precision

Steps = Generator[None, None, None]  # of the optimizer
STATE_FORMAT = "ferbench classifier state 1"
SCORE_BATCH = 512  # images at a time when the held-out faces are scored
WRONG_STATE = (LookupError, RuntimeError, TypeError, ValueError, AttributeError)


class Stopped(Exception):
    """The run was asked to stop; its state is saved."""


@dataclass(frozen=True)
class Settings:
    """What a training run depends on besides network and faces.

    seed: of the batches; initial weights and dropout come from torch's own generator.
    """

    recipe: Recipe
    seed: int
    precision: Precision


@dataclass(frozen=True)
class Hooks:
    """What `fit` calls while it trains.

    on_start: once the state is read, with the number of epochs that were done before.
    on_epoch: with the numbers of every epoch so far, the latest last; before the state is saved,
    so a run that is killed in between calls it for that epoch again.
    should_stop: after every optimizer step.
    renew: before the first step of an epoch, or the first after going on, with the epoch counted
    from 0. It may change images and targets of the training faces in place, by the epoch alone,
    and returns False if it was asked to stop.
    """

    on_epoch: Callable[[list[dict[str, float]]], None]
    should_stop: Callable[[], bool]
    on_start: Callable[[int], None] | None = None
    renew: Callable[[int], bool] | None = None


@dataclass(frozen=True)
class Fit:
    """The result of training: the selected weights and the numbers of every epoch."""

    weights: dict[str, Tensor]
    history: list[dict[str, float]]
    best_epoch: int
    seconds: float
    images_per_second: float


def fit(
    model: nn.Module,
    train: DeviceFaces,
    held_out: DeviceFaces,
    settings: Settings,
    *,
    state: Path,
    hooks: Hooks,
) -> Fit:
    """Train `model` in place and return the weights that did best on the held-out faces.

    model: maps [N, 1, H, W] float32 in [-1, 1] to [N, 7] logits, on the faces' device.
    state: file for the whole state, written after every scored epoch and when stopped; if it
    exists, the run goes on from it, and on a CPU ends bit for bit as if it had never been
    interrupted.
    Raises Stopped once the state is saved, FloatingPointError when a loss is not finite, which
    names the last good state, UserError if the state is damaged, another run's or of another
    format.
    """
    if train.images.device.type == "cpu":
        keep_freed_memory()
    loop = _Loop(model, train, held_out, settings)
    if state.exists():
        loop.go_on_from(state)
    if hooks.on_start is not None:
        hooks.on_start(loop.at.epoch)
    with loop.bar() as bar, losses.breaking_with(settings.recipe, state):
        while not loop.finished():
            if not loop.renewed(hooks.renew):
                loop.stop(state)
            for _ in loop.rest_of_epoch(bar):
                if hooks.should_stop():
                    loop.stop(state)
            scored = loop.end_epoch()
            hooks.on_epoch(loop.at.history)
            bar.pulse.reset()
            if scored:
                loop.save(state)
    at = loop.at
    return Fit(loop.best, at.history, at.best_epoch, at.seconds, at.images_per_second)


def steps_without_end(model: nn.Module, train: DeviceFaces, settings: Settings) -> Steps:
    """The first epoch's steps for ever: to measure how fast the loop of `fit` is."""
    loop = _Loop(model, train, train, settings)
    with loop.bar() as bar:
        while True:
            yield from loop.rest_of_epoch(bar)
            loop.at.step = 0


class _Loop:
    """The training loop's parts and its position; a saved state holds all of it."""

    def __init__(
        self, model: nn.Module, train: DeviceFaces, held_out: DeviceFaces, settings: Settings
    ) -> None:
        recipe = self.recipe = settings.recipe
        self.train, self.held_out, self.settings = train, held_out, settings
        self.learner = Learner(model, train.labels, recipe, settings.precision)
        self.learn = build_step(self.learner, train, recipe)
        self.at = Position()
        self.steps = batches.steps_per_epoch(len(train), recipe.batch)
        self.epoch_images = self.steps * min(len(train), recipe.batch)
        self.losses = Losses(self.steps, train.images.device)
        self.best: dict[str, Tensor] = {}

    def bar(self) -> Counter:
        """Progress over the images of all epochs, between the lines of the epochs."""
        at, recipe = self.at, self.recipe
        done = at.epoch * self.epoch_images + at.step * recipe.batch
        return Counter(recipe.epochs * self.epoch_images, "training", done=done, own_lines=True)

    def finished(self) -> bool:
        """All epochs done, or no gain on the held-out faces for `patience_epochs`."""
        at, patience = self.at, self.recipe.patience_epochs
        stale = 0 < patience <= at.epoch - at.best_epoch
        return at.epoch >= self.recipe.epochs or (stale and self._is_scored(at.epoch))

    def _is_scored(self, epoch: int) -> bool:
        """Whether the held-out faces are scored after this epoch, counted from 1."""
        return epoch % self.recipe.score_epochs == 0 or epoch == self.recipe.epochs

    def renewed(self, renew: Callable[[int], bool] | None) -> bool:
        """Have the epoch's images put in place; False if that was stopped."""
        began = time.perf_counter()
        done = renew is None or renew(self.at.epoch)
        self.at.seconds += time.perf_counter() - began
        return done

    def rest_of_epoch(self, bar: Counter) -> Iterator[None]:
        """Train what is left of the current epoch, yielding after every optimizer step."""
        at, clock = self.at, time.perf_counter()
        bar.describe(f"epoch {at.epoch + 1}/{self.recipe.epochs}", "")
        self.learner.model.train()
        drawn = batches.draw_epoch(self.train, self.recipe, seed=self.settings.seed, epoch=at.epoch)
        images = min(len(self.train), self.recipe.batch)
        for number in range(at.step, self.steps):
            updated = self._step(drawn.part(number))
            if self.losses.are_due(at.step):
                self._read_losses()
                self._describe(bar)
            now = time.perf_counter()
            at.seconds, at.train_seconds = at.seconds + now - clock, at.train_seconds + now - clock
            clock = now
            at.train_images += images
            bar.update(images)
            if updated:
                yield

    def _step(self, part: tuple[Tensor, ...]) -> bool:
        """Learn from one batch; True if the optimizer stepped after it."""
        at, accumulate = self.at, self.recipe.accumulate
        group_start = at.step - at.step % accumulate
        group = min(accumulate, self.steps - group_start)
        update = at.step + 1 == group_start + group
        lr = self.recipe.peak_lr * self._lr_factor()
        self.learner.begin_step(lr=lr, group=group, update=update)
        self.losses.keep(at.step, self.learn(*part, update=update))
        at.step += 1
        at.images += len(part[0])
        return update

    def _lr_factor(self) -> float:
        recipe = self.recipe
        return optim.lr_factor(
            self.at.epoch * self.steps + self.at.step,
            steps=recipe.epochs * self.steps,
            warmup_steps=round(recipe.warmup_epochs * self.steps),
            schedule=recipe.schedule,
        )

    def _read_losses(self) -> None:
        """Move the unread losses into the position; raise FloatingPointError at a bad one."""
        at, rows = self.at, self.losses.read(self.at.step)
        images = min(len(self.train), self.recipe.batch)
        first = at.step - len(rows) + 1
        for step, (loss, hits) in enumerate(rows, first):
            _require_finite(loss, f"at epoch {at.epoch + 1}, step {step}")
            at.loss_sum, at.hits = at.loss_sum + loss * images, at.hits + hits

    def _describe(self, bar: Counter) -> None:
        at = self.at
        numbers = f"loss {at.loss:.3f}, acc {at.accuracy:.3f}"
        best = f", best {at.best_score:.3f}" if at.best_epoch else ""
        bar.describe(f"epoch {at.epoch + 1}/{self.recipe.epochs}", numbers + best)

    def end_epoch(self) -> bool:
        """Score the held-out faces if it is time, go to the next epoch; whether they were scored.

        The last epoch is always scored.
        """
        at, began = self.at, time.perf_counter()
        due = self._is_scored(at.epoch + 1)
        held_out = self._score() if due else {}
        at.seconds += time.perf_counter() - began
        at.end_epoch(self.recipe.peak_lr * self._lr_factor(), held_out)
        self.losses.begin(at.step)
        return due

    def _score(self) -> dict[str, float]:
        """Scores of the averaged weights on the held-out faces; the best weights are kept."""
        scored, precision = self.learner.scored, self.settings.precision
        logits = predict(
            scored, self.held_out.images, batch=SCORE_BATCH, precision=precision, tta="none"
        )
        scores = losses.held_out_scores(self.held_out.labels.cpu(), torch.from_numpy(logits))
        _require_finite(scores["loss"], f"on the held-out faces after epoch {self.at.epoch + 1}")
        self._keep_best(scored, scores)
        return scores

    def _keep_best(self, scored: nn.Module, held_out: dict[str, float]) -> None:
        at, by = self.at, self.recipe.select
        score = at.epoch if by == "last" else -held_out["loss"] if by == "loss" else held_out[by]
        if score > at.best_score:
            at.best_score, at.best_epoch = score, at.epoch + 1
            self.best = {name: x.detach().cpu().clone() for name, x in scored.state_dict().items()}

    def save(self, path: Path) -> None:
        """Write everything the rest of the run depends on.

        Gradients are not in it: a run stops only where there are none (see `rest_of_epoch`).
        """
        self._read_losses()
        state = {
            "learner": self.learner.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "best": self.best,
            "position": copy.deepcopy(vars(self.at)),
        }
        checkpoint.save_state(path, state, format_name=STATE_FORMAT)

    def stop(self, path: Path) -> NoReturn:
        """Save the state and raise Stopped."""
        self.save(path)
        raise Stopped

    def go_on_from(self, path: Path) -> None:
        """Take up what `save` wrote; UserError if the file is not this run's."""
        state = checkpoint.load_state(path, format_name=STATE_FORMAT)
        try:
            self._load(state)
        except WRONG_STATE as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{path}: not a state of this run ({reason}); move it away") from None

    def _load(self, state: dict[str, Any]) -> None:
        self.learner.load_state_dict(state["learner"])
        torch.set_rng_state(state["torch_rng"])
        if torch.cuda.is_available() and len(state["cuda_rng"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(state["cuda_rng"])
        self.best = state["best"]
        self.at = Position(**state["position"])
        self.losses.begin(self.at.step)


def _require_finite(loss: float, where: str) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss} {where}")
