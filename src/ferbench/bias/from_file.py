"""A user's CSV of attributes, such as age groups: which of its lines is of which image."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ferbench.bias.attributes import Attribute, of_numbers, of_words
from ferbench.bias.computed import ATTRIBUTES
from ferbench.errors import UserError

NAME = "name"
MOST_GROUPS = 20  # words of a column; numbers with more different values are cut into quantiles


@dataclass(frozen=True)
class AttributeFile:
    """A file as read. names: of the images; cells: by column, as long; "" is not known."""

    path: Path
    names: tuple[str, ...]
    cells: dict[str, tuple[str, ...]]

    def rows_of(self, names: Sequence[str]) -> np.ndarray:
        """[N] int64: the line of each image, -1 where there is none.

        Names must be equal. If no name is, folders and endings do not count, provided that this
        leaves every name of the file and of the images different.
        """
        rows = _match(self.names, names)
        if (rows >= 0).any():
            return rows
        bare_lines, bare_images = [_stem(n) for n in self.names], [_stem(n) for n in names]
        distinct = all(len(set(stems)) == len(stems) for stems in (bare_lines, bare_images))
        return _match(bare_lines, bare_images) if distinct else rows


def read(path: Path) -> AttributeFile:
    """The CSV in UTF-8 with a header, a column `name` and at least one other.

    Raises UserError, in one line, for a file that is none, or not of that form.
    """
    key = f"attributes={path}"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head, *lines = [line for line in csv.reader(file, strict=True) if line] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise UserError(f"{key}: cannot be read as CSV ({reason})") from None
    head = [word.strip() for word in head]
    if NAME not in head:
        listed = ", ".join(head) or "none"
        raise UserError(
            f"{key}: no column `{NAME}` (columns: {listed}); expected the images' names there"
        )
    _check_head(key, head)
    odd = next((i for i, line in enumerate(lines, 2) if len(line) != len(head)), None)
    if odd is not None:
        raise UserError(f"{key}: line {odd} has {len(lines[odd - 2])} cells; expected {len(head)}")
    turned = {word: tuple(line[j].strip() for line in lines) for j, word in enumerate(head)}
    names = turned.pop(NAME)
    if len(set(names)) < len(names):
        again = next(name for i, name in enumerate(names) if name in names[:i])
        raise UserError(f"{key}: {again} is there twice; expected one line an image")
    return AttributeFile(path, names, turned)


def attributes(
    file: AttributeFile, own: Sequence[str], real: Sequence[str] | None, *, groups: int
) -> list[Attribute]:
    """The file's columns for images with these names, words or quantiles of numbers.

    real: names of the real images; None where these are the own ones.
    Raises UserError if no examined image is named there, or a column has no value for them or
    too many different words.
    """
    rows = file.rows_of(own)
    matched = int((rows >= 0).sum())
    key = f"attributes={file.path}"
    if not matched:
        raise UserError(
            f"{key}: 0 of its {len(file.names):,} names are among the {len(own):,} images; "
            f"expected names such as {own[0]}"
        )
    print(f"attributes: of {matched:,} of {len(own):,} images")
    real_rows = None if real is None else file.rows_of(real)
    if real_rows is not None and not (real_rows >= 0).any():
        real_rows = None
    return [
        _attribute(key, name, cells, rows, real_rows, groups) for name, cells in file.cells.items()
    ]


def _attribute(
    key: str,
    name: str,
    cells: tuple[str, ...],
    rows: np.ndarray,
    real_rows: np.ndarray | None,
    groups: int,
) -> Attribute:
    own = _picked(cells, rows)
    real = None if real_rows is None else _picked(cells, real_rows)
    if not any(own):
        raise UserError(f"{key}: column {name} is empty for all of the images")
    if real is not None and not any(real):
        real = None
    different = len({cell for cell in cells if cell})
    numbers = _numbers(own), None if real is None else _numbers(real)
    if different > MOST_GROUPS:
        if numbers[0] is None or (real is not None and numbers[1] is None):
            raise UserError(
                f"{key}: column {name} has {different} different values; expected at "
                f"most {MOST_GROUPS}, or numbers"
            )
        return of_numbers(name, numbers[0], numbers[1], groups=groups, given=True)
    return of_words(name, own, real)


def _picked(cells: tuple[str, ...], rows: np.ndarray) -> list[str]:
    return [cells[row] if row >= 0 else "" for row in rows]


def _numbers(words: Sequence[str]) -> np.ndarray | None:
    """[N] float64, NaN for ""; None if a word is no finite number."""
    try:
        values = [float(word) if word else math.nan for word in words]
    except ValueError:
        return None
    finite = all(math.isfinite(value) for value, word in zip(values, words, strict=True) if word)
    return np.array(values) if finite else None


def _check_head(key: str, head: list[str]) -> None:
    if len(head) < 2:
        raise UserError(f"{key}: no column but `{NAME}`; expected attributes beside it")
    for word in head:
        if not word or head.count(word) > 1:
            raise UserError(f"{key}: the columns are {', '.join(head)}; expected different names")
        if word in ATTRIBUTES:
            raise UserError(
                f"{key}: column {word} is computed from the images; expected another name"
            )


def _match(lines: Sequence[str], names: Sequence[str]) -> np.ndarray:
    place = {name: row for row, name in enumerate(lines)}
    return np.array([place.get(str(name), -1) for name in names], np.int64)


def _stem(name: str) -> str:
    return PurePosixPath(name).stem
