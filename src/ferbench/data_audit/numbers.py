"""A data audit for machines: metrics.json, disputed.csv, and the columns of its row."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classes import CLASSES, SPLITS
from ferbench.data_audit import advice
from ferbench.data_audit.findings import Control, Enlarged, Findings, LabelNoise
from ferbench.data_audit.pool import Pool
from ferbench.files import write_whole
from ferbench.report.audit import by_class

DISPUTED = "disputed.csv"
COLUMNS = ("name", "split", "given", "proposed", "probability", "given_probability", "margin")


def disputed(noise: LabelNoise, pool: Pool) -> list[tuple[str, str, str, str, float, float, float]]:
    """Lines of COLUMNS, the most disputed image first."""
    issues = noise.issues
    return [
        (
            str(pool.names[noise.rows[i]]),
            SPLITS[pool.split[noise.rows[i]]],
            CLASSES[issues.labels[i]],
            CLASSES[issues.proposed[i]],
            float(noise.probabilities[i, issues.proposed[i]]),
            float(noise.probabilities[i, issues.labels[i]]),
            float(issues.margin[i]),
        )
        for i in issues.ranked()
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


def as_json(findings: Findings) -> dict[str, Any]:
    """Every number, for metrics.json."""
    faults = findings.faults
    return {
        "images": len(findings.pool),
        "copies": {
            kind: vars(groups) | {"mixed": _by_class(groups.mixed)}
            for kind, groups in faults.groups.items()
        },
        "in_earlier_splits": [asdict(leak) for leak in faults.leaks],
        "copies_within": faults.within,
        "enlarged": _enlarged_json(findings.enlarged),
        "blank": {split: by_class(row) for split, row in zip(SPLITS, faults.blank, strict=True)},
        "blank_constant": faults.constant_blank,
        "balance": vars(faults.balance)
        | {
            "counts": {
                split: by_class(row)
                for split, row in zip(SPLITS, faults.balance.counts, strict=True)
            }
        },
        "labels": None if findings.noise is None else _noise_json(findings.noise),
        "advice": [list(line) for line in advice.lines(findings)],
    }


def _noise_json(noise: LabelNoise) -> dict[str, Any]:
    names, issues = [*CLASSES, "all"], noise.issues
    rates = zip(names, noise.noise.tolist(), noise.intervals.tolist(), strict=True)
    limits = by_class(issues.thresholds)  # None for a class without images
    return {
        "images": len(noise.rows),
        "folds": noise.folds,
        "accuracy": noise.accuracy,
        "disputed": int(issues.disputed.sum()),
        "thresholds": {name: limit for name, limit in limits.items() if limit is not None},
        "joint": _by_class(issues.joint),
        "noise": {
            name: {"rate": rate, "interval": ends}
            for name, rate, ends in rates
            if np.isfinite(rate)
        },
        "control": _control_json(noise.control),
    }


def _control_json(control: Control | None) -> dict[str, Any] | None:
    if control is None:
        return None
    return {
        "images": control.images,
        "flipped": control.flipped,
        "listed": control.listed,
        "found": control.caught,
        "restored": control.restored,
        "recall": control.recall,
        "precision": control.precision,
        "by_chance": control.by_chance,
        "at_top": control.top / max(control.flipped, 1),
    }


def _enlarged_json(enlarged: Enlarged | None) -> dict[str, Any] | None:
    return None if enlarged is None else {"tested": enlarged.tested, "found": enlarged.copies}


def _by_class(matrix: np.ndarray) -> dict[str, dict[str, Any]]:
    return by_class(by_class(row) for row in matrix)


def row_columns(findings: Findings) -> dict[str, Any]:
    """The columns of the table that hold what was measured."""
    faults, noise, enlarged = findings.faults, findings.noise, findings.enlarged
    identical = faults.groups["identical"]
    columns = {
        "set_images": len(findings.pool),
        "identical_groups": identical.groups,
        "redundant_copies": identical.redundant,
        "groups_across_splits": identical.across,
        "conflicting_groups": identical.conflicting,
        "public_in_train": faults.leak("public", "train").images,
        "private_in_train": faults.leak("private", "train").images,
        "private_in_public": faults.leak("private", "public").images,
        "near_groups": faults.groups["near"].groups,
        "mirrored_groups": faults.groups["mirrored"].groups,
        "enlarged_copies": None if enlarged is None else sum(enlarged.copies.values()),
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
        "disputed_images": int(noise.issues.disputed.sum()),
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
