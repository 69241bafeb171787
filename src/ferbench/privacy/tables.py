"""The tables of an audit's report."""

from __future__ import annotations

import numpy as np

from ferbench.classes import CLASSES
from ferbench.privacy.findings import Attack, AttackResult, Findings, TestKey
from ferbench.report import Table

LISTED = 20  # nearest pairs
RESOLVED = 100  # others of whom one is 1 %


def tests_table(findings: Findings) -> Table:
    """Every test of the set beside its negative control and its detection limits."""
    columns = ["test", "in", "value", "chance", "p", "held-out images", "outcome"]
    lines = [_test_line(findings, key) for key in findings.outcomes]
    alpha, images = findings.options.alpha, findings.controls.images
    note = (
        "p: the probability of this value, or of a more extreme one, by chance (one-sided); below "
        f"{alpha:g} the set is flagged. Held-out images: the value where {images:,} real images "
        "take the place of the set, which must pass; a test that flags them is void. Last columns: "
        "the smallest share of planted copies, in percent of these images, from which on the test "
        "alone flags the set."
    )
    return Table([*columns, *findings.controls.positive], lines, note=note, leading=2)


def _test_line(findings: Findings, key: TestKey) -> list[str]:
    alpha, controls = findings.options.alpha, findings.controls
    outcome, negative = findings.outcomes[key], controls.negative.get(key)
    limits = [controls.limit(variant, alpha, key) for variant in controls.positive]
    return [
        *key,
        number(outcome.value),
        number(outcome.chance),
        p_value(outcome.p),
        "-" if negative is None else number(negative.value),
        _word(findings, key, outcome.p < alpha),
        *("-" if n is None else f"{100 * n / controls.images:.2g}" for n in limits),
    ]


def _word(findings: Findings, key: TestKey, flagged: bool) -> str:
    """The outcome of a test: void where the negative control failed it."""
    if key in findings.unsound:
        return "void"
    return "flagged" if flagged else "passed"


def attacks_table(findings: Findings) -> Table:
    """Every attack on all candidates."""
    columns = ["attack", "on", "AUC", "95 %", "TPR at 1 % FPR", "95 %", "p", "outcome"]
    lines = [
        [
            *one.key,
            *_attack_cells(one.overall),
            p_value(min(one.p, one.class_p)),
            _word(findings, one.key, one.flagged(findings.options.alpha)),
        ]
        for one in findings.attacks
    ]
    first = findings.attacks[0].overall
    note = (
        f"{first.members:,} training images against {first.others:,} held-out ones; chance is an "
        "AUC of 0.5 and a TPR of 0.01. p: the smaller of that of the AUC and that of the classes."
    )
    return Table(columns, lines, note=note, leading=2)


def classes_table(findings: Findings) -> Table:
    """The attacks by class: AUC with its interval."""
    shown = _uncalibrated(findings)
    columns = [
        "class",
        "members",
        "others",
        "near copies",
        *(f"{one.name} ({one.space})" for one in shown),
    ]
    lines = []
    for k, name in enumerate(CLASSES):
        members = int((findings.candidates.members == k).sum())
        others = int((findings.candidates.others == k).sum())
        copied = int(findings.near[findings.labels == k].sum())
        cells = [_auc(one.classes[k]) for one in shown]
        lines.append([name, f"{members:,}", f"{others:,}", f"{copied:,}", *cells])
    note = "AUC, in brackets its 95 % interval; near copies by the label that the set gives them."
    return Table(columns, lines, note=note)


def rates_table(findings: Findings) -> Table:
    """The attacks by class: share of members recognized at 1 % false positives."""
    shown = _uncalibrated(findings)
    columns = ["class", *(f"{one.name} ({one.space})" for one in shown)]
    lines = [[name, *(_tpr(one.classes[k]) for one in shown)] for k, name in enumerate(CLASSES)]
    note = (
        f"TPR at 1 % FPR, in brackets its 95 % interval. *: fewer than {RESOLVED} held-out images "
        "of the class, so that 1 % allows not a single false positive."
    )
    return Table(columns, lines, note=note)


def _uncalibrated(findings: Findings) -> list[AttackResult]:
    """The attacks that are shown by class: a calibrated one says the same again."""
    return [one for one in findings.attacks if one.name != "calibrated membership"]


def pairs_table(findings: Findings) -> Table:
    """The images that correlate most with a training image."""
    match = findings.portrait.match
    order = np.argsort(-match.correlation, kind="stable")[:LISTED]
    lines = [
        [
            str(i),
            CLASSES[findings.labels[i]],
            str(findings.train.names[match.row[i]]),
            CLASSES[findings.train.labels[match.row[i]]],
            f"{match.correlation[i]:.3f}",
            "yes" if match.mirrored[i] else "no",
            f"{match.zoom[i]:g}",
            "copy" if findings.near[i] else "",
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
    limit = findings.options.near_correlation
    return Table(columns, lines, note=f"From {limit:g} on an image counts as a copy.", leading=4)


def distances_table(findings: Findings) -> Table:
    """Distances to the nearest training images and to as many held-out ones (DCR, NNDR)."""
    columns = ["in", "to", "DCR, 5 %", "DCR, median", "NNDR, 5 %", "NNDR, median"]
    lines = []
    for name, neighbors in findings.portrait.neighbors.items():
        for where, near in (("training", neighbors.sample), ("held-out", neighbors.held)):
            parts = [np.quantile(values, [0.05, 0.5]) for values in (near.first, near.ratio)]
            lines.append([name, where, *(f"{value:.3f}" for part in parts for value in part)])
    note = (
        "DCR: distance to the nearest of equally many images; NNDR: its ratio to the second "
        f"nearest. {findings.held:,} images of each."
    )
    return Table(columns, lines, note=note, leading=2)


def copying_table(findings: Findings) -> Table:
    """C_T and authenticity as they are published, for comparison with papers."""
    lines = [
        [
            name,
            "-" if value is None else f"{value:.2f}",
            number(findings.outcomes["authenticity", name].value),
        ]
        for name, value in findings.c_t.items()
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
