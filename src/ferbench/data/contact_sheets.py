"""A sheet of each class of a synthetic set: its first images, as they are on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ferbench.data import synthetic_set
from ferbench.data.resize import resize
from ferbench.report import sheets

SIDE = 10  # images a row, and rows
LARGEST_PX = 256  # larger images are reduced to this, on sheets alone


def file_name(class_name: str) -> str:
    """Of the sheet of a class, in the folder of its set."""
    return f"contact_{class_name}.png"


def write(root: Path, *, classes: Sequence[str], subtitle: str) -> None:
    """A sheet of each class that the set at `root` has, of its first 100 images at most."""
    images = np.load(root / synthetic_set.IMAGES, mmap_mode="r")
    labels = np.load(root / synthetic_set.LABELS, mmap_mode="r")
    for label, name in enumerate(classes):
        of_class = np.flatnonzero(labels == label)
        if len(of_class) == 0:
            continue
        shown = images[of_class[: SIDE**2]]
        title = f"{name}: {len(shown)} of {len(of_class):,} images, {subtitle}"
        sheets.save(sheets.sheet(in_rows(shown), title=title), root / file_name(name))


def in_rows(images: np.ndarray) -> np.ndarray:
    """[N, H, H] as cells [R, 10, H, H]; what is missing from the last row is paper."""
    small = shrunk(images)
    blank = np.full((-len(small) % SIDE, *small.shape[1:]), sheets.PAPER, np.uint8)
    return np.concatenate([small, blank]).reshape(-1, SIDE, *small.shape[1:])


def shrunk(cells: np.ndarray) -> np.ndarray:
    """Images [..., H, H] uint8, with at most `LARGEST_PX` a side."""
    side = cells.shape[-1]
    if side <= LARGEST_PX:
        return cells
    small = resize(cells.reshape(-1, side, side), LARGEST_PX, method="area")
    return small.reshape(*cells.shape[:-2], LARGEST_PX, LARGEST_PX)
