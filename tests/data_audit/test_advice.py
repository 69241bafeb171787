"""Advice is given for what was found, and for nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from ferbench.data_audit import advice, confident, faults, pool
from ferbench.data_audit.findings import Control, Enlarged, Findings, LabelNoise


@pytest.fixture
def clean(make_set):
    return faults.find(pool.read(make_set(lambda *_: None)))


def noise(wrong, recall):
    """700 images with so many disputed labels, and a control of that recall."""
    true = np.arange(700) % 7
    given = true.copy()
    given[:wrong] = (given[:wrong] + 1) % 7
    probabilities = np.full((700, 7), 0.01)
    probabilities[np.arange(700), true] = 0.94
    issues = confident.learn(given, probabilities)
    control = Control(100, 100, 100, round(100 * recall), 0, np.arange(100))
    rates = confident.noise(issues.joint)
    ends = np.stack([rates, rates], axis=1)
    return LabelNoise(np.arange(700), 5, probabilities, issues, rates, ends, control)


def lines(faults, noise, enlarged):
    return advice.lines(Findings(None, faults, noise, enlarged))


def test_a_set_without_faults_needs_none(clean):
    assert lines(clean, None, None) == []
    assert lines(clean, noise(0, 1.0), Enlarged({"public": 35}, {"public": 0})) == []


def test_enlarged_copies_are_told(clean):
    ((found, help),) = lines(clean, None, Enlarged({"public": 3}, {"public": 2}))
    assert found.startswith("2 more test images") and "no mask" in help


@pytest.mark.parametrize(
    ("wrong", "recall", "message"),
    [
        (20, 0.9, "from the top"),
        (20, 0.4, "do not act on the list: the control finds only 40 %"),
        (300, 0.9, "errors of the classifiers"),
    ],
)
def test_how_far_the_list_is_to_be_trusted(clean, wrong, recall, message):
    ((found, help),) = lines(clean, noise(wrong, recall), None)
    assert "labels" in found and "are disputed" in found
    assert message in help


def test_unequal_classes_and_splits_are_told(clean):
    balance = replace(clean.balance, largest_ratio=16.4, p=1e-6)
    found = [one for one, _ in lines(replace(clean, balance=balance), None, None)]
    assert found == [
        "the largest class is 16.4 times as large as the smallest",
        "the splits have different shares of the classes",
    ]
