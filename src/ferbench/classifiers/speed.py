"""How fast a classifier learns and predicts on this machine, from a few steps on noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers import batches
from ferbench.classifiers.batches import Batch, DeviceFaces
from ferbench.classifiers.learner import Learner
from ferbench.classifiers.prediction import predict
from ferbench.models import NetworkOptions, build
from ferbench.recipes.classifier import Recipe
from ferbench.runs import Compute
from ferbench.runs.calibration import seconds_a_step

STEPS = 40  # of a fast network, at most
PREDICTED = 64  # images of a step of prediction


def training(options: NetworkOptions, recipe: Recipe, compute: Compute) -> float:
    """Seconds that an image takes in training, augmentation and optimizer included."""
    model = _network(options, compute)
    faces = _noise(recipe.batch * 4, compute.device)
    learner = Learner(model.train(), faces.labels, recipe, compute.precision)
    stream = _endless(faces, replace(recipe, sampling="natural"))

    def step() -> None:
        learner.step(next(stream), lr=recipe.peak_lr, group=1, update=True)

    return seconds_a_step(step, compute.device, least=2, most=STEPS) / recipe.batch


def prediction(options: NetworkOptions, compute: Compute) -> float:
    """Seconds that one view of an image takes in prediction."""
    model, faces = _network(options, compute), _noise(PREDICTED, compute.device)

    def step() -> None:
        predict(model, faces.images, batch=PREDICTED, precision=compute.precision, tta="none")

    return seconds_a_step(step, compute.device, least=1, most=STEPS) / PREDICTED


def _network(options: NetworkOptions, compute: Compute) -> torch.nn.Module:
    """The network with random weights, whatever it is to start from."""
    network = build(replace(options, pretrained="none"), classes=len(CLASSES))
    return network.to(compute.device)


def _noise(images: int, device: torch.device) -> DeviceFaces:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (images, IMAGE_PX, IMAGE_PX), dtype=np.uint8)
    return batches.to_device(pixels, np.arange(images) % len(CLASSES), device)


def _endless(faces: DeviceFaces, recipe: Recipe) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from batches.training_batches(faces, recipe, seed=0, epoch=epoch, first=0)
        epoch += 1
