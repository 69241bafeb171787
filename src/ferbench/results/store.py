"""The tables below an outputs folder, a CSV a kind of measurement: rows are added under a lock."""

from __future__ import annotations

import codecs
import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ferbench import files
from ferbench.errors import UserError, one_of
from ferbench.results.csv_lines import (
    csv_header,
    csv_line,
    difference,
    parse_line,
    row_from_json,
    split_line,
)
from ferbench.results.kind import Kind
from ferbench.results.kinds import KINDS, kind_of_record
from ferbench.results.row import RunRow

if TYPE_CHECKING:
    import pandas as pd

LOCK_FILE = "tables.lock"
LOCK_SECONDS = 120.0
SAME = ("run", "config_hash", "finished")  # a row that has these of another is that row
log = logging.getLogger(__name__)
AnyRow = TypeVar("AnyRow", bound=RunRow)


# --- adding --------------------------------------------------------------------------------------


def append(outputs: Path, row: RunRow) -> None:
    """Add one line to the table of the row's kind, and the header if it is the first.

    Safe from many processes: the line goes out in one write and is flushed to the disk. What a
    killed process left of a line is cut off first. A row that the table holds already, however a
    spreadsheet saved it, is not added again; so a run writes its `run.json` first and then its
    row: `rebuild` may come between the two.
    Raises UserError if the table has other columns than this version, cannot be written, or is
    locked for two minutes.
    """
    kind = kind_of_record(type(row))
    table = outputs / kind.file
    hint = f"{how_to_rebuild(outputs)} adds the row of {row.run} once that is mended"
    with one_line(table, "cannot be written", hint), locked(outputs):
        whole = _mended(table, kind)
        if _same(row) not in _held(whole, kind):
            with table.open("ab") as file:
                file.write(csv_line(row) if whole else csv_header(kind) + csv_line(row))
                file.flush()
                os.fsync(file.fileno())


def require_table(outputs: Path, kind: Kind) -> None:
    """Refuse a table that could not take a row, as `append` would; before the work for that row."""
    table = outputs / kind.file
    hint = f"expected one that can be written, or {how_to_rebuild(outputs)}, or another outputs="
    with one_line(table, "cannot be written", hint), locked(outputs):
        _parted(table, kind)
        if table.exists():
            table.open("ab").close()


def restore(outputs: Path, folder: Path, cells: Any) -> None:
    """Put the row of a complete run back, from its run.json, if its table lost it.

    Writes nothing where the row is there. Raises UserError as `append`, and if `cells` is no row.
    """
    try:
        row = row_from_json(cells)
    except ValueError as error:
        raise UserError(f"{folder}: {error}; force=true runs it again") from None
    kind = kind_of_record(type(row))
    if _same(row) not in _held(_parted(outputs / kind.file, kind)[0], kind):
        append(outputs, row)


def _mended(table: Path, kind: Kind) -> bytes:
    """The whole lines; what follows the last of them is cut off, and that is logged."""
    whole, torn = _parted(table, kind)
    if torn:
        log.warning("%s: cut off a torn last line of %d bytes", table, len(torn))
        os.truncate(table, len(whole))
    return whole


def _same(row: RunRow) -> tuple[str, ...]:
    kind = kind_of_record(type(row))
    return next(_keys(csv_header(kind) + csv_line(row), kind))


def _held(content: bytes, kind: Kind) -> set[tuple[str, ...]]:
    return set(_keys(content, kind))


def _keys(content: bytes, kind: Kind) -> Iterator[tuple[str, ...]]:
    """What tells the rows of these lines apart, by their values; damaged lines are passed over."""
    places = [list(kind.columns).index(name) for name in SAME]
    for line in content.splitlines()[1:]:
        try:
            cells = split_line(line.decode("utf-8"))
            yield tuple(cells[place] for place in places)
        except (ValueError, IndexError):
            continue


# --- reading -------------------------------------------------------------------------------------


def read(outputs: Path, record: type[AnyRow]) -> list[AnyRow]:
    """The rows of one kind in their table's order, as `read(outputs, FidelityRow)`; none without
    a table.

    Byte order marks, line ends and quotes of spreadsheets are read; a torn last line is ignored.
    Raises UserError if the columns are not those of this version, or at the first damaged line.
    """
    kind = kind_of_record(record)
    table = outputs / kind.file
    rows: list[Any] = []
    for number, line in enumerate(_parted(table, kind)[0].splitlines()[1:], start=2):
        try:
            rows += [parse_line(line.decode("utf-8"), kind)] if line.strip(b",") else []
        except ValueError as error:
            raise UserError(
                f"table={table}: line {number} is damaged ({error}); mend it, or make the table "
                f"again: {how_to_rebuild(outputs)}"
            ) from None
    return rows


