"""Made data that tests of several packages use."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ferbench.classes import CLASSES, SPLITS
from ferbench.data.face_set import Faces, FaceSet


def photographs(count: int, seed: int) -> np.ndarray:
    """[count, 48, 48] uint8: smooth random pictures with details of some four pixels."""
    coarse = torch.randn(count, 1, 12, 12, generator=torch.Generator().manual_seed(seed))
    smooth = functional.interpolate(coarse, size=48, mode="bicubic")[:, 0]
    return (128 + 40 * smooth).round().clamp(0, 255).to(torch.uint8).numpy()


def photographed(split: str, per_class: int, seed: int) -> Faces:
    """Photographs as faces of a split, named after it; no two are alike."""
    labels = np.repeat(np.arange(len(CLASSES)), per_class).astype(np.int64)
    names = np.array([f"{split}_{i:04d}" for i in range(len(labels))])
    return Faces(photographs(len(labels), seed), labels, names)


def photograph_set() -> FaceSet:
    """420 training images, 140 and 140 held-out ones.

    The first private image is the first training image, cropped; the last two public ones are
    mirror images of each other.
    """
    sizes = zip(SPLITS, (60, 20, 20), strict=True)
    splits = {split: photographed(split, n, seed) for seed, (split, n) in enumerate(sizes, 100)}
    window = torch.from_numpy(splits["train"].images[:1, 2:46, 2:46].astype(np.float32))[:, None]
    crop = functional.interpolate(window, size=48, mode="bilinear")[:, 0].round()
    splits["private"].images[0] = crop.numpy()[0]
    splits["public"].images[-1] = splits["public"].images[-2, :, ::-1]
    return FaceSet(Path("made"), splits, {"name": "made"})
