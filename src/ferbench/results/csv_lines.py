"""Rows as lines of a CSV, and from a run's JSON.

Lines are read as spreadsheets save them, too: quoted, with empty cells at the end or without them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ferbench.results.columns import Column
from ferbench.results.kind import Kind
from ferbench.results.kinds import kind_of_command, kind_of_record
from ferbench.results.row import RunRow

LONGEST = 40  # letters of a column's name in a message
FORMULA = ("=", "+", "-", "@")  # a spreadsheet computes a cell that begins so


def csv_header(kind: Kind) -> bytes:
    """The first line of the CSV: it says the format, so a table with another is not read."""
    return _encode(kind.columns)


def csv_line(row: RunRow) -> bytes:
    """The row as one line of its table; numbers are written so that they read back the same."""
    values = (getattr(row, name) for name in kind_of_record(type(row)).columns)
    return _encode(no_formula(value) if isinstance(value, str) else value for value in values)


def parse_line(text: str, kind: Kind) -> RunRow:
    """The row of one line of a table of this kind; ValueError says what is wrong with it."""
    cells = split_line(text)
    while len(cells) > len(kind.columns) and not cells[-1]:
        cells.pop()
    filled = {name: cell for name, cell in zip(kind.columns, cells, strict=False) if cell}
    lacking = _lacking(kind, filled)
    if len(cells) > len(kind.columns) or (lacking and len(cells) < len(kind.columns)):
        raise ValueError(f"{len(cells)} cells, expected {len(kind.columns)}")
    if lacking:
        raise ValueError(f"{lacking[0]} is empty")
    return kind.record(**{name: _value(kind.columns[name], filled[name]) for name in filled})


def row_from_json(cells: Any) -> RunRow:
    """The row that a run.json holds; ValueError if it is none, or has other columns than a row.

    A column that may be empty is, where an earlier version did not write it.
    """
    if not isinstance(cells, Mapping):
        raise ValueError("row: not a JSON object")
    kind = kind_of_command(str(cells.get("command")))
    lacking = _lacking(kind, cells)
    unknown = [str(name) for name in cells if name not in kind.columns]
    if lacking or unknown:
        raise ValueError(f"row: {difference(lacking, unknown)}")
    return kind.record(**cells)


def difference(lacking: list[str], unknown: list[str]) -> str:
    """`lacks a, b; has unknown c`, a few names of each, cut short."""
    parts = {"lacks ": lacking, "has unknown ": [_short(name) for name in unknown]}
    return "; ".join(
        f"{what}{', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"
        for what, names in parts.items()
        if names
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[:LONGEST]} ..."


def split_line(text: str) -> list[str]:
    """The cells of one CSV line; ValueError if its quotes do not match."""
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise ValueError(str(error)) from None


def no_formula(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith((*FORMULA, "'")) else text


def _lacking(kind: Kind, filled: Collection[str]) -> list[str]:
    return [
        name for name, column in kind.columns.items() if not (column.optional or name in filled)
    ]


def _encode(cells: Iterable[str | int | float | None]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8")


def _value(column: Column, cell: str) -> Any:
    try:
        return column.type(cell.removeprefix("'") if column.type is str else cell)
    except ValueError:
        raise ValueError(f"{column.name}={cell}: not {column.type.__name__}") from None
