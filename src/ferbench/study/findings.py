"""What the runs of a study reached, and how its cells differ, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferbench.data.synthetic_set import SyntheticSet
from ferbench.metrics import significance
from ferbench.metrics.significance import Difference
from ferbench.study.plan import Cell


@dataclass(frozen=True)
class CellResult:
    """A cell with what its seeds reached.

    rows: the table's row of each seed. hits: [N] bool of each seed, right answers to the test
    images. test: what was tested on, the same for all cells that are compared.
    """

    cell: Cell
    rows: Mapping[int, dict[str, Any]]
    hits: Mapping[int, np.ndarray]
    test: str

    @property
    def seeds(self) -> list[int]:
        """The seeds that are done."""
        return sorted(self.rows)

    def has(self, column: str) -> bool:
        """Whether every seed has a value in this column."""
        return all(row.get(column) is not None for row in self.rows.values())

    def values(self, column: str) -> list[float]:
        """The column's value of each seed."""
        return [float(self.rows[seed][column]) for seed in self.seeds]

    def mean(self, column: str) -> float:
        """Its mean over the seeds."""
        return float(np.mean(self.values(column)))

    def spread(self, column: str) -> float | None:
        """Its standard deviation over the seeds (n - 1); None for one seed."""
        values = self.values(column)
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy: Student's t over seeds, of one seed Wilson's over images.

        Over two seeds t is so wide that it means nothing; there, the wider of the seeds' own.
        """
        over_seeds = significance.t_interval(self.values("accuracy"))
        if over_seeds is not None and len(self.rows) >= significance.FEW_SEEDS:
            return over_seeds
        low = min(self.values("accuracy_low"))
        return low, max(self.values("accuracy_high"))


@dataclass(frozen=True)
class CellDifference:
    """The difference of two cells, `cell` minus `other`, and its verdict.

    adjusted: p over images, adjusted for the number of comparisons.
    """

    cell: Cell
    other: Cell
    difference: Difference
    adjusted: float
    verdict: str


@dataclass(frozen=True)
class Findings:
    """What a study has reached so far.

    results: by the cell's id, of cells with a finished run. differences: the study's comparisons,
    those with the baseline first. sets: the synthetic sets that its steps made, by the step's id.
    """

    results: Mapping[str, CellResult]
    differences: Sequence[CellDifference]
    sets: Mapping[str, SyntheticSet]
