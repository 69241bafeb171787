"""How fast a generator learns and draws on this machine, from a few steps on noise."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

import stylegan2_ada as sg
from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.gan import faces as gan_faces
from ferbench.gan import setup, trained
from ferbench.gan.faces import GanFaces
from ferbench.gan.sampler import DTYPES
from ferbench.gan.setup import Setting, Shards
from ferbench.recipes.gan import GanRecipe
from ferbench.runs import Compute
from ferbench.runs.calibration import seconds_a_step

LIMIT_SECONDS = 12.0  # of the steps of a slow network, two at least
DRAWN = 64  # images of a step of drawing


def training(recipe: GanRecipe, compute: Compute) -> float:
    """Seconds that a real image takes in training: the steps from one R1 penalty to the next."""
    faces = _faces(recipe, max(4 * recipe.batch, 64))
    setting = Setting(0, compute.precision.name, compute.device)
    shards = Shards(recipe.shards, range(recipe.shards))
    trainer = setup.trainer(recipe, faces, setting, shards, start=None)
    stream = setup.real_batches(recipe, faces, setting)
    began, period = time.perf_counter(), max(recipe.r1_interval, recipe.path_interval, 1)

    def step() -> None:
        trainer.step(*next(stream))

    step()  # with all penalties, and all that is done but once
    steps = 2 if time.perf_counter() - began > LIMIT_SECONDS / period else period
    took = seconds_a_step(step, compute.device, least=steps, most=steps, alike=False)
    return took / recipe.batch


def drawing(network: sg.TwoStageGenerator, compute: Compute, *, classes: int) -> float:
    """Seconds that a sample of the network takes, which is left on its device."""
    conditions = trained.condition_table(network.config.c_dim, classes)
    labels: Sequence[int] = [i % max(len(conditions), 1) for i in range(DRAWN)]
    network.to(compute.device).eval()
    dtype = DTYPES[compute.precision.name]

    @torch.no_grad()
    def step() -> None:
        rows = conditions[torch.tensor(labels)]
        sg.sample(network, range(DRAWN), rows, noise="seed", dtype=dtype)

    return seconds_a_step(step, compute.device, least=1, most=20) / DRAWN


def network_of(recipe: GanRecipe) -> sg.TwoStageGenerator:
    """The generator of a recipe, with random weights."""
    faces = _faces(recipe, len(CLASSES))
    network: sg.TwoStageGenerator = setup.networks(recipe, faces, precision="fp32")[0]
    return network


def _faces(recipe: GanRecipe, count: int) -> GanFaces:
    """Noise in place of faces, as the recipe wants them."""
    images, labels = _noise(count)
    return gan_faces.prepare(
        images,
        labels,
        res=recipe.res,
        channels=1,
        conditional=recipe.conditional,
        scalar_label=recipe.scalar_label,
    )


def _noise(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, IMAGE_PX, IMAGE_PX), dtype=np.uint8)
    return pixels, np.arange(count) % len(CLASSES)
