"""Gaps between groups: of made confusions, of chance, and where there are too few images."""

import numpy as np
import pytest

from ferbench.bias import attributes, groups
from ferbench.bias.groups import confusions

ROUNDS = 300


def two_groups(first, second, min_count=30):
    """Scores of groups a and b from lists of (true, predicted, images)."""
    names, labels, predicted = [], [], []
    for name, cells in (("a", first), ("b", second)):
        for true, called, n in cells:
            names += [name] * n
            labels += [true] * n
            predicted += [called] * n
    attribute = attributes.of_words("group", names, None)
    return groups.score(
        attribute,
        np.array(labels),
        np.array(predicted),
        min_count=min_count,
        rounds=ROUNDS,
        rng=np.random.default_rng(0),
    )


def test_gaps_of_a_made_confusion():
    """Recall of class 0: 0.9 and 0.6, of class 1: 0.7 and 0.8; classes 2 to 6 are absent.

    With two classes, false positives of the one are misses of the other, so the equalized odds
    difference is 0.3, too; accuracies are 0.8 and 0.7.
    """
    found = two_groups(
        [(0, 0, 90), (0, 1, 10), (1, 1, 70), (1, 0, 30)],
        [(0, 0, 60), (0, 1, 40), (1, 1, 80), (1, 0, 20)],
    )
    assert found.accuracy[:, 0].tolist() == [0.8, 0.7]
    assert found.accuracy_gap.value == pytest.approx(0.1)
    assert found.recall_gaps[0].value == pytest.approx(0.3)
    assert found.recall_gaps[1].value == pytest.approx(0.1)
    assert found.recall_gaps[2] is None
    assert found.recall_gap.value == pytest.approx(0.3) and found.worst_class == "angry"
    assert found.odds_gap.value == pytest.approx(0.3)
    assert found.recall_gap.low < 0.3 < found.recall_gap.high
    assert not found.recall_gap.noise and found.recall_gaps[1].noise


def test_false_positives_count_in_equalized_odds():
    """Recalls are equal. Class 2 is called for 0 and for 50 % of 100 others: the gap is 1/2."""
    found = two_groups([(2, 2, 50), (0, 1, 50), (0, 1, 50)], [(2, 2, 50), (0, 2, 50), (0, 1, 50)])
    assert found.recall_gap.value == 0
    assert found.odds_gap.value == pytest.approx(0.5)


def test_groups_by_chance_have_no_gap():
    """Groups dealt at random: no more than chance in at least 17 of 20 draws."""
    rng = np.random.default_rng(0)
    labels = np.arange(1400) % 7
    predicted = np.where(rng.random(1400) < 0.6, labels, rng.integers(0, 7, 1400))
    noise = []
    for _ in range(20):
        attribute = attributes.of_words("x", rng.choice(list("abcd"), 1400).tolist(), None)
        found = groups.score(attribute, labels, predicted, min_count=30, rounds=100, rng=rng)
        noise.append((found.accuracy_gap.noise, found.recall_gap.noise, found.odds_gap.noise))
    assert (np.sum(noise, axis=0) >= 17).all()


def test_chance_knows_the_classes_of_a_group():
    """Group b has the harder class alone; no gap is left once that is known."""
    easy, hard = [(0, 0, 95), (0, 1, 5)], [(1, 1, 50), (1, 0, 50)]
    found = two_groups(easy, hard)
    assert found.accuracy_gap.value == pytest.approx(0.45)
    assert found.accuracy_gap.chance == pytest.approx(0.45) and found.accuracy_gap.noise


def test_too_few_images_are_left_out_of_gaps():
    found = two_groups([(0, 0, 100)], [(0, 1, 29)])
    assert found.too_few.tolist() == [False, True]
    assert found.accuracy_gap is found.recall_gap is found.odds_gap is None
    assert found.worst_class == "-"
    enough = two_groups([(0, 0, 100)], [(0, 1, 30)])
    assert enough.accuracy_gap.value == 1 and enough.recall_gap.value == 1


def test_a_class_with_few_images_in_a_group_is_left_out():
    found = two_groups([(0, 0, 50), (1, 1, 20)], [(0, 0, 50), (1, 0, 20)])
    assert found.class_too_few[:, 1].all() and not found.class_too_few[:, 0].any()
    assert found.recall_gaps[1] is None
    assert found.recall_gap.value == 0


def test_unknown_groups_are_left_out():
    found = confusions(np.array([0, -1, 1]), np.array([2, 2, 2]), np.array([2, 2, 3]), 2)
    assert found.sum() == 2 and found[0, 2, 2] == 1 and found[1, 2, 3] == 1
