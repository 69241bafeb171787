"""Figures of an audit: ROC curves, distances, and neighbors where real ones may be shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ferbench.privacy.findings import Findings
from ferbench.report import Figure, sheets
from ferbench.report.drawing import BLUE, GRAY, GREEN, ORANGE, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = (
    (BLUE, "-"),
    (ORANGE, "--"),
    (GREEN, "-."),
    (GRAY, ":"),
    ("#CC79A7", "-"),
    ("#E69F00", "--"),
)
BINS = 60
PAIRS, ACROSS = 40, 8  # pairs of neighbors in a picture, pairs in a row


ROC = (
    "Membership inference: share of training images recognized against the share of held-out "
    "images taken for one, both on logarithmic axes. Chance is the gray line; the dotted one marks "
    "1 % of the held-out images."
)
DISTANCES = (
    "Distance of each image of the set to the nearest of equally many training and held-out "
    "images. Copies are a hump at the left of the training images alone."
)
NEIGHBORS = (
    "Images of the set, each with the training image to its right that correlates most with it; "
    "nearest pairs first. These are real faces: do not share them."
)


def draw(folder: Path, findings: Findings, *, images: np.ndarray | None) -> list[Figure]:
    """Write the figures into the folder.

    images: of the set, if its nearest training images may be shown; None: they may not.
    """
    drawn = [
        Figure(_roc(folder / "roc.png", findings), ROC),
        Figure(_distances(folder / "distances.png", findings), DISTANCES),
    ]
    if images is not None:
        drawn.append(Figure(_pairs(folder / "neighbors.png", findings, images), NEIGHBORS))
    return drawn


def _roc(path: Path, findings: Findings) -> Path:
    with saved(path, 6.4, 4.6) as (_, axes):
        low = 1 / findings.held
        axes.plot([low, 1], [low, 1], color=GRAY, linewidth=1)
        shown = [one for one in findings.attacks if one.name != "calibrated membership"]
        for i, one in enumerate(shown):
            color, line = LINES[i % len(LINES)]
            false, true = one.curve
            label = f"{one.name} ({one.space}), AUC {one.overall.auc:.3f}"
            axes.plot(false, true, color=color, linestyle=line, label=label)
        axes.axvline(0.01, color=GRAY, linestyle=":", linewidth=1)
        axes.set(xscale="log", xlim=(low, 1), xlabel="false positive rate")
        axes.set(yscale="log", ylim=(low, 1), ylabel="true positive rate")
        axes.legend(loc="lower right", fontsize=8)
    return path


def _distances(path: Path, findings: Findings) -> Path:
    spaces = findings.portrait.neighbors
    with saved(path, 3.2 * len(spaces), 3.0, columns=len(spaces)) as (_, grid):
        panels = np.atleast_1d(grid)
        for axes, (name, near) in zip(panels, spaces.items(), strict=True):
            _histograms(axes, near.sample.first, near.held.first)
            axes.set(title=name, xlabel="distance", yticks=[])
        panels[0].legend(loc="upper left", fontsize=8)
    return path


def _histograms(axes: Axes, training: np.ndarray, held: np.ndarray) -> None:
    top = float(max(training.max(), held.max(), 1e-6))
    edges = np.linspace(0, top, BINS).tolist()
    axes.hist(held, edges, color=GRAY, alpha=0.6, label="held-out")
    axes.hist(training, edges, histtype="step", color=BLUE, linewidth=1.6, label="training")


def _pairs(path: Path, findings: Findings, images: np.ndarray) -> Path:
    match = findings.portrait.match
    order = np.argsort(-match.correlation, kind="stable")[:PAIRS]
    real = findings.train.images[match.row[order]]
    real = np.where(match.mirrored[order, None, None], real[:, :, ::-1], real)
    cells = np.concatenate([np.stack([images[i] for i in order]), real], axis=2)
    blank = np.full((-len(cells) % ACROSS, *cells.shape[1:]), 255, np.uint8)
    cells = np.concatenate([cells, blank])
    sheets.save(sheets.sheet(cells.reshape(-1, ACROSS, *cells.shape[1:])), path)
    return path
