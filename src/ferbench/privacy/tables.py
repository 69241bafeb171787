"""The tables of an audit's report."""

from __future__ import annotations

import numpy as np

from ferbench.classes import CLASSES
from ferbench.privacy.audit import RESOLVED, Audit
from ferbench.privacy.plants import VARIANTS
from ferbench.privacy.statistics import Attack
from ferbench.report import Table

LISTED = 20  # nearest pairs


def tests_table(audit: Audit) -> Table:
    """Every test of the set beside its negative control and its detection limits."""
    columns = ["test", "in", "value", "chance", "p", "held-out images", "outcome", *VARIANTS]
    lines = [_test_line(audit, key) for key in audit.outcomes]
    note = (
        f"p: of so much or more by chance, one-sided; under {audit.options.alpha:g} the set is "
        f"flagged. held-out images: the value for {audit.controls.images:,} real images taken as "
        "the set, which must pass. Last columns: the smallest share of planted copies, in percent "
        "of these images, from which on the test alone flags the set."
    )
    return Table(columns, lines, note=note, leading=2)


def _test_line(audit: Audit, key: tuple[str, str]) -> list[str]:
    test, space = key
    found, alpha, control = audit.outcomes[key], audit.options.alpha, audit.controls
    negative = control.negative.get(key)
    outcome = "flagged" if found.p < alpha else "passed"
    limits = [control.limit(variant, alpha, key) for variant in VARIANTS]
    shares = ["-" if n is None else f"{100 * n / control.images:.2g}" for n in limits]
    return [
        test,
        space,
        number(found.value),
        number(found.chance),
        p_value(found.p),
        "-" if negative is None else number(negative.value),
        "void" if key in audit.unsound else outcome,
        *shares,
    ]


def attacks_table(audit: Audit) -> Table:
    """Every attack on all candidates."""
    columns = ["attack", "on", "AUC", "95 %", "TPR at 1 % FPR", "95 %", "p", "outcome"]
    lines = [
        [
            one.name,
            one.space,
            *_attack_cells(one.overall),
            p_value(min(one.p, one.class_p)),
            "void"
            if (one.name, one.space) in audit.unsound
            else "flagged"
            if one.flagged(audit.options.alpha)
            else "passed",
        ]
        for one in audit.attacks
    ]
    first = audit.attacks[0].overall
    note = (
        f"{first.members:,} training images against {first.others:,} held-out ones; chance is an "
        "AUC of 0.5 and a TPR of 0.01. p: the smaller of that of the AUC and that of the classes."
    )
    return Table(columns, lines, note=note, leading=2)


def classes_table(audit: Audit) -> Table:
    """The attacks by class: AUC with its interval."""
    shown = [one for one in audit.attacks if one.name != "calibrated membership"]
    columns = [
        "class",
        "members",
        "others",
        "near copies",
        *(f"{one.name} ({one.space})" for one in shown),
    ]
    lines = []
    for k, name in enumerate(CLASSES):
        members = int((audit.real.members.labels == k).sum())
        others = int((audit.seat.held_labels == k).sum())
        copied = int(audit.near[audit.labels == k].sum())
        cells = [_auc(one.classes[k]) for one in shown]
        lines.append([name, f"{members:,}", f"{others:,}", f"{copied:,}", *cells])
    note = "AUC, in brackets its 95 % interval; near copies by the label that the set gives them."
    return Table(columns, lines, note=note)


def rates_table(audit: Audit) -> Table:
    """The attacks by class: share of members found at 1 % false positives."""
    shown = [one for one in audit.attacks if one.name != "calibrated membership"]
    columns = ["class", *(f"{one.name} ({one.space})" for one in shown)]
    lines = [[name, *(_tpr(one.classes[k]) for one in shown)] for k, name in enumerate(CLASSES)]
    note = (
        f"TPR at 1 % FPR, in brackets its 95 % interval. *: fewer than {RESOLVED} held-out images "
        "of the class, so that not one of them may be taken for a member."
    )
    return Table(columns, lines, note=note)


def pairs_table(audit: Audit) -> Table:
    """The images that correlate most with a training image."""
    match = audit.portrait.match
    order = np.argsort(-match.correlation, kind="stable")[:LISTED]
    lines = [
        [
            str(i),
            CLASSES[audit.labels[i]],
            str(audit.real.train.names[match.row[i]]),
            CLASSES[audit.real.train.labels[match.row[i]]],
            f"{match.correlation[i]:.3f}",
            "yes" if match.mirrored[i] else "no",
            f"{match.zoom[i]:g}",
            "copy" if audit.near[i] else "",
        ]
        for i in order
    ]
    columns = [
        "image",
        "its class",
        "training image",
        "class",
        "correlation",
        "mirrored",
        "enlarged",
        "",
    ]
    limit = audit.options.near_correlation
    return Table(columns, lines, note=f"From {limit:g} on an image counts as a copy.", leading=4)


def distances_table(audit: Audit) -> Table:
    """Distances to the nearest training images and to as many held-out ones (DCR, NNDR)."""
    columns = ["in", "to", "DCR, 5 %", "DCR, median", "NNDR, 5 %", "NNDR, median"]
    lines = []
    for name, seen in audit.portrait.seen.items():
        for where, near in (("training", seen.sample), ("held-out", seen.held)):
            parts = [np.quantile(values, [0.05, 0.5]) for values in (near.first, near.ratio)]
            lines.append([name, where, *(f"{value:.3f}" for part in parts for value in part)])
    note = (
        "DCR: distance to the nearest of equally many images; NNDR: its ratio to the second "
        f"nearest. {len(audit.seat.rows):,} images of each."
    )
    return Table(columns, lines, note=note, leading=2)


def copying_table(audit: Audit) -> Table:
    """C_T and authenticity as they are published, for comparison with papers."""
    lines = [
        [
            name,
            "-" if value is None else f"{value:.2f}",
            number(audit.outcomes["authenticity", name].value),
        ]
        for name, value in audit.copying.items()
    ]
    note = (
        "As published, against all training images. Both fall for smooth or average images, too, "
        "with or without copies; the tests above compare them with held-out images in the place of "
        "the training images."
    )
    return Table(["in", "C_T", "authenticity"], lines, note=note)


def _attack_cells(one: Attack) -> list[str]:
    return [
        f"{one.auc:.3f}",
        _interval(one.auc_interval),
        f"{one.tpr:.3f}",
        _interval(one.tpr_interval),
    ]


def _auc(one: Attack | None) -> str:
    return "-" if one is None else f"{one.auc:.3f} ({_interval(one.auc_interval)})"


def _tpr(one: Attack | None) -> str:
    if one is None:
        return "-"
    star = " *" if one.others < RESOLVED else ""
    return f"{one.tpr:.3f} ({_interval(one.tpr_interval)}){star}"


def _interval(ends: tuple[float, float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def number(value: float) -> str:
    """A statistic with three decimals, a whole one without."""
    return "0" if value == 0 else f"{value:.3f}" if abs(value) >= 0.001 else f"{value:.1e}"


def p_value(p: float) -> str:
    """A p-value; what is as good as 0 is shown as such."""
    return "<1e-9" if p < 1e-9 else f"{p:.2g}"
