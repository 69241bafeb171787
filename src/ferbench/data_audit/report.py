"""A data audit for people: its report, and its summary for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ferbench.classes import CLASSES, SPLITS
from ferbench.data_audit import advice, tables
from ferbench.data_audit.faults import ANY
from ferbench.data_audit.findings import Faults, Findings, LabelNoise
from ferbench.data_audit.numbers import COLUMNS, DISPUTED, disputed
from ferbench.data_audit.pool import Pool
from ferbench.report import Block, Heading, Table, Text, audit

READ_ON = (
    "`docs/data.md` says how copies are found, `docs/metrics.md` defines every number; all of them "
    "stand in `metrics.json`."
)


def summary(findings: Findings) -> str:
    """The main tables and the advice, for the terminal."""
    shown = {
        "Copies": tables.copies_table(findings.faults),
        "Splits": tables.splits_table(findings.faults),
    }
    if findings.noise is not None:
        shown["Labels"] = tables.noise_table(findings.noise)
        if findings.noise.control is not None:
            shown["Control"] = tables.control_table(findings.noise.control)
    return audit.summary(shown, lines=audit.advice_lines(advice.lines(findings)))


def blocks(findings: Findings, context: audit.Context) -> list[Block]:
    """The report."""
    results = [
        Heading("Copies"),
        *map(Text, COPIES),
        *_copies(findings),
        Heading("Balance"),
        tables.balance_table(findings.faults.balance),
        Text(_blank(findings.faults)),
        *([] if findings.noise is None else _labels(findings.noise, findings.pool)),
    ]
    closing = [Text(READ_ON)]
    return audit.blocks(context, results, advice=advice.lines(findings), closing=closing)


COPIES = (
    "Images are *identical* if all their pixels are. *Near* and *mirrored* copies show one "
    "photograph shifted, brighter or recompressed; `prepare` finds them by correlation.",
)


def _copies(findings: Findings) -> Iterator[Block]:
    yield tables.copies_table(findings.faults)
    yield tables.splits_table(findings.faults)
    for kind in ("identical", ANY):
        if findings.faults.groups[kind].conflicting:
            yield tables.conflicts_table(findings.faults, kind)
    if findings.enlarged is not None:
        yield tables.enlarged_table(findings.enlarged)


def _blank(faults: Faults) -> str:
    total = int(faults.blank.sum())
    if not total:
        return "No image is blank."
    return (
        f"{total} images are blank (a standard deviation under 2 gray levels), "
        f"{faults.constant_blank} of them of one single gray level: "
        + ", ".join(
            f"{n} {CLASSES[k]} of {SPLITS[i]}" for (i, k), n in np.ndenumerate(faults.blank) if n
        )
        + "."
    )


def _labels(noise: LabelNoise, pool: Pool) -> Iterator[Block]:
    yield Heading("Labels")
    yield Text(
        f"The {len(noise.rows):,} images (all but the blank ones) are divided into {noise.folds} "
        "parts, and a classifier for each part is fitted on the other images. They agree with "
        f"{100 * noise.accuracy:.1f} % of the labels. Copies of one photograph are in one part, so "
        "no classifier was trained on an image that it judges. From their probabilities, confident "
        "learning (Northcutt et al. 2021) calls "
        f"{100 * noise.noise[-1]:.1f} % of the labels wrong, and lists "
        f"{int(noise.issues.disputed.sum()):,} images."
    )
    yield Text(
        "*Read this with care.* A classifier that is wrong so often errs more than the labels do. "
        "The method assumes that noise depends on the class alone and that every face has one "
        "true label; where two classes look alike it calls the ambiguous images wrong. So the "
        "number does not measure the noise: it is the share that the classifiers dispute. And "
        "the list is an order in which to check the images, not a list of errors."
    )
    yield tables.noise_table(noise)
    yield tables.joint_table(noise)
    if noise.control is not None:
        yield Heading("Control: labels made wrong on purpose", level=3)
        yield Text(
            "The same search, with some labels of all images replaced by another class at random, "
            "one classifier fitted anew, and the images of the first part judged. Labels that "
            "people got wrong are harder: they hide among the classes that look alike. Precision "
            "is a lower bound, because labels that were wrong before are on the list too."
        )
        yield tables.control_table(noise.control)
    yield Heading("The most disputed images", level=3)
    yield _disputed_table(noise, pool)


def _disputed_table(noise: LabelNoise, pool: Pool) -> Table:
    lines = [
        [f"`{line[0]}`", *map(str, line[1:4]), *(f"{value:.3f}" for value in line[4:])]
        for line in disputed(noise, pool)[: tables.SHOWN]
    ]
    return Table(list(COLUMNS), lines, leading=4, note=f"`{DISPUTED}` has all of them.")


# --- machines ------------------------------------------------------------------------------------
