"""FER2013 as CSV: one face a row, as the challenge published it and as people passed it on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import IO

import numpy as np

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.data.fer2013 import archive, class_names
from ferbench.data.fer2013.archive import Files, Record, opened, printable, refusal
from ferbench.errors import UserError

PIXELS = IMAGE_PX**2
MAX_LINE_CHARS = 2**16  # a row of FER2013 has under 9,300

_LEVELS = {str(level): level for level in range(256)}
_DELIMITERS = (",", ";", "\t")
_NUMBERS = {str(label): label for label in range(len(CLASSES))}
_SPLITS = {"training": "train", "publictest": "public", "privatetest": "private"}
_USUAL = ("fer2013.csv", "icml_face_data.csv")  # the first is taken where a source holds both


@dataclass(frozen=True)
class Table:
    """A CSV file with pixels: its name in the source and the position of each known column.

    delimiter: "," or ";" or a tab, whichever shows most known columns in the header.
    """

    name: str
    columns: dict[str, int]  # of "emotion", "pixels", "usage", as far as present
    spaced: bool  # header names start with a space: icml_face_data.csv
    delimiter: str = ","

    @property
    def file(self) -> str:
        """The file's name without folders, in lower case."""
        return PurePosixPath(self.name).name.lower()


def tables(files: Files) -> list[Table]:
    """The source's CSV files that have a column of pixels."""
    names = [name for name in files.names if name.lower().endswith(".csv")]
    headers = (read_header(files, name) for name in names)
    return [table for table in headers if "pixels" in table.columns]


def read_header(files: Files, name: str) -> Table:
    """The known columns of one CSV file; none if its first line is no text."""
    with opened(files, name, max_bytes=archive.MAX_CSV_BYTES) as stream:
        try:
            line = next(_lines(stream), "")
        except (UnicodeDecodeError, _TooLong):
            line = ""
    readings = [_read_header(name, line, delimiter) for delimiter in _DELIMITERS]
    return max(readings, key=lambda table: len(table.columns))  # the first of equal ones


def _read_header(name: str, line: str, delimiter: str) -> Table:
    try:
        header = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        header = []
    names = [column.strip().lower() for column in header]
    known = [column for column in ("emotion", "pixels", "usage") if column in names]
    spaced = any(column.startswith(" ") for column in header)
    columns: dict[str, int] = {column: names.index(column) for column in known}
    return Table(name, columns, spaced, delimiter)


def whole(files: Files, csvs: list[Table]) -> Table | None:
    """The table that holds all three splits (it has Usage), None if there is none.

    Raises UserError if there are several, unless their names are those of the challenge.
    """
    usable = [table for table in csvs if len(table.columns) == 3]
    usual = [table for name in _USUAL for table in usable if table.file == name]
    candidates = [table for table in usual if table.file == usual[0].file] or usable
    if len(candidates) > 1:
        both = " and ".join(table.name for table in candidates[:2])
        raise refusal(files.source, f"{both} both hold FER2013; give the path of one")
    return candidates[0] if candidates else None


def pair(files: Files, csvs: list[Table]) -> tuple[Table, Table] | None:
    """train.csv and test.csv, None if neither is there; UserError if one is, or has no labels."""
    train, test = (_half(files, csvs, file) for file in ("train.csv", "test.csv"))
    if train is None and test is None:
        return None
    if train is None or test is None:
        missing = "train.csv" if train is None else "test.csv"
        raise refusal(files.source, f"{missing} is missing; expected train.csv beside test.csv")
    for table in (train, test):
        if "emotion" not in table.columns:
            text = f"{table.name} has no labels (no column 'emotion'); expected a labeled one"
            raise refusal(files.source, f"{text}, or icml_face_data.csv or fer2013.csv")
    return train, test


def _half(files: Files, csvs: list[Table], file: str) -> Table | None:
    same = [table for table in csvs if table.file == file]
    if len(same) > 1:
        raise refusal(files.source, f"{same[0].name} and {same[1].name}; expected one {file}")
    return same[0] if same else None


