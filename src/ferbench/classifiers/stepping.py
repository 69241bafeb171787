"""Training steps on a device that does not wait for its host: as CUDA graphs where that works."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from ferbench.classifiers.batches import DeviceFaces, make_batch
from ferbench.classifiers.captured import CapturedCall
from ferbench.classifiers.learner import Learner
from ferbench.errors import UserError
from ferbench.progress import say
from ferbench.recipes.classifier import Augment, Recipe
from ferbench.runs.machine import fastest_kernels, graphs_wanted

GRAPHS_KEY = "train.graphs"
CHECK_STEPS = 20  # how often the losses are read where reading costs nothing
READ_SECONDS = 10.0  # on a GPU: once an epoch, and after so long in a long one


class TrainStep:
    """One batch, from its part of an epoch to a changed network. The same eager and captured."""

    def __init__(self, learner: Learner, faces: DeviceFaces, how: Augment) -> None:
        self.learner, self.faces, self.how = learner, faces, how

    def __call__(self, *part: Tensor, update: bool) -> Tensor:
        """[2] float32 on the device: mean loss (nats) and hits of the batch.

        part: see `Epoch.part`. update: whether the optimizer steps after it; `Learner.begin_step`
        has been called with the same.
        """
        with fastest_kernels(self.faces.images.device):
            batch = make_batch(self.faces, self.how, *part)
            return self.learner.step(batch, update=update)


def build_step(learner: Learner, faces: DeviceFaces, recipe: Recipe) -> Callable[..., Tensor]:
    """What to call with every batch's part: a TrainStep, or one in a CapturedCall.

    Raises UserError if recipe.graphs is true and there are none; with auto a line tells why.
    """
    step, device = TrainStep(learner, faces, recipe.augment), faces.images.device
    if not graphs_wanted(GRAPHS_KEY, recipe.graphs, device):
        return step
    required = recipe.graphs.lower() == "true"
    if learner.refusal is None:
        return CapturedCall(step, device, on_refusal=None if required else _Eager(learner))
    if required:
        raise UserError(f"{GRAPHS_KEY}=true: {learner.refusal}; expected auto or false")
    _say_refusal(learner.refusal)
    return step


class _Eager:
    """What to do when a capture failed."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner

    def __call__(self, reason: str) -> None:
        self.learner.forget_step()
        _say_refusal(reason)


def _say_refusal(reason: str) -> None:
    say(f"{GRAPHS_KEY}=auto: no CUDA graphs for these steps ({reason})")


class Losses:
    """Loss and hits of the steps of an epoch; they lie on the device until they are read."""

    def __init__(self, steps: int, device: torch.device) -> None:
        self.rows = torch.zeros(steps, 2, device=device)
        self.read_steps, self.read_time = 0, time.perf_counter()

    def begin(self, step: int) -> None:
        """Go on after `step` steps of an epoch whose losses were read."""
        self.read_steps, self.read_time = step, time.perf_counter()

    def keep(self, step: int, row: Tensor) -> None:
        """Copy loss and hits [2] of a step, counted from 0."""
        self.rows[step].copy_(row)

    def are_due(self, done: int) -> bool:
        """Whether to read them after `done` steps of the epoch: reading makes a GPU wait."""
        if done == len(self.rows):
            return True
        if self.rows.device.type == "cuda":
            return time.perf_counter() - self.read_time >= READ_SECONDS
        return done % CHECK_STEPS == 0

    def read(self, done: int) -> list[list[float]]:
        """[loss, hits] of the steps up to `done` that were not read yet."""
        rows: list[list[float]] = self.rows[self.read_steps : done].tolist()
        self.begin(done)
        return rows
