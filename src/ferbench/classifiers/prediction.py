"""Predictions of a classifier: logits of images, averaged over views of them."""

from __future__ import annotations

import math
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from ferbench.classifiers import batches
from ferbench.progress import Counter
from ferbench.runs.precision import Precision


def predict(
    model: nn.Module, images: Tensor, *, batch: int, precision: Precision, tta: str, what: str = ""
) -> np.ndarray:
    """[N, K] float32 logits of images [N, 1, H, W] uint8, N > 0.

    With several views of an image, the logarithm of the mean of their probabilities.
    what: the name under which the images are counted on the terminal; "": they are not.
    """
    precision.prepare(model)
    was_training = model.training
    model.eval()
    rows = []
    with torch.inference_mode(), Counter(len(images), what) if what else nullcontext() as bar:
        for chunk in images.split(batch):
            rows.append(_logits(model, chunk, precision, tta))
            if bar is not None:
                bar.update(len(chunk))
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
