"""What a teacher makes of labels: probabilities of two views, by weight and temperature."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ferbench.classifiers.batches import DeviceFaces
from ferbench.classifiers.judge import Judge
from ferbench.classifiers.teacher import Teacher, with_soft_labels
from ferbench.runs.precision import Precision

CPU = torch.device("cpu")
IMAGES = torch.randint(
    0, 256, (9, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
LABELS = torch.arange(9) % 7


class Sides(nn.Module):
    """Logits from the mean gray of the left half: a mirror image has others."""

    def embed(self, images):
        return images[..., :24].mean((1, 2, 3))[:, None]

    def head(self, features):
        return features * torch.linspace(-40, 40, 7)


class MadeClassifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = Sides()
        self.embed = self.network.embed


@pytest.fixture
def judge():
    return Judge(
        MadeClassifier(), Precision("fp32", "cpu"), CPU, name="made", hash="h", data_hash="d"
    )


def closed_form(weight, temperature):
    """weight * mean over both views of softmax(logits / T) + (1 - weight) * one-hot, in float64."""
    pixels = IMAGES[:, 0].double().numpy() / 127.5 - 1
    seen = []
    for half in (pixels[:, :, :24], pixels[:, :, 24:]):
        logits = half.mean((1, 2))[:, None] * np.linspace(-40, 40, 7) / temperature
        shares = np.exp(logits)
        seen.append(shares / shares.sum(1, keepdims=True))
    return weight * np.mean(seen, axis=0) + (1 - weight) * np.eye(7)[LABELS]


@pytest.mark.parametrize(("weight", "temperature"), [(1.0, 1.0), (0.3, 1.0), (0.7, 4.0)])
def test_targets_are_the_closed_form(judge, weight, temperature):
    """To the rounding of float16, 2**-11 of a probability."""
    found = Teacher(judge, weight, temperature).targets(IMAGES, LABELS)
    assert found.dtype == torch.float16
    np.testing.assert_allclose(found.numpy(), closed_form(weight, temperature), atol=2**-11)
    np.testing.assert_allclose(found.double().sum(1), 1, atol=7 * 2**-12)


def test_targets_do_not_depend_on_the_mirroring_of_an_image(judge):
    teacher = Teacher(judge, 1.0, 1.0)
    found = teacher.targets(IMAGES.flip(-1), LABELS)
    torch.testing.assert_close(found, teacher.targets(IMAGES, LABELS), rtol=0, atol=2**-11)


def test_a_higher_temperature_is_nearer_to_uniform(judge):
    by_heat = [Teacher(judge, 1.0, heat).targets(IMAGES, LABELS).double() for heat in (1, 3, 100)]
    entropies = [float(-torch.special.xlogy(t, t).sum(1).mean()) for t in by_heat]
    assert entropies == sorted(entropies)
    assert entropies[-1] == pytest.approx(np.log(7), abs=0.01)


def test_real_faces_keep_their_labels(judge):
    """They come first; the others get the teacher's targets."""
    faces, teacher = DeviceFaces(IMAGES, LABELS, first=4), Teacher(judge, 0.8, 1.0)
    found = with_soft_labels(faces, teacher, real=False)
    assert found.images is faces.images
    assert found.first == 4
    assert torch.equal(found.targets[:4], F.one_hot(LABELS[:4], 7).half())
    assert torch.equal(found.targets[4:], teacher.targets(IMAGES[4:], LABELS[4:]))
    everyone = with_soft_labels(faces, teacher, real=True)
    assert torch.equal(everyone.targets, teacher.targets(IMAGES, LABELS))
    assert everyone.first == 4


def test_a_long_set_is_described_in_parts(judge, monkeypatch):
    teacher = Teacher(judge, 0.8, 2.0)
    want = teacher.targets(IMAGES, LABELS)
    monkeypatch.setattr("ferbench.classifiers.teacher.BATCH", 4)
    torch.testing.assert_close(teacher.targets(IMAGES, LABELS), want, rtol=0, atol=2**-11)
