"""Figures of a study: bars of all cells or lines over a variable, and a sheet of each set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ferbench.classes import CLASSES
from ferbench.classifiers.figures import plot_accuracy
from ferbench.data.synthetic_set import SyntheticSet
from ferbench.report import Figure, sheets
from ferbench.report.drawing import BLUE, GRAY, GREEN, ORANGE, STYLE, saved
from ferbench.study.findings import CellResult, Findings
from ferbench.study.plan import Study

MARKERS = "osD^vP*X"
COLORS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00", "#000000", GRAY)
SHEET_COLUMNS = 10
WHISKERS = (
    "the lines with caps are 95 % intervals, over seeds, or with fewer than three seeds over test "
    "images; a diamond is what earlier work reported."
)


def draw(folder: Path, study: Study, findings: Findings) -> Iterator[Figure]:
    """Write the figures into the folder: accuracies, and a sheet of each synthetic set."""
    results = list(findings.results.values())
    if results and study.chart:
        yield Figure(_lines(folder / "lines.png", study, results), f"Accuracy; {WHISKERS}")
    if results and not study.pivot:
        path = _bars(folder / "accuracy.png", study, results)
        yield Figure(path, f"Accuracy of every cell; {WHISKERS}")
    for id, made in findings.sets.items():
        yield Figure(
            _sheet(folder / f"set_{id}.png", made), f"The first images of {id}, one row a class."
        )


def _bars(path: Path, study: Study, results: Sequence[CellResult]) -> Path:
    """Accuracy of every cell with its 95 % interval; a diamond where earlier work had a figure."""
    plot_accuracy(
        [result.cell.label for result in results],
        np.array([(result.mean("accuracy"), *result.interval) for result in results]),
        path=path,
        title=study.title,
        reported=[result.cell.earlier.get("accuracy", np.nan) for result in results],
    )
    return path


def _lines(path: Path, study: Study, results: Sequence[CellResult]) -> Path:
    """Accuracy with its 95 % interval over chart["x"], a line for each value of chart["lines"]."""
    chart = study.chart
    x, by = str(chart["x"]), chart.get("lines") or []
    shown = [result for result in results if x in result.cell.variables]
    names = list(dict.fromkeys(result.cell.value(*by) for result in shown))
    with saved(path, 6.6, 4.2) as (figure, axes):
        for i, name in enumerate(names):
            at, accuracy = _line([result for result in shown if result.cell.value(*by) == name], x)
            axes.errorbar(
                at,
                accuracy[0],
                yerr=abs(accuracy[1:] - accuracy[0]),
                capsize=3,
                elinewidth=1,
                marker=MARKERS[i % len(MARKERS)],
                color=COLORS[i % len(COLORS)],
                label=name or None,
            )
        if chart.get("log"):
            axes.set_xscale("log", base=2)
            ticks = sorted({float(result.cell.variables[x]) for result in shown})
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
        axes.set(xlabel=str(chart.get("label", x)), ylabel="accuracy, percent")
        axes.grid(True, color="0.9")
        if len(names) > 1:
            figure.legend(loc="outside lower center", ncols=4)
        figure.suptitle(study.title, fontsize=STYLE["axes.titlesize"])
    return path


def _line(results: Sequence[CellResult], x: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of the variable [n], ascending; [3, n] accuracy and its interval, in percent."""
    places = np.array([float(result.cell.variables[x]) for result in results])
    values = np.array([(result.mean("accuracy"), *result.interval) for result in results])
    order = np.argsort(places, kind="stable")
    return places[order], 100 * values[order].T


def _sheet(path: Path, made: SyntheticSet) -> Path:
    """The first images of each class."""
    rows = {name: np.flatnonzero(made.labels == k) for k, name in enumerate(CLASSES)}
    shown = {name: own[:SHEET_COLUMNS] for name, own in rows.items() if len(own) >= SHEET_COLUMNS}
    cells = np.stack([made.images[own] for own in shown.values()])
    sheets.save(sheets.sheet(cells, rows=list(shown)), path)
    return path
