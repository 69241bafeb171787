"""The common table for people: filter, group over seeds, sort, print."""

from __future__ import annotations

import difflib
import operator
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from ferbench.errors import UserError
from ferbench.results import FailedRun
from ferbench.row import COLUMNS, KINDS, SCORES, Row, moment
from ferbench.table_layout import LAYOUTS, Cell, Grid

DEFAULT_SCORES = (
    "accuracy", "accuracy_dedup", "balanced_accuracy", "macro_f1", "auroc", "ece",
)  # fmt: skip
LOWER_IS_BETTER = ("ece", "nll")
PERCENT = tuple(name for name in SCORES if name != "nll")
TEST = ["test_data", "test_split", "test_hash"]  # rows that differ here are never compared
GROUP = [*TEST, "cell", "data_hash", "tta"]
NUMBERS = [name for name in COLUMNS if KINDS[name] is not str]
TEXTS = [name for name in COLUMNS if KINDS[name] is str]
LEADING = {True: ["model", "data", "train_images"], False: ["run", "data", "seed"]}
TELLING = [
    "synthetic_images", "selected_on", "stem", "input_px", "pretrained", "tune", "epochs",
    "precision", "tta", "code_version", "cell", "data_hash",
]  # fmt: skip


def show(
    rows: Sequence[Row],
    *,
    where: str = "",
    sort: str = "accuracy",
    format: str = "terminal",
    group: bool = True,
    columns: Sequence[str] = (),
    bold: bool = True,
    width: int = 100,
) -> str:
    """The table as text: one table for each test set and split, never mixed.

    where: conditions as in `parse_where`. sort: a column; scores from the best, the rest upwards,
    "-column" the other way round. format: terminal, markdown, csv or latex.
    group: one line for all seeds of an experiment, as mean and standard deviation (n - 1); a seed
    that was run again counts once, the latest. columns: the scores (or other columns) to show.
    bold: mark the best of a column (Markdown and LaTeX). width: most characters in the terminal.
    CSV is one table with all columns that `columns` leaves, as fractions in full precision.
    Raises UserError for an unknown column, format or operator.
    """
    if format not in ("csv", *LAYOUTS):
        raise UserError(f"format={format}: unknown; expected {', '.join(LAYOUTS)} or csv")
    for column in columns:
        check_column("columns", column)
    everything = frame(rows)
    chosen = filter_rows(everything, where)
    if chosen.empty and format != "csv":
        if everything.empty:
            return "No rows yet: `ferbench classify` adds the first.\n"
        return f"None of the {len(everything)} rows matches where={where}\n"
    table = sort_rows(group_seeds(chosen) if group else chosen, sort)
    if format == "csv":
        return _csv(table.sort_values(TEST, kind="stable"), list(columns), group)
    shown = list(columns) or list(DEFAULT_SCORES)
    parts = [part for _, part in table.groupby(TEST, sort=True)]
    grids = [_grid(part, shown, group=group, bold=bold, all_parts=parts) for part in parts]
    return "\n".join(LAYOUTS[format](grid, width) for grid in grids)


_NO_PROCESS = {
    "killed": "its process is gone",
    "unknown": "it says that it runs, but its process cannot be looked up from here",
}


def show_failed(runs: Sequence[FailedRun]) -> str:
    """The runs without a result as text: two lines a run, what and when, then why."""
    if not runs:
        return "No failed runs.\n"
    size = max(len(run.status) for run in runs)
    lines = [f"{len(runs)} run{'s' * (len(runs) > 1)} without a result"]
    for run in runs:
        lines.append(f"{run.status.ljust(size)}  {run.when[:19] or 'no date':19}  {run.run}")
        lines.append(f"    {run.error or _NO_PROCESS.get(run.status, 'no error was recorded')}")
    return "\n".join([*lines, ""])


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """One line a row, one column a field: numbers as float64 (NaN if empty), text ("" if empty)."""
    table: pd.DataFrame = pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))
    table[NUMBERS] = table[NUMBERS].astype("float64")
    table[TEXTS] = table[TEXTS].astype(object).fillna("")
    return table


