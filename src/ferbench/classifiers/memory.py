"""How much memory the training of a classifier takes, estimated from a few images."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ferbench.classes import IMAGE_PX
from ferbench.classifiers.training import SCORE_BATCH
from ferbench.recipes.classifier import Recipe
from ferbench.runs import memory
from ferbench.runs.precision import Precision

PROBED = 2  # images: batch normalization needs two
WORK = 1.4
STATES = {"adamw": 2, "sgd": 1, "muon": 2}  # of an optimizer, each of the size of the weights


def training_bytes(
    model: nn.Module, recipe: Recipe, precision: Precision, *, images: int, device: torch.device
) -> float:
    """Bytes at the peak: weights with all that has their size, faces, and a step's activations.

    model: maps [N, 1, 48, 48] to logits; it stays as it is. images: faces on the device.
    """
    model = model.to(device)
    weights = memory.of_weights(model.parameters(), 2 + STATES[recipe.optimizer])
    step = memory.of_step(
        [model],
        lambda count, copied: _loss(copied, count, precision, device),
        probe=PROBED,
        images=min(recipe.batch, images),
        work=WORK,
    )
    scoring = memory.LIBRARIES + _widest(model, precision, device) * SCORE_BATCH
    return weights + max(step, scoring) + images * IMAGE_PX**2


def _widest(model: nn.Module, precision: Precision, device: torch.device) -> float:
    """Bytes of an image where it takes most without gradients: a layer's inputs and outputs."""
    sizes = [0.0]

    def note(module: nn.Module, given: Any, result: Any) -> None:
        tensors = [one for one in (*given, result) if isinstance(one, Tensor)]
        sizes.append(sum(one.numel() * one.element_size() for one in tensors) / PROBED)

    copied = copy.deepcopy(model).eval()
    for module in copied.modules():
        if not list(module.children()):
            module.register_forward_hook(note)
    with torch.inference_mode(), precision.autocast():
        copied(torch.zeros(PROBED, 1, IMAGE_PX, IMAGE_PX, device=device))
    return max(sizes)


def _loss(model: nn.Module, count: int, precision: Precision, device: torch.device) -> torch.Tensor:
    precision.prepare(model)
    faces = torch.zeros(count, 1, IMAGE_PX, IMAGE_PX, device=device)
    labels = torch.zeros(count, dtype=torch.int64, device=device)
    with precision.autocast():
        logits = model.train()(faces).float()
    return nn.functional.cross_entropy(logits, labels)
