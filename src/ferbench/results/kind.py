"""What a kind of measurement is to the tables: its record, its file, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ferbench.report.grid import three_digits
from ferbench.results.columns import Column, Score, columns_of
from ferbench.results.row import RunRow


@dataclass(frozen=True)
class Kind:
    """A table of its own: one record a line.

    name: as `kind=` has it; commands: those that write such records; file: below outputs.
    title: the heading above comparable rows, with columns of the first one in braces.
    default_columns: the scores in the table unless others are chosen. separate_by: rows that differ
    in these are never compared. group_by: what the runs of an experiment have in common besides.
    cell_columns, run_columns: they name a line, of means and of single runs. extra_columns: further
    ones, added where two lines would look the same. sort_by: the column that the lines go by.
    """

    name: str
    record: type[RunRow]
    commands: tuple[str, ...]
    file: str
    title: str
    default_columns: tuple[str, ...]
    separate_by: tuple[str, ...]
    group_by: tuple[str, ...]
    cell_columns: tuple[str, ...]
    run_columns: tuple[str, ...]
    extra_columns: tuple[str, ...]
    sort_by: str

    @property
    def columns(self) -> dict[str, Column]:
        """Those of its record by name, in the order of the table."""
        return columns_of(self.record)

    @property
    def scores(self) -> list[str]:
        """The columns that hold measured numbers."""
        return [name for name, column in self.columns.items() if column.score is not None]

    @property
    def numbers(self) -> list[str]:
        """The columns that hold numbers."""
        return [name for name, column in self.columns.items() if column.is_number]

    @property
    def texts(self) -> list[str]:
        """The others."""
        return [name for name, column in self.columns.items() if not column.is_number]

    def is_percent(self, name: str) -> bool:
        """Whether a column is shown in percent."""
        score = self._score(name)
        return score is not None and score.percent

    def better(self, name: str) -> str:
        """The way that a column improves: "higher", "lower", or "" for neither."""
        score = self._score(name)
        return "" if score is None else score.better

    def number(self, name: str, value: float) -> str:
        """Shares in percent, counts whole, the rest with three or four digits; value is no NaN."""
        score = self._score(name)
        if score is None:
            return f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"
        if score.percent:
            return f"{100 * value:.1f}"
        return three_digits(value) if score.decimals is None else f"{value:.{score.decimals}f}"

    def heading(self, first: Mapping[Any, Any], *, known_by_hash: bool) -> str:
        """What the rows have in common, from the first of them; the hash where names are equal."""
        known = f" ({first['test_hash']:.8})" if known_by_hash and "test_hash" in first else ""
        return self.title.format(known=known, **first)

    def _score(self, name: str) -> Score | None:
        return self.columns[name].score if name in self.columns else None
