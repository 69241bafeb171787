"""Made photographs that carry in their pixels what a made judge reads."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from made import photographs


class MadeJudge:
    """Reads class, probability (in percent) and a feature from pixels 0, 1, 2 of an image's edge.

    The rest of the probability goes to the other classes alike. The right edge mirrors the left
    one, so that mirrored images are read alike, unless a test changes it.
    """

    name, hash, data_hash = "made", "m", "d"

    def describe(self, images: np.ndarray, *, batch: int = 512, what: str = "") -> SimpleNamespace:
        shown, percent, feature = images[:, 0, :3].astype(np.float64).T
        chance = np.repeat((1 - percent / 100)[:, None] / 6, 7, axis=1)
        chance[np.arange(len(images)), shown.astype(int)] = percent / 100
        features = np.stack([feature, np.zeros(len(images))], axis=1).astype(np.float32)
        return SimpleNamespace(logits=np.log(chance + 1e-9).astype(np.float32), features=features)


def written(images: np.ndarray, shown: Any, percent: Any, feature: Any = 0) -> np.ndarray:
    """The images with what the judge reads of them written on both edges."""
    images = images.copy()
    for place, value in enumerate((shown, percent, feature)):
        images[:, 0, place] = images[:, 0, -1 - place] = value
    return images


@pytest.fixture
def judge() -> MadeJudge:
    return MadeJudge()


@pytest.fixture
def photos() -> Callable[[int, int], np.ndarray]:
    """photos(count, seed)."""
    return photographs


@pytest.fixture
def write_verdicts() -> Callable[..., np.ndarray]:
    """write_verdicts(images, shown, percent, feature)."""
    return written
