"""A curation for machines: its part of the set's manifest."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ferbench.curation.findings import Curated


def as_json(curated: Curated) -> dict[str, Any]:
    """The steps with their counts and thresholds, and what is missing."""
    return {"steps": [asdict(step) for step in curated.steps], "missing": curated.missing}
