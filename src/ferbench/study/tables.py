"""The tables of a study's report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ferbench.classes import CLASSES
from ferbench.data.synthetic_set import SyntheticSet
from ferbench.metrics import significance
from ferbench.metrics.significance import Difference
from ferbench.report import Table
from ferbench.study.findings import CellDifference, CellResult, Findings
from ferbench.study.plan import Study

NAMES = {
    "accuracy": "accuracy",
    "accuracy_dedup": "without copies",
    "macro_f1": "macro F1",
    "auroc": "AUROC",
    "macro_precision": "precision",
    "macro_recall": "recall",
}


def results_table(findings: Findings) -> Table:
    """Every cell with its scores and, beside them, those of earlier work."""
    results = findings.results.values()
    earlier = any(result.cell.earlier for result in results)
    lines = []
    for result in results:
        scores = [mean_text(result, column) for column in NAMES]
        line = [result.cell.label, str(len(result.rows)), *scores]
        lines.append([*line, _earlier(result)] if earlier else line)
    note = (
        "In percent but AUROC; mean ± standard deviation over seeds. Without copies: test images "
        "that are no copy of an earlier image. Precision, recall and F1 are macro averages."
    )
    columns = ["cell", "seeds", *NAMES.values()]
    return Table([*columns, "earlier work"] if earlier else columns, lines, note=note)


def _earlier(result: CellResult) -> str:
    known = result.cell.earlier.items()
    return ", ".join(f"{NAMES[key]} {score_text(key, value)}" for key, value in known) or "-"


def pivot_table(study: Study, findings: Findings, column: str) -> Table:
    """One score over two variables of the grid, by their values."""
    rows, across = study.pivot["rows"], study.pivot["columns"]
    cells = [cell for cell in study.cells if {*rows, across} <= set(cell.variables)]
    values = list(dict.fromkeys(cell.value(across) for cell in cells))
    lines = []
    for name in dict.fromkeys(cell.value(*rows) for cell in cells):
        ids = {cell.value(across): cell.id for cell in cells if cell.value(*rows) == name}
        results = [findings.results.get(ids.get(value, "")) for value in values]
        lines.append([name, *(mean_text(result, column) for result in results)])
    columns = [", ".join(rows), *(f"{across} {value}" for value in values)]
    return Table(columns, lines, note="In percent.")


def differences_table(study: Study, findings: Findings) -> Table:
    """Differences in points with their tests, and what follows from them."""
    causes = any(one.cell.cause for one in findings.differences)
    columns = ["cell", *(["what it changes"] if causes else []), "against"]
    columns += ["points", "95 %", "p (images)", "p (seeds)", "verdict"]
    lines = [_difference_line(one, causes) for one in findings.differences]
    warning = (
        " With fewer than three seeds a difference is one between these very networks; other seeds "
        "may give another."
    )
    note = (
        "Points of accuracy; the interval is a bootstrap over test images. p (images): McNemar's "
        "exact test with one seed, sign flips of the images' mean differences with several; "
        f"adjusted for {len(lines)} comparisons (Holm). p (seeds): paired t-test. A difference "
        f"is noise unless both are below {significance.LEVEL}."
    )
    note += warning if len(study.seeds) < significance.FEW_SEEDS else ""
    return Table(columns, lines, note=note, leading=3 if causes else 2)


def _difference_line(one: CellDifference, causes: bool) -> list[str]:
    return [
        one.cell.label,
        *([one.cell.cause or "-"] if causes else []),
        one.other.label,
        points_text(one.difference),
        interval_text(one.difference),
        _p(one.adjusted),
        _p(one.difference.p_seeds),
        one.verdict,
    ]


def sets_table(sets: Mapping[str, SyntheticSet]) -> Table:
    """The synthetic sets, with the share of each that a judge takes for its class."""
    lines = [[id, f"{len(one.labels):,}", *_gate(one.manifest)] for id, one in sets.items()]
    note = (
        "Class accuracy: the share that a classifier of real faces takes for the class that was "
        "asked for, the mean over classes and each class (chance 0.143). Diversity: root mean "
        "square difference of pixels in [-1, 1] between samples, of the least diverse class."
    )
    columns = ["set", "images", "class accuracy", *CLASSES, "diversity"]
    return Table(columns, lines, note=note)


def _gate(manifest: Mapping[str, Any]) -> list[str]:
    """Class accuracy, those of the classes, and diversity as text."""
    gate = manifest.get("gate") or {}
    shares, spread = gate.get("accuracy") or {}, gate.get("diversity") or {}
    known = [value for value in spread.values() if value is not None]
    shown = [gate.get("class_accuracy"), *map(shares.get, CLASSES), min(known, default=None)]
    return ["-" if value is None else f"{value:.2f}" for value in shown]


# --- numbers as text -----------------------------------------------------------------------------


def mean_text(result: CellResult | None, column: str) -> str:
    """`47.1 ± 0.3` in percent; AUROC as a fraction; "-" where there is no value."""
    if result is None or not result.has(column):
        return "-"
    spread = result.spread(column)
    return score_text(column, result.mean(column)) + (
        f" ± {score_text(column, spread)}" if spread is not None else ""
    )


def score_text(column: str, value: float) -> str:
    """In percent with one digit; AUROC as a fraction with three."""
    return f"{value:.3f}" if column == "auroc" else f"{100 * value:.1f}"


def points_text(difference: Difference) -> str:
    """The difference in points of accuracy."""
    return f"{100 * difference.value:+.1f}"


def interval_text(difference: Difference) -> str:
    """Its 95 % interval."""
    return f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
