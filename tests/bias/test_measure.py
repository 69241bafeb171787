"""All of bias from labels, attributes and predictions: its parts, and equal seeds."""

from dataclasses import replace

import numpy as np
import pytest

from ferbench.bias import advice, attributes, numbers
from ferbench.bias.measure import Sample, Settings, measure

LABELS = np.repeat(np.arange(7), 60)
SAMPLE = Sample(LABELS, None, blank=0, synthetic=True, is_reference=False)
SETTINGS = Settings(min_count=10, rounds=50, seed=0)


@pytest.fixture(scope="module")
def brightness():
    """Of images whose classes are ever brighter, and of real ones where they are not."""
    rng = np.random.default_rng(0)
    own, real = (rng.normal(size=len(LABELS)) for _ in range(2))
    return attributes.of_numbers("brightness", own + 0.5 * LABELS, real, groups=4)


def test_groups_are_scored_where_there_are_predictions(brightness):
    findings = measure(SAMPLE, LABELS, [brightness], SETTINGS)
    assert findings.groups == () and findings.images == len(LABELS)
    judged = replace(SAMPLE, predicted=(LABELS + (brightness.own.groups > 1)) % 7)
    (scores,) = measure(judged, LABELS, [brightness], SETTINGS).groups
    assert scores.accuracy_gap.value == 1


def test_equal_seeds_give_equal_numbers(brightness):
    first, again, other = (
        numbers.as_json(measure(SAMPLE, LABELS, [brightness], replace(SETTINGS, seed=seed)))
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_advice_is_given_for_what_is_more_than_chance(brightness):
    lines = advice.lines(measure(SAMPLE, LABELS, [brightness], SETTINGS))
    assert [finding.partition(" (")[0] for finding, _ in lines] == [
        "class and brightness are associated more strongly than in the real images",
        "brightness is distributed differently than in the real images",
    ]
    assert all("train.augment" in action or "normalize" in action for _, action in lines)


def test_a_dead_class_is_named_before_anything_else(brightness):
    """No image of sad (4) is recognized; the accuracy of the groups differs, too."""
    guessed = np.where(LABELS == 4, 3, LABELS)
    guessed = np.where((brightness.own.groups == 3) & (LABELS < 4), 6, guessed)
    judged = replace(SAMPLE, predicted=guessed, synthetic=False)
    lines = advice.lines(measure(judged, LABELS, [brightness], SETTINGS))
    assert lines[0][0] == "*sad* is hardly ever recognized (recall under 10 %)"
    assert len(lines) > 2


def test_findings_that_the_same_thing_helps_are_one_line():
    ranked = [("a", "x"), ("b", "y"), ("c", "x")]
    assert advice.merged(ranked) == [("a; c", "x"), ("b", "y")]
