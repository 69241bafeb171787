"""The common table for people: chosen by kind and condition, grouped over seeds, printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from ferbench.errors import UserError
from ferbench.report.grid import LAYOUTS, Cell, Grid
from ferbench.results.rows import KINDS, RunRow, moment
from ferbench.results.store import FailedRun
from ferbench.results.views import VIEWS, View
from ferbench.results.where import check_column, filter_rows

CLASSIFIER = VIEWS["classifier"]


def show(
    rows: Sequence[RunRow],
    *,
    kind: str = "",
    where: str = "",
    sort: str = "",
    format: str = "terminal",
    group: bool = True,
    columns: Sequence[str] = (),
    bold: bool = True,
    width: int = 100,
) -> str:
    """The table as text: one for each kind of row, test set and split, never mixed.

    kind: a name in `VIEWS`; all kinds unless given, or in CSV, which is one table, the first that
    has rows. where: conditions as in `table_filter.parse_where`. sort: a column; scores from the
    best, the rest upwards, "-column" the other way round; a kind without it has an order of its
    own. format: terminal, markdown, csv or latex.
    group: one line for all seeds of an experiment, as mean and standard deviation (n - 1); a seed
    that was run again counts once, the latest. columns: the scores (or other columns) to show.
    bold: mark the best of a column (Markdown and LaTeX). width: most characters in the terminal.
    CSV holds all columns that `columns` leaves, as fractions in full precision.
    Raises UserError for an unknown kind, column, format or operator.
    """
    _check(kind, sort, format, columns, group)
    if not rows and format != "csv":
        return "No rows yet: `ferbench classify` adds the first.\n"
    tables = []
    for name, view in VIEWS.items():
        chosen = filter_rows(frame(rows, view), where)
        if kind in ("", name) and not chosen.empty:
            grouped = group_seeds(chosen, view) if group else chosen
            tables.append((view, sort_rows(grouped, sort, view)))
    if format == "csv":
        view, table = tables[0] if tables else _no_lines(VIEWS[kind or "classifier"], group)
        return _csv(table.sort_values(list(view.apart), kind="stable"), list(columns), group, view)
    asked = [f"{key}={value}" for key, value in (("kind", kind), ("where", where)) if value]
    grids = [
        grid
        for view, table in tables
        for grid in _grids(table, list(columns), view, group=group, bold=bold)
    ]
    texts = [LAYOUTS[format](grid, width) for grid in grids]
    return "\n".join(texts) or f"None of the {len(rows)} rows matches {' '.join(asked)}\n"


def _check(kind: str, sort: str, format: str, columns: Sequence[str], group: bool) -> None:
    """Raise UserError for what does not exist."""
    if kind not in ("", *VIEWS):
        raise UserError(f"kind={kind}: unknown; expected {' or '.join(VIEWS)}")
    if format not in ("csv", *LAYOUTS):
        raise UserError(f"format={format}: unknown; expected {', '.join(LAYOUTS)} or csv")
    for column in columns:
        check_column("columns", column)
    name = sort.removeprefix("-")
    if name == "seeds" and not group:
        raise UserError(f"sort={sort}: only with group=true")
    if name not in ("", "seeds"):
        check_column("sort", name)


def _no_lines(view: View, group: bool) -> tuple[View, pd.DataFrame]:
    table = frame([], view)
    return view, group_seeds(table, view) if group else table


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


def frame(rows: Sequence[RunRow], view: View = CLASSIFIER) -> pd.DataFrame:
    """One line for each row of the view's kind, one column a field.

    Numbers are float64 (NaN if empty), text is "" if empty.
    """
    own = [asdict(row) for row in rows if isinstance(row, view.row)]
    table: pd.DataFrame = pd.DataFrame(own, columns=list(view.columns))
    table[view.numbers] = table[view.numbers].astype("float64")
    table[view.texts] = table[view.texts].astype(object).fillna("")
    return table


# --- group and sort ------------------------------------------------------------------------------


def group_seeds(table: pd.DataFrame, view: View = CLASSIFIER) -> pd.DataFrame:
    """One line for each experiment on one test set: the mean over its seeds.

    An experiment is a `cell` (the config without its seed) on the same data, and what else stands
    in `view.group`. Adds `seeds` (how many) and for every number a column `<name>_sd`, the
    standard deviation over n - 1 (NaN for n = 1). A mean of cells of which some are empty is
    empty; text that differs is "various".
    """
    together, numbers = [*view.apart, *view.group], view.numbers
    ordered = table.sort_values("finished", key=lambda cells: cells.map(moment), kind="stable")
    latest = ordered.drop_duplicates([*together, "seed"], keep="last")
    groups = latest.groupby(together, sort=False)
    texts = [name for name in view.texts if name not in together]
    result = groups[texts].last()
    differs = groups[texts].nunique() > 1
    differs["finished"] = False  # the latest
    result = result.mask(differs, "various")
    gaps = groups[numbers].count().lt(groups.size(), axis=0)
    means = groups[numbers].mean().mask(gaps)
    spread = groups[numbers].std(ddof=1).mask(gaps).add_suffix("_sd")
    seeds = groups.size().rename("seeds").astype("float64")
    grouped: pd.DataFrame = pd.concat([result, means, spread, seeds], axis=1).reset_index()
    return grouped


def sort_rows(table: pd.DataFrame, sort: str, view: View = CLASSIFIER) -> pd.DataFrame:
    """Sorted by one column; scores from the best, the rest upwards, "-column" the other way.

    By the view's own column where there is none of that name.
    """
    sort = sort if sort.removeprefix("-") in table else view.sort
    name = sort.removeprefix("-")
    downwards = view.better.get(name) == "higher"
    ordered: pd.DataFrame = table.sort_values(
        name, ascending=downwards == sort.startswith("-"), kind="stable", na_position="last"
    )
    return ordered


# --- print ---------------------------------------------------------------------------------------


def _grids(
    table: pd.DataFrame, columns: list[str], view: View, *, group: bool, bold: bool
) -> list[Grid]:
    """One grid for each set of rows that may be compared; none if no chosen column is the view's.

    columns: those of any view; none chosen: the view's own choice.
    """
    shown = [name for name in columns if name in view.columns] if columns else list(view.shown)
    if not shown:
        return []
    parts = [part for _, part in table.groupby(list(view.apart), sort=True)]
    return [_grid(part, shown, view, group=group, bold=bold, all_parts=parts) for part in parts]


def _grid(
    part: pd.DataFrame,
    shown: list[str],
    view: View,
    *,
    group: bool,
    bold: bool,
    all_parts: list[pd.DataFrame],
) -> Grid:
    """The cells of the rows of one test set."""
    leading = [name for name in _leading(part, group, view) if name not in shown]
    names = [*leading, *shown]
    lines = [[_cell(name, line, view) for name in names] for _, line in part.iterrows()]
    best = _best(part, names, view) if bold else set()
    percent = any(name in view.percent for name in shown)
    spread = group and bool((part["seeds"] > 1).any())
    whole = view.percent >= set(shown) & set(view.better)
    note = ["scores in percent" if whole else "shares in percent"] * percent
    note += ["mean ± standard deviation over seeds"] * spread
    return Grid(
        heading=view.heading(
            part.iloc[0].to_dict(), known_by_hash=_shares_its_name(part, all_parts, view)
        ),
        note=", ".join(note),
        columns=names,
        lines=lines,
        numeric=[name == "seeds" or KINDS[name] is not str for name in names],
        best=best,
        leading=len(leading),
    )


def _shares_its_name(part: pd.DataFrame, all_parts: list[pd.DataFrame], view: View) -> bool:
    """Whether another part differs in hashes alone."""
    names = [name for name in view.apart if not name.endswith("_hash")]
    own = list(part.iloc[0][names])
    return sum(list(other.iloc[0][names]) == own for other in all_parts) > 1


def _leading(part: pd.DataFrame, group: bool, view: View) -> list[str]:
    """The columns that name a line, and the further ones without which two lines look the same."""
    names = list(view.leading(group))
    for name in view.telling if group else ():
        if len(part[[*names, name]].drop_duplicates()) > len(part[names].drop_duplicates()):
            names.append(name)
    return [*names, "seeds"] if group else names


def _cell(name: str, line: pd.Series, view: View) -> Cell:
    value, spread = line[name], line.get(f"{name}_sd")
    if isinstance(value, str):
        return Cell(value[:8] if name in ("cell", "data_hash", "generator") else value)
    if spread is None or name not in view.better:
        return Cell(_number(name, value, view))
    return Cell(_number(name, value, view), _number(name, spread, view))


def _number(name: str, value: float, view: View) -> str:
    """As the view writes it; "" if empty."""
    return "" if pd.isna(value) else view.number(name, value)


def _best(part: pd.DataFrame, names: list[str], view: View) -> set[tuple[int, int]]:
    """(line, column) of the best scores, as many as are equal once rounded for print."""
    found: set[tuple[int, int]] = set()
    for j, name in enumerate(names):
        if not view.better.get(name) or len(part) < 2 or part[name].isna().all():
            continue
        best = part[name].min() if view.better[name] == "lower" else part[name].max()
        text = _number(name, best, view)
        found |= {(i, j) for i, v in enumerate(part[name]) if _number(name, v, view) == text}
    return found


def _csv(table: pd.DataFrame, columns: list[str], group: bool, view: View) -> str:
    """One CSV table: every column, or the identity columns and `columns`; full precision."""
    chosen = [name for name in columns if name in view.columns]
    if not group:
        names = [*view.by_run, *view.apart, *chosen] if columns else list(view.columns)
    else:
        sizes = [name for name in ("n_test",) if name in view.columns]
        names = [*view.apart, *sizes, *view.by_cell, *view.telling, "seeds"]
        for name in chosen if columns else view.better:
            names += [name] if KINDS[name] is str else [name, f"{name}_sd"]
    unique = list(dict.fromkeys(names))
    whole = [name for name in unique if name == "seeds" or KINDS.get(name) is int]
    counts = [name for name in whole if (table[name].dropna() % 1 == 0).all()]
    table = table[unique].astype(dict.fromkeys(counts, "Int64"))
    return str(table.to_csv(index=False, lineterminator="\n"))
