"""Numbers of images of each class, and their order."""

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.data import label_counts
from ferbench.errors import UserError

FER2013 = dict(zip(CLASSES, (3995, 436, 4097, 7215, 4830, 3171, 4965), strict=True))


def test_sizes_are_counts_of_labels_in_the_order_of_the_classes():
    labels = np.array([0, 2, 2, 6])
    assert label_counts.class_counts(labels).tolist() == [1, 0, 2, 0, 0, 0, 1]
    assert label_counts.counts_by_name(labels[:3], ("a", "b", "c")) == {"a": 1, "b": 0, "c": 2}
    with pytest.raises(ValueError, match="argument"):
        label_counts.counts_by_name(labels, ("a", "b", "c"))


def test_equal_counts_differ_by_one_at_most():
    """28,709 = 7 * 4,101 + 2."""
    counts = label_counts.equal(28709, CLASSES)
    assert list(counts.values()) == [4102, 4102, 4101, 4101, 4101, 4101, 4101]
    assert list(counts) == list(CLASSES)


def test_natural_counts_of_the_whole_are_the_shares():
    assert label_counts.natural(28709, FER2013) == FER2013
    assert label_counts.natural(2 * 28709, FER2013) == {k: 2 * v for k, v in FER2013.items()}


def test_the_largest_remainders_get_the_rest():
    """10 images in the shares 1/2, 1/3, 1/6: 5, 3 1/3, 1 2/3."""
    assert label_counts.natural(10, {"a": 3, "b": 2, "c": 1}) == {"a": 5, "b": 3, "c": 2}


@pytest.mark.parametrize("n", [100, 101, 999, 5000])
def test_natural_counts_are_n_and_near_the_shares(n):
    counts = label_counts.natural(n, FER2013)
    assert sum(counts.values()) == n
    for name, share in FER2013.items():
        assert abs(counts[name] - n * share / 28709) < 1


@pytest.mark.parametrize(
    ("total", "weights", "want"),
    [
        (10, (1, 1, 1), (4, 3, 3)),
        (11, (1, 1, 1), (4, 4, 3)),
        (0, (1, 2, 3), (0, 0, 0)),
        (7, (1, 2, 4), (1, 2, 4)),
        (2, (5, 3, 2), (1, 1, 0)),
        (5, (0, 1, 1), (0, 3, 2)),
    ],
)
def test_apportion_by_largest_remainders(total, weights, want):
    """2 of 5 : 3 : 2 is 1.0, 0.6, 0.4: one each to the first two; equal remainders go in order."""
    assert tuple(label_counts.apportion(total, np.array(weights))) == want


def test_apportion_sums_up_and_stays_within_one_of_the_exact_share():
    rng = np.random.default_rng(0)
    for _ in range(200):
        weights = rng.integers(0, 9000, 7)
        total = int(rng.integers(0, weights.sum() + 1))
        found = label_counts.apportion(total, weights)
        assert found.sum() == total
        assert (np.abs(found - total * weights / weights.sum()) < 1).all()
        assert (found <= weights).all()


def test_too_few_for_every_class():
    for make in (label_counts.equal, label_counts.natural):
        with pytest.raises(UserError, match=r"n=6: below the number of classes.*at least 7"):
            make(6, FER2013)
    with pytest.raises(UserError, match="n=20: balance=natural leaves no image of disgust"):
        label_counts.natural(20, FER2013)


@pytest.mark.parametrize(
    "text", ["angry:100,happy:20", " happy : 20, angry:100", "{happy:20,angry:100}"]
)
def test_given_counts(text):
    want = dict.fromkeys(CLASSES, 0) | {"angry": 100, "happy": 20}
    assert label_counts.from_text(text, CLASSES) == want


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("angri:100", "no class 'angri'; did you mean angry"),
        ("angry", "'angry'; expected CLASS:NUMBER"),
        ("angry:-1", "'angry:-1'; expected"),
        ("angry:1.5", "'angry:1.5'; expected"),
        ("angry:1,angry:2", "'angry:2'; expected"),
        ("angry:0", "no image at all"),
        ("", "no class ''"),
        ("angry:1,", "no class ''"),
    ],
)
def test_counts_that_are_none(text, reason):
    with pytest.raises(UserError, match=reason):
        label_counts.from_text(text, CLASSES)


def test_equal_classes_take_turns():
    """Label i is i mod 7, so a set is the beginning of every larger one."""
    for n in (7, 20, 4000):
        labels = label_counts.interleaved(list(label_counts.equal(n, CLASSES).values()))
        np.testing.assert_array_equal(labels, np.arange(n) % 7)
        assert labels.dtype == np.int64


def test_every_prefix_has_the_shares():
    """Image j stands at (j + 1/2) / count: no class is off by more than 1/2 + K / 2 * its share."""
    counts = np.array(list(FER2013.values()))
    labels = label_counts.interleaved(counts.tolist())
    np.testing.assert_array_equal(np.bincount(labels), counts)
    seen = np.cumsum(np.eye(7, dtype=np.int64)[labels], axis=0)
    share = counts / counts.sum()
    due = np.arange(1, len(labels) + 1)[:, None] * share
    assert (np.abs(seen - due) <= 0.5 + 3.5 * share + 1e-9).all()


def test_classes_without_images_are_passed_over():
    assert label_counts.interleaved([0, 2, 0, 1]).tolist() == [1, 3, 1]
