"""The numbers of a study for machines: metrics.json."""

from __future__ import annotations

from typing import Any

from ferbench.report.audit import plain
from ferbench.study.findings import CellDifference, CellResult, Findings
from ferbench.study.plan import SCORES


def as_json(findings: Findings) -> dict[str, Any]:
    """Every cell with its scores, and every comparison."""
    return {
        "cells": {id: _result_json(result) for id, result in findings.results.items()},
        "differences": [_difference_json(one) for one in findings.differences],
    }


def _result_json(result: CellResult) -> dict[str, Any]:
    columns = [column for column in ("accuracy_dedup", *SCORES) if result.has(column)]
    return {
        "label": result.cell.label,
        "seeds": result.seeds,
        "runs": [result.rows[seed]["run"] for seed in result.seeds],
        "accuracy_interval": plain(result.interval),
        "scores": {
            column: {
                "mean": result.mean(column),
                "standard_deviation": result.spread(column),
                "values": result.values(column),
            }
            for column in columns
        },
        "earlier": dict(result.cell.earlier),
    }


def _difference_json(one: CellDifference) -> dict[str, Any]:
    cells = {"cell": one.cell.id, "against": one.other.id}
    return cells | plain(one.difference) | {"p_adjusted": one.adjusted, "verdict": one.verdict}
