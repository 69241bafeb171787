"""The results of a study's runs: rows and predictions by cell and seed, and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ferbench import runs
from ferbench.data import synthetic_set
from ferbench.data.synthetic_set import SyntheticSet
from ferbench.errors import UserError
from ferbench.files import load_arrays
from ferbench.metrics import significance
from ferbench.metrics.significance import Difference
from ferbench.study.findings import CellDifference, CellResult, Findings
from ferbench.study.ledger import Progress
from ferbench.study.plan import Cell, Study

COMPARISON_SEED = 0  # of sign flips and bootstrap


def measure(study: Study, progress: Progress) -> Findings:
    """Everything that is known so far, from the folders of the finished runs.

    Raises UserError if a run left no row, or if two cells to compare were tested on different
    images.
    """
    results = _results(study, progress)
    return Findings(results, _differences(study, results), _sets(progress))


def _results(study: Study, progress: Progress) -> dict[str, CellResult]:
    """By the cell's id, in the study's order; cells without a finished run are left out."""
    results = {}
    for cell in study.cells:
        folders = {
            task.seed: Path(str(progress.entries[task.id].folder))
            for task in progress.tasks
            if task.cell == cell.id and task.seed is not None and progress.is_done(task)
        }
        if folders:
            results[cell.id] = _result(cell, folders)
    return results


def _result(cell: Cell, folders: Mapping[int, Path]) -> CellResult:
    rows, hits = {}, {}
    for seed, folder in folders.items():
        row = runs.status_of(folder).get("row")
        if not isinstance(row, dict):
            raise UserError(f"{folder}: its run.json has no row; force=true runs it again")
        rows[seed] = row
        hits[seed] = _hits(folder / "predictions.npz")
    row = next(iter(rows.values()))
    test = f"{row['test_data']} {row['test_split']} {row['test_hash']}"
    return CellResult(cell, rows, hits, test)


def _hits(path: Path) -> np.ndarray:
    """[N] bool: which images of the test split a run called right."""
    try:
        kept = load_arrays(path, "logits", "labels")
    except (FileNotFoundError, ValueError) as error:
        raise UserError(f"{error}; move its folder away, and the study runs it again") from None
    hits: np.ndarray = kept["logits"].argmax(1) == kept["labels"]
    return hits


def _differences(study: Study, results: Mapping[str, CellResult]) -> list[CellDifference]:
    """The study's comparisons, those with the baseline first; p values adjusted for their number.

    Left out are cells that are not done or have no seed in common.
    """
    pairs = [(cell.id, cell.against or study.baseline) for cell in study.cells]
    wanted = [(a, b) for a, b in [*pairs, *study.compare] if b is not None and a != b]
    compared = []
    for a, b in dict.fromkeys(wanted):
        if a in results and b in results:
            difference = _difference(results[a], results[b])
            compared += [(a, b, difference)] if difference is not None else []
    adjusted = significance.holm([difference.p_images for *_, difference in compared])
    return [
        CellDifference(study.cell(a), study.cell(b), d, p, significance.verdict(d, p))
        for (a, b, d), p in zip(compared, adjusted, strict=True)
    ]


def _difference(one: CellResult, other: CellResult) -> Difference | None:
    if one.test != other.test:
        raise UserError(f"{one.cell.id}, {other.cell.id}: tested on different images")
    seeds = [seed for seed in one.seeds if seed in other.rows]
    if not seeds:
        return None
    hits = [np.stack([result.hits[seed] for seed in seeds]) for result in (one, other)]
    return significance.difference(hits[0], hits[1], seed=COMPARISON_SEED)


def _sets(progress: Progress) -> dict[str, SyntheticSet]:
    """The synthetic sets among the folders that steps left."""
    folders = {id: Path(path) for id, path in progress.folders.items()}
    return {
        id: synthetic_set.read(path)
        for id, path in folders.items()
        if (path / synthetic_set.MANIFEST).is_file()
    }
