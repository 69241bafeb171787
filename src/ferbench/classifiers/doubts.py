"""Why a trained classifier cannot be trusted, from the scores that its run left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferbench.classes import CLASSES

# Of a judge. On real faces a small CNN reaches 0.70, people about as much. On toy faces, which are
# easier, the quick one of `ferbench demo` reaches 0.87, so its output stays without warnings.
LEAST_ACCURACY = 0.6
LEAST_RECALL = 0.1  # of every class


def of_predictions(predicted: np.ndarray) -> list[str]:
    """Warnings about a classifier that gives these classes [N] int64 to a test split, N > 0."""
    if len(np.unique(predicted)) > 1:
        return []
    return [f"the classifier gives one class for every test image: {CLASSES[predicted[0]]}"]


def of_judge(name: str, row: Mapping[str, Any]) -> list[str]:
    """Warnings about a judge, from the row of its run of classify: no more than one.

    Its accuracy and recalls are those of the test split that the run was scored on.
    """
    lacking = _one_class(row) or _weak(row)
    return [f"judge {name} cannot be trusted: {lacking}"] if lacking else []


def _one_class(row: Mapping[str, Any]) -> str:
    recalls = [row.get(f"recall_{name}") for name in CLASSES]
    tested = [recall for recall in recalls if recall is not None]
    if len(tested) < 2 or sorted(tested) != [0.0] * (len(tested) - 1) + [1.0]:
        return ""
    return f"it gives one class for every test image: {CLASSES[recalls.index(1.0)]}"


def _weak(row: Mapping[str, Any]) -> str:
    """The scores that are too low, and what they should be; "" for none."""
    accuracy, where = row["accuracy"], f"on {row['test_data']} {row['test_split']}"
    low = [f"accuracy {_percent(accuracy)}"] if accuracy < LEAST_ACCURACY else []
    for name in CLASSES:
        recall = row.get(f"recall_{name}")
        if recall is not None and recall < LEAST_RECALL:
            low.append(f"recall of {name} {_percent(recall)}")
    least = f"accuracy of {_percent(LEAST_ACCURACY)} and recalls of {_percent(LEAST_RECALL)}"
    return f"{', '.join(low)} {where}, expected {least} or more" if low else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
