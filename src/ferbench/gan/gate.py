"""The gate: are the expressions seen by a classifier of real faces, and do samples differ?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers.judge import Judge
from ferbench.data.resize import resize
from ferbench.metrics.feature_sets import pixel_diversity

SPREAD_IMAGES = 200  # of each class, for the diversity


def gate(judge: Judge | None, images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """What a set's manifest says of itself: accuracy by class, and diversity by class.

    images: [N, H, W] uint8, of any size, maybe memory-mapped; labels: [N] int64. Without a judge
    there is the diversity alone: the mean over pairs of samples of one class of the root mean
    square difference of pixels in [-1, 1]. Classes without images (one, for a diversity) are null.
    """
    spread = {}
    for k, name in enumerate(CLASSES):
        rows = np.flatnonzero(labels == k)[:SPREAD_IMAGES]
        spread[name] = pixel_diversity(images[rows]) if len(rows) > 1 else None
    found: dict[str, Any] = {"images": len(labels), "diversity": spread}
    if judge is None:
        return found
    hits = judge.describe(resize(images, IMAGE_PX)).logits.argmax(1) == labels
    by_class = {
        name: float(hits[labels == k].mean()) if (labels == k).any() else None
        for k, name in enumerate(CLASSES)
    }
    known = [share for share in by_class.values() if share is not None]
    return found | {
        "judge": judge.name,
        "judge_hash": judge.hash,
        "class_accuracy": float(np.mean(known)),
        "accuracy": by_class,
    }


def describe(found: dict[str, Any]) -> str:
    """The gate as a table of three lines for the terminal; one without a judge."""
    spread = [found["diversity"][name] for name in CLASSES]
    lines = []
    if "accuracy" in found:
        shares = [found["accuracy"][name] for name in CLASSES]
        lines = [
            f"gate ({found['images']:,} images, judge {found['judge']}): class accuracy "
            f"{found['class_accuracy']:.3f}, chance {1 / len(CLASSES):.3f}",
            "  accuracy   " + _cells(shares),
        ]
    return "\n".join([*lines, "  diversity  " + _cells(spread)])


def _cells(values: list[float | None]) -> str:
    return "  ".join(
        f"{name} {'-' if value is None else f'{value:.2f}'}"
        for name, value in zip(CLASSES, values, strict=True)
    )