def read_frame(outputs: Path, kind: str = "classify") -> pd.DataFrame:
    """The rows of one kind ("classify", "fidelity", ...) as a table for pandas, a line a run.

    Text is `string`, whole numbers `int64` (`Int64` where cells may be empty), other numbers
    `float64`, `finished` a time in UTC. Shares are fractions in [0, 1].
    Raises UserError for an unknown kind, if there is no such folder, and as `read`.
    """
    from ferbench.results import frames  # pandas takes a while to import

    chosen = kind_named(kind)
    require_folder(outputs)
    return frames.typed(read(outputs, chosen.record), chosen)


def require_folder(outputs: Path) -> None:
    """UserError if there is no folder that could hold tables."""
    if not outputs.is_dir():
        raise UserError(
            f"outputs={outputs}: no such folder; expected the one of runs, as `ferbench classify` "
            "leaves it"
        )


def kind_named(name: str) -> Kind:
    """The kind of this name; UserError if there is none."""
    one_of("kind", name, KINDS)
    return KINDS[name]


def kinds_with_rows(outputs: Path) -> list[str]:
    """Names of the kinds that have a table with more than its header."""
    return [name for name, kind in KINDS.items() if _has_rows(outputs / kind.file)]


def _has_rows(table: Path) -> bool:
    try:
        return table.read_bytes().count(b"\n") > 1
    except OSError:  # none, or one that cannot be read
        return False


def _parted(table: Path, kind: Kind) -> tuple[bytes, bytes]:
    """The whole lines, header first, and what a killed process left of one more.

    Raises UserError unless the header is that of this version.
    """
    content = _content(table)
    end = content.rfind(b"\n") + 1
    whole, torn = content[:end], content[end:]
    if whole or not csv_header(kind).startswith(torn):
        _check_header(table, content, kind)
    return whole, torn


def _check_header(table: Path, content: bytes, kind: Kind) -> None:
    """The header is the format: UserError unless it names the columns of this version."""
    try:
        line = content.partition(b"\n")[0].removesuffix(b"\r")
        names = split_line(line.decode("utf-8-sig"))
    except ValueError as error:
        names = [f"({error})"]
    while names and not names[-1]:
        names.pop()
    if names == list(kind.columns):
        return
    if spreadsheet := _of_spreadsheet(content):
        raise UserError(
            f"table={table}: {spreadsheet}, as a spreadsheet saves it; expected commas and UTF-8; "
            f"to make it again from the runs: {how_to_rebuild(table.parent)}"
        )
    lacking = [name for name in kind.columns if name not in names]
    unknown = [name for name in names if name not in kind.columns]
    what = difference(lacking, unknown) or "they are in another order"
    raise UserError(
        f"table={table}: its columns are not those of this version ({what}); to make it again "
        f"from the runs: {how_to_rebuild(table.parent)}"
    )


def _of_spreadsheet(content: bytes) -> str:
    """What in a table is not of this program, but of one that saved it; "" for neither."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:64]:
        return "is UTF-16"
    header = content.partition(b"\n")[0]
    marks = {b";": "semicolons", b"\t": "tabs"}
    found = [word for mark, word in marks.items() if header.count(mark) > header.count(b",")]
    return f"is separated by {found[0]}" if found else ""


# --- the file ------------------------------------------------------------------------------------


def how_to_rebuild(outputs: Path) -> str:
    """The command that makes the tables again."""
    return f"`ferbench table --rebuild outputs={shlex.quote(str(outputs))}`"


@contextmanager
def locked(outputs: Path) -> Iterator[None]:
    """For one process at a time that changes a table. UserError if another one keeps it."""
    outputs.mkdir(parents=True, exist_ok=True)
    path = outputs / LOCK_FILE
    with ExitStack() as stack:
        try:
            stack.enter_context(files.locked(path, wait_seconds=LOCK_SECONDS))
        except TimeoutError:
            raise UserError(
                f"outputs={outputs}: another process has held {path} for {LOCK_SECONDS:.0f} s"
            ) from None
        yield


@contextmanager
def one_line(table: Path, what: str, hint: str) -> Iterator[None]:
    """An error of the disk, or of a system without locks, as a UserError."""
    try:
        yield
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"table={table}: {what} ({reason}); {hint}") from None


def _content(table: Path) -> bytes:
    """The bytes of a table, none where there is none."""
    with one_line(table, "cannot be read", "expected a CSV file, or none"):
        try:
            return table.read_bytes()
        except FileNotFoundError:
            return b""
