"""Sets with planted faults."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferbench.classes import CLASSES, SPLITS
from ferbench.data import face_set, named_sets
from ferbench.data.face_set import Faces, FaceSet


def noise_faces(split: str, per_class: int, rng: np.random.Generator) -> Faces:
    """Noise: no image like another."""
    labels = np.repeat(np.arange(len(CLASSES)), per_class).astype(np.int64)
    images = rng.integers(0, 256, (len(labels), 48, 48), dtype=np.uint8)
    return Faces(images, labels, np.array([f"{split}_{i:03d}" for i in range(len(labels))]))


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., FaceSet]:
    """make_set(plant, near_correlation=...): 70, 35 and 35 faces, changed by `plant`, stored."""

    def make(plant: Callable[..., None], near_correlation: float | None = None) -> FaceSet:
        rng = np.random.default_rng(0)
        sizes = zip(SPLITS, (10, 5, 5), strict=True)
        splits = {split: noise_faces(split, n, rng) for split, n in sizes}
        plant(*(splits[split].images for split in SPLITS))
        folder = tmp_path / "set"
        named_sets.store(folder, splits, {"name": "x"}, near_correlation=near_correlation)
        return face_set.read(folder)

    return make
