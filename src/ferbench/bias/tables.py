"""The tables of a bias report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ferbench.bias.association import cramers_v, npmi
from ferbench.bias.findings import AttributeFindings, Findings, Gap, GroupScores, Interval
from ferbench.classes import CLASSES
from ferbench.report import Table

TOO_FEW = "too few to say"


def classes_table(findings: Findings) -> Table:
    """Images and shares of each class, here and in the real Training images."""
    shares = findings.representation
    own, real = (100 * side / side.sum() for side in (shares.own, shares.real))
    lines = [
        [name, f"{shares.own[k]:,}", f"{own[k]:.1f}", f"{shares.real[k]:,}", f"{real[k]:.1f}"]
        for k, name in enumerate(CLASSES)
    ]
    note = (
        f"Total variation {shares.distance:.3f}, by chance up to {shares.floor:.3f}: the share of "
        "images that would need another class to give the same shares as the real images. The "
        f"largest class has {shares.ratio:.1f} times as many images as the smallest; the balance "
        f"is that of {_effective_number(shares.own):.2f} equally large classes."
    )
    return Table(["class", "images", "%", "real Training", "%"], lines, note=note)


def _effective_number(counts: np.ndarray) -> float:
    """exp of the entropy: the effective number of species (Hill 1973), 1 to 7."""
    p = counts[counts > 0] / counts.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


def attributes_table(attributes: Sequence[AttributeFindings]) -> Table:
    """Distribution and association of every attribute, with what chance gives."""
    columns = [
        "attribute",
        "distance",
        "by chance up to",
        "association",
        "in real images",
        "amplification",
        "reading",
        "information",
        "in real images",
    ]
    note = (
        "distance: Jensen-Shannon distance from the real images, 0 to 1. association: of class and "
        "attribute, η² for numbers and Cramér's V for words, corrected for chance, every class "
        "weighted equally. amplification: association here minus that in real images, in brackets "
        "its 95 % interval. information: normalized mutual information of class and group."
    )
    return Table(columns, [_attribute_line(one) for one in attributes], note=note)


def _attribute_line(one: AttributeFindings) -> list[str]:
    change = one.amplification
    return [
        one.attribute.name,
        _three(one.distance),
        _three(one.floor),
        f"{one.own.value:.3f} ({one.measure})",
        "-" if one.real is None else _three(one.real.value),
        "-" if change is None else _signed(change),
        _reading(change),
        _three(one.own_information),
        _three(one.real_information),
    ]


def _signed(change: Interval) -> str:
    return f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})"


def _reading(change: Interval | None) -> str:
    if change is None:
        return "-"
    return "noise" if change.noise else "amplified" if change.value > 0 else "weakened"


def npmi_table(one: AttributeFindings) -> Table:
    """Normalized pointwise mutual information of each class and group, with the images."""
    values = npmi(one.own_counts)
    lines = [
        [name, *(_npmi_cell(values[k, j], one.own_counts[k, j]) for j in range(values.shape[1]))]
        for k, name in enumerate(CLASSES)
    ]
    note = (
        f"Cramér's V of these counts {float(cramers_v(one.own_counts)):.3f}. In the cells: "
        "normalized pointwise mutual information, 0 for independent, 1 for always together, -1 for "
        "never together; in brackets the number of images, and few of them make a cell uncertain."
    )
    return Table(["class", *one.attribute.group_names], lines, note=note)


def _npmi_cell(value: float, count: int) -> str:
    return "-" if np.isnan(value) else f"{value:+.2f} ({count:,})"


def gaps_table(groups: Sequence[GroupScores]) -> Table:
    """The three gaps of every attribute with their intervals, against chance."""
    columns = [
        "attribute",
        "accuracy gap",
        "by chance",
        "recall gap",
        "by chance",
        "of class",
        "equalized odds",
        "by chance",
    ]
    lines = [
        [
            scores.attribute.name,
            *_gap_cells(scores.accuracy_gap),
            *_gap_cells(scores.recall_gap),
            scores.worst_class,
            *_gap_cells(scores.odds_gap),
        ]
        for scores in groups
    ]
    note = (
        "In percentage points: the best group minus the worst, in brackets the 95 % interval; * "
        "marks more than chance gives. recall gap: that of the class where it is largest. "
        "equalized odds: the largest gap of any class's recall or false positive rate."
    )
    return Table(columns, lines, note=note)


def _gap_cells(gap: Gap | None) -> list[str]:
    if gap is None:
        return [TOO_FEW, "-"]
    star = "" if gap.noise else " *"
    low, high = 100 * gap.low, 100 * gap.high
    return [f"{100 * gap.value:.1f} ({low:.1f} to {high:.1f}){star}", f"{100 * gap.chance:.1f}"]


def groups_table(scores: GroupScores, min_count: int) -> Table:
    """Accuracy and recalls of every group, in percent."""
    lines = []
    for g, name in enumerate(scores.attribute.group_names):
        value, low, high = 100 * scores.accuracy[g]
        few = scores.too_few[g]
        accuracy = TOO_FEW if few else f"{value:.1f} ({low:.1f} to {high:.1f})"
        recalls = [_recall_cell(scores, g, k) for k in range(len(CLASSES))]
        lines.append([name, f"{scores.images[g]:,}", accuracy, *recalls])
    note = (
        "Accuracy with its 95 % interval, then recalls, in percent. In brackets: fewer than "
        f"{min_count} images of the class in the group, too few to say."
    )
    return Table([scores.attribute.name, "images", "accuracy", *CLASSES], lines, note=note)


def _recall_cell(scores: GroupScores, g: int, k: int) -> str:
    value = scores.recall[g, k, 0]
    if np.isnan(value):
        return "-"
    text = f"{100 * value:.0f}"
    return f"({text})" if scores.class_too_few[g, k] else text


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
