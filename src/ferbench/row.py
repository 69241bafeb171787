"""One row of the common table: its columns, their types, and how a line is written and read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, get_args, get_type_hints


@dataclass(frozen=True, kw_only=True)
class Row:
    """One classifier scored on one test split; docs/metrics.md defines every column.

    Columns stand in the order of the fields. None is an empty cell: not known or not defined.
    A column added later must be able to be empty, so that older runs can still be read.
    Raises ValueError if a value has the wrong type, is not finite, or is not one line of text.
    """

    # the run
    run: str  # its folder below outputs/, with forward slashes
    command: str
    finished: str  # ISO 8601 with the offset of UTC
    # what it learned from, and what it was tested on
    data: str
    train_images: int
    synthetic_images: int
    test_data: str
    test_split: str
    n_test: int
    n_test_dedup: int | None = None
    selected_on: str
    # the model and its training
    model: str
    stem: str
    input_px: int
    pretrained: str
    tune: str
    parameters: int
    seed: int
    epochs: int
    best_epoch: int | None = None
    precision: str
    tta: str
    # what it takes to do it again
    config_hash: str
    data_hash: str
    test_hash: str
    cell: str
    code_version: str
    device: str
    hardware: str
    torch: str
    seconds: float
    images_per_second: float | None = None
    # the scores
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    accuracy_dedup: float | None = None
    balanced_accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    auroc: float | None = None
    average_precision: float | None = None
    ece: float
    nll: float
    recall_angry: float | None = None
    recall_disgust: float | None = None
    recall_fear: float | None = None
    recall_happy: float | None = None
    recall_sad: float | None = None
    recall_surprise: float | None = None
    recall_neutral: float | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be read back."""
        for column, value in vars(self).items():
            _check_cell(column, value)
        if moment(self.finished).utcoffset() != timedelta(0):
            raise ValueError(f"finished={self.finished}: not in UTC")


_HINTS = get_type_hints(Row)
COLUMNS = tuple(field.name for field in fields(Row))
KINDS: dict[str, type] = {name: (get_args(_HINTS[name]) or (_HINTS[name],))[0] for name in COLUMNS}
OPTIONAL = frozenset(name for name in COLUMNS if type(None) in get_args(_HINTS[name]))
SCORES = COLUMNS[COLUMNS.index("accuracy") :]


def csv_line(row: Row) -> bytes:
    """The row as one line of the CSV; numbers are written so that they read back the same."""
    return _encode(astuple(row))


def csv_header() -> bytes:
    """The first line of the CSV."""
    return _encode(COLUMNS)


def parse_line(text: str) -> Row:
    """The row of one line of the CSV; ValueError says what is wrong with it."""
    cells = split_line(text)
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{len(cells)} cells, expected {len(COLUMNS)}")
    pairs = zip(COLUMNS, cells, strict=True)
    return Row(**{column: _value(column, cell) for column, cell in pairs})


def row_from_json(cells: Any) -> Row:
    """The row that a run.json holds, possibly of another version of this table.

    Columns that it lacks stay empty and columns that are gone are left out; ValueError if it
    lacks one that may not be empty.
    """
    if not isinstance(cells, dict):
        raise ValueError("row: not a JSON object")
    lacking = [name for name in COLUMNS if name not in OPTIONAL and name not in cells]
    if lacking:
        raise ValueError(f"row: lacks {', '.join(lacking)}")
    return Row(**{name: cells[name] for name in COLUMNS if name in cells})


def split_line(text: str) -> list[str]:
    """The cells of one CSV line; ValueError if its quotes do not match."""
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise ValueError(str(error)) from None


def moment(text: str) -> datetime:
    """An ISO 8601 time; a final Z is the offset of UTC (Python 3.10 does not read it)."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _encode(cells: Iterable[str | int | float | None]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8")


def _value(column: str, cell: str) -> Any:
    if cell == "" and column in OPTIONAL:
        return None
    try:
        return KINDS[column](cell)
    except ValueError:
        raise ValueError(f"{column}={cell}: not {KINDS[column].__name__}") from None


def _check_cell(column: str, value: Any) -> None:
    """Raise ValueError unless the value has its column's type and reads back as written."""
    kind = KINDS[column]
    if value is None and column in OPTIONAL:
        return
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole if kind is int else isinstance(value, kind) or (kind is float and whole)):
        raise ValueError(f"{column}={value!r}: is {type(value).__name__}, not {kind.__name__}")
    if isinstance(value, str) and (not value or not value.isprintable()):
        raise ValueError(f"{column}={value!r}: not one line of printable text")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{column}={value}: not finite")
