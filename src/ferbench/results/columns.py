"""The columns of a table, read from the fields of its record: types, and which way is better."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, get_args, get_type_hints


@dataclass(frozen=True)
class Score:
    """What a column of measured numbers is: it is averaged over seeds and shown with its deviation.

    better: "higher", "lower" or "" (neither). percent: a share, in [0, 1] in the file, shown in
    percent. decimals: shown after the point; three significant digits where that is None.
    """

    better: str
    percent: bool = False
    decimals: int | None = None


# The types of measured columns in a record, as in `fid: Lower` or `auroc: HigherShare | None`.
Higher = Annotated[float, Score("higher")]
Lower = Annotated[float, Score("lower")]
Neutral = Annotated[float, Score("")]
HigherShare = Annotated[float, Score("higher", percent=True)]
LowerShare = Annotated[float, Score("lower", percent=True)]
NeutralShare = Annotated[float, Score("", percent=True)]
LowerCount = Annotated[int, Score("lower")]
NeutralCount = Annotated[int, Score("")]
Nats = Annotated[float, Score("lower", decimals=3)]


@dataclass(frozen=True)
class Column:
    """One column. type: str, int or float; optional: its cells may be empty.

    score: None for what is not measured.
    """

    name: str
    type: type
    optional: bool
    score: Score | None

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self.type is not str

    def check(self, value: Any) -> None:
        """Raise ValueError unless the value has this column's type and reads back as written."""
        if value is None and self.optional:
            return
        whole = isinstance(value, int) and not isinstance(value, bool)
        fits = whole if self.type is int else isinstance(value, self.type)
        if not (fits or (self.type is float and whole)):
            given, wanted = type(value).__name__, self.type.__name__
            raise ValueError(f"{self.name}={value!r}: is {given}, not {wanted}")
        if isinstance(value, str) and (not value or not value.isprintable()):
            raise ValueError(f"{self.name}={value!r}: not one line of printable text")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{self.name}={value}: not finite")
        if whole and abs(value) >= 2**63:
            raise ValueError(f"{self.name}: a whole number of more than 64 bits")


def columns_of(record: type) -> dict[str, Column]:
    """The columns of a record (a dataclass) by name, in the order of its table."""
    return _columns_of(record)


@cache
def _columns_of(record: Any) -> dict[str, Column]:
    hints = get_type_hints(record, include_extras=True)
    return {field.name: _column(field.name, hints[field.name]) for field in fields(record)}


def _column(name: str, hint: Any) -> Column:
    """hint: str, int, float or one of the types above, or one of them `| None`."""
    optional = type(None) in get_args(hint)
    if optional:
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    kind, *extras = get_args(hint) or (hint,)
    return Column(name, kind, optional, extras[0] if extras else None)
