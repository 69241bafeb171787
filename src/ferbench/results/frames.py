"""Rows as tables of pandas: for other programs, and as what `ferbench table` prints."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ferbench.results.columns import Column
from ferbench.results.kind import Kind
from ferbench.results.row import RunRow, moment

VARIOUS = "various"  # a text that differs between the runs of a cell
LATEST = "latest_run"  # a column of grouped rows: the folder of the latest run


def typed(rows: Sequence[RunRow], kind: Kind) -> pd.DataFrame:
    """One line a row, as `read_frame` describes it: each column with the type of its kind."""
    table = _table(rows, kind)
    finished = pd.to_datetime(table["finished"].map(moment), utc=True)
    table = table.astype({name: _dtype(column) for name, column in kind.columns.items()})
    return table.assign(finished=finished.astype("datetime64[us, UTC]"))


def _dtype(column: Column) -> str:
    if column.type is int:
        return "Int64" if column.optional else "int64"
    return "float64" if column.type is float else "string"


def printable(rows: Sequence[RunRow], kind: Kind) -> pd.DataFrame:
    """One line a row, to be filtered and grouped: numbers are float64 (NaN if empty), text is ""
    if empty.
    """
    table = _table(rows, kind)
    table[kind.numbers] = table[kind.numbers].astype("float64")
    table[kind.texts] = table[kind.texts].astype(object).fillna("")
    return table


def _table(rows: Sequence[RunRow], kind: Kind) -> pd.DataFrame:
    return pd.DataFrame([vars(row) for row in rows], columns=list(kind.columns), dtype=object)


# --- group and sort ------------------------------------------------------------------------------


def group_seeds(table: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """One line for each experiment on one test set: the mean over its seeds.

    An experiment is a `cell` (the config without its seed) on the same data, and what else stands
    in `kind.group_by`. Adds `seeds` (how many), `latest_run` (its folder) and for every number a
    column `<name>_sd`, the standard deviation over n - 1 (NaN for n = 1). A mean of cells of which
    some are empty is empty; text that differs is "various".
    """
    together, numbers = [*kind.separate_by, *kind.group_by], kind.numbers
    ordered = table.sort_values("finished", key=lambda cells: cells.map(moment), kind="stable")
    latest = ordered.drop_duplicates([*together, "seed"], keep="last")
    groups = latest.groupby(together, sort=False)
    texts = [name for name in kind.texts if name not in together]
    result = groups[texts].last()
    differs = groups[texts].nunique() > 1
    differs["finished"] = False  # the latest
    result = result.mask(differs, VARIOUS)
    gaps = groups[numbers].count().lt(groups.size(), axis=0)
    means = groups[numbers].mean().mask(gaps)
    spread = groups[numbers].std(ddof=1).mask(gaps).add_suffix("_sd")
    seeds = groups.size().rename("seeds").astype("float64")
    last = groups["run"].last().rename(LATEST)
    grouped: pd.DataFrame = pd.concat([result, means, spread, seeds, last], axis=1).reset_index()
    return grouped


def sort_rows(table: pd.DataFrame, sort: str, kind: Kind) -> pd.DataFrame:
    """Sorted by one column; scores from the best, the rest upwards, "-column" the other way.

    By the kind's own column where there is none of that name.
    """
    sort = sort if sort.removeprefix("-") in table else kind.sort_by
    name = sort.removeprefix("-")
    downwards = kind.better(name) == "higher"
    ordered: pd.DataFrame = table.sort_values(
        name, ascending=downwards == sort.startswith("-"), kind="stable", na_position="last"
    )
    return ordered
