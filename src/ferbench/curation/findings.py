"""What a curation took of a pool, and what each step dropped, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Step:
    """counts: images of each class by their label after it; facts: thresholds, what it dropped."""

    name: str
    counts: dict[str, int]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Curated:
    """The images taken, in their order: rows of the pool and labels, [n] int64 both.

    steps: the first is the pool, the last the set. missing: images of each class that were wanted
    and not there.
    """

    rows: np.ndarray
    labels: np.ndarray
    steps: list[Step]
    missing: dict[str, int]
