"""Measurements of sets and classifiers, and the tables of results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferbench.api import keywords

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class MeasuredRun:
    """A finished measurement on the disk.

    folder: report and figures. row: its line in the table of its kind, by column; an empty cell is
    None. numbers: all of them, as metrics.json has them. report: one HTML file.
    """

    folder: Path
    row: dict[str, Any]
    numbers: dict[str, Any]
    report: Path


def measure_fidelity(**keys: object) -> MeasuredRun:
    """Measure how near a set is to real faces and how varied it is, as `ferbench fidelity` does.

    keys: set (a synthetic set; left out, the newest), data ("real" or "toy"), judge, outputs, and
    all that `ferbench fidelity --help` lists.
    Raises UserError as the command, above all if there is no judge: a run of `train` on real faces.

    >>> measured = ferbench.measure_fidelity(set=drawn, data="toy")
    >>> measured.row["fid"], measured.row["fid_floor"]
    """
    return _measured("fidelity", keys)


def audit_privacy(**keys: object) -> MeasuredRun:
    """Measure the privacy leakage of a set, as `ferbench audit` does.

    keys: set (a synthetic set; left out, the newest), data ("real" or "toy"), judge, gan, outputs,
    and all that `ferbench audit --help` lists.
    Raises UserError as the command, above all if the set's generator learned from other faces.

    >>> audited = ferbench.audit_privacy(set=drawn, data="real")
    >>> audited.row["verdict"], audited.report
    """
    return _measured("audit", keys)


def find_bias(**keys: object) -> MeasuredRun:
    """Measure how groups of faces differ, in a set or for a classifier, as `ferbench bias` does.

    keys: set (a synthetic set) or run (a classifier), data ("real" or "toy"), attributes (a CSV of
    your own), outputs, and all that `ferbench bias --help` lists.
    Raises UserError as the command.

    >>> found = ferbench.find_bias(run=run, data="toy")
    >>> found.numbers.keys(), found.report
    """
    return _measured("bias", keys)


def read_results(outputs: str | Path, kind: str = "classify") -> pd.DataFrame:
    """The results of all runs below `outputs`, a line a run.

    kind: "classify", "fidelity", "audit", "audit-data", "bias" or "curate". Text is `string`, whole
    numbers `int64` (`Int64` where cells may be empty), other numbers `float64`, `finished` a time
    in UTC. Shares, such as `accuracy`, are fractions in [0, 1]. Without runs it has no lines.
    Raises UserError for an unknown kind, if there is no such folder, and if the table is damaged.

    >>> table = ferbench.read_results("outputs")
    >>> table.groupby("model")["accuracy"].mean()
    """
    from ferbench import results

    return results.read_frame(Path(outputs), kind)


def _measured(command: str, keys: Mapping[str, object]) -> MeasuredRun:
    from ferbench import report

    folder = keywords.run(command, keys)
    numbers = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return MeasuredRun(folder, keywords.row_of(folder), numbers, folder / report.HTML)
