"""The tables of a report on the faults of a set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ferbench.classes import CLASSES, SPLITS
from ferbench.data_audit.findings import Balance, Control, Enlarged, Faults, LabelNoise
from ferbench.metrics.classification import wilson_interval
from ferbench.report import Table

SHOWN = 20  # disputed images in the report's table; disputed.csv has all


def copies_table(faults: Faults) -> Table:
    """Groups of copies by kind."""
    lines = [
        [
            kind,
            *(
                f"{n:,}"
                for n in (one.groups, one.images, one.redundant, one.across, one.conflicting)
            ),
        ]
        for kind, one in faults.groups.items()
    ]
    blank = faults.blank_groups
    return Table(
        ["copies", "groups", "images", "redundant", "groups across splits", "with several labels"],
        lines,
        note="Redundant: all but one of each group. Groups of near and mirrored copies are chains "
        "of pairs, with the identical copies of their images; *any* joins all kinds. "
        + (
            f"Of the identical groups {blank.groups} "
            f"({blank.images:,} images) {'is' if blank.groups == 1 else 'are'} blank; "
            f"without, {faults.groups['identical'].conflicting - blank.conflicting} have "
            "several labels."
            if blank.groups
            else ""
        ),
    )


def splits_table(faults: Faults) -> Table:
    """Of each split: images, copies inside, and images of earlier splits in it."""
    lines = []
    for i, split in enumerate(SPLITS):
        leaks = {leak.earlier: leak for leak in faults.leaks if leak.split == split}
        cells = [
            f"{leaks[one].images:,} ({leaks[one].other_label})" if one in leaks else "-"
            for one in SPLITS[:-1]
        ]
        size, blank = faults.balance.counts[i].sum(), faults.blank[i].sum()
        lines.append([split, f"{size:,}", f"{faults.within[split]:,}", *cells, f"{blank}"])
    return Table(
        ["split", "images", "copies inside", "also in train", "also in public", "blank"],
        lines,
        note="Pixel by pixel. In brackets: with a label that no identical image of the earlier "
        "split has.",
    )


def conflicts_table(faults: Faults, kind: str) -> Table:
    """Class by class: groups of copies that hold both."""
    mixed = faults.groups[kind].mixed
    lines = [
        [name, *(str(n) if n else "" for n in row), str(row.sum())]
        for name, row in zip(CLASSES, mixed, strict=True)
    ]
    return Table(
        [f"{kind} copies with both labels: groups", *CLASSES, "sum"],
        lines,
        note="A group with three labels counts for each pair of them.",
    )


def balance_table(balance: Balance) -> Table:
    """Images of each class and their share of the split."""
    totals = balance.counts.sum(axis=1)
    lines = [
        [
            name,
            *(
                f"{n:,} ({100 * n / total:.1f} %)"
                for n, total in zip(balance.counts[:, k], totals, strict=True)
            ),
        ]
        for k, name in enumerate(CLASSES)
    ]
    return Table(
        ["class", *SPLITS],
        lines,
        note=f"The same shares in all splits? χ² = {balance.chi2:.1f} with {balance.freedom} "
        f"degrees of freedom, p = {balance.p:.2g}, Cramér's V = {balance.cramers_v:.3f}. The "
        "test assumes independent images, and copies are not independent.",
    )


def enlarged_table(enlarged: Enlarged) -> Table:
    """Near-clean test images that show a Training photograph at another scale."""
    lines = [
        [
            split,
            f"{enlarged.tested[split]:,}",
            f"{n:,} ({100 * n / max(enlarged.tested[split], 1):.1f} %)",
        ]
        for split, n in enlarged.copies.items()
    ]
    return Table(
        ["split", "near-clean images", "in Training at another scale"],
        lines,
        note="Correlation of 0.95 or more with a Training image that is enlarged by up to a fifth.",
    )


# --- labels --------------------------------------------------------------------------------------


def noise_table(noise: LabelNoise) -> Table:
    """Estimated share of wrong labels by given class."""
    labels, disputed = noise.issues.labels, noise.issues.disputed
    right = noise.probabilities.argmax(axis=1) == labels
    chosen = [labels == k for k in range(len(CLASSES))] + [np.ones(len(labels), bool)]
    lines = []
    for k, (name, mask) in enumerate(zip([*CLASSES, "all"], chosen, strict=True)):
        if mask.any():
            low, high = noise.intervals[k]
            lines.append(
                [
                    name,
                    f"{mask.sum():,}",
                    f"{100 * right[mask].mean():.1f}",
                    f"{disputed[mask].sum():,} ({100 * disputed[mask].mean():.1f} %)",
                    f"{100 * noise.noise[k]:.1f} [{100 * low:.1f}, {100 * high:.1f}]",
                ]
            )
    return Table(
        [
            "given label",
            "images",
            "classifier agrees, %",
            "on the list",
            "called wrong, % [95 % interval]",
        ],
        lines,
        note="The interval covers the choice of the images, not the chance in training.",
    )


def joint_table(noise: LabelNoise) -> Table:
    """Of each given label, the estimated shares of the labels that would be right."""
    given = noise.issues.joint.sum(axis=1, keepdims=True)
    share = 100 * noise.issues.joint / np.maximum(given, 1e-12)
    lines = [
        [name, *(f"{value:.1f}" for value in row)]
        for name, row, total in zip(CLASSES, share, given[:, 0], strict=True)
        if total > 0
    ]
    return Table(["given label, % called", *CLASSES], lines)


def control_table(control: Control) -> Table:
    """What the list finds of labels that were made wrong on purpose."""
    return Table(["control", "", "95 % interval"], list(_control_lines(control)))


def _control_lines(control: Control) -> Iterator[list[str]]:
    yield ["images", f"{control.images:,}", ""]
    yield ["labels made wrong", f"{control.flipped:,}", ""]
    yield ["on the list", f"{control.listed:,}", ""]
    yield ["recall: wrong labels that are on the list", *_share(control.caught, control.flipped)]
    yield ["recall by chance", f"{100 * control.by_chance:.1f} %", ""]
    yield ["precision: labels on the list made wrong", *_share(control.caught, control.listed)]
    yield [
        f"made wrong among the {control.flipped:,} lowest margins",
        *_share(control.top, control.flipped),
    ]
    yield ["right label proposed, of the recalled ones", *_share(control.restored, control.caught)]


def _share(hits: int, of: int) -> tuple[str, str]:
    if not of:
        return "-", ""
    low, high = wilson_interval(hits, of)
    return f"{hits:,} ({100 * hits / of:.1f} %)", f"{100 * low:.1f} to {100 * high:.1f} %"
