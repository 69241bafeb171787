"""What figures share: colors, style, a figure with its axes, and saving it.

Every function that draws writes one PNG beside its name and renames it. Colors are those of
Okabe and Ito (2008), which people with any color vision can tell apart; color alone says nothing.
matplotlib is imported when a figure is drawn, and without its global state.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


DPI = 150
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


def drawing(width: float, height: float, rows: Sequence[int] = (1,), columns: int = 1) -> Any:
    """A figure of this size in inches and its axes: one, or an array; rows: their heights."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, figure.subplots(len(rows), columns, height_ratios=rows)


def head(figure: Figure, axes: Axes, title: str) -> None:
    """The legend in one line above the axes, and the title above it."""
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, columnspacing=1.4, handlelength=1.6
    )
    figure.suptitle(title, fontsize=STYLE["axes.titlesize"])


def save(figure: Figure, path: Path) -> None:
    """Write beside the name, then rename: a killed run leaves no half a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    figure.savefig(beside, format="png", dpi=DPI)
    os.replace(beside, path)
