"""Figures of a bias report: spreads, associations, scores of the groups, gaps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferbench.bias.attributes import UNKNOWN
from ferbench.bias.compared import Compared
from ferbench.bias.findings import Findings
from ferbench.bias.groups import Gap, GroupScores
from ferbench.data.label_counts import class_counts
from ferbench.report.drawing import BLUE, GRAY, ORANGE, STYLE, drawing, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACROSS = 3  # panels beside each other
STEPS = 40  # bars of a histogram
MANY = 4  # groups, from which their names are turned
SIDES = {"own": (ORANGE, "o"), "real": (BLUE, "s")}


def draw(
    folder: Path, found: Findings, own_labels: np.ndarray, real_labels: np.ndarray
) -> list[tuple[Path, str]]:
    """Write the figures into the folder; each with its caption."""
    alone = all(one.real is None for one in found.attributes)
    drawn = [
        (
            _spreads(folder / "attributes.png", found.attributes, own_labels, real_labels),
            "How each attribute is spread"
            + (
                "."
                if alone
                else ": these images (orange line) and the real Training images (blue), "
                "which are weighted to "
                "the same shares of the classes."
            ),
        ),
        (
            _associations(folder / "association.png", found.attributes),
            "How much the class tells of each attribute (η² of numbers, V of words), with 95 % "
            "intervals" + ("." if alone else ": here and in the real Training images."),
        ),
    ]
    if found.groups:
        drawn += [
            (
                _accuracies(folder / "groups.png", found.groups),
                "Accuracy of each group with its 95 % interval; the dashed line is that of all. "
                "Hollow: too few images to say.",
            ),
            (
                _gaps(folder / "gaps.png", found.groups),
                "Gaps between groups with 95 % intervals; the gray bar is what chance gives.",
            ),
        ]
    return drawn


def _panels(count: int, height: float) -> tuple[Any, list[Axes]]:
    """A figure and `count` axes in rows of three; what is left over is not drawn."""
    across = min(ACROSS, count)
    rows = -(-count // across)
    figure, grid = drawing(3.1 * across + 0.3, height * rows + 0.3, rows=[1] * rows, columns=across)
    axes = list(np.atleast_1d(grid).flat)
    for spare in axes[count:]:
        spare.set_axis_off()
    return figure, axes[:count]


# --- spreads -------------------------------------------------------------------------------------


def _spreads(path: Path, attributes: Sequence[Compared], own: np.ndarray, real: np.ndarray) -> Path:
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure, grid = _panels(len(attributes), 2.3)
        for axes, one in zip(grid, attributes, strict=True):
            (_histogram if one.attribute.numeric else _bars)(axes, one, own, real)
            told = "" if one.distance is None else f"\nJS {one.distance:.3f}"
            floor = "" if one.floor is None else f", chance {one.floor:.3f}"
            axes.set_title(f"{one.attribute.name}{told}{floor}", fontsize=9.5)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
        save(figure, path)
    return path


def _weights(one: Compared, own: np.ndarray, real: np.ndarray) -> np.ndarray:
    """[M] of the real images: each class to its share of the images in question."""
    assert one.attribute.real is not None
    counts = class_counts(own[one.attribute.own.known])
    of_real = class_counts(real[one.attribute.real.known])
    found: np.ndarray = (counts / np.maximum(of_real, 1))[real]
    return found


def _histogram(axes: Axes, one: Compared, own: np.ndarray, real: np.ndarray) -> None:
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


def _bars(axes: Axes, one: Compared, own: np.ndarray, real: np.ndarray) -> None:
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


def _associations(path: Path, attributes: Sequence[Compared]) -> Path:
    from matplotlib import rc_context

    place = np.arange(len(attributes))
    with rc_context(STYLE):
        figure, axes = drawing(6.2, 1.0 + 0.5 * len(attributes))
        for name, label, shift in (("own", "these", -0.13), ("real", "real", 0.13)):
            color, marker = SIDES[name]
            known = [
                (y, getattr(one, name))
                for y, one in zip(place, attributes, strict=True)
                if getattr(one, name) is not None
            ]
            for y, found in known:
                _whisker(axes, found.value, found.low, found.high, y + shift, color, marker)
            if known:
                axes.plot([], [], marker, color=color, label=label)
        axes.axvline(0, color=GRAY, linewidth=1)
        axes.set_yticks(place, [f"{one.attribute.name} ({one.measure})" for one in attributes])
        axes.invert_yaxis()
        axes.set(xlabel="association of class and attribute")
        axes.xaxis.grid(True, color="0.9")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
        save(figure, path)
    return path


def _whisker(
    axes: Axes, value: float, low: float, high: float, y: float, color: str, marker: str
) -> None:
    reach = [[max(value - low, 0)], [max(high - value, 0)]]
    axes.errorbar(
        [value], [y], xerr=reach, fmt=marker, color=color, markersize=5, capsize=3, elinewidth=1.2
    )


def _accuracies(path: Path, groups: Sequence[GroupScores]) -> Path:
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure, grid = _panels(len(groups), 2.6)
        for axes, scores in zip(grid, groups, strict=True):
            hits = np.trace(scores.confusion, axis1=1, axis2=2).sum()
            axes.axhline(100 * hits / scores.images.sum(), color=GRAY, linestyle="--", linewidth=1)
            for g, (value, low, high) in enumerate(100 * scores.accuracy):
                if not np.isnan(value):
                    face = "white" if scores.too_few[g] else BLUE
                    reach = [[max(value - low, 0)], [max(high - value, 0)]]  # rounding: never < 0
                    axes.errorbar(
                        [g],
                        [value],
                        yerr=reach,
                        fmt="o",
                        color=BLUE,
                        markerfacecolor=face,
                        capsize=3,
                    )
            _name_groups(axes, scores.attribute.group_names)
            axes.set_xlim(-0.5, len(scores.attribute.group_names) - 0.5)
            axes.set_title(scores.attribute.name, fontsize=9.5)
            axes.yaxis.grid(True, color="0.9")
        ends = [axes.get_ylim() for axes in grid]
        for axes in grid:
            axes.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))
        figure.supylabel("accuracy, percent", fontsize=10)
        save(figure, path)
    return path


def _gaps(path: Path, groups: Sequence[GroupScores]) -> Path:
    from matplotlib import rc_context

    kinds = {
        "accuracy_gap": "accuracy",
        "recall_gap": "recall of the worst class",
        "odds_gap": "equalized odds",
    }
    place = np.arange(len(groups))
    with rc_context(STYLE):
        figure, grid = drawing(9.0, 1.0 + 0.45 * len(groups), columns=len(kinds))
        for axes, (name, title) in zip(grid, kinds.items(), strict=True):
            for y, scores in enumerate(groups):
                _draw_gap(axes, getattr(scores, name), y)
            axes.set_ylim(len(groups) - 0.5, -0.5)
            axes.set_yticks(place, [scores.attribute.name for scores in groups])
            if axes is not grid[0]:
                axes.set_yticklabels([])
            axes.set_xlim(left=0)
            axes.set(xlabel="points")
            axes.set_title(title, fontsize=9.5)
            axes.xaxis.grid(True, color="0.9")
        save(figure, path)
    return path


def _draw_gap(axes: Axes, gap: Gap | None, y: float) -> None:
    if gap is None:
        axes.text(0, y, " too few", va="center", fontsize=8)
        return
    axes.barh([y], [100 * gap.chance], 0.6, color="0.85")
    color, marker = (GRAY, "o") if gap.noise else (ORANGE, "D")
    _whisker(axes, 100 * gap.value, 100 * gap.low, 100 * gap.high, y, color, marker)
