"""Conditions on rows of a table, as people type them."""

from __future__ import annotations

import difflib
import operator
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from ferbench.errors import UserError
from ferbench.results.kind import Kind
from ferbench.results.kinds import KINDS


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


def parse_where(text: str, kind: Kind) -> list[Condition] | None:
    """Conditions that must all hold: `model=cnn,resnet50 data!=toy accuracy>0.6 tta=`.

    Operators are = (any of), != (none of), >, >=, < and <=. Quotes keep spaces in a value; an empty
    value stands for an empty cell. Text compares by its characters, so finished>2026-01-31 works.
    None if the kind lacks one of the columns. Raises UserError for what is no condition.
    """
    words = split_where(text)
    if not all(column in kind.columns for column, _, _ in words):
        return None
    return [_condition(word, kind) for word in words]


def split_where(text: str) -> list[tuple[str, str, str]]:
    """(column, operator, value) of each condition; UserError for what is none."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"where={text}: {error}") from None
    return [_split(word) for word in words]


def _split(word: str) -> tuple[str, str, str]:
    parts = re.fullmatch(r"(\w+)(!=|>=|<=|==?|>|<)(.*)", word)
    if not parts:
        raise UserError(f"where={word}: not a condition; expected column=value, as in accuracy>0.6")
    return parts[1], parts[2].replace("==", "="), parts[3]


def _condition(word: tuple[str, str, str], kind: Kind) -> Condition:
    column, sign, value = word
    text = "".join(word)
    parts = value.split(",") if sign in ("=", "!=") else [value]
    if sign in _ORDER and not value:
        raise UserError(f"where={text}: lacks a value; expected one, as in accuracy>0.6")
    if not kind.columns[column].is_number:
        return Condition(column, sign, tuple(parts))
    try:
        numbers = [float(part) if part else float("nan") for part in parts]
    except ValueError:
        raise UserError(f"where={text}: {column} is a number; {value} is not") from None
    return Condition(column, sign, tuple(numbers))


def filter_rows(table: pd.DataFrame, where: str, kind: Kind) -> pd.DataFrame:
    """The rows that meet every condition of `where`; an empty cell is in no order to a value.

    No row meets a condition on a column that the kind has not.
    """
    conditions = parse_where(where, kind)
    if conditions is None:
        return table.iloc[:0]
    for condition in conditions:
        cells = table[condition.column]
        if condition.operator in _ORDER:
            keep = _ORDER[condition.operator](cells, condition.values[0])
        else:
            keep = cells.isin(condition.values) == (condition.operator == "=")
        table = table[keep]
    return table


def check_column(key: str, name: str, kinds: Sequence[Kind]) -> None:
    """Raise UserError, naming the nearest columns, unless one of the kinds has this one."""
    if any(name in kind.columns for kind in kinds):
        return
    others = [kind.name for kind in KINDS.values() if name in kind.columns]
    names = list(dict.fromkeys(name for kind in kinds for name in kind.columns))
    near = difflib.get_close_matches(name, names, 3, 0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "docs/metrics.md lists them"
    if others:
        hint = f"it is one of kind={' and kind='.join(others)}"
    raise UserError(f"{key}={name}: no such column; {hint}")
