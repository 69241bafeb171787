"""The tables for people: chosen by condition, grouped over seeds, printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ferbench.errors import UserError
from ferbench.report.grid import LAYOUTS, Cell, Grid
from ferbench.results.csv_lines import no_formula
from ferbench.results.frames import LATEST, group_seeds, printable, sort_rows
from ferbench.results.kind import Kind
from ferbench.results.kinds import KINDS
from ferbench.results.row import RunRow
from ferbench.results.run_files import FailedRun
from ferbench.results.settings import differences
from ferbench.results.where import check_column, filter_rows, split_where

SHORT_HASHES = ("cell", "data_hash", "generator")  # shown by their first digits
HASHES = (*SHORT_HASHES, "judge_hash", "attributes_hash")  # shown where no key tells lines apart
SETTINGS = "settings"  # a column of the keys that do

Keys = Callable[[str], Mapping[str, Mapping[str, Any]]]  # of a run, as `settings.read` gives them


@dataclass(frozen=True)
class Choice:
    """What of a table is shown, and how.

    where: conditions as in `where.parse_where`. sort: a column; scores from the best, the rest
    upwards, "-column" the other way round; "": the kind's own. columns: the scores (or other
    columns) to show; none: the kind's own. group: one line for all seeds of an experiment, as mean
    and standard deviation (n - 1); a seed that was run again counts once, the latest. format:
    terminal, markdown, latex or csv. bold: mark the best of a column (Markdown and LaTeX). width:
    most characters in the terminal.
    """

    where: str = ""
    sort: str = ""
    columns: tuple[str, ...] = ()
    group: bool = True
    format: str = "terminal"
    bold: bool = True
    width: int = 100


def show(
    tables: Mapping[str, Sequence[RunRow]], chosen: Choice, keys: Keys = lambda run: {}
) -> str:
    """Tables as text, by the names of their kinds; test sets and splits are never mixed.

    keys: of a run's config; those that differ between lines that look the same get a column. CSV is
    of one kind, with all columns that `columns` leaves, as fractions in full precision.
    Raises UserError for an unknown column, format or operator, and for CSV of more than one kind.
    """
    kinds = [KINDS[name] for name in tables]
    _check(kinds, chosen)
    count = sum(map(len, tables.values()))
    if not count and chosen.format != "csv":
        return f"No rows yet: `ferbench {kinds[0].commands[0]}` adds the first.\n"
    lines = {kind.name: _lines(tables[kind.name], kind, chosen) for kind in kinds}
    if chosen.format == "csv":
        return _csv(lines[kinds[0].name], kinds[0], chosen)
    grids = [grid for kind in kinds for grid in _grids(lines[kind.name], kind, chosen, keys)]
    texts = [LAYOUTS[chosen.format](grid, chosen.width) for grid in grids]
    return "\n".join(texts) or f"None of the {count} rows matches where={chosen.where}\n"


def _lines(rows: Sequence[RunRow], kind: Kind, chosen: Choice) -> pd.DataFrame:
    """Those of one kind that are asked for, grouped and sorted."""
    table = filter_rows(printable(rows, kind), chosen.where, kind)
    return sort_rows(group_seeds(table, kind) if chosen.group else table, chosen.sort, kind)


def _check(kinds: Sequence[Kind], chosen: Choice) -> None:
    """Raise UserError for what does not exist."""
    if chosen.format not in ("csv", *LAYOUTS):
        raise UserError(f"format={chosen.format}: unknown; expected {', '.join(LAYOUTS)} or csv")
    if chosen.format == "csv" and len(kinds) > 1:
        raise UserError(f"format=csv: one table; expected kind={kinds[0].name} or another one")
    for column, _, _ in split_where(chosen.where):
        check_column("where", column, kinds)
    for column in chosen.columns:
        check_column("columns", column, kinds)
    name = chosen.sort.removeprefix("-")
    if name == "seeds" and not chosen.group:
        raise UserError(f"sort={chosen.sort}: only with group=true")
    if name not in ("", "seeds"):
        check_column("sort", name, kinds)


# --- runs without a result -----------------------------------------------------------------------

_NO_PROCESS = {
    "killed": "its process is gone",
    "unknown": "recorded as running, but its process cannot be checked from here",
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


# --- print ---------------------------------------------------------------------------------------


def _grids(table: pd.DataFrame, kind: Kind, chosen: Choice, keys: Keys) -> list[Grid]:
    """One grid for each set of rows that may be compared; none without a column of this kind."""
    shown = [name for name in chosen.columns or kind.default_columns if name in kind.columns]
    if table.empty or not shown:
        return []
    parts = [part for _, part in table.groupby(list(kind.separate_by), sort=True)]
    known = [_shares_its_name(part, parts, kind) for part in parts]
    if chosen.group:
        parts = [_with_settings(part, kind, keys) for part in parts]
    return [
        _grid(part, shown, kind, chosen, known_by_hash=by_hash)
        for part, by_hash in zip(parts, known, strict=True)
    ]


def _grid(
    part: pd.DataFrame, shown: list[str], kind: Kind, chosen: Choice, *, known_by_hash: bool
) -> Grid:
    """The cells of the rows that may be compared."""
    leading = [name for name in _leading(part, kind, chosen.group) if name not in shown]
    names = [*leading, *shown]
    return Grid(
        heading=kind.heading(part.iloc[0].to_dict(), known_by_hash=known_by_hash),
        note=_note(part, shown, kind, chosen.group),
        columns=names,
        lines=[[_cell(name, line, kind) for name in names] for _, line in part.iterrows()],
        numeric=[name == "seeds" or name in kind.numbers for name in names],
        best=_best(part, names, kind) if chosen.bold else set(),
        leading=len(leading),
    )


def _note(part: pd.DataFrame, shown: list[str], kind: Kind, group: bool) -> str:
    """What the numbers are: percent, and means."""
    scores = [name for name in shown if name in kind.scores]
    percent = [name for name in scores if kind.is_percent(name)]
    spread = group and bool((part["seeds"] > 1).any())
    note = ["scores in percent" if percent == scores else "shares in percent"] * bool(percent)
    warned = int((part["warnings"] != "").sum())
    lines = f"{warned} line{'s' * (warned > 1)} with warnings (columns=warnings)"
    means = ["mean ± standard deviation over seeds"] * spread
    return ", ".join([*note, *means, *[lines] * bool(warned)])


def _shares_its_name(part: pd.DataFrame, all_parts: list[pd.DataFrame], kind: Kind) -> bool:
    """Whether another part differs in hashes alone."""
    names = [name for name in kind.separate_by if not name.endswith("_hash")]
    own = list(part.iloc[0][names])
    return sum(list(other.iloc[0][names]) == own for other in all_parts) > 1


def _leading(part: pd.DataFrame, kind: Kind, group: bool) -> list[str]:
    """The columns that name a line, and the further ones without which two lines look the same."""
    if not group:
        return list(kind.run_columns)
    return [*_telling_apart(part, kind, (SETTINGS, *_hashes(kind))), "seeds"]


def _hashes(kind: Kind) -> list[str]:
    return [name for name in kind.extra_columns if name in HASHES]


def _telling_apart(part: pd.DataFrame, kind: Kind, last: Sequence[str]) -> list[str]:
    """The columns that name a line of means, with what tells further lines apart.

    last: what is asked after the kind's own further columns, hashes aside.
    """
    names, hashes = list(kind.cell_columns), _hashes(kind)
    for name in [*(name for name in kind.extra_columns if name not in hashes), *last]:
        if len(part[[*names, name]].drop_duplicates()) > len(part[names].drop_duplicates()):
            names.append(name)
    return names


def _with_settings(part: pd.DataFrame, kind: Kind, keys: Keys) -> pd.DataFrame:
    """The rows with a column of the keys in which those differ that look the same without it."""
    texts = dict.fromkeys(part.index, "")
    for _, alike in part.groupby(_telling_apart(part, kind, ()), sort=False, dropna=False):
        if len(alike) > 1:
            own = differences([keys(run) for run in alike[LATEST]])
            texts |= dict(zip(alike.index, own, strict=True))
    return part.assign(**{SETTINGS: list(texts.values())})


def _cell(name: str, line: pd.Series, kind: Kind) -> Cell:
    value, spread = line[name], line.get(f"{name}_sd")
    if isinstance(value, str):
        return Cell(value[:8] if name in SHORT_HASHES else value)
    if spread is None or name not in kind.scores:
        return Cell(_number(name, value, kind))
    return Cell(_number(name, value, kind), _number(name, spread, kind))


def _number(name: str, value: float, kind: Kind) -> str:
    """As the kind writes it; "" if empty."""
    return "" if pd.isna(value) else kind.number(name, value)


def _best(part: pd.DataFrame, names: list[str], kind: Kind) -> set[tuple[int, int]]:
    """(line, column) of the best scores, as many as are equal once rounded for print."""
    marks: set[tuple[int, int]] = set()
    for j, name in enumerate(names):
        if not kind.better(name) or len(part) < 2 or part[name].isna().all():
            continue
        best = part[name].min() if kind.better(name) == "lower" else part[name].max()
        text = _number(name, best, kind)
        marks |= {(i, j) for i, v in enumerate(part[name]) if _number(name, v, kind) == text}
    return marks


def _csv(table: pd.DataFrame, kind: Kind, chosen: Choice) -> str:
    """One CSV table: every column, or the identity columns and the chosen ones; full precision."""
    table = table.sort_values(list(kind.separate_by), kind="stable")[_csv_columns(kind, chosen)]
    whole = [name for name in table if name == "seeds" or _is_whole(str(name), kind)]
    counts = [name for name in whole if (table[name].dropna() % 1 == 0).all()]
    texts = [name for name in table if name in kind.texts]
    table = table.astype(dict.fromkeys(counts, "Int64"))
    table[texts] = table[texts].map(no_formula)
    return str(table.to_csv(index=False, lineterminator="\n"))


def _csv_columns(kind: Kind, chosen: Choice) -> list[str]:
    if not chosen.group:
        own = (
            [*kind.run_columns, *kind.separate_by, *chosen.columns]
            if chosen.columns
            else kind.columns
        )
        return list(dict.fromkeys(own))
    sizes = [name for name in ("n_test",) if name in kind.columns]
    names = [*kind.separate_by, *sizes, *kind.cell_columns, *kind.extra_columns, "seeds"]
    for name in chosen.columns or kind.scores:
        names += [name, f"{name}_sd"] if kind.columns[name].is_number else [name]
    return list(dict.fromkeys(names))


def _is_whole(name: str, kind: Kind) -> bool:
    return name in kind.columns and kind.columns[name].type is int
