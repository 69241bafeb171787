"""Conditions on rows of the common table, as people type them."""

from __future__ import annotations

import difflib
import operator
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from ferbench.errors import UserError
from ferbench.results.rows import COLUMNS, KINDS


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
    """The rows that meet every condition of `where`; an empty cell is in no order to a value.

    No row meets a condition on a column that the table has not.
    """
    for condition in parse_where(where):
        if condition.column not in table:
            return table.iloc[:0]
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