# --- filter --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Condition:
    """`column operator value[,value...]`; more than one value only with = and !=."""

    column: str
    operator: str
    values: tuple[str | float, ...]


_ORDER: dict[str, Callable[[pd.Series, str | float], pd.Series]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def parse_where(text: str) -> list[Condition]:
    """Conditions that must all hold: `model=cnn,resnet50 data!=toy accuracy>0.6 tta=`.

    Operators are = (any of), != (none of), >, >=, < and <=. Quotes keep spaces in a value; an empty
    value stands for an empty cell. Text compares by its characters, so finished>2026-01-31 works.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"where={text}: {error}") from None
    return [_condition(word) for word in words]


def _condition(word: str) -> Condition:
    found = re.fullmatch(r"(\w+)(!=|>=|<=|==?|>|<)(.*)", word)
    if not found:
        raise UserError(f"where={word}: not a condition; expected column=value, as in accuracy>0.6")
    column, sign, value = found[1], found[2].replace("==", "="), found[3]
    check_column("where", column)
    parts = value.split(",") if sign in ("=", "!=") else [value]
    if sign in _ORDER and not value:
        raise UserError(f"where={word}: lacks a value; expected one, as in accuracy>0.6")
    if KINDS[column] is str:
        return Condition(column, sign, tuple(parts))
    try:
        numbers = [float(part) if part else float("nan") for part in parts]
    except ValueError:
        raise UserError(f"where={word}: {column} is a number; {value} is not") from None
    return Condition(column, sign, tuple(numbers))


def filter_rows(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """The rows that meet every condition of `where`; an empty cell is in no order to a value."""
    for condition in parse_where(where):
        cells = table[condition.column]
        if condition.operator in _ORDER:
            keep = _ORDER[condition.operator](cells, condition.values[0])
        else:
            keep = cells.isin(condition.values) == (condition.operator == "=")
        table = table[keep]
    return table


def check_column(key: str, name: str) -> None:
    """Raise UserError, naming the nearest columns, unless the table has this one."""
    if name not in COLUMNS:
        near = difflib.get_close_matches(name, COLUMNS, 3, 0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "docs/metrics.md lists them"
        raise UserError(f"{key}={name}: no such column; {hint}")


# --- group and sort ------------------------------------------------------------------------------


def group_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """One line for each experiment on one test set: the mean over its seeds.

    An experiment is a `cell` (the config without its seed) trained on the same data and tested
    with the same augmentation. Adds `seeds` (how
    many) and for every number a column `<name>_sd`, the standard deviation over n - 1 (NaN for
    n = 1). A mean of cells of which some are empty is empty; text that differs is "various".
    """
    ordered = table.sort_values("finished", key=lambda cells: cells.map(moment), kind="stable")
    latest = ordered.drop_duplicates([*GROUP, "seed"], keep="last")
    groups = latest.groupby(GROUP, sort=False)
    texts = [name for name in TEXTS if name not in GROUP]
    result = groups[texts].last()
    differs = groups[texts].nunique() > 1
    differs["finished"] = False  # the latest
    result = result.mask(differs, "various")
    gaps = groups[NUMBERS].count().lt(groups.size(), axis=0)
    means = groups[NUMBERS].mean().mask(gaps)
    spread = groups[NUMBERS].std(ddof=1).mask(gaps).add_suffix("_sd")
    seeds = groups.size().rename("seeds").astype("float64")
    grouped: pd.DataFrame = pd.concat([result, means, spread, seeds], axis=1).reset_index()
    return grouped


def sort_rows(table: pd.DataFrame, sort: str) -> pd.DataFrame:
    """Sorted by one column; scores from the best, the rest upwards, "-column" the other way."""
    name = sort.removeprefix("-")
    if name == "seeds" and name not in table:
        raise UserError(f"sort={sort}: only with group=true")
    if name not in table:
        check_column("sort", name)
    downwards = name in SCORES and name not in LOWER_IS_BETTER
    ordered: pd.DataFrame = table.sort_values(
        name, ascending=downwards == sort.startswith("-"), kind="stable", na_position="last"
    )
    return ordered


# --- print ---------------------------------------------------------------------------------------


def _grid(
    part: pd.DataFrame, shown: list[str], *, group: bool, bold: bool, all_parts: list[pd.DataFrame]
) -> Grid:
    """The cells of one test set's table."""
    leading = [name for name in _leading(part, group) if name not in shown]
    names = [*leading, *shown]
    lines = [[_cell(name, line) for name in names] for _, line in part.iterrows()]
    best = _best(part, names) if bold else set()
    scores = any(name in PERCENT for name in shown)
    spread = group and bool((part["seeds"] > 1).any())
    note = ["scores in percent"] * scores + ["mean ± standard deviation over seeds"] * spread
    return Grid(
        heading=_heading(part, all_parts),
        note=", ".join(note),
        columns=names,
        lines=lines,
        numeric=[name == "seeds" or KINDS[name] is not str for name in names],
        best=best,
        leading=len(leading),
    )


def _heading(part: pd.DataFrame, all_parts: list[pd.DataFrame]) -> str:
    """`fer2013, private split, 3589 images`, with the hash where two sets have the same name."""
    first = part.iloc[0]
    same = [p for p in all_parts if list(p.iloc[0][TEST[:2]]) == list(first[TEST[:2]])]
    known = f" ({first.test_hash[:8]})" if len(same) > 1 else ""
    return f"{first.test_data}{known}, {first.test_split} split, {first.n_test:.0f} images"


def _leading(part: pd.DataFrame, group: bool) -> list[str]:
    """The columns that name a line, and the further ones without which two lines look the same."""
    names = list(LEADING[group])
    for name in TELLING if group else []:
        if len(part[[*names, name]].drop_duplicates()) > len(part[names].drop_duplicates()):
            names.append(name)
    return [*names, "seeds"] if group else names


def _cell(name: str, line: pd.Series) -> Cell:
    value, spread = line[name], line.get(f"{name}_sd")
    if isinstance(value, str):
        return Cell(value[:8] if name in ("cell", "data_hash") else value)
    if spread is None or name not in SCORES:
        return Cell(_number(name, value))
    return Cell(_number(name, value), _number(name, spread))


def _number(name: str, value: float) -> str:
    """Scores in percent, counts whole, the rest with four digits; "" if empty."""
    if pd.isna(value):
        return ""
    if name in PERCENT:
        return f"{100 * value:.1f}"
    if name == "nll":
        return f"{value:.3f}"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"


def _best(part: pd.DataFrame, names: list[str]) -> set[tuple[int, int]]:
    """(line, column) of the best scores, as many as are equal once rounded for print."""
    found: set[tuple[int, int]] = set()
    for j, name in enumerate(names):
        if name not in SCORES or len(part) < 2 or part[name].isna().all():
            continue
        best = part[name].min() if name in LOWER_IS_BETTER else part[name].max()
        text = _number(name, best)
        found |= {(i, j) for i, v in enumerate(part[name]) if _number(name, v) == text}
    return found


def _csv(table: pd.DataFrame, columns: list[str], group: bool) -> str:
    """One CSV table: every column, or the identity columns and `columns`; full precision."""
    if not group:
        names = [*LEADING[False], *TEST, *columns] if columns else list(COLUMNS)
    else:
        names = [*TEST, "n_test", *LEADING[True], *TELLING, "seeds"]
        for name in columns or SCORES:
            names += [name] if KINDS[name] is str else [name, f"{name}_sd"]
    unique = list(dict.fromkeys(names))
    whole = [name for name in unique if name == "seeds" or KINDS.get(name) is int]
    counts = [name for name in whole if (table[name].dropna() % 1 == 0).all()]
    table = table[unique].astype(dict.fromkeys(counts, "Int64"))
    return str(table.to_csv(index=False, lineterminator="\n"))
