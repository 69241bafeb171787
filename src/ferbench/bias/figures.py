"""Figures of a bias report: distributions, associations, scores of the groups, gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferbench.bias.attributes import UNKNOWN
from ferbench.bias.findings import AttributeFindings, Findings, Gap, GroupScores, Interval
from ferbench.data.label_counts import class_counts
from ferbench.report import Figure
from ferbench.report.drawing import BLUE, GRAY, ORANGE, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

ACROSS = 3  # panels beside each other
STEPS = 40  # bars of a histogram
MANY = 4  # groups, from which their names are turned
SIDES = {"own": (ORANGE, "o"), "real": (BLUE, "s")}
GAPS = {
    "accuracy_gap": "accuracy",
    "recall_gap": "recall of the worst class",
    "odds_gap": "equalized odds",
}


def draw(
    folder: Path, findings: Findings, own_labels: np.ndarray, real_labels: np.ndarray
) -> list[Figure]:
    """Write the figures into the folder; labels [N], [M] int64 of both sides."""
    attributes, groups = findings.attributes, findings.groups
    figures = [
        _distributions(folder / "attributes.png", attributes, own_labels, real_labels),
        _associations(folder / "association.png", attributes),
    ]
    if groups:
        figures += [_accuracies(folder / "groups.png", groups), _gaps(folder / "gaps.png", groups)]
    return figures


@contextmanager
def _panels(path: Path, count: int, height: float) -> Iterator[tuple[Canvas, list[Axes]]]:
    """A figure and `count` axes in rows of three; what is left over is not drawn."""
    across = min(ACROSS, count)
    rows = -(-count // across)
    size = (3.1 * across + 0.3, height * rows + 0.3)
    with saved(path, *size, rows=[1] * rows, columns=across) as (figure, grid):
        axes = list(np.atleast_1d(grid).flat)
        for spare in axes[count:]:
            spare.set_axis_off()
        yield figure, axes[:count]


# --- distributions -------------------------------------------------------------------------------


def _distributions(
    path: Path, attributes: Sequence[AttributeFindings], own: np.ndarray, real: np.ndarray
) -> Figure:
    with _panels(path, len(attributes), 2.3) as (figure, grid):
        for axes, one in zip(grid, attributes, strict=True):
            (_histogram if one.attribute.numeric else _bars)(axes, one, own, real)
            distance = "" if one.distance is None else f"\nJS {one.distance:.3f}"
            chance = "" if one.floor is None else f", chance {one.floor:.3f}"
            axes.set_title(f"{one.attribute.name}{distance}{chance}", fontsize=9.5)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    if _alone(attributes):
        return Figure(path, "How each attribute is distributed.")
    return Figure(
        path,
        "How each attribute is distributed in these images (orange line) and in the real Training "
        "images (blue), which are weighted to the same shares of the classes.",
    )


def _alone(attributes: Sequence[AttributeFindings]) -> bool:
    """Whether no attribute is known of real images."""
    return all(one.real is None for one in attributes)


def _weights(one: AttributeFindings, own: np.ndarray, real: np.ndarray) -> np.ndarray:
    """[M] of the real images: each class to its share of the examined images."""
    assert one.attribute.real is not None
    counts = class_counts(own[one.attribute.own.known])
    of_real = class_counts(real[one.attribute.real.known])
    weights: np.ndarray = (counts / np.maximum(of_real, 1))[real]
    return weights


def _histogram(axes: Axes, one: AttributeFindings, own: np.ndarray, real: np.ndarray) -> None:
    side, other = one.attribute.own, one.attribute.real
    assert side.numbers is not None
    both = [side.numbers, *([] if other is None or other.numbers is None else [other.numbers])]
    every = np.concatenate([numbers[np.isfinite(numbers)] for numbers in both])
    low, high = np.quantile(every, [0.002, 0.998])
    edges = np.linspace(low, max(high, low + 1e-9), STEPS + 1).tolist()
    if other is not None and other.numbers is not None:
        known = other.known
        axes.hist(
            np.clip(other.numbers[known], low, high),
            edges,
            density=True,
            color=BLUE,
            weights=_weights(one, own, real)[known],
            alpha=0.45,
            label="real",
        )
    axes.hist(
        np.clip(side.numbers[side.known], low, high),
        edges,
        density=True,
        color=ORANGE,
        histtype="step",
        linewidth=1.6,
        label="these",
    )


def _bars(axes: Axes, one: AttributeFindings, own: np.ndarray, real: np.ndarray) -> None:
    names, other = one.attribute.group_names, one.attribute.real
    place = np.arange(len(names))
    if other is not None:
        known = other.groups != UNKNOWN
        counts = np.bincount(other.groups[known], _weights(one, own, real)[known], len(names))
        axes.bar(place - 0.2, counts / counts.sum(), 0.4, color=BLUE, alpha=0.45, label="real")
    counts = one.own_counts.sum(axis=0)
    axes.bar(
        place + 0.2 * (other is not None),
        counts / counts.sum(),
        0.4,
        fill=False,
        edgecolor=ORANGE,
        linewidth=1.6,
        label="these",
    )
    _name_groups(axes, names)


def _name_groups(axes: Axes, names: Sequence[str]) -> None:
    turned: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names)), names, fontsize=8, **(turned if len(names) >= MANY else {}))
    axes.tick_params(axis="x", length=0)


# --- intervals -----------------------------------------------------------------------------------


def _associations(path: Path, attributes: Sequence[AttributeFindings]) -> Figure:
    place = np.arange(len(attributes))
    with saved(path, 6.2, 1.0 + 0.5 * len(attributes)) as (_, axes):
        for name, label, shift in (("own", "these", -0.13), ("real", "real", 0.13)):
            color, marker = SIDES[name]
            intervals = [getattr(one, name) for one in attributes]
            for y, interval in zip(place, intervals, strict=True):
                if interval is not None:
                    _whisker(axes, interval, y + shift, color, marker)
            if any(interval is not None for interval in intervals):
                axes.plot([], [], marker, color=color, label=label)
        axes.axvline(0, color=GRAY, linewidth=1)
        axes.set_yticks(place, [f"{one.attribute.name} ({one.measure})" for one in attributes])
        axes.invert_yaxis()
        axes.set(xlabel="association of class and attribute")
        axes.xaxis.grid(True, color="0.9")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    sides = "" if _alone(attributes) else ", here and in the real Training images"
    return Figure(
        path,
        "Association of the class with each attribute (η² for numbers, V for words); the lines "
        f"with caps are 95 % intervals{sides}.",
    )


def _whisker(axes: Axes, interval: Interval, y: float, color: str, marker: str) -> None:
    value, low, high = interval.value, interval.low, interval.high
    reach = [[max(value - low, 0)], [max(high - value, 0)]]  # rounding: never < 0
    axes.errorbar(
        [value], [y], xerr=reach, fmt=marker, color=color, markersize=5, capsize=3, elinewidth=1.2
    )


def _accuracies(path: Path, groups: Sequence[GroupScores]) -> Figure:
    with _panels(path, len(groups), 2.6) as (figure, grid):
        for axes, scores in zip(grid, groups, strict=True):
            _draw_accuracies(axes, scores)
        ends = [axes.get_ylim() for axes in grid]
        for axes in grid:
            axes.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))
        figure.supylabel("accuracy, percent", fontsize=10)
    return Figure(
        path,
        "Accuracy of each group with its 95 % interval; the dashed line is that of all images. "
        "Hollow: too few images to say.",
    )


def _draw_accuracies(axes: Axes, scores: GroupScores) -> None:
    hits = np.trace(scores.confusion, axis1=1, axis2=2).sum()
    axes.axhline(100 * hits / scores.images.sum(), color=GRAY, linestyle="--", linewidth=1)
    for g, (value, low, high) in enumerate(100 * scores.accuracy):
        if not np.isnan(value):
            face = "white" if scores.too_few[g] else BLUE
            reach = [[max(value - low, 0)], [max(high - value, 0)]]  # rounding: never < 0
            look: dict[str, Any] = {"color": BLUE, "markerfacecolor": face}
            axes.errorbar([g], [value], yerr=reach, fmt="o", capsize=3, **look)
    _name_groups(axes, scores.attribute.group_names)
    axes.set_xlim(-0.5, len(scores.attribute.group_names) - 0.5)
    axes.set_title(scores.attribute.name, fontsize=9.5)
    axes.yaxis.grid(True, color="0.9")


def _gaps(path: Path, groups: Sequence[GroupScores]) -> Figure:
    names = [scores.attribute.name for scores in groups]
    with saved(path, 9.0, 1.0 + 0.45 * len(groups), columns=len(GAPS)) as (_, grid):
        for axes, (name, title) in zip(grid, GAPS.items(), strict=True):
            for y, scores in enumerate(groups):
                _draw_gap(axes, getattr(scores, name), y)
            axes.set_ylim(len(groups) - 0.5, -0.5)
            axes.set_yticks(np.arange(len(groups)), names)
            if axes is not grid[0]:
                axes.set_yticklabels([])
            axes.set_xlim(left=0)
            axes.set(xlabel="percentage points")
            axes.set_title(title, fontsize=9.5)
            axes.xaxis.grid(True, color="0.9")
    return Figure(
        path,
        "Gaps between groups, best minus worst; the lines with caps are 95 % intervals. The gray "
        "bar is what chance gives: an orange diamond is beyond it, a gray dot is not.",
    )


def _draw_gap(axes: Axes, gap: Gap | None, y: float) -> None:
    if gap is None:
        axes.text(0, y, " too few", va="center", fontsize=8)
        return
    axes.barh([y], [100 * gap.chance], 0.6, color="0.85")
    color, marker = (GRAY, "o") if gap.noise else (ORANGE, "D")
    points = Interval(100 * gap.value, 100 * gap.low, 100 * gap.high)
    _whisker(axes, points, y, color, marker)
