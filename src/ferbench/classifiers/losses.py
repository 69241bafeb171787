"""What a classifier is trained and selected on: losses and scores of logits against labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torch import Tensor

from ferbench.classifiers.batches import Batch
from ferbench.recipes.classifier import Recipe


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
    """Mean cross-entropy (nats) against the own targets and the partners', by their shares.

    logits: [B, K] float32; weight: [K] float32, the mean is then a weighted one. Targets are the
    labels, or the batch's soft targets.
    """

    def against(labels: Tensor, targets: Tensor | None) -> Tensor:
        if targets is None and weight is not None:  # F.cross_entropy reads it from the device
            targets = torch.zeros_like(logits).scatter_(1, labels[:, None], 1.0)
        if targets is None:
            return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        return soft_cross_entropy(logits, targets, weight=weight, label_smoothing=label_smoothing)

    own = against(batch.labels, batch.targets)
    if batch.shares is None:
        return own
    reverse = None if batch.targets is None else batch.targets.flip(0)
    share, rest = batch.shares.unbind()
    return share * own + rest * against(batch.partners, reverse)


def soft_cross_entropy(
    logits: Tensor, targets: Tensor, *, weight: Tensor | None, label_smoothing: float
) -> Tensor:
    """Mean cross-entropy (nats) against probabilities; of one-hot rows, that against their labels.

    logits, targets: [B, K] float32. Label smoothing spreads its share of every target over all
    classes. weight: [K] float32; each class's term counts so often, and the mean is over the
    targets' weights, where F.cross_entropy divides by B.
    """
    smoothed = (1 - label_smoothing) * targets + label_smoothing / targets.shape[1]
    terms = -smoothed * logits.log_softmax(1)
    if weight is None:
        return terms.sum(1).mean()
    return (weight * terms).sum() / (weight * targets).sum()


def mixed_hits(logits: Tensor, batch: Batch) -> Tensor:
    """How many images of a batch are predicted right, as float32; mixed ones count by share."""
    predicted = logits.argmax(1)
    own, partners = predicted == batch.labels, predicted == batch.partners
    if batch.shares is None:
        return own.sum(dtype=torch.float32)
    share, rest = batch.shares.unbind()
    return (share * own + rest * partners).sum()


def held_out_scores(labels: Tensor, logits: Tensor) -> dict[str, float]:
    """Cross-entropy (nats), accuracy and macro F1 of CPU logits [N, K] against labels [N]."""
    predicted = logits.argmax(1)
    return {
        "loss": float(F.cross_entropy(logits, labels)),
        "accuracy": float((predicted == labels).double().mean()),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
    }


@contextmanager
def breaking_with(recipe: Recipe, state: Path) -> Iterator[None]:
    """Context in which a FloatingPointError gets the keys behind it, and where to go on from."""
    try:
        yield
    except FloatingPointError as error:
        keys = f"train.peak_lr={recipe.peak_lr:g} train.weight_decay={recipe.weight_decay:g}"
        last = f"the last good state is {state}" if state.exists() else "no state was saved before"
        raise FloatingPointError(
            f"{keys}: {error}; expected lower ones, or precision=fp32; {last}"
        ) from error
