"""What the runs of a study came to: rows and predictions by cell and seed, and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferbench import runs
from ferbench.errors import UserError
from ferbench.metrics import significance
from ferbench.metrics.significance import Difference
from ferbench.study.ledger import Progress
from ferbench.study.plan import Cell, Study

COMPARISON_SEED = 0  # of sign flips and bootstrap


@dataclass(frozen=True)
class Outcome:
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

        Over two seeds t is so wide that it says nothing; there, the wider of the seeds' own.
        """
        over_seeds = significance.t_interval(self.values("accuracy"))
        if over_seeds is not None and len(self.rows) >= significance.FEW_SEEDS:
            return over_seeds
        low = min(self.values("accuracy_low"))
        return low, max(self.values("accuracy_high"))


@dataclass(frozen=True)
class Compared:
    """A difference between two cells, `cell` minus `other`, and what to call it."""

    cell: Cell
    other: Cell
    found: Difference
    adjusted: float
    verdict: str

    @property
    def points(self) -> str:
        """The difference in points of accuracy."""
        return f"{100 * self.found.value:+.1f}"

    @property
    def interval(self) -> str:
        """Its 95 % interval."""
        return f"{100 * self.found.low:+.1f} to {100 * self.found.high:+.1f}"


def collect(study: Study, progress: Progress) -> dict[str, Outcome]:
    """The outcomes by the cell's id, in the study's order; cells without a finished run are out."""
    found = {}
    for cell in study.cells:
        folders = {
            task.seed: Path(str(progress.entries[task.id].folder))
            for task in progress.tasks
            if task.cell == cell.id and task.seed is not None and progress.is_done(task)
        }
        if folders:
            found[cell.id] = _outcome(cell, folders)
    return found


def _outcome(cell: Cell, folders: Mapping[int, Path]) -> Outcome:
    rows, hits = {}, {}
    for seed, folder in folders.items():
        row = runs.status_of(folder).get("row")
        if not isinstance(row, dict):
            raise UserError(f"{folder}: its run.json has no row; force=true runs it again")
        rows[seed] = row
        with np.load(folder / "predictions.npz") as file:
            hits[seed] = file["logits"].argmax(1) == file["labels"]
    row = next(iter(rows.values()))
    return Outcome(cell, rows, hits, f"{row['test_data']} {row['test_split']} {row['test_hash']}")


def compare(study: Study, outcomes: Mapping[str, Outcome]) -> list[Compared]:
    """The study's comparisons, those with the baseline first; p values adjusted for their number.

    Left out are cells that are not done or have no seed in common. Raises UserError if two cells
    were tested on different images.
    """
    pairs = [(cell.id, cell.against or study.baseline) for cell in study.cells]
    wanted = [(a, b) for a, b in [*pairs, *study.compare] if b is not None and a != b]
    found = []
    for a, b in dict.fromkeys(wanted):
        if a in outcomes and b in outcomes:
            difference = _difference(outcomes[a], outcomes[b])
            found += [(a, b, difference)] if difference is not None else []
    adjusted = significance.holm([difference.p_images for *_, difference in found])
    return [
        Compared(study.cell(a), study.cell(b), d, p, significance.verdict(d, p))
        for (a, b, d), p in zip(found, adjusted, strict=True)
    ]


def _difference(one: Outcome, other: Outcome) -> Difference | None:
    if one.test != other.test:
        raise UserError(f"{one.cell.id}, {other.cell.id}: tested on different images")
    seeds = [seed for seed in one.seeds if seed in other.rows]
    if not seeds:
        return None
    hits = [np.stack([outcome.hits[seed] for seed in seeds]) for outcome in (one, other)]
    return significance.difference(hits[0], hits[1], seed=COMPARISON_SEED)


def pivot(
    study: Study, outcomes: Mapping[str, Outcome], column: str
) -> tuple[list[str], list[list[str]]]:
    """Column names and lines of a table of one score over two variables, by their values."""
    rows, columns = study.pivot["rows"], study.pivot["columns"]
    cells = [cell for cell in study.cells if {*rows, columns} <= set(cell.variables)]
    across = list(dict.fromkeys(cell.value(columns) for cell in cells))
    lines = []
    for name in dict.fromkeys(cell.value(*rows) for cell in cells):
        chosen = {cell.value(columns): cell.id for cell in cells if cell.value(*rows) == name}
        lines.append(
            [name, *(mean_text(outcomes.get(chosen.get(at, "")), column) for at in across)]
        )
    return [", ".join(rows), *(f"{columns} {at}" for at in across)], lines


def mean_text(outcome: Outcome | None, column: str) -> str:
    """`47.1 ± 0.3` in percent; AUROC as a fraction; "-" where there is nothing."""
    if outcome is None or any(row.get(column) is None for row in outcome.rows.values()):
        return "-"
    spread = outcome.spread(column)
    return score_text(column, outcome.mean(column)) + (
        f" ± {score_text(column, spread)}" if spread is not None else ""
    )


def score_text(column: str, value: float) -> str:
    """In percent with one digit; AUROC as a fraction with three."""
    return f"{value:.3f}" if column == "auroc" else f"{100 * value:.1f}"
