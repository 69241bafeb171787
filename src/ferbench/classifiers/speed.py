"""How fast a classifier learns and predicts on this machine, from a few steps on noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers import batches
from ferbench.classifiers.batches import DeviceFaces
from ferbench.classifiers.prediction import predict
from ferbench.classifiers.training import Settings, steps_without_end
from ferbench.models import NetworkOptions, build
from ferbench.recipes.classifier import Recipe
from ferbench.runs import Compute
from ferbench.runs.calibration import seconds_a_step

STEPS = 40  # of a fast network, at most
PREDICTED = 64  # images of a step of prediction


def training(options: NetworkOptions, recipe: Recipe, compute: Compute) -> float:
    """Seconds that an image takes in training, augmentation and optimizer included."""
    model, images = _network(options, compute), recipe.batch * recipe.accumulate
    faces = _noise(images * 4, compute.device)
    settings = Settings(replace(recipe, sampling="natural"), 0, compute.precision)
    steps = steps_without_end(model, faces, settings)
    took = seconds_a_step(lambda: next(steps), compute.device, least=2, most=STEPS)
    steps.close()
    return took / images


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
