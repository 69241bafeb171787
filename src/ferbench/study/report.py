"""The report of a study: question, setting, tables, comparisons, figures, sheets, commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ferbench import report, runs
from ferbench.classes import CLASSES
from ferbench.data import synthetic_set
from ferbench.metrics import significance
from ferbench.report import Block, Code, Figure, Heading, Table, Text
from ferbench.report import sheets as image_grid
from ferbench.study import charts
from ferbench.study.ledger import Progress, in_words
from ferbench.study.outcomes import (
    Compared,
    Outcome,
    collect,
    compare,
    mean_text,
    pivot,
    score_text,
)
from ferbench.study.plan import SCORES, Study

NAMES = {
    "accuracy": "accuracy",
    "accuracy_dedup": "without copies",
    "macro_f1": "macro F1",
    "auroc": "AUROC",
    "macro_precision": "precision",
    "macro_recall": "recall",
}
SHEET_COLUMNS = 10
WHISKERS = "whiskers: 95 % interval, over seeds, or of fewer than three over test images."


def write(folder: Path, study: Study, progress: Progress, *, command: str) -> list[Compared]:
    """report.md and report.html of what is done so far; the comparisons in it.

    command: what made the study, for the reader to do it again.
    """
    outcomes = collect(study, progress)
    compared = compare(study, outcomes)
    shown = list(outcomes.values())
    blocks: list[Block] = [
        Text(study.question),
        *_setting(study, progress, shown),
        *_figures(folder, study, shown),
        *_table(study, outcomes),
        *_pivots(study, outcomes),
        *_comparisons(compared, study),
        *_sets(folder, progress),
        *_commands(study, progress, command),
    ]
    report.write(folder, study.title, blocks)
    return compared


def _setting(study: Study, progress: Progress, shown: Sequence[Outcome]) -> list[Block]:
    """What was compared, on which machine, and what is missing."""
    rows = [row for outcome in shown for row in outcome.rows.values()]
    done = {outcome.cell.id for outcome in shown}
    left = len(progress.left)
    said = [
        f"Budget *{study.budget}*{': ' + study.budget_note if study.budget_note else ''}; seeds of "
        f"the classifiers: {', '.join(map(str, study.seeds))}."
    ]
    if rows:
        tests = sorted(
            {f"{row['test_data']} {row['test_split']} ({row['n_test']:,} images)" for row in rows}
        )
        machines = sorted({f"{row['hardware']}, torch {row['torch']}" for row in rows})
        spent = in_words(sum(entry.seconds for entry in progress.entries.values()))
        said += [
            f"Scored on {', '.join(tests)}; the epoch is chosen on PublicTest.",
            f"Measured on {'; '.join(machines)}; {spent} of running time.",
        ]
    if left:
        without = [cell.label for cell in study.cells if cell.id not in done]
        said.append(
            f"*Not finished*: {left} of {len(progress.tasks)} runs are missing"
            f"{'; cells without any: ' + ', '.join(without) if without else ''}."
        )
    return [Text(" ".join(said)), *map(Text, study.notes)]


def _figures(folder: Path, study: Study, shown: Sequence[Outcome]) -> list[Block]:
    if not shown:
        return []
    found: list[Block] = []
    if study.chart:
        path = folder / "lines.png"
        charts.lines(shown, study.chart, path=path, title=study.title)
        found.append(Figure(path, f"Accuracy; {WHISKERS}"))
    if not study.pivot:
        path = folder / "accuracy.png"
        charts.bars(shown, path=path, title=study.title)
        found.append(Figure(path, f"Accuracy of every cell; {WHISKERS}"))
    return found


def _table(study: Study, outcomes: Mapping[str, Outcome]) -> list[Block]:
    """Every cell with its scores and, beside them, those of earlier work."""
    if not outcomes:
        return [Text("No classifier is done yet.")]
    earlier = any(outcome.cell.earlier for outcome in outcomes.values())
    columns = ["cell", "seeds", *NAMES.values(), *(["earlier work"] if earlier else [])]
    lines = []
    for outcome in outcomes.values():
        line = [outcome.cell.label, str(len(outcome.rows))]
        line += [mean_text(outcome, column) for column in NAMES]
        told = ", ".join(f"{NAMES[k]} {score_text(k, v)}" for k, v in outcome.cell.earlier.items())
        lines.append([*line, *([told or "-"] if earlier else [])])
    note = (
        "In percent but AUROC; mean ± standard deviation over seeds. Without copies: test images "
        "that are no copy of an earlier image. Precision, recall and F1 are macro averages."
    )
    return [Heading("Results"), Table(columns, lines, note=note)]


def _pivots(study: Study, outcomes: Mapping[str, Outcome]) -> list[Block]:
    found: list[Block] = []
    for column in study.pivot.get("scores", SCORES[:2]) if study.pivot else ():
        names, lines = pivot(study, outcomes, column)
        found += [Heading(NAMES[column], 3), Table(names, lines, note="In percent.")]
    return found


def _comparisons(compared: Sequence[Compared], study: Study) -> list[Block]:
    """Differences in points, with what they are called."""
    if not compared:
        return []
    causes = any(one.cell.cause for one in compared)
    columns = [
        "cell",
        *(["what it changes"] if causes else []),
        "against",
        "points",
        "95 %",
        "p (images)",
        "p (seeds)",
        "verdict",
    ]
    lines = [
        [
            one.cell.label,
            *([one.cell.cause or "-"] if causes else []),
            one.other.label,
            one.points,
            one.interval,
            _p(one.adjusted),
            _p(one.found.p_seeds),
            one.verdict,
        ]
        for one in compared
    ]
    few = len(study.seeds) < significance.FEW_SEEDS
    warning = (
        " With fewer than three seeds a difference is one of these very networks: other seeds may "
        "tell another story."
        if few
        else ""
    )
    note = (
        "Points of accuracy; the interval is a bootstrap over test images. p (images): McNemar's "
        "exact test with one seed, sign flips of the images' mean differences with several; "
        f"adjusted for {len(compared)} comparisons (Holm). p (seeds): paired t-test. A difference "
        f"is noise unless both are below {significance.LEVEL}.{warning}"
    )
    leading = 3 if causes else 2
    return [Heading("Differences"), Table(columns, lines, note=note, leading=leading)]


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


# --- sets and commands ---------------------------------------------------------------------------


def _sets(folder: Path, progress: Progress) -> list[Block]:
    """The synthetic sets: what a judge says of them, and a sheet of each."""
    made = [
        (id, Path(path))
        for id, path in progress.folders.items()
        if (Path(path) / synthetic_set.MANIFEST).is_file()
    ]
    if not made:
        return []
    lines, sheets = [], []
    for id, path in made:
        found = synthetic_set.read(path)
        lines.append([id, f"{len(found.labels):,}", *_gate(found.manifest)])
        sheets.append(_sheet(folder / f"set_{id}.png", id, found.images, found.labels))
    columns = ["set", "images", "class accuracy", *CLASSES, "diversity"]
    note = (
        "Class accuracy: the share that a classifier of real faces takes for the class that was "
        "asked for, the mean over classes and each class (chance 0.143). Diversity: root mean "
        "square difference of pixels in [-1, 1] between samples, of the least diverse class."
    )
    return [Heading("Synthetic sets"), Table(columns, lines, note=note), *sheets]


def _gate(manifest: Mapping[str, Any]) -> list[str]:
    """Class accuracy, those of the classes, and diversity as text."""
    gate = manifest.get("gate") or {}
    shares, spread = gate.get("accuracy") or {}, gate.get("diversity") or {}
    known = [value for value in spread.values() if value is not None]
    shown = [gate.get("class_accuracy"), *map(shares.get, CLASSES), min(known, default=None)]
    return ["-" if value is None else f"{value:.2f}" for value in shown]


def _sheet(path: Path, id: str, images: np.ndarray, labels: np.ndarray) -> Figure:
    """The first images of each class."""
    names = [name for k, name in enumerate(CLASSES) if (labels == k).sum() >= SHEET_COLUMNS]
    rows = [np.flatnonzero(labels == CLASSES.index(n))[:SHEET_COLUMNS] for n in names]
    cells = np.stack([images[chosen] for chosen in rows])
    image_grid.save(image_grid.sheet(cells, rows=names), path)
    return Figure(path, f"First images of {id}.")


def _commands(study: Study, progress: Progress, command: str) -> list[Block]:
    """How to do it again: the whole, and every run by itself."""
    lines = [
        shlex.join(["ferbench", entry.command, *entry.words])
        for task in progress.tasks
        if (entry := progress.entries.get(task.id)) is not None
    ]
    return [
        Heading("Commands"),
        Text("The whole study:"),
        Code(command),
        Text(f"Its runs (code {runs.code_version()}):"),
        Code("\n".join(lines) or "none yet"),
    ]
