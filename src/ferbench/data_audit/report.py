"""A data audit for people and machines: report, terminal, metrics.json, disputed.csv, the row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classes import CLASSES, SPLITS
from ferbench.data_audit import advice, tables
from ferbench.data_audit.enlarged import Enlarged
from ferbench.data_audit.faults import ANY, Faults
from ferbench.data_audit.label_noise import LabelNoise
from ferbench.data_audit.pool import Pool
from ferbench.files import write_whole
from ferbench.report import Block, Code, Figure, Heading, Table, Text, audit

DISPUTED = "disputed.csv"
COLUMNS = ("name", "split", "given", "proposed", "probability", "given_probability", "margin")


@dataclass(frozen=True)
class Findings:
    """Everything that was found. noise, enlarged: None if they were not sought."""

    pool: Pool
    faults: Faults
    noise: LabelNoise | None
    enlarged: Enlarged | None

    @property
    def advice(self) -> list[tuple[str, str]]:
        """(finding, what deals with it)."""
        return advice.lines(self.faults, self.noise, self.enlarged)


# --- terminal and report -------------------------------------------------------------------------


def summary(found: Findings) -> str:
    """The main tables and the advice, for the terminal."""
    shown = {
        "Copies": tables.copies_table(found.faults),
        "Splits": tables.splits_table(found.faults),
    }
    if found.noise is not None:
        shown["Labels"] = tables.noise_table(found.noise)
        if found.noise.control is not None:
            shown["Control"] = tables.control_table(found.noise.control)
    return audit.summary(shown, lines=audit.advice_lines(found.advice))


def blocks(
    found: Findings, facts: Mapping[str, str], pictures: Sequence[tuple[Path, str]], command: str
) -> list[Block]:
    """The report. facts: what was looked at, by name; pictures: figures with their captions."""
    return [
        Table(["", ""], [[name, value] for name, value in facts.items()], leading=2),
        Heading("What to do"),
        Table(["found", "what deals with it"], [list(line) for line in found.advice], leading=2),
        Heading("Copies"),
        *map(Text, COPIES),
        *_copies(found),
        Heading("Balance"),
        tables.balance_table(found.faults.balance),
        Text(_blank(found.faults)),
        *([] if found.noise is None else _labels(found.noise, found.pool)),
        Heading("Pictures"),
        *(Figure(path, caption) for path, caption in pictures),
        Heading("To do it again"),
        Code(command),
        Text(
            "`docs/data.md` says how copies are found, `docs/metrics.md` defines the columns of "
            "the table; all numbers stand in `metrics.json`."
        ),
    ]


COPIES = (
    "Images are *identical* if all their pixels are. *Near* and *mirrored* copies show one "
    "photograph shifted, brighter or recompressed; `prepare` finds them by correlation.",
)


def _copies(found: Findings) -> Iterator[Block]:
    yield tables.copies_table(found.faults)
    yield tables.splits_table(found.faults)
    for kind in ("identical", ANY):
        if found.faults.groups[kind].conflicting:
            yield tables.conflicts_table(found.faults, kind)
    if found.enlarged is not None:
        yield tables.enlarged_table(found.enlarged)


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
        f"{noise.folds} classifiers, each fitted on the other {noise.folds - 1} parts of "
        f"{len(noise.rows):,} images (all but the blank ones), agree with "
        f"{100 * noise.accuracy:.1f} % of the labels. Copies of one photograph are in one part, so "
        "no classifier has seen an image that it judges. From their probabilities, confident "
        "learning (Northcutt et al. 2021) calls "
        f"{100 * noise.noise[-1]:.1f} % of the labels wrong, and lists "
        f"{int(noise.opinion.disputed.sum()):,} images."
    )
    yield Text(
        "*Read this with care.* A classifier that is wrong so often errs more than the labels do. "
        "The method supposes that noise depends on the class alone and that every face has one "
        "true label; where two classes look alike it calls the ambiguous images wrong. The number "
        "is therefore no measure of the noise but how much of it the classifiers would claim, and "
        "the list is an order in which to look, not a list of errors."
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


def disputed(noise: LabelNoise, pool: Pool) -> list[tuple[str, str, str, str, float, float, float]]:
    """Lines of COLUMNS, the most disputed image first."""
    opinion = noise.opinion
    return [
        (
            str(pool.names[noise.rows[i]]),
            SPLITS[pool.split[noise.rows[i]]],
            CLASSES[opinion.labels[i]],
            CLASSES[opinion.proposed[i]],
            float(noise.probabilities[i, opinion.proposed[i]]),
            float(noise.probabilities[i, opinion.labels[i]]),
            float(opinion.margin[i]),
        )
        for i in opinion.ranked()
    ]


def write_disputed(path: Path, noise: LabelNoise, pool: Pool) -> None:
    """The disputed images as CSV, UTF-8; probabilities with six digits."""

    def write(beside: Path) -> None:
        with beside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for line in disputed(noise, pool):
                writer.writerow([*line[:4], *(f"{value:.6f}" for value in line[4:])])

    write_whole(path, write)


# --- machines ------------------------------------------------------------------------------------


def as_json(found: Findings) -> dict[str, Any]:
    """Every number, for metrics.json."""
    faults = found.faults
    return {
        "images": len(found.pool),
        "copies": {
            kind: vars(groups) | {"mixed": _by_class(groups.mixed)}
            for kind, groups in faults.groups.items()
        },
        "in_earlier_splits": [asdict(leak) for leak in faults.leaks],
        "copies_within": faults.within,
        "enlarged": None if found.enlarged is None else asdict(found.enlarged),
        "blank": {split: _named(row) for split, row in zip(SPLITS, faults.blank, strict=True)},
        "blank_constant": faults.constant_blank,
        "balance": vars(faults.balance)
        | {
            "counts": {
                split: _named(row) for split, row in zip(SPLITS, faults.balance.counts, strict=True)
            }
        },
        "labels": None if found.noise is None else _noise_json(found.noise),
        "advice": [list(line) for line in found.advice],
    }


def _noise_json(noise: LabelNoise) -> dict[str, Any]:
    names, opinion, control = [*CLASSES, "all"], noise.opinion, noise.control
    rates = zip(names, noise.noise.tolist(), noise.intervals.tolist(), strict=True)
    return {
        "images": len(noise.rows),
        "folds": noise.folds,
        "accuracy": noise.accuracy,
        "disputed": int(opinion.disputed.sum()),
        "thresholds": _named(opinion.thresholds, finite=True),
        "joint": _by_class(opinion.joint),
        "noise": {
            name: {"rate": rate, "interval": ends}
            for name, rate, ends in rates
            if np.isfinite(rate)
        },
        "control": None
        if control is None
        else {
            **{name: value for name, value in vars(control).items() if name != "ranks"},
            "recall": control.recall,
            "precision": control.precision,
            "by_chance": control.by_chance,
            "at_top": control.at_top,
        },
    }


def _named(values: np.ndarray, *, finite: bool = False) -> dict[str, Any]:
    cells = zip(CLASSES, values.tolist(), strict=True)
    return {name: value for name, value in cells if not finite or np.isfinite(value)}


def _by_class(matrix: np.ndarray) -> dict[str, dict[str, Any]]:
    return {name: _named(row) for name, row in zip(CLASSES, matrix, strict=True)}


def row_columns(found: Findings) -> dict[str, Any]:
    """The columns of the common table that hold what was found."""
    faults, noise, enlarged = found.faults, found.noise, found.enlarged
    identical = faults.groups["identical"]
    columns = {
        "set_images": len(found.pool),
        "identical_groups": identical.groups,
        "redundant_copies": identical.redundant,
        "groups_across_splits": identical.across,
        "conflicting_groups": identical.conflicting,
        "public_in_train": faults.leak("public", "train").images,
        "private_in_train": faults.leak("private", "train").images,
        "private_in_public": faults.leak("private", "public").images,
        "near_groups": faults.groups["near"].groups,
        "mirrored_groups": faults.groups["mirrored"].groups,
        "enlarged_copies": None if enlarged is None else sum(enlarged.found.values()),
        "blank_images": int(faults.blank.sum()),
        "class_ratio": faults.balance.largest_ratio,
        "split_difference": faults.balance.cramers_v,
    }
    return columns if noise is None else columns | _noise_columns(noise)


def _noise_columns(noise: LabelNoise) -> dict[str, Any]:
    low, high = noise.intervals[-1].tolist()
    columns: dict[str, Any] = {
        "folds": noise.folds,
        "fold_accuracy": noise.accuracy,
        "disputed_images": int(noise.opinion.disputed.sum()),
        "label_noise": float(noise.noise[-1]),
        "label_noise_low": low,
        "label_noise_high": high,
    }
    if noise.control is not None:
        columns |= {
            "control_recall": noise.control.recall,
            "control_precision": noise.control.precision,
        }
    return columns
