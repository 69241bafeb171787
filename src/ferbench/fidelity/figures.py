"""The figures of a set's fidelity: bars by class, confusion, features in a plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferbench.classes import CLASSES
from ferbench.classifiers.figures import plot_confusion
from ferbench.fidelity import feature_space
from ferbench.fidelity.comparison import FeatureSet
from ferbench.fidelity.findings import Findings, Values
from ferbench.metrics.feature_sets import gaussian_of, principal_plane
from ferbench.report import Figure
from ferbench.report.drawing import BLUE, GRAY, ORANGE, STYLE, apart, class_bars, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of a class's name in a plane, as shares of the axes: its frame, each letter, its height.
NAME_FRAME, NAME_LETTER, NAME_HEIGHT = 0.035, 0.0195, 0.062
SHOWN_POINTS = 2000  # of each side in the plane of principal components
MAP_NAMES = {"tsne": "t-SNE", "umap": "UMAP"}
TITLES = ("real (reference)", "set")  # of the sides in a plane
# Color and hatch of each series by name: color alone carries no information.
BARS = {"set": (BLUE, ""), "matched": (GRAY, "////"), "floor": (ORANGE, "....")}
SOURCES = ((BLUE, "o"), (ORANGE, "x"))  # of the panel with all groups
# One color a class (Okabe and Ito 2008); the names stand in the figure.
CLASS_COLORS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#0072B2", "#56B4E9", "#555555")


CONFUSION = (
    "What the judge takes the set's images for. A row holds the images of one label, a column "
    "those that the judge gives one class; in each cell their number and their share of the row."
)
BY_CLASS = (
    "The numbers of each class. set: all its images; matched: as many of each class as the held-"
    "out real faces have; floor: those held-out real faces themselves."
)
COMPONENTS = (
    "The two largest principal components of the real images' features, at most "
    f"{SHOWN_POINTS:,} images of each side. A name stands at the median of its class, or beside "
    "it with a line to it."
)


@dataclass(frozen=True)
class MapOptions:
    """Which maps of the features are drawn.

    kind: "pca" (the plane of principal components alone), "tsne" or "umap" (one more figure),
    "none" (neither). images: of each side in that further figure, at most. seed: of all draws.
    """

    kind: str
    images: int
    seed: int


def draw(
    folder: Path, findings: Findings, real: FeatureSet, sample: FeatureSet, options: MapOptions
) -> list[Figure]:
    """Write the figures into the folder; real, sample: the features behind the findings."""
    figures = [_draw_classes(folder / "classes.png", findings)]
    if findings.whole.judged is not None:
        path = folder / "confusion.png"
        plot_confusion(findings.whole.judged, path=path, title="the judge on this set")
        figures.append(Figure(path, CONFUSION))
    if options.kind != "none":
        figures.append(_draw_components(folder / "components.png", real, sample, options.seed))
    if options.kind in MAP_NAMES:
        figures.append(_draw_map(folder / "map.png", [real, sample], options))
    return figures


# --- classes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Panel:
    """Bars of every class. series: names of `BARS`, each with 7 values in the order of CLASSES."""

    title: str
    series: Mapping[str, Sequence[float]]


def _draw_classes(path: Path, findings: Findings) -> Figure:
    def series(value: Callable[[Values], float], *names: str) -> dict[str, list[float]]:
        sides = {name: findings.sides[name].comparison.classes for name in names}
        return {name: [value(one) for one in classes] for name, classes in sides.items()}

    ends = {"set": findings.whole, "floor": findings.floor}
    diversity = {name: findings.relative_diversity(side).tolist() for name, side in ends.items()}
    panels = [
        Panel("FID (lower is nearer)", series(lambda v: v.fid, "set", "matched", "floor")),
        Panel("coverage", series(lambda v: v.coverage, "matched", "floor")),
        Panel("diversity, share of the reference's", diversity),
    ]
    if findings.has_judge:
        recall = {name: side.gate_recall.tolist() for name, side in ends.items()}
        panels.append(Panel("gate: share that the judge assigns to its class", recall))
    plot_panels(panels, path=path)
    return Figure(path, BY_CLASS)


def plot_panels(panels: Sequence[Panel], *, path: Path) -> None:
    """Panels of bars below each other, with their values on top; path: the PNG."""
    with saved(path, 7.2, 2.4 * len(panels) + 0.3, rows=[1] * len(panels)) as (_, grid):
        for axes, panel in zip(np.atleast_1d(grid), panels, strict=True):
            class_bars(axes, panel.series, BARS)
            axes.margins(y=0.14)
            axes.set_title(panel.title, loc="left")


# --- features in a plane -------------------------------------------------------------------------


def _draw_components(path: Path, real: FeatureSet, sample: FeatureSet, seed: int) -> Figure:
    plane = principal_plane(*gaussian_of(real.features))
    groups = []
    for title, side in zip(TITLES, (real, sample), strict=True):
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(side), min(SHOWN_POINTS, len(side)), replace=False)
        groups.append(Points(title, plane.project(side.features[rows]), side.labels[rows]))
    one, two = (f"component {i} ({100 * s:.0f} %)" for i, s in enumerate(plane.shares, 1))
    title = "features, each class named at its middle"
    plot_points(groups, path=path, title=title, axis_names=(one, two))
    return Figure(path, COMPONENTS)


def _draw_map(path: Path, sides: Sequence[FeatureSet], options: MapOptions) -> Figure:
    """Some images of the reference and of the set in one map, by class and by source."""
    parts = []
    for side in sides:
        rng = np.random.default_rng(options.seed)
        rows = rng.choice(len(side), min(options.images, len(side)), replace=False)
        parts.append(side.take(np.sort(rows)))
    features = np.concatenate([part.features for part in parts])
    xy = feature_space.plane(features, options.kind, seed=options.seed)
    places = np.split(xy, [len(parts[0])])
    groups = [Points(t, at, p.labels) for t, at, p in zip(TITLES, places, parts, strict=True)]
    name = MAP_NAMES[options.kind]
    plot_points(
        groups,
        path=path,
        title=f"features by {name}, each class named at its middle",
        axis_names=("", ""),
        together="both, by source",
    )
    return Figure(
        path,
        f"Features of both sides by {name}, fitted to them together. Points that are near each "
        "other are alike; large distances and sizes of clouds mean nothing. Where real and "
        "synthetic images form separate clouds, the network tells them apart.",
    )


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
    panels = len(groups) + bool(together)
    every = np.concatenate([group.xy for group in groups])
    low, high = np.percentile(every, [0.5, 99.5], axis=0)
    pad = 0.04 * (high - low)
    with saved(path, 4.2 * panels, 4.4, columns=panels) as (figure, grid):
        for axes, group in zip(np.atleast_1d(grid), [*groups, None], strict=False):
            if group is None:
                _scatter_sources(axes, groups)
            else:
                _scatter(axes, group, low - pad, high + pad)
            axes.set(xlim=(low[0] - pad[0], high[0] + pad[0]), xlabel=axis_names[0])
            axes.set(ylim=(low[1] - pad[1], high[1] + pad[1]), ylabel=axis_names[1])
            axes.set_title(together if group is None else group.title)
            if not any(axis_names):
                axes.set(xticks=[], yticks=[])
        figure.suptitle(title, fontsize=STYLE["axes.titlesize"])


def _scatter(axes: Axes, group: Points, low: np.ndarray, high: np.ndarray) -> None:
    """The points of a group, and its classes' names; low, high: [2], ends of the axes."""
    look: dict[str, Any] = {"s": 5, "linewidths": 0, "alpha": 0.55, "rasterized": True}
    colors = np.array(CLASS_COLORS)[group.labels]
    axes.scatter(group.xy[:, 0], group.xy[:, 1], c=colors, **look)
    shown = [k for k in range(len(CLASSES)) if (group.labels == k).any()]
    middles = np.array([np.median(group.xy[group.labels == k], axis=0) for k in shown])
    span = np.maximum(high - low, 1e-9)
    sizes = np.array([(NAME_FRAME + NAME_LETTER * len(CLASSES[k]), NAME_HEIGHT) for k in shown])
    places = low + span * apart((middles - low) / span, sizes)
    for k, middle, place in zip(shown, middles, places, strict=True):
        _name(axes, k, middle, place)


def _name(axes: Axes, k: int, middle: np.ndarray, place: np.ndarray) -> None:
    """The name of class k at a place, with a line to the middle of its points."""
    color = CLASS_COLORS[k]
    frame = {"facecolor": "white", "edgecolor": color, "boxstyle": "round", "pad": 0.15}
    axes.annotate(
        CLASSES[k],
        xy=tuple(middle),
        xytext=tuple(place),
        ha="center",
        va="center",
        fontsize=8,
        bbox=frame,
        arrowprops={"arrowstyle": "-", "color": color, "shrinkA": 0, "shrinkB": 0},
        clip_on=True,
    )


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
