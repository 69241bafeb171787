"""Scores against closed forms."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

from ferbench.classes import CLASSES
from ferbench.metrics import classification as S

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 7, 500)
LOGITS = (RNG.normal(size=(500, 7)) + 1.5 * np.eye(7)[LABELS]).astype(np.float32)


def logits_for(predicted, margin=30.0):
    return margin * np.eye(7, dtype=np.float32)[np.asarray(predicted)]


def test_perfect_predictions():
    """All scores 1, both losses 0; Wilson for N/N is [N / (N + z**2), 1]."""
    labels = np.arange(70) % 7
    found = S.scores(labels, logits_for(labels), clean=np.ones(70, bool))
    for name in ("accuracy", "accuracy_dedup", "balanced_accuracy", "macro_precision"):
        assert found[name] == 1.0
    for name in ("macro_recall", "macro_f1", "auroc", "average_precision", "recall_disgust"):
        assert found[name] == 1.0
    assert found["accuracy_low"] == pytest.approx(70 / (70 + 1.959964**2))
    assert found["accuracy_high"] == 1.0
    assert found["ece"] == pytest.approx(0, abs=1e-9)
    assert found["nll"] == pytest.approx(0, abs=1e-9)


def test_equal_logits():
    """Uniform: the first class is predicted, nll ln 7, AUROC 1/2, AP 1/7, no calibration error."""
    labels = np.arange(70) % 7
    found = S.scores(labels, np.zeros((70, 7), np.float32))
    assert found["accuracy"] == pytest.approx(1 / 7)
    assert found["recall_angry"] == 1.0
    assert found["recall_happy"] == 0.0
    assert found["macro_precision"] == pytest.approx(1 / 49)
    assert found["macro_f1"] == pytest.approx(2 * (1 / 7) / (8 / 7) / 7)
    assert found["nll"] == pytest.approx(np.log(7))
    assert found["auroc"] == 0.5
    assert found["average_precision"] == pytest.approx(1 / 7)
    assert found["ece"] == pytest.approx(0, abs=1e-9)


def test_confidently_wrong():
    """Always wrong at confidence 1: the error of calibration is 1, the loss the margin."""
    labels = np.arange(70) % 7
    found = S.scores(labels, logits_for((labels + 1) % 7))
    assert found["accuracy"] == found["macro_f1"] == 0.0
    assert found["accuracy_low"] == pytest.approx(0, abs=1e-9)
    assert found["ece"] == pytest.approx(1)
    assert found["nll"] == pytest.approx(30)


def test_scores_agree_with_scikit_learn():
    found = S.scores(LABELS, LOGITS)
    probabilities = S.softmax(LOGITS)
    assert found["balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(LABELS, LOGITS.argmax(1))
    )
    assert found["auroc"] == pytest.approx(
        roc_auc_score(LABELS, probabilities, multi_class="ovr", average="macro")
    )
    assert found["nll"] == pytest.approx(log_loss(LABELS, probabilities))
    assert 0.3 < found["accuracy"] < 0.9


def test_scores_are_plain_numbers_and_do_not_depend_on_order_or_shift():
    """A permutation of the images and a constant added to an image's logits change nothing."""
    order = RNG.permutation(500)
    found = S.scores(LABELS, LOGITS, clean=LABELS > 2)
    shift = RNG.normal(size=(500, 1)).astype(np.float32)
    moved = S.scores(LABELS[order], (LOGITS + shift)[order], clean=(LABELS > 2)[order])
    assert {type(value) for value in found.values()} == {int, float}
    assert moved == pytest.approx(found, abs=1e-6)


def test_wilson_interval_by_hand():
    """50 of 100: 0.4038 to 0.5962; 0 of 10: 0 to z**2 / (10 + z**2) = 0.2775."""
    assert S.wilson_interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=5e-5)
    assert S.wilson_interval(0, 10) == pytest.approx((0, 0.2775), abs=5e-5)


def test_ece_by_hand():
    """Two images in (0.5, 0.75], one right; two in (0.75, 1], both right; one at 0.5, wrong.

    (|1 - 0.6 - 0.7| + |2 - 0.8 - 1.0| + |0 - 0.5|) / 5 = (0.3 + 0.2 + 0.5) / 5 = 0.2.
    """
    sure = np.array([0.6, 0.7, 0.8, 1.0, 0.5])
    probabilities = np.stack([sure, 1 - sure], axis=1)
    found = S.reliability(np.array([0, 1, 0, 0, 1]), probabilities, bins=4)
    assert found.ece == pytest.approx(0.2)
    assert found.counts.tolist() == [0, 1, 2, 2]
    assert np.isnan(found.confidence[0])
    np.testing.assert_allclose(found.confidence[1:], [0.5, 0.65, 0.9])
    np.testing.assert_allclose(found.accuracy[1:], [0, 0.5, 1])
    np.testing.assert_allclose(found.edges, [0, 0.25, 0.5, 0.75, 1])


