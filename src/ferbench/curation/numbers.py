"""A curation for machines: its part of the set's manifest, and the columns of its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from ferbench.curation.findings import Curated, Step


def as_json(curated: Curated) -> dict[str, Any]:
    """The steps with their counts and thresholds, and what is missing."""
    return {"steps": [asdict(step) for step in curated.steps], "missing": curated.missing}


def row_columns(curated: Curated, gate: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of `CurateRow` that hold what was found.

    gate: what `gan.gate.gate` found in the set. A step that was left out has an empty column.
    """
    steps = {step.name: step for step in curated.steps}
    dropped = _dropped(curated.steps)
    known = [share for share in gate["accuracy"].values() if share is not None]
    return {
        "set_images": len(curated.rows),
        "pool_images": _images(curated.steps[0]),
        "mismatched_images": steps["mismatched"].facts["images"] if "mismatched" in steps else None,
        "unsure_images": dropped.get("confidence"),
        "training_copies": dropped.get("training copies"),
        "near_duplicates": dropped.get("near-duplicates"),
        "missing_images": sum(curated.missing.values()),
        "cell_likeness": _likeness(steps.get("spread")),
        "gate_judge_name": gate["judge"],
        "gate_judge_hash": gate["judge_hash"],
        "class_accuracy": gate["class_accuracy"],
        "class_accuracy_least": min(known),
    }


def _images(step: Step) -> int:
    return sum(step.counts.values())


def _dropped(steps: list[Step]) -> dict[str, int]:
    """How many images each step took out, by its name."""
    return {step.name: _images(before) - _images(step) for before, step in pairwise(steps)}


def _likeness(spread: Step | None) -> float | None:
    """Mean over the classes of how alike the chosen images' cells are to the real ones'."""
    if spread is None:
        return None
    values = [one["chosen_likeness"] for one in spread.facts["classes"].values()]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
