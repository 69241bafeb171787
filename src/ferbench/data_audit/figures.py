"""Figures of a data audit: balance, contradicting copies, estimated labels, the control."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ferbench.classes import CLASSES, SPLITS
from ferbench.data_audit.faults import ANY
from ferbench.data_audit.findings import Balance, Control, Findings, LabelNoise
from ferbench.data_audit.pool import Pool
from ferbench.report import Figure
from ferbench.report.drawing import BLUE, GRAY, GREEN, ORANGE, class_bars, saved

BARS = dict(zip(SPLITS, ((BLUE, ""), (ORANGE, "////"), (GREEN, "....")), strict=True))
ACROSS, DOWN = 10, 5  # real images in a picture
DARK = 0.6  # of the scale, from which text on it is white


BALANCE = "Share of each class in each split, in percent."
CONFLICTS = "Photographs whose copies, of any kind, have both labels."
JOINT = "Of each given label, the shares of the labels that confident learning takes for right."
CONTROL = (
    "Labels made wrong on purpose: the share of them that is on the list (recall), and their share "
    "of the list (precision), by the length of a list in order of the margin. The dashed line "
    "marks the length of the list here."
)
MOST_DISPUTED = (
    "The most disputed images: given label, then the proposed one. These are real faces: not to be "
    "shared."
)


def draw(folder: Path, findings: Findings, *, show_real: bool) -> list[Figure]:
    """Write the figures into the folder. show_real: the disputed images, too."""
    drawn = [Figure(_balance(folder / "balance.png", findings.faults.balance), BALANCE)]
    mixed = findings.faults.groups[ANY].mixed
    if mixed.any():
        path = folder / "conflicts.png"
        _matrix(path, mixed.astype(np.float64), ("also labeled", "labeled"))
        drawn.append(Figure(path, CONFLICTS))
    if findings.noise is not None:
        drawn += _of_labels(folder, findings.noise)
        if show_real and findings.noise.issues.disputed.any():
            path = _disputed(folder / "disputed.png", findings.noise, findings.pool)
            drawn.append(Figure(path, MOST_DISPUTED))
    return drawn


def _of_labels(folder: Path, noise: LabelNoise) -> Iterator[Figure]:
    joint, path = noise.issues.joint, folder / "labels.png"
    share = 100 * joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-12)
    _matrix(path, share, ("estimated by confident learning, %", "given"))
    yield Figure(path, JOINT)
    if noise.control is not None:
        yield Figure(_control(folder / "control.png", noise.control), CONTROL)


def _balance(path: Path, balance: Balance) -> Path:
    share = 100 * balance.counts / balance.counts.sum(axis=1, keepdims=True)
    with saved(path, 7.2, 3.2) as (_, axes):
        class_bars(axes, dict(zip(SPLITS, share, strict=True)), BARS, text="{:.1f}".format)
        axes.set(ylabel="percent of the split")
    return path


def _matrix(path: Path, values: np.ndarray, axes_names: tuple[str, str]) -> None:
    """Class by class, in whole numbers; a cell of 0 is left empty."""
    with saved(path, 5.4, 4.6) as (_, axes):
        top = float(values.max())
        axes.imshow(values, cmap="Blues", vmin=0, vmax=top)
        for (i, j), value in np.ndenumerate(values):
            if value:
                color = "white" if value > DARK * top else "black"
                axes.text(j, i, f"{value:.0f}", ha="center", va="center", color=color)
        places = range(len(CLASSES))
        axes.set_xticks(places, CLASSES, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_yticks(places, CLASSES)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel=axes_names[0], ylabel=axes_names[1])


def _control(path: Path, control: Control) -> Path:
    length = np.arange(1, control.images + 1)
    caught = np.searchsorted(control.ranks, length)
    with saved(path, 6.0, 3.6) as (_, axes):
        percent = 100 * length / control.images
        axes.plot(percent, 100 * caught / max(control.flipped, 1), color=BLUE, label="recall")
        axes.plot(percent, 100 * caught / length, color=ORANGE, linestyle="-.", label="precision")
        axes.plot([0, 100], [0, 100], color=GRAY, linewidth=1, label="recall by chance")
        axes.axvline(100 * control.by_chance, color="black", linestyle="--", linewidth=1)
        axes.set(xlim=(0, 100), xlabel="length of the list, percent of the images")
        axes.set(ylim=(0, 103), ylabel="percent")
        axes.legend(loc="center right")
        axes.grid(True, color="0.9")
    return path


def _disputed(path: Path, noise: LabelNoise, pool: Pool) -> Path:
    issues, size = noise.issues, (1.05 * ACROSS, 1.35 * DOWN)
    rows = issues.ranked()[: ACROSS * DOWN]
    with saved(path, *size, rows=[1] * DOWN, columns=ACROSS) as (_, grid):
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, row in zip(grid.flat, rows, strict=False):
            axes.imshow(pool.images[noise.rows[row]], cmap="gray", vmin=0, vmax=255)
            given, proposed = CLASSES[issues.labels[row]], CLASSES[issues.proposed[row]]
            axes.set_title(f"{given}\n{proposed}?", fontsize=7)
    return path
