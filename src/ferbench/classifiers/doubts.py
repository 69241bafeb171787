"""Why a trained classifier cannot be trusted, from the scores that its run left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferbench.classes import CLASSES

LEAST_ACCURACY = 0.6  # of a judge of real faces; a small CNN reaches 0.65, people about as much
LEAST_RECALL = 0.1  # of such a judge, of every class
# Toy faces are there for trying, and a quick judge of them does: only near chance it is useless.
LEAST_TOY_ACCURACY = 2 / len(CLASSES)


def of_predictions(predicted: np.ndarray) -> list[str]:
    """Warnings about a classifier that gives these classes [N] int64 to a test split, N > 0."""
    if len(np.unique(predicted)) > 1:
        return []
    return [f"the classifier gives one class for every test image: {CLASSES[predicted[0]]}"]


def of_judge(name: str, row: Mapping[str, Any]) -> list[str]:
    """Warnings about a judge, from the row of its run of classify: no more than one.

    Its accuracy and recalls are those of the real test split that the run was scored on.
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
    toy = row["test_data"] == "toy"
    least = LEAST_TOY_ACCURACY if toy else LEAST_ACCURACY
    low = [] if row["accuracy"] >= least else [f"accuracy {_percent(row['accuracy'])}"]
    expected = [f"accuracy of {_percent(least)}"]
    if not toy:
        low += [
            f"recall of {name} {_percent(row[f'recall_{name}'])}"
            for name in CLASSES
            if row.get(f"recall_{name}") is not None and row[f"recall_{name}"] < LEAST_RECALL
        ]
        expected.append(f"recalls of {_percent(LEAST_RECALL)}")
    where = f"on {row['test_data']} {row['test_split']}"
    return f"{', '.join(low)} {where}, expected {' and '.join(expected)} or more" if low else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
