"""The report of a set's fidelity and the summary in the terminal: tables of its numbers."""

from __future__ import annotations

from collections.abc import Callable

from ferbench.classes import CLASSES
from ferbench.fidelity import verdict
from ferbench.fidelity.findings import Comparison, Findings
from ferbench.report import Block, Heading, Table, audit
from ferbench.report.grid import three_digits


def blocks(findings: Findings, context: audit.Context) -> list[Block]:
    """The report; context: what was compared with what, figures, how to repeat it."""
    results = [
        Heading("All images"),
        values_table(findings),
        Heading("Class by class"),
        classes_table(findings),
        *_trained(findings),
    ]
    return audit.blocks(
        context,
        results,
        verdict=audit.Verdict(verdict.level(findings), verdict.sentences(findings)),
        advice=verdict.advice(findings),
    )


def summary(findings: Findings, *, width: int) -> str:
    """The two tables for a terminal of so many characters, the verdict and the advice."""
    tables = {"All images": values_table(findings), "Class by class": classes_table(findings)}
    lines = [f"verdict: {verdict.level(findings)}", *verdict.sentences(findings)]
    lines += audit.advice_lines(verdict.advice(findings))
    return audit.summary(tables, lines=lines, width=width)


# --- tables --------------------------------------------------------------------------------------

METRICS: tuple[tuple[str, str, Callable[[Comparison], str]], ...] = (
    ("FID", "lower", lambda c: three_digits(c.overall.fid)),
    ("FID, mean over classes", "lower", lambda c: three_digits(c.intra_fid)),
    ("KID x 1000", "lower", lambda c: _spread(1000 * c.overall.kid, 1000 * c.overall.kid_sd)),
    ("precision", "higher", lambda c: f"{c.overall.precision:.3f}"),
    ("density", "higher", lambda c: f"{c.overall.density:.3f}"),
    ("recall", "higher", lambda c: f"{c.overall.recall:.3f}"),
    ("coverage", "higher", lambda c: f"{c.overall.coverage:.3f}"),
    ("Inception Score", "higher", lambda c: _spread(c.inception_score, c.inception_score_sd)),
)
COLUMNS_NOTE = (
    "set: all its images, compared with the reference. matched: a part of the set with as many "
    "images of each class as the floor has, because most of these numbers depend on how many "
    "images there are. floor: real images (PublicTest without copies of Training images), compared "
    "with the same reference; a perfect generator would get about these numbers."
)
CLASSES_NOTE = (
    "In brackets: the floor. FID, JS (Jensen-Shannon distance), precision, recall and coverage are "
    "those of the matched part of the set, the other columns those of the whole set. gate: share "
    "of the images that the judge assigns to their class. diversity: mean distance between the "
    "features of two images, as a share of that of the real images. pixel RMS: root mean square "
    "difference between two images with pixels in [-1, 1], in brackets that of the reference."
)
CLASS_COLUMNS = (
    "class",
    "images",
    "gate",
    "diversity",
    "FID",
    "KID x 1000",
    "JS",
    "precision",
    "recall",
    "coverage",
    "pixel RMS",
)


def values_table(findings: Findings) -> Table:
    """Every overall number of the set, of its matched part and of the floor."""
    sides = findings.sides
    heads = [f"{name}, n={side.comparison.overall.images:,}" for name, side in sides.items()]
    lines = [
        [name, better, *(text(side.comparison) for side in sides.values())]
        for name, better, text in METRICS
    ]
    js = [f"{side.js.overall:.3f}" for side in sides.values()]
    lines.append(["Jensen-Shannon distance", "lower", *js])
    diversity = [f"{findings.relative_diversity(side).mean():.3f}" for side in sides.values()]
    lines.append(["diversity, share of real", "near 1", *diversity])
    if findings.has_judge:
        gate = [f"{side.gate_accuracy:.3f}" for side in sides.values()]
        lines.append(["gate accuracy", "higher", *gate])
    if findings.path_length is not None:
        path_length = three_digits(findings.path_length)
        lines.append(["perceptual path length", "lower", path_length, "", ""])
    return Table(["metric", "better", *heads], lines, note=COLUMNS_NOTE, leading=2)


def classes_table(findings: Findings) -> Table:
    """The numbers of each class, with the floor's in brackets."""
    lines = [[name, *_class_cells(findings, k)] for k, name in enumerate(CLASSES)]
    return Table(CLASS_COLUMNS, lines, note=CLASSES_NOTE)


def _class_cells(findings: Findings, k: int) -> list[str]:
    set_, floor = findings.whole, findings.floor
    own, matched, real = (side.comparison.classes[k] for side in findings.sides.values())
    diversity, real_diversity = (findings.relative_diversity(side)[k] for side in (set_, floor))
    return [
        f"{own.images:,} ({real.images:,})",
        _both(set_.gate_recall[k], floor.gate_recall[k]) if findings.has_judge else "-",
        _both(diversity, real_diversity),
        f"{three_digits(matched.fid)} ({three_digits(real.fid)})",
        f"{_spread(1000 * own.kid, 1000 * own.kid_sd)} ({1000 * real.kid:.2f})",
        _both(findings.matched.js.classes[k], floor.js.classes[k]),
        _both(matched.precision, real.precision),
        _both(matched.recall, real.recall),
        _both(matched.coverage, real.coverage),
        _both(own.pixel_diversity, findings.reference.pixels[k]),
    ]


def _trained(findings: Findings) -> list[Block]:
    """The classifiers that learned from the set, if there are any."""
    if not findings.trained:
        return []
    columns = ["run", "model", "seed", "test set", "accuracy"]
    lines = [
        [
            row.run,
            row.model,
            str(row.seed),
            f"{row.test_data}, {row.test_split}",
            f"{row.accuracy:.3f}",
        ]
        for row in findings.trained
    ]
    return [Heading("Classifiers trained on this set"), Table(columns, lines, leading=4)]


def _spread(value: float, deviation: float) -> str:
    return f"{value:.2f} ± {deviation:.2f}"


def _both(own: float, real: float) -> str:
    return f"{own:.2f} ({real:.2f})"
