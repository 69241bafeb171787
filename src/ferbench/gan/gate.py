"""The gate of a synthetic set: accuracy by a judge of real faces, and diversity, of each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers.judge import Judge
from ferbench.data.resize import resize
from ferbench.metrics.feature_sets import pixel_diversity

DIVERSITY_IMAGES = 200  # of each class, for the diversity


def gate(judge: Judge | None, images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Accuracy and diversity of each class, as a set's manifest keeps them.

    images: [N, H, W] uint8, of any size, maybe memory-mapped; labels: [N] int64. Without a judge
    there is the diversity alone: the mean over pairs of samples of one class of the root mean
    square difference of pixels in [-1, 1]. Classes without images (one, for a diversity) are null.
    """
    diversity = {}
    for k, name in enumerate(CLASSES):
        rows = np.flatnonzero(labels == k)[:DIVERSITY_IMAGES]
        diversity[name] = pixel_diversity(images[rows]) if len(rows) > 1 else None
    facts: dict[str, Any] = {"images": len(labels), "diversity": diversity}
    if judge is None:
        return facts
    hits = judge.describe(resize(images, IMAGE_PX), what="judged").logits.argmax(1) == labels
    by_class = {
        name: float(hits[labels == k].mean()) if (labels == k).any() else None
        for k, name in enumerate(CLASSES)
    }
    shares = [share for share in by_class.values() if share is not None]
    return facts | {
        "judge": judge.name,
        "judge_hash": judge.hash,
        "class_accuracy": float(np.mean(shares)),
        "accuracy": by_class,
    }


def describe(facts: dict[str, Any]) -> str:
    """The gate as a table of three lines for the terminal; one without a judge."""
    diversity = [facts["diversity"][name] for name in CLASSES]
    lines = []
    if "accuracy" in facts:
        shares = [facts["accuracy"][name] for name in CLASSES]
        lines = [
            f"gate ({facts['images']:,} images, judge {facts['judge']}): class accuracy "
            f"{facts['class_accuracy']:.3f}, chance {1 / len(CLASSES):.3f}",
            "  accuracy   " + _cells(shares),
        ]
    return "\n".join([*lines, "  diversity  " + _cells(diversity)])


def _cells(values: list[float | None]) -> str:
    return "  ".join(
        f"{name} {'-' if value is None else f'{value:.2f}'}"
        for name, value in zip(CLASSES, values, strict=True)
    )
