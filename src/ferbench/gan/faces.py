"""Faces as a GAN learns from them: at the size of its networks, with the condition of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ferbench.classes import CLASSES
from ferbench.data.label_counts import class_counts, counts_by_name
from ferbench.data.resize import resize
from ferbench.errors import UserError
from ferbench.gan.trained import condition_table


@dataclass(frozen=True)
class GanFaces:
    """Faces as a GAN learns from them.

    images: [N, H, W] or [N, 3, H, W] uint8. labels: [N] int64. conditions: [N, c_dim] float32.
    class_conditions: [K, c_dim] float32, the condition of each class, or a single empty one.
    names: of the K classes; ("all",) without a condition.
    """

    images: np.ndarray
    labels: np.ndarray
    conditions: Tensor
    class_conditions: Tensor
    names: tuple[str, ...]

    @property
    def class_counts(self) -> dict[str, int]:
        """Images of each class, by name."""
        return counts_by_name(self.labels)


def prepare(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    res: int,
    channels: int,
    conditional: bool,
    scalar_label: bool = False,
) -> GanFaces:
    """Faces at the size of the networks with one-hot conditions, or none.

    images: [N, H, W] uint8; channels: 3 repeats the gray one. scalar_label: the condition is the
    label as one number, which is how not to do it. Raises UserError for labels that cannot
    condition a generator.
    """
    if conditional:
        check_labels(labels)
    pixels = resize(images, res)
    if channels == 3:
        pixels = np.repeat(pixels[:, None], 3, axis=1)
    if not conditional:
        empty = torch.zeros(len(labels), 0)
        return GanFaces(pixels, labels, empty, empty[:1], ("all",))
    table = condition_table(1 if scalar_label else len(CLASSES), len(CLASSES))
    return GanFaces(pixels, labels, table[torch.from_numpy(np.array(labels))], table, CLASSES)


def check_labels(labels: np.ndarray) -> None:
    """Refuse labels of which a generator would not learn every class.

    A single number as the condition, or a class that never occurs, trains without an error and
    draws the wrong expression; so labels must be whole numbers that name all classes.
    """
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"labels are {labels.dtype} {labels.shape}; expected one whole number for each face "
            "(gan.conditional=false trains without)"
        )
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= len(CLASSES):
        raise UserError(
            f"labels: unlabeled faces, or numbers outside 0 to {len(CLASSES) - 1}; "
            "gan.conditional=false trains without labels"
        )
    lacking = sorted(set(range(len(CLASSES))) - set(np.unique(labels).tolist()))
    if lacking:
        names = ", ".join(CLASSES[i] for i in lacking)
        raise UserError(f"labels: no face of {names}; expected all of {', '.join(CLASSES)}")


def histogram(counts: dict[str, int]) -> str:
    """Counts by class as lines of text with bars."""
    most = max(counts.values())
    bars = {name: "#" * max(round(30 * n / most), n > 0) for name, n in counts.items()}
    return "\n".join(f"  {name:<9}{n:>7,} {bars[name]}" for name, n in counts.items())


def class_shares(labels: np.ndarray, how: str) -> np.ndarray:
    """Share of each class while training, [7] float64: its natural one to the power 1, 1/2 or 0."""
    power = {"natural": 1.0, "sqrt": 0.5, "balanced": 0.0}[how]
    counts = class_counts(labels).astype(np.float64)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** power, 0)
    shares: np.ndarray = weights / weights.sum()
    return shares
