import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight

from ferbench.classifiers import losses
from ferbench.classifiers.batches import Batch

LABELS = torch.tensor([0] * 6 + [1] * 3 + [2])


@pytest.fixture
def logits():
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


def batch(share, targets=None):
    own = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
    shares = None if share == 1 else torch.tensor([share, 1 - share])
    return Batch(torch.zeros(8, 1, 48, 48), own, own.flip(0), shares, targets)


def soft_targets():
    return torch.rand(8, 3, generator=torch.Generator().manual_seed(1)).softmax(1)


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


@pytest.mark.parametrize("share", [1.0, 0.7])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 5.0])])
def test_one_hot_targets_are_their_labels(logits, share, smoothing, weight):
    """With and without mixing, smoothing and class weights; so a teacher of weight 0 is none."""
    how = {"weight": weight, "label_smoothing": smoothing}
    one_hot = F.one_hot(batch(share).labels, 3).float()
    found = losses.mixed_cross_entropy(logits, batch(share, one_hot), **how)
    torch.testing.assert_close(found, losses.mixed_cross_entropy(logits, batch(share), **how))


def test_the_soft_loss_is_the_cross_entropy_of_smoothed_targets(logits):
    """- sum_k (0.9 t_k + 0.1 / 3) log p_k, the mean over images; torch's own agrees."""
    targets = soft_targets()
    found = losses.mixed_cross_entropy(
        logits, batch(1.0, targets), weight=None, label_smoothing=0.1
    )
    want = -((0.9 * targets + 0.1 / 3) * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(found, want)
    torch.testing.assert_close(found, F.cross_entropy(logits, targets, label_smoothing=0.1))


def test_soft_targets_are_mixed_in_reverse_order(logits):
    """Cross-entropy is linear: 0.7 own + 0.3 reversed."""
    targets = soft_targets()
    found = losses.mixed_cross_entropy(
        logits, batch(0.7, targets), weight=None, label_smoothing=0.0
    )
    torch.testing.assert_close(
        found, F.cross_entropy(logits, 0.7 * targets + 0.3 * targets.flip(0))
    )


def test_class_weights_weigh_soft_targets_by_class(logits):
    """sum w_k t_ik (- log p_ik) / sum w_k t_ik."""
    targets, weight = soft_targets(), torch.tensor([1.0, 2.0, 5.0])
    found = losses.soft_cross_entropy(logits, targets, weight=weight, label_smoothing=0.0)
    weighed = weight * targets
    torch.testing.assert_close(found, -(weighed * logits.log_softmax(1)).sum() / weighed.sum())


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
