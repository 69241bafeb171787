"""The gate: accuracy and diversity of each class."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.gan import gate


class ByBrightness:
    """Takes an image of brightness 30 k for class k."""

    name, hash = "made", "h"

    def describe(self, images: np.ndarray, **_: Any) -> SimpleNamespace:
        brightness = images.reshape(len(images), -1).mean(1) / 30
        return SimpleNamespace(logits=-np.abs(brightness[:, None] - np.arange(7)))


def faces() -> tuple[np.ndarray, np.ndarray]:
    """Two faces a class; one of the happy ones looks sad."""
    labels = np.repeat(np.arange(7), 2)
    shown = labels.copy()
    shown[7] = 4
    images = (30 * shown[:, None, None] + np.zeros((1, 48, 48))).astype(np.uint8)
    return images, labels


def test_accuracy_is_that_of_each_class() -> None:
    """13 of 14 are seen right: six classes whole, happy by half."""
    judge: Any = ByBrightness()
    found = gate.gate(judge, *faces())
    assert found["accuracy"] == {**dict.fromkeys(CLASSES, 1.0), "happy": 0.5}
    assert found["class_accuracy"] == pytest.approx(6.5 / 7)


def test_diversity_is_the_difference_of_a_class_s_samples() -> None:
    """One happy face is 30 brighter than the other: 30 / 127.5; the others are all alike."""
    found = gate.gate(None, *faces())
    assert found["diversity"]["happy"] == pytest.approx(30 / 127.5)
    assert found["diversity"]["sad"] == 0
    assert "accuracy" not in found


def test_a_class_without_images_has_no_numbers() -> None:
    images, labels = faces()
    judge: Any = ByBrightness()
    found = gate.gate(judge, images[2:], labels[2:])
    assert found["accuracy"]["angry"] is None
    assert found["diversity"]["angry"] is None
    assert "angry -" in gate.describe(found)


def test_other_sizes_are_resized_for_the_judge() -> None:
    images, labels = faces()
    judge: Any = ByBrightness()
    assert gate.gate(judge, images[:, ::2, ::2], labels)["class_accuracy"] == pytest.approx(6.5 / 7)
