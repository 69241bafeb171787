"""Faces for a GAN: labels that condition it, shares of classes, sizes of its networks."""

import numpy as np
import pytest
import torch

from ferbench.classes import CLASSES
from ferbench.errors import UserError
from ferbench.gan import faces

LABELS = np.repeat(np.arange(7), [16, 4, 1, 1, 1, 1, 1])


def made_faces(n: int = 14, px: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, px, px), dtype=np.uint8)


def test_conditions_are_one_hot() -> None:
    """Row i has a single 1, at the label of face i: the class is never one number."""
    labels = np.arange(14) % 7
    found = faces.prepare(made_faces(), labels, res=48, channels=1, conditional=True)
    assert found.conditions.shape == (14, 7)
    assert torch.equal(found.conditions.sum(1), torch.ones(14))
    assert torch.equal(found.conditions.argmax(1), torch.from_numpy(labels))
    assert found.names == CLASSES


@pytest.mark.parametrize(
    ("res", "channels", "shape"),
    [(48, 1, (14, 48, 48)), (32, 1, (14, 32, 32)), (64, 3, (14, 3, 64, 64))],
)
def test_faces_have_the_size_of_the_networks(res: int, channels: int, shape: tuple[int]) -> None:
    labels = np.arange(14) % 7
    found = faces.prepare(made_faces(), labels, res=res, channels=channels, conditional=True)
    assert found.images.shape == shape
    assert found.images.dtype == np.uint8


def test_without_condition_there_is_one_class() -> None:
    labels = np.full(14, -1)
    found = faces.prepare(made_faces(), labels, res=48, channels=1, conditional=False)
    assert found.conditions.shape == (14, 0)
    assert found.class_conditions.shape == (1, 0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.linspace(0, 6, 14), "float64"),
        (np.eye(7, dtype=np.int64), r"\(7, 7\)"),
        (np.full(14, -1), "unlabeled"),
        (np.arange(14) % 8, "outside 0 to 6"),
        (np.zeros(14, np.int64), "no face of disgust, fear, happy, sad, surprise, neutral"),
        (np.empty(0, np.int64), "unlabeled"),
    ],
)
def test_labels_that_cannot_condition_are_refused(labels: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        faces.check_labels(labels)


@pytest.mark.parametrize(
    ("how", "shares"),
    [
        ("natural", np.array([16, 4, 1, 1, 1, 1, 1]) / 25),
        ("sqrt", np.array([4, 2, 1, 1, 1, 1, 1]) / 11),
        ("balanced", np.ones(7) / 7),
    ],
)
def test_class_shares_are_powers_of_the_natural_ones(how: str, shares: np.ndarray) -> None:
    np.testing.assert_allclose(faces.class_shares(LABELS, how), shares)


def test_the_histogram_shows_counts_and_bars() -> None:
    text = faces.histogram({"angry": 30, "disgust": 1, "fear": 0})
    lines = text.splitlines()
    assert [line.count("#") for line in lines] == [30, 1, 0]
    assert "30" in lines[0]


def test_a_scalar_label_is_the_bare_number_of_the_class():
    labels = np.arange(14) % 7
    found = faces.prepare(
        made_faces(), labels, res=48, channels=1, conditional=True, scalar_label=True
    )
    assert found.class_conditions.tolist() == [[float(k)] for k in range(7)]
    assert found.conditions[:, 0].tolist() == labels.tolist()
