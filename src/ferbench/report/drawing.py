"""What figures share: colors, style, a figure with its axes, and saving it.

Every function that draws writes one PNG beside its name and renames it; inside `also_as_pdf` the
same as a PDF, too. Colors are those of Okabe and Ito (2008), which people with any color vision
can tell apart; color alone says nothing. matplotlib is imported when a figure is drawn, and
without its global state.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferbench.classes import CLASSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


DPI = 150
PUSHES = 300  # rounds in which labels are moved apart, at most
_PDF: ContextVar[bool] = ContextVar("also as PDF", default=False)
BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
STYLE: dict[Any, Any] = {
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


@contextmanager
def saved(
    path: Path, width: float, height: float, *, rows: Sequence[int] = (1,), columns: int = 1
) -> Iterator[tuple[Figure, Any]]:
    """A figure in the style of all and its axes, as `drawing` gives them; a PNG after the block."""
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure, axes = drawing(width, height, rows, columns)
        yield figure, axes
        save(figure, path)


def drawing(width: float, height: float, rows: Sequence[int] = (1,), columns: int = 1) -> Any:
    """A figure of this size in inches and its axes: one, or an array; rows: their heights."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, figure.subplots(len(rows), columns, height_ratios=rows)


def class_bars(
    axes: Axes,
    series: Mapping[str, Sequence[float]],
    looks: Mapping[str, tuple[str, str]],
    *,
    text: Callable[[float], str] | None = None,
) -> None:
    """Bars side by side for every class, with their values on top and a legend above the axes.

    series: 7 values by name, in the order of `CLASSES`; looks: color and hatch by the same names.
    text: makes text of a value; None: `short`, which is as wide as one of three bars.
    """
    place, width = np.arange(len(CLASSES)), 0.84 / len(series)
    for i, (name, values) in enumerate(series.items()):
        color, hatch = looks[name]
        at = place + width * (i - (len(series) - 1) / 2)
        look: dict[str, Any] = {"color": color, "hatch": hatch, "edgecolor": "white"}
        bars = axes.bar(at, values, 0.96 * width, label=name, linewidth=0.5, **look)
        axes.bar_label(bars, fmt=text or short, fontsize=6.5, padding=1.5)
    axes.set_xticks(place, CLASSES)
    axes.tick_params(axis="x", length=0)
    axes.yaxis.grid(True, color="0.9")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=len(series), fontsize=8, handlelength=1.4
    )


def short(value: float) -> str:
    """A value in four characters where that is possible: 0.08, 5.1, 79, 141."""
    if abs(value) >= 10:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def apart(middles: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """[N, 2] places for labels near their middles, on which no two of them overlap.

    middles, sizes: [N, 2], as shares of the axes' width and height. Labels that overlap are moved
    away from each other, a little at a time, and stay inside the axes.
    """
    places: np.ndarray = np.clip(middles, sizes / 2, 1 - sizes / 2)
    for _ in range(PUSHES):
        moved = False
        for i, j in itertools.combinations(range(len(places)), 2):
            space = (sizes[i] + sizes[j]) / 2
            gap = places[j] - places[i]
            if (np.abs(gap) < space).all():
                axis = int(np.argmin(space - np.abs(gap)))  # the shorter way
                step = (space[axis] - abs(gap[axis])) / 2 + 1e-3
                places[i, axis] -= step if gap[axis] >= 0 else -step
                places[j, axis] += step if gap[axis] >= 0 else -step
                moved = True
        places = np.clip(places, sizes / 2, 1 - sizes / 2)
        if not moved:
            break
    return places


def head(figure: Figure, axes: Axes, title: str) -> None:
    """The legend in one line above the axes, and the title above it."""
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, columnspacing=1.4, handlelength=1.6
    )
    figure.suptitle(title, fontsize=STYLE["axes.titlesize"])


def save(figure: Figure, path: Path) -> None:
    """Write beside the name, then rename: a killed run leaves no half a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(figure, path, "png")
    if _PDF.get():
        _write(figure, path.with_suffix(".pdf"), "pdf")


def _write(figure: Figure, path: Path, form: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    undated = {"CreationDate": None} if form == "pdf" else None
    figure.savefig(beside, format=form, dpi=DPI, metadata=undated)
    os.replace(beside, path)


@contextmanager
def also_as_pdf(wanted: bool = True) -> Iterator[None]:
    """Context in which figures are saved as vector graphics beside their PNGs, if wanted."""
    token = _PDF.set(wanted)
    try:
        yield
    finally:
        _PDF.reset(token)
