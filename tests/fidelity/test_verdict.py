"""What the numbers of a set amount to: three sentences and ranked advice."""

from dataclasses import replace

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.fidelity import verdict
from ferbench.fidelity.findings import (
    Comparison,
    Diversity,
    FeatureDistance,
    Findings,
    Side,
    Values,
)

PLAIN = Values(100, 700, 1.0, 0.0, 0.0, 10, 0.9, 0.9, 1.0, 0.8, 2.0, 0.5)
ONE_DEAD = [0.3, 0.05, 0.3, 0.6, 0.3, 0.3, 0.3]


def side(*, fid: float = 1.0, coverage: float = 0.8, recall: list[float] | None = None) -> Side:
    """100 images of each class, so many of which the judge recognizes; the others it calls next."""
    overall = replace(PLAIN, fid=fid, coverage=coverage)
    judged = np.zeros((7, 7), np.int64)
    for k, share in enumerate(recall or [0.6] * 7):
        judged[k, k] = round(100 * share)
        judged[k, (k + 1) % 7] = 100 - judged[k, k]
    comparison = Comparison(overall, (PLAIN,) * 7, 2.0, 0.1)
    return Side(comparison, judged, FeatureDistance(0.1, (0.1,) * 7))


def findings(own: Side, floor: Side | None = None) -> Findings:
    reference = Diversity(np.full(7, 2.0), np.full(7, 0.5))
    return Findings(reference, own, own, floor or side(), None, ())


def test_a_set_like_the_real_faces() -> None:
    result = findings(side())
    assert verdict.level(result) == "close to the real faces in all that is measured here"
    assert verdict.advice(result) == []
    assert len(verdict.sentences(result)) == 3


def test_the_three_sentences_have_the_numbers() -> None:
    result = findings(side(fid=12.0, coverage=0.2, recall=ONE_DEAD))
    near, varied, classes = verdict.sentences(result)
    assert "is 12; held-out real faces have 1, so it is 12 times as far" in near
    assert "reaches 20 %" in varied and "held-out real faces 80 %" in varied
    assert "31 % of its images (of held-out real faces 60 %)" in classes
    assert classes.endswith("least often that of disgust: 5 % (60 %).")


def test_the_dead_class_comes_first() -> None:
    result = findings(side(fid=12.0, coverage=0.2, recall=ONE_DEAD))
    assert verdict.dead_classes(result) == ["disgust"]
    assert verdict.level(result).split("; ") == [
        "dead: disgust",
        "unclear classes",
        "less varied than real faces",
        "far from the real faces",
    ]
    advice = verdict.advice(result)
    assert advice[0][0].startswith("*disgust*")
    assert len(advice) == 4


def test_a_class_that_the_judge_does_not_know_in_real_faces_is_not_called_dead() -> None:
    few = [0.6, 0.02, 0.6, 0.6, 0.6, 0.6, 0.6]
    assert verdict.dead_classes(findings(side(recall=few), side(recall=few))) == []


def test_a_class_without_variety_is_dead_without_a_judge_too() -> None:
    alike = replace(PLAIN, diversity=0.2)
    own = side()
    comparison = replace(own.comparison, classes=(alike, *own.comparison.classes[1:]))
    own = replace(own, comparison=comparison, judged=None)
    result = findings(own, replace(side(), judged=None))
    assert verdict.dead_classes(result) == [CLASSES[0]]
    assert verdict.sentences(result)[-1] == "No judge looked at its classes."


@pytest.mark.parametrize(("fid", "far"), [(2.9, False), (3.0, True)])
def test_from_three_times_the_distance_a_set_is_far(fid: float, far: bool) -> None:
    level = verdict.level(findings(side(fid=fid)))
    assert ("far from the real faces" in level) == far
