"""Figures that compare a set of images with the real ones: bars by class, points in a plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferbench.classes import CLASSES
from ferbench.report.drawing import BLUE, GRAY, ORANGE, STYLE, drawing, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Color and hatch of each series by name: nothing is told by color alone.
BARS = {"set": (BLUE, ""), "matched": (GRAY, "////"), "floor": (ORANGE, "....")}
SOURCES = ((BLUE, "o"), (ORANGE, "x"))  # of the panel with all groups
# One color a class (Okabe and Ito 2008); the names stand in the figure.
CLASS_COLORS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#0072B2", "#56B4E9", "#555555")


@dataclass(frozen=True)
class Panel:
    """Bars of every class. series: names of `BARS`, each with 7 values in the order of CLASSES."""

    title: str
    series: Mapping[str, Sequence[float]]


def plot_panels(panels: Sequence[Panel], *, path: Path, title: str = "") -> None:
    """Panels of bars below each other, with their values on top; path: the PNG."""
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure, grid = drawing(7.2, 2.4 * len(panels) + 0.3, rows=[1] * len(panels))
        for axes, panel in zip(np.atleast_1d(grid), panels, strict=True):
            _draw_bars(axes, panel)
        figure.suptitle(title, fontsize=STYLE["axes.titlesize"])
        save(figure, path)


def _draw_bars(axes: Axes, panel: Panel) -> None:
    place, n = np.arange(len(CLASSES)), len(panel.series)
    width = 0.84 / n
    for i, (name, values) in enumerate(panel.series.items()):
        color, hatch = BARS[name]
        bars = axes.bar(
            place + width * (i - (n - 1) / 2),
            values,
            0.96 * width,
            label=name,
            color=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.5,
        )
        axes.bar_label(bars, fmt="{:.3g}", fontsize=7, padding=1.5)
    axes.set_xticks(place, CLASSES)
    axes.tick_params(axis="x", length=0)
    axes.margins(y=0.14)
    axes.yaxis.grid(True, color="0.9")
    axes.set_title(panel.title, loc="left")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=n, fontsize=8, handlelength=1.4)


@dataclass(frozen=True)
class Points:
    """Images in a plane: xy [N, 2]; labels [N] int64."""

    title: str
    xy: np.ndarray
    labels: np.ndarray


def plot_points(
    groups: Sequence[Points],
    *,
    path: Path,
    title: str,
    axis_names: tuple[str, str],
    together: str = "",
) -> None:
    """Groups side by side on the same axes, colored by class, each class named at its middle.

    together: title of one more panel with all groups (two at most), told apart by color and
    marker; "" for none. Axes without names have no ticks either.
    """
    from matplotlib import rc_context

    with rc_context(STYLE):
        panels = len(groups) + bool(together)
        figure, grid = drawing(4.2 * panels, 4.4, columns=panels)
        every = np.concatenate([group.xy for group in groups])
        low, high = np.percentile(every, [0.5, 99.5], axis=0)
        pad = 0.04 * (high - low)
        for axes, group in zip(np.atleast_1d(grid), [*groups, None], strict=False):
            if group is None:
                _scatter_sources(axes, groups)
            else:
                _scatter(axes, group)
            axes.set(xlim=(low[0] - pad[0], high[0] + pad[0]), xlabel=axis_names[0])
            axes.set(ylim=(low[1] - pad[1], high[1] + pad[1]), ylabel=axis_names[1])
            axes.set_title(together if group is None else group.title)
            if not any(axis_names):
                axes.set(xticks=[], yticks=[])
        figure.suptitle(title, fontsize=STYLE["axes.titlesize"])
        save(figure, path)


def _scatter(axes: Axes, group: Points) -> None:
    look: dict[str, Any] = {"s": 5, "linewidths": 0, "alpha": 0.55, "rasterized": True}
    colors = np.array(CLASS_COLORS)[group.labels]
    axes.scatter(group.xy[:, 0], group.xy[:, 1], c=colors, **look)
    for k, name in enumerate(CLASSES):
        own = group.xy[group.labels == k]
        if len(own):
            x, y = np.median(own, axis=0)
            frame = {
                "facecolor": "white",
                "edgecolor": CLASS_COLORS[k],
                "boxstyle": "round",
                "pad": 0.15,
            }
            axes.text(x, y, name, ha="center", va="center", fontsize=8, bbox=frame, clip_on=True)


def _scatter_sources(axes: Axes, groups: Sequence[Points]) -> None:
    """All groups in one panel, the later ones above, half transparent."""
    for group, (color, marker) in zip(groups, SOURCES, strict=False):
        axes.scatter(
            group.xy[:, 0],
            group.xy[:, 1],
            s=9,
            c=color,
            marker=marker,
            alpha=0.4,
            linewidths=0.7 if marker == "x" else 0,
            rasterized=True,
            label=group.title,
        )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, markerscale=1.6)
