"""Figures of classifiers: confusion, calibration, scores of each class, curves, accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferbench.classes import CLASSES
from ferbench.report.drawing import BLUE, GRAY, GREEN, ORANGE, STYLE, drawing, head, save, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ferbench.metrics.classification import PerClass, Reliability

PALE = "#FAE3D4"  # the orange, thinned


def plot_confusion(counts: np.ndarray, *, path: Path, title: str = "") -> None:
    """Confusion matrix: the shade is the share of a true class, the text its count and percent.

    counts: [7, 7] int64 in the order of `CLASSES`; rows are the true classes. The row of a class
    without images stays white. path: the PNG. title: stands above it.
    """
    from matplotlib import rc_context
    from matplotlib.ticker import PercentFormatter

    total = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(total, 1)
    with rc_context(STYLE):
        figure, axes = drawing(6.0, 5.4)
        image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (i, j), value in np.ndenumerate(share):
            color = "white" if value > 0.6 else "black"
            axes.text(j, i - 0.14, str(counts[i, j]), ha="center", va="center", color=color)
            percent = f"{100 * value:.0f}%" if total[i, 0] else "-"
            axes.text(j, i + 0.24, percent, ha="center", va="center", color=color, fontsize=8)
        names = [f"{name}\n({n})" for name, n in zip(CLASSES, total[:, 0], strict=True)]
        axes.set_xticks(
            range(len(CLASSES)), CLASSES, rotation=35, ha="right", rotation_mode="anchor"
        )
        axes.set_yticks(range(len(CLASSES)), names)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel="predicted", ylabel="true (images)", title=title)
        percents = PercentFormatter(xmax=1, decimals=0)
        bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03, format=percents)
        bar.set_label("share of the true class")
        bar.outline.set_visible(False)
        save(figure, path)


def plot_reliability(reliability: Reliability, *, path: Path, title: str = "") -> None:
    """Reliability diagram with its gaps and the ECE, above the histogram of the confidence.

    reliability: from `metrics.classification`. Empty bins have no bar. path: the PNG.
    """
    from matplotlib import rc_context

    edges, counts = reliability.edges, reliability.counts
    centers = (edges[:-1] + edges[1:]) / 2
    accuracy = np.nan_to_num(reliability.accuracy)
    confidence = np.nan_to_num(reliability.confidence)
    look: dict[str, Any] = {"width": np.diff(edges), "edgecolor": "white", "linewidth": 0.6}
    with rc_context(STYLE):
        figure, (top, low) = drawing(5.2, 5.6, rows=[3, 1])
        top.bar(centers, accuracy, color=BLUE, label="accuracy", **look)
        gap = {**look, "color": PALE, "edgecolor": ORANGE, "hatch": "////"}
        top.bar(centers, confidence - accuracy, bottom=accuracy, label="gap to confidence", **gap)
        top.hlines(reliability.accuracy, edges[:-1], edges[1:], color=BLUE, linewidth=3)
        top.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=1, label="calibrated")
        top.text(
            0.97,
            0.05,
            f"ECE = {100 * reliability.ece:.1f}%",
            transform=top.transAxes,
            ha="right",
            bbox={"facecolor": "white", "edgecolor": GRAY, "boxstyle": "round"},
        )
        top.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
        head(figure, top, title)
        low.bar(centers, counts / counts.sum(), color=GRAY, **look)
        low.set(xlim=(0, 1), xlabel="confidence", ylabel="images")
        low.yaxis.set_major_formatter("{x:.0%}")
        save(figure, path)


def plot_per_class(scores: PerClass, *, path: Path, title: str = "") -> None:
    """Recall, precision and F1 of each class as bars, with their values and numbers of images.

    scores: from `metrics.classification.per_class`, 7 classes. path: the PNG.
    """
    from matplotlib import rc_context

    kinds = [("recall", BLUE, ""), ("precision", ORANGE, "////"), ("F1", GREEN, "....")]
    place = np.arange(len(CLASSES))
    with rc_context(STYLE):
        figure, axes = drawing(6.5, 3.9)
        for k, (name, color, hatch) in enumerate(kinds):
            values = 100 * getattr(scores, name.lower())
            bars = axes.bar(
                place + 0.28 * (k - 1),
                values,
                0.27,
                label=name,
                color=color,
                hatch=hatch,
                edgecolor="white",
                linewidth=0.5,
            )
            axes.bar_label(bars, fmt="%.0f", fontsize=7, padding=1.5)
        names = [f"{name}\n({n})" for name, n in zip(CLASSES, scores.support, strict=True)]
        axes.set_xticks(place, names)
        axes.tick_params(axis="x", length=0)
        axes.set(ylim=(0, 106), ylabel="percent", xlabel="class (test images)")
        axes.yaxis.grid(True, color="0.9")
        head(figure, axes, title)
        save(figure, path)


def plot_learning_curves(
    history: Sequence[Mapping[str, Any]], *, best_epoch: int | None, path: Path, title: str = ""
) -> None:
    """Loss and accuracy of Training and PublicTest over the epochs, the best epoch marked.

    history: one mapping an epoch with `epoch` and any of `train_loss`, `public_loss` (nats),
    `train_accuracy`, `public_accuracy` (in [0, 1]); the line passes over epochs without a value.
    best_epoch: the epoch that was kept, or None. path: the PNG.
    """
    from matplotlib import rc_context
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    with rc_context(STYLE):
        figure, (loss, accuracy) = drawing(6.8, 3.2, columns=2)
        for axes, kind in ((loss, "loss"), (accuracy, "accuracy")):
            for split, color, line in (("train", BLUE, "--"), ("public", ORANGE, "-")):
                _curve(axes, history, f"{split}_{kind}", label=split, color=color, linestyle=line)
            if best_epoch is not None:
                best: dict[str, Any] = {"color": GRAY, "linestyle": ":", "zorder": 1}
                axes.axvline(best_epoch, label=f"best epoch: {best_epoch}", **best)
            ends = history[0]["epoch"] - 0.5, history[-1]["epoch"] + 0.5
            axes.set(xlabel="epoch", ylabel=kind, xlim=ends)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
            axes.grid(True, color="0.9")
        accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
        figure.legend(*loss.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        figure.suptitle(title, fontsize=STYLE["axes.titlesize"])
        save(figure, path)


def plot_accuracy(
    labels: Sequence[str],
    values: np.ndarray,
    *,
    path: Path,
    title: str,
    reported: Sequence[float] = (),
) -> None:
    """Accuracies as horizontal bars with their intervals, the first on top; chance is dashed.

    labels: one a bar, shown at the left. values: [N, 3] accuracy and both ends of its 95 %
    interval, in [0, 1]. reported: figures of others as diamonds, NaN where there is none.
    """
    accuracy, low, high = 100 * values.T
    with saved(path, 6.6, 1.3 + 0.42 * len(labels)) as (figure, axes):
        place, whiskers = np.arange(len(labels)), [accuracy - low, high - accuracy]
        axes.barh(place, accuracy, 0.6, color=BLUE)
        look: dict[str, Any] = {"fmt": "none", "ecolor": "black", "elinewidth": 1.0, "capsize": 3}
        axes.errorbar(accuracy, place, xerr=whiskers, **look)
        for y, value, end in zip(place, accuracy, high, strict=True):
            axes.annotate(f"{value:.1f}", (end, y), (5, 0), textcoords="offset points", va="center")
        axes.axvline(100 / len(CLASSES), color=GRAY, linestyle="--", linewidth=1.0, label="chance")
        top = high.max() + 12
        if np.isfinite(reported).any():
            others = 100 * np.array(reported)
            look = {"color": ORANGE, "markeredgecolor": "white", "markersize": 8}
            axes.plot(others, place, "D", label="reported by earlier work", **look)
            top = max(top, np.nanmax(others) + 4)
        axes.set_yticks(place, labels)
        axes.invert_yaxis()
        axes.set(xlim=(0, min(108, top)), xlabel="accuracy, percent (whiskers: 95 %)")
        axes.xaxis.grid(True, color="0.9")
        figure.legend(loc="outside lower right", ncols=2)
        figure.suptitle(title, fontsize=STYLE["axes.titlesize"])


def _curve(axes: Axes, history: Sequence[Mapping[str, Any]], key: str, **look: Any) -> None:
    """One line over the epochs, with dots where there are few; nothing if there is no value."""
    known = [(row["epoch"], row[key]) for row in history if row.get(key) is not None]
    dots: dict[str, Any] = {"marker": "o", "markersize": 3.5} if len(known) < 25 else {}
    axes.plot([epoch for epoch, _ in known], [value for _, value in known], **dots, **look)
