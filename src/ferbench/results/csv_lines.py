"""Rows of the common table as lines of its CSV, and from a run's JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ferbench.results.rows import COLUMNS, KINDS, OPTIONAL, ROWS, RunRow, columns_of


def csv_line(row: RunRow) -> bytes:
    """The row as one line of the CSV; numbers are written so that they read back the same."""
    return _encode(getattr(row, column, None) for column in COLUMNS)


def csv_header() -> bytes:
    """The first line of the CSV."""
    return _encode(COLUMNS)


def parse_line(text: str, columns: Sequence[str] = COLUMNS) -> RunRow:
    """The row of one line of a CSV with these columns; ValueError says what is wrong with it."""
    cells = split_line(text)
    if len(cells) != len(columns):
        raise ValueError(f"{len(cells)} cells, expected {len(columns)}")
    filled = {column: cell for column, cell in zip(columns, cells, strict=True) if cell != ""}
    kind = _kind(filled)
    foreign = sorted(set(filled) - set(columns_of(kind)))
    if foreign:
        raise ValueError(f"{foreign[0]}={filled[foreign[0]]}: no column of {filled['command']}")
    _check_required(kind, filled)
    return kind(**{column: _value(column, cell) for column, cell in filled.items()})


def row_from_json(cells: Any) -> RunRow:
    """The row that a run.json holds, possibly of another version of this table.

    Columns that it lacks stay empty and columns that are gone are left out; ValueError if it
    lacks one that may not be empty.
    """
    if not isinstance(cells, dict):
        raise ValueError("row: not a JSON object")
    kind = _kind(cells)
    _check_required(kind, cells)
    return kind(**{name: cells[name] for name in columns_of(kind) if name in cells})


def _kind(cells: Mapping[str, Any]) -> type[RunRow]:
    """The class of the row's command; what every row says where there is none."""
    command = cells.get("command")
    if command is not None and command not in ROWS:
        raise ValueError(f"command={command}: unknown; expected one of {', '.join(ROWS)}")
    return ROWS.get(str(command), RunRow)


def _check_required(kind: type[RunRow], cells: Mapping[str, Any]) -> None:
    lacking = [name for name in columns_of(kind) if name not in OPTIONAL and name not in cells]
    if lacking:
        raise ValueError(f"row: lacks {', '.join(lacking)}")


def split_line(text: str) -> list[str]:
    """The cells of one CSV line; ValueError if its quotes do not match."""
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise ValueError(str(error)) from None


def _encode(cells: Iterable[str | int | float | None]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8")


def _value(column: str, cell: str) -> Any:
    try:
        return KINDS[column](cell)
    except ValueError:
        raise ValueError(f"{column}={cell}: not {KINDS[column].__name__}") from None
