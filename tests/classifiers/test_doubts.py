"""Which classifiers cannot be trusted, from their rows."""

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.classifiers import doubts


def row(accuracy, data="fer2013", **recalls):
    known = {f"recall_{name}": recalls.get(name, accuracy) for name in CLASSES}
    return {"accuracy": accuracy, "test_data": data, "test_split": "private", **known}


def test_a_judge_of_real_faces_needs_60_percent_and_10_of_every_class():
    assert doubts.of_judge("j", row(0.6)) == []
    assert doubts.of_judge("j", row(0.7, disgust=0.1)) == []
    assert doubts.of_judge("j", row(0.7, disgust=None)) == []
    expected = "expected accuracy of 60.0 % and recalls of 10.0 % or more"
    assert doubts.of_judge("j", row(0.5, disgust=0.0)) == [
        "judge j cannot be trusted: accuracy 50.0 %, recall of disgust 0.0 % on fer2013 private, "
        + expected
    ]
    (weak,) = doubts.of_judge("j", row(0.599))
    assert weak == f"judge j cannot be trusted: accuracy 59.9 % on fer2013 private, {expected}"
    (blind,) = doubts.of_judge("j", row(0.7, fear=0.09, sad=0.05))
    assert "trusted: recall of fear 9.0 %, recall of sad 5.0 % on" in blind


def test_a_judge_of_toy_faces_is_held_to_the_same():
    """They are easier; the quick judge of the demo has 87 %, so nothing is said there."""
    assert doubts.of_judge("j", row(0.87, data="toy")) == []
    (weak,) = doubts.of_judge("j", row(0.5, data="toy"))
    assert "accuracy 50.0 % on toy private, expected accuracy of 60.0 % and recalls" in weak


@pytest.mark.parametrize("data", ["fer2013", "toy"])
def test_a_judge_that_gives_one_class_is_named(data):
    (text,) = doubts.of_judge("j", row(0.9, data, **dict.fromkeys(CLASSES, 0.0) | {"happy": 1.0}))
    assert text == ("judge j cannot be trusted: it gives one class for every test image: happy")


def test_one_class_for_everything_is_seen_in_the_predictions():
    assert doubts.of_predictions(np.array([3, 3, 3])) == [
        "the classifier gives one class for every test image: happy"
    ]
    assert doubts.of_predictions(np.array([3, 3, 4])) == []
