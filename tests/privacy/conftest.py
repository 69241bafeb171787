"""Made photographs: smooth random pictures, no two alike, and real images of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from ferbench.classes import CLASSES, SPLITS
from ferbench.data.face_set import Faces, FaceSet
from ferbench.privacy.real import Real, partners
from ferbench.similarity import views


def photographs(count: int, seed: int) -> np.ndarray:
    """[count, 48, 48] uint8: random pictures with details of some four pixels."""
    stream = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 1, 12, 12, generator=stream)
    smooth = functional.interpolate(coarse, size=48, mode="bicubic")[:, 0]
    return (128 + 40 * smooth).round().clamp(0, 255).to(torch.uint8).numpy()


def made_faces(split: str, per_class: int, seed: int) -> Faces:
    labels = np.repeat(np.arange(len(CLASSES)), per_class).astype(np.int64)
    names = np.array([f"{split}_{i:04d}" for i in range(len(labels))])
    return Faces(photographs(len(labels), seed), labels, names)


@pytest.fixture(scope="session")
def faces() -> FaceSet:
    """420 training images, 140 and 140 held-out ones.

    The first private image is the first training image, cropped; the last two public ones are
    mirror images of each other.
    """
    sizes = zip(SPLITS, (60, 20, 20), strict=True)
    splits = {split: made_faces(split, n, seed) for seed, (split, n) in enumerate(sizes, 100)}
    window = torch.from_numpy(splits["train"].images[:1, 2:46, 2:46].astype(np.float32))[:, None]
    crop = functional.interpolate(window, size=48, mode="bilinear")[:, 0].round()
    splits["private"].images[0] = crop.numpy()[0]
    splits["public"].images[-1] = splits["public"].images[-2, :, ::-1]
    return FaceSet(Path("made"), splits, {"name": "made"})


@pytest.fixture(scope="session")
def real(faces: FaceSet) -> Real:
    """The real images in two spaces, with a third that stands for a judge's features."""
    encoders = {
        "pixels": views.pixels,
        "gradients": views.gradients,
        "judge": lambda images: views.unit(views.pixels(images)[:, ::3]),
    }
    rng = np.random.default_rng(0)
    return Real(faces, partners(faces), encoders, drop=0.9, cells=3, rng=rng)


@pytest.fixture(scope="session")
def strangers() -> np.ndarray:
    """200 photographs that are nobody's copies."""
    return photographs(200, 999)
