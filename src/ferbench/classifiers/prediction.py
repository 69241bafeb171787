"""Predictions of a classifier: logits of images, averaged over views of them."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from ferbench.classifiers import batches
from ferbench.runs.precision import Precision


def predict(
    model: nn.Module, images: Tensor, *, batch: int, precision: Precision, tta: str
) -> np.ndarray:
    """[N, K] float32 logits of images [N, 1, H, W] uint8, N > 0.

    With several views of an image, the logarithm of the mean of their probabilities.
    """
    precision.prepare(model)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        rows = [_logits(model, chunk, precision, tta) for chunk in images.split(batch)]
    model.train(was_training)
    return torch.cat(rows).numpy()


def _logits(model: nn.Module, images: Tensor, precision: Precision, tta: str) -> Tensor:
    """[N, K] float32 on the CPU: the logits, or the log-mean of several views' probabilities."""
    with precision.autocast():
        views = batches.views(batches.normalize(images), tta)
        logits = torch.stack([model(view).float() for view in views])  # [V, N, K]
    if len(views) == 1:
        return logits[0].cpu()
    return (logits.log_softmax(2).logsumexp(0) - math.log(len(views))).cpu()
