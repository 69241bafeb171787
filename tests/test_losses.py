import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight

from ferbench import losses
from ferbench.data.batches import Batch

LABELS = torch.tensor([0] * 6 + [1] * 3 + [2])


@pytest.fixture
def logits():
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


def batch(share):
    own = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
    return Batch(torch.zeros(8, 1, 48, 48), own, own.flip(0), share)


def test_inverse_weights_are_those_of_scikit_learn():
    """total / (classes * count): 10 / (3 * 6), 10 / (3 * 3), 10 / (3 * 1)."""
    want = compute_class_weight("balanced", classes=np.arange(3), y=LABELS.numpy())
    found = losses.class_weights(LABELS, 3, "inverse")
    np.testing.assert_allclose(found, want, rtol=1e-6)
    np.testing.assert_allclose(found, [10 / 18, 10 / 9, 10 / 3], rtol=1e-6)
    root = losses.class_weights(LABELS, 3, "sqrt_inverse")
    np.testing.assert_allclose(root, np.sqrt(want), rtol=1e-6)


def test_a_class_without_faces_gets_weight_zero():
    assert losses.class_weights(LABELS, 4, "inverse")[3] == 0
    assert losses.class_weights(LABELS, 3, "none") is None


def test_an_unmixed_batch_has_the_plain_loss(logits):
    found = losses.mixed_cross_entropy(logits, batch(1.0), weight=None, label_smoothing=0.1)
    want = F.cross_entropy(logits, batch(1.0).labels, label_smoothing=0.1)
    assert torch.equal(found, want)


def test_the_mixed_loss_is_the_loss_against_mixed_targets(logits):
    """Cross-entropy is linear in the target: 0.7 one-hot own + 0.3 one-hot partner."""
    mixed = batch(0.7)
    target = 0.7 * F.one_hot(mixed.labels, 3) + 0.3 * F.one_hot(mixed.partners, 3)
    found = losses.mixed_cross_entropy(logits, mixed, weight=None, label_smoothing=0.0)
    torch.testing.assert_close(found, F.cross_entropy(logits, target))


def test_class_weights_make_a_weighted_mean(logits):
    """sum of w[label] * loss / sum of w[label]."""
    weight, labels = torch.tensor([1.0, 2.0, 5.0]), batch(1.0).labels
    found = losses.mixed_cross_entropy(logits, batch(1.0), weight=weight, label_smoothing=0.0)
    each = F.cross_entropy(logits, labels, reduction="none")
    torch.testing.assert_close(found, (weight[labels] * each).sum() / weight[labels].sum())


def test_hits_of_mixed_images_count_by_share(logits):
    """Predicting the own label counts share, the partner's 1 - share, a common one 1."""
    mixed = batch(0.7)
    sure = F.one_hot(mixed.labels, 3).float()
    same = int((mixed.labels == mixed.partners).sum())
    assert losses.mixed_hits(sure, batch(1.0)) == 8
    assert float(losses.mixed_hits(sure, mixed)) == pytest.approx(0.7 * 8 + 0.3 * same)
    swapped = F.one_hot(mixed.partners, 3).float()
    assert float(losses.mixed_hits(swapped, mixed)) == pytest.approx(0.3 * 8 + 0.7 * same)


def test_held_out_scores_of_a_known_case():
    """Labels 0 0 1 1, predicted 0 0 0 1: accuracy 3/4, macro F1 (4/5 + 2/3) / 2; loss 3 l + L."""
    labels = torch.tensor([0, 0, 1, 1])
    logits = 2.0 * F.one_hot(torch.tensor([0, 0, 0, 1]), 2)
    found = losses.held_out_scores(labels, logits)
    right, wrong = np.log1p(np.exp(-2.0)), np.log1p(np.exp(2.0))
    assert found["accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert found["loss"] == pytest.approx((3 * right + wrong) / 4)