def test_ece_is_the_gap_when_one_bin_holds_all():
    """With one bin: |accuracy - mean confidence|."""
    probabilities = S.softmax(LOGITS)
    gap = abs((LOGITS.argmax(1) == LABELS).mean() - probabilities.max(1).mean())
    assert S.reliability(LABELS, probabilities, bins=1).ece == pytest.approx(gap)


def test_confusion_and_per_class_by_hand():
    """angry: 2 of 3 found, 2 of 3 right; happy: 1 of 2 found, 1 of 2 right; the rest empty."""
    counts = S.confusion(np.array([0, 0, 0, 3, 3]), np.array([0, 0, 3, 3, 0]))
    assert counts.dtype == np.int64
    assert counts[0].tolist() == [2, 0, 0, 1, 0, 0, 0]
    assert counts[3].tolist() == [1, 0, 0, 1, 0, 0, 0]
    assert counts.sum() == 5
    each = S.per_class(counts)
    np.testing.assert_allclose(each.recall, [2 / 3, 0, 0, 1 / 2, 0, 0, 0])
    np.testing.assert_allclose(each.precision, [2 / 3, 0, 0, 1 / 2, 0, 0, 0])
    np.testing.assert_allclose(each.f1, [2 / 3, 0, 0, 1 / 2, 0, 0, 0])
    assert each.support.tolist() == [3, 0, 0, 2, 0, 0, 0]


def test_class_never_predicted_counts_as_zero_precision(recwarn):
    """angry all right, disgust all called angry: precision (1/2 + 0) / 2, F1 (2/3 + 0) / 2."""
    found = S.scores(np.array([0, 0, 1, 1]), logits_for([0, 0, 0, 0]))
    assert found["macro_precision"] == pytest.approx(1 / 4)
    assert found["macro_f1"] == pytest.approx(1 / 3)
    assert found["recall_disgust"] == 0.0
    assert not recwarn.list


def test_class_without_test_images_is_left_out(recwarn):
    """Macro averages over the two classes at hand; the others have no recall."""
    labels = np.array([0, 0, 1, 1])
    found = S.scores(labels, logits_for([0, 0, 1, 6]))
    assert found["balanced_accuracy"] == found["macro_recall"] == pytest.approx(3 / 4)
    assert found["macro_precision"] == pytest.approx(1)
    assert found["recall_neutral"] is None
    assert found["auroc"] == pytest.approx((1 + 3 / 4) / 2)
    assert not recwarn.list


def test_one_class_alone_has_no_ranking():
    found = S.scores(np.zeros(4, np.int64), logits_for([0, 0, 0, 1]))
    assert found["auroc"] is None
    assert found["average_precision"] is None
    assert found["balanced_accuracy"] == 0.75


def test_clean_mask():
    labels = np.array([0, 1, 2, 3])
    logits = logits_for([0, 1, 2, 0])
    mask = np.array([False, False, True, True])
    found = S.scores(labels, logits, clean=mask)
    assert (found["accuracy"], found["accuracy_dedup"]) == (0.75, 0.5)
    assert (found["n_test"], found["n_test_dedup"]) == (4, 2)
    none_left = S.scores(labels, logits, clean=np.zeros(4, bool))
    assert (none_left["n_test_dedup"], none_left["accuracy_dedup"]) == (0, None)
    unknown = S.scores(labels, logits)
    assert unknown["n_test_dedup"] is None
    assert unknown["accuracy_dedup"] is None


def test_softmax_of_large_logits():
    """Softmax does not overflow: logits 1000 and 998 differ by 2."""
    found = S.softmax(np.array([[1000.0, 998.0]], np.float32))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [[1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))]])


@pytest.mark.parametrize(
    ("labels", "logits", "clean", "message"),
    [
        ([0, 1], [[np.nan] + [0] * 6, [0] * 7], None, "1 of 2 images are not finite"),
        ([0, 1], [[np.inf] + [0] * 6, [0] * 7], None, "1 of 2 images are not finite"),
        ([0, 7], [[0] * 7] * 2, None, "0 to 7"),
        ([-1, 0], [[0] * 7] * 2, None, "-1 to 0"),
        ([0.0, 1.0], [[0] * 7] * 2, None, "float64"),
        ([0], [[0] * 7] * 2, None, r"\(1,\) and logits \(2, 7\)"),
        ([0, 1], [[0] * 6] * 2, None, r"\(2, 6\)"),
        ([0, 1], [[0] * 7] * 2, [1, 0], "int64"),
        ([0, 1], [[0] * 7] * 2, [True], r"\(1,\)"),
    ],
)
def test_unusable_predictions_are_refused(labels, logits, clean, message):
    mask = None if clean is None else np.array(clean)
    with pytest.raises(ValueError, match=message):
        S.scores(np.array(labels), np.array(logits, np.float32), clean=mask)


def test_no_images_are_refused():
    with pytest.raises(ValueError, match=r"\(0,\)"):
        S.scores(np.zeros(0, np.int64), np.zeros((0, 7), np.float32))


def test_every_class_has_its_recall():
    found = S.scores(LABELS, LOGITS)
    hit = LOGITS.argmax(1) == LABELS
    for k, name in enumerate(CLASSES):
        assert found[f"recall_{name}"] == pytest.approx(hit[k == LABELS].mean())
