"""Planted biases are found, with their sign; where none is planted, there is noise."""

import numpy as np
import pytest

from ferbench.bias import attributes, compared

OWN, REAL = np.arange(1400) % 7, np.arange(2100) % 7
ROUNDS = 200


def numbers(labels, effect, seed):
    """Noise of deviation 1; classes 0 to 6 differ by `effect` each."""
    return np.random.default_rng(seed).normal(size=len(labels)) + effect * labels


def compare(own, real, own_labels=OWN, real_labels=REAL):
    attribute = attributes.of_numbers("x", own, real, groups=4)
    rng = np.random.default_rng(0)
    return compared.compare(attribute, own_labels, real_labels, rounds=ROUNDS, rng=rng)


@pytest.mark.parametrize(("ours", "theirs", "sign"), [(0.3, 0.0, 1), (0.1, 0.4, -1)])
def test_a_planted_association_is_amplified_or_weakened(ours, theirs, sign):
    """Class means step by s: B = 4 s^2, W = 1, eta squared = 4 s^2 / (1 + 4 s^2)."""
    found = compare(numbers(OWN, ours, 1), numbers(REAL, theirs, 2))
    want = [4 * s**2 / (1 + 4 * s**2) for s in (ours, theirs)]
    assert found.own.value == pytest.approx(want[0], abs=0.04)
    assert found.real.value == pytest.approx(want[1], abs=0.04)
    assert np.sign(found.amplification.value) == sign and not found.amplification.noise
    assert found.amplification.low <= want[0] - want[1] <= found.amplification.high


def test_the_same_law_is_noise():
    """On both sides the same association: intervals hold 0 in at least 34 of 40 draws."""
    found = [compare(numbers(OWN, 0.2, s), numbers(REAL, 0.2, 1000 + s)) for s in range(40)]
    assert sum(one.amplification.noise for one in found) >= 34
    assert sum(not one.shifted for one in found) >= 34
    assert found[0].measure == "η²"


def test_a_shift_is_no_association():
    found = compare(numbers(OWN, 0, 1) + 1, numbers(REAL, 0, 2))
    assert found.shifted and found.distance > 0.25
    assert found.amplification.noise


def test_shares_of_the_classes_are_no_distance():
    """The classes differ by much, and the own images have mostly class 0; within classes equal."""
    own_labels = np.concatenate([np.zeros(1200, int), OWN[:420]])
    found = compare(numbers(own_labels, 0.8, 1), numbers(REAL, 0.8, 2), own_labels)
    assert not found.shifted and found.amplification.noise


def test_words_are_compared_by_v():
    """In the own images the group is the class's parity, in the real ones a coin's."""
    rng = np.random.default_rng(0)
    own = np.array(["even", "odd"])[OWN % 2].tolist()
    real = np.array(["even", "odd"])[rng.integers(0, 2, len(REAL))].tolist()
    attribute = attributes.of_words("parity", own, real)
    found = compared.compare(attribute, OWN, REAL, rounds=ROUNDS, rng=rng)
    assert found.measure == "V"
    assert found.own.value == pytest.approx(1, abs=0.01) and found.real.value < 0.1
    assert not found.amplification.noise
    assert found.own_information == pytest.approx(1)
    assert not found.shifted or found.distance < 0.1


def test_without_real_values_there_is_nothing_to_compare():
    attribute = attributes.of_words("sex", ["f", "m"] * 700, None)
    rng = np.random.default_rng(0)
    found = compared.compare(attribute, OWN, REAL, rounds=ROUNDS, rng=rng)
    assert found.distance is found.real is found.amplification is None
    assert not found.shifted


def test_an_attribute_of_one_class_alone_has_no_association():
    words = ["a" if label == 3 else "" for label in OWN]
    attribute = attributes.of_words("x", words, None)
    rng = np.random.default_rng(0)
    found = compared.compare(attribute, OWN, REAL, rounds=ROUNDS, rng=rng)
    assert found.own.value == 0


def test_classes_against_the_real_shares():
    """Half of the images of one class, the others 1/12 each: TV = 1/2 - 1/7."""
    own = np.concatenate([np.zeros(600, int), 1 + np.arange(600) % 6])
    found = compared.represent(own, REAL, rounds=ROUNDS, rng=np.random.default_rng(0))
    assert found.distance == pytest.approx(1 / 2 - 1 / 7)
    assert found.distance > found.floor > 0 and found.ratio == 6
    same = compared.represent(OWN, REAL, rounds=ROUNDS, rng=np.random.default_rng(0))
    assert same.distance == pytest.approx(0, abs=1e-12)