def records(files: Files, table: Table) -> Iterator[Record]:
    """The faces of a table with Usage, in file order; UserError at the first wrong row."""
    for row, cells in _rows(files, table):
        usage = cells[table.columns["usage"]].strip()
        if usage.lower() not in _SPLITS:
            text = f"Usage '{_short(usage)}'; expected Training, PublicTest or PrivateTest"
            raise _row_refusal(files, table, row, text)
        yield _record(files, table, row, cells, _SPLITS[usage.lower()])


def pair_records(files: Files, train: Table, test: Table) -> Iterator[Record]:
    """The faces of train.csv, then test.csv: its first half is PublicTest, the rest PrivateTest.

    That is the order of the challenge's test.csv (3,589 + 3,589 rows).
    """
    for row, cells in _rows(files, train):
        yield _record(files, train, row, cells, "train")
    faces = [_record(files, test, row, cells, "public") for row, cells in _rows(files, test)]
    half = len(faces) // 2
    yield from faces[:half]
    for face in faces[half:]:
        yield replace(face, split="private")


def parse_pixels(text: str) -> np.ndarray:
    """[48, 48] uint8 from 2304 integers in 0..255 between spaces; ValueError for anything else."""
    words = text.split()
    if len(words) != PIXELS:
        raise ValueError(f"{len(words)} pixels; expected {PIXELS}")
    try:
        levels = bytes(map(_LEVELS.__getitem__, words))
    except KeyError as error:
        raise ValueError(f"pixel '{_short(error.args[0])}'; expected integers 0 to 255") from None
    return np.frombuffer(levels, np.uint8).reshape(IMAGE_PX, IMAGE_PX)


class _TooLong(Exception):
    """A line of more than MAX_LINE_CHARS."""


def _lines(stream: IO[bytes]) -> Iterator[str]:
    with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        while line := text.readline(MAX_LINE_CHARS):
            if len(line) == MAX_LINE_CHARS:
                raise _TooLong
            yield line


def _rows(files: Files, table: Table) -> Iterator[tuple[int, list[str]]]:
    """Row number (the header is 1, as a spreadsheet counts) and cells; empty lines are skipped."""
    with opened(files, table.name, max_bytes=archive.MAX_CSV_BYTES) as stream:
        reader = csv.reader(_lines(stream), delimiter=table.delimiter)
        try:
            width = len(next(reader))
            for cells in reader:
                if cells and len(cells) != width:
                    text = f"{len(cells)} columns; expected {width} as in the header"
                    raise _row_refusal(files, table, reader.line_num, text)
                if cells:
                    yield reader.line_num, cells
        except _TooLong:
            text = f"over {MAX_LINE_CHARS} characters; expected {PIXELS} pixels"
            raise _row_refusal(files, table, reader.line_num + 1, text) from None
        except UnicodeDecodeError as error:
            near = f"{table.name}: is not UTF-8 text near row {reader.line_num + 1}"
            raise refusal(files.source, f"{near}; expected a plain CSV") from error
        except csv.Error as error:
            text = f"is no CSV row ({error}); expected {PIXELS} pixels"
            raise _row_refusal(files, table, reader.line_num, text) from error


def _record(files: Files, table: Table, row: int, cells: list[str], split: str) -> Record:
    cell = cells[table.columns["emotion"]].strip()
    label = _NUMBERS.get(cell, class_names.LABELS.get(cell.lower()))
    if label is None:
        text = f"label '{_short(cell)}'; expected an integer 0 to {len(CLASSES) - 1}"
        text += f" or a word of {', '.join(CLASSES)}"
        raise _row_refusal(files, table, row, text)
    try:
        image = parse_pixels(cells[table.columns["pixels"]])
    except ValueError as error:
        raise _row_refusal(files, table, row, str(error)) from None
    name = printable(f"{table.file}:{row}")
    return Record(split, label, name, image, numbered=cell in _NUMBERS)


def _row_refusal(files: Files, table: Table, row: int, text: str) -> UserError:
    return refusal(files.source, f"row {row} of {table.name}: {text}")


def _short(text: str) -> str:
    """The start of a cell, for a message."""
    return text if len(text) <= 20 else f"{text[:20]}..."
