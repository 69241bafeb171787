"""What a classifier is trained and selected on: losses and scores of logits against labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torch import Tensor

from ferbench.data.batches import Batch


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


def mixed_cross_entropy(
    logits: Tensor, batch: Batch, *, weight: Tensor | None, label_smoothing: float
) -> Tensor:
    """Mean cross-entropy (nats) against the own labels and the partners', by their shares.

    logits: [B, K] float32; weight: [K] float32, the mean is then a weighted one.
    """

    def against(labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, weight=weight, label_smoothing=label_smoothing)

    if batch.share == 1:
        return against(batch.labels)
    return batch.share * against(batch.labels) + (1 - batch.share) * against(batch.partners)


def mixed_hits(logits: Tensor, batch: Batch) -> Tensor:
    """How many images of a batch are predicted right, as float32; mixed ones count by share."""
    predicted = logits.argmax(1)
    own, partners = predicted == batch.labels, predicted == batch.partners
    return (batch.share * own + (1 - batch.share) * partners).sum()


def held_out_scores(labels: Tensor, logits: Tensor) -> dict[str, float]:
    """Cross-entropy (nats), accuracy and macro F1 of CPU logits [N, K] against labels [N]."""
    predicted = logits.argmax(1)
    return {
        "loss": float(F.cross_entropy(logits, labels)),
        "accuracy": float((predicted == labels).double().mean()),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
    }
