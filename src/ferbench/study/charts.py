"""Figures of a study: bars of all cells, or lines over a variable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classifiers import figures
from ferbench.report.drawing import BLUE, GRAY, GREEN, ORANGE, STYLE, drawing, save
from ferbench.study.outcomes import Outcome

MARKERS = "osD^vP*X"
COLORS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00", "#000000", GRAY)


def bars(outcomes: Sequence[Outcome], *, path: Path, title: str) -> None:
    """Accuracy of every cell with its 95 % interval; a diamond where earlier work had a figure."""
    values = np.array([(o.mean("accuracy"), *o.interval) for o in outcomes])
    figures.plot_accuracy(
        [outcome.cell.label for outcome in outcomes],
        values,
        path=path,
        title=title,
        reported=[outcome.cell.earlier.get("accuracy", np.nan) for outcome in outcomes],
    )


def lines(outcomes: Sequence[Outcome], chart: Mapping[str, Any], *, path: Path, title: str) -> None:
    """Accuracy with its 95 % interval over chart["x"], a line for each value of chart["lines"]."""
    from matplotlib import rc_context

    x, by = str(chart["x"]), chart.get("lines") or []
    shown = [outcome for outcome in outcomes if x in outcome.cell.variables]
    names = list(dict.fromkeys(outcome.cell.value(*by) for outcome in shown))
    with rc_context(STYLE):
        figure, axes = drawing(6.6, 4.2)
        for i, name in enumerate(names):
            line = [outcome for outcome in shown if outcome.cell.value(*by) == name]
            line.sort(key=lambda outcome: float(outcome.cell.variables[x]))
            at = np.array([float(outcome.cell.variables[x]) for outcome in line])
            values = np.array([100 * outcome.mean("accuracy") for outcome in line])
            ends = 100 * np.array([outcome.interval for outcome in line]).T  # [2, cells]
            axes.errorbar(
                at,
                values,
                yerr=abs(ends - values),
                capsize=3,
                elinewidth=1,
                marker=MARKERS[i % len(MARKERS)],
                color=COLORS[i % len(COLORS)],
                label=name or None,
            )
        if chart.get("log"):
            axes.set_xscale("log", base=2)
            ticks = sorted({float(outcome.cell.variables[x]) for outcome in shown})
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
        axes.set(xlabel=str(chart.get("label", x)), ylabel="accuracy, percent")
        axes.grid(True, color="0.9")
        if len(names) > 1:
            figure.legend(loc="outside lower center", ncols=4)
        figure.suptitle(title, fontsize=STYLE["axes.titlesize"])
        save(figure, path)
