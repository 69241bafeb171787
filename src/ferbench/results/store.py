"""The common table: rows are appended under a lock, and made again from the runs' folders."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from ferbench.errors import UserError
from ferbench.results.csv_lines import csv_header, csv_line, parse_line, row_from_json, split_line
from ferbench.results.rows import COLUMNS, Row, RunRow, moment

__all__ = [
    "FailedRun",
    "Rebuilt",
    "Row",
    "RunRow",
    "append_row",
    "failed_runs",
    "read_all",
    "read_rows",
    "rebuild",
    "restore_row",
]

RUN_FILE = "run.json"
LOCK_SECONDS = 120.0
CLOCK_SECONDS = 60.0  # by how much a process may seem younger than the run that it wrote
log = logging.getLogger(__name__)


# --- the table -----------------------------------------------------------------------------------


def append_row(table: Path, row: RunRow) -> None:
    """Add one line to the CSV, and the header if it is the first; safe from many processes.

    The line goes out in one write and is flushed to the disk. What a killed process left of a
    line is cut off first. A row that the table holds already is not added again, so a run writes
    its `run.json` first and then its row: `rebuild` may come between the two. A table that an
    earlier version wrote gets the columns of this one first; as it was it stays as `<table>.old`.
    Raises UserError if the table has columns that are unknown here, a damaged line among those
    that get new columns, or is locked for two minutes.
    """
    line = csv_line(row)
    with _locked(table):
        old = table.read_bytes() if table.exists() else b""
        whole = _whole_lines(old)
        if whole and _columns(table, whole) != COLUMNS:
            rows = _rows(table, whole)
            old = whole = b"".join([csv_header(), *map(csv_line, rows)])
            _replace_table(table, whole)
            log.warning("%s: has the columns of this version now (before: %s.old)", table, table)
        if len(whole) < len(old):
            log.warning("%s: cut off a torn last line of %d bytes", table, len(old) - len(whole))
            os.truncate(table, len(whole))
        if line in whole.splitlines(keepends=True):
            return
        with table.open("ab") as file:
            file.write(line if whole else csv_header() + line)
            file.flush()
            os.fsync(file.fileno())


def read_rows(table: Path) -> list[Row]:
    """The classifiers' rows, as `read_all`; rows of other kinds are left out."""
    return [row for row in read_all(table) if isinstance(row, Row)]


def read_all(table: Path) -> list[RunRow]:
    """The rows of every kind in the table's order; none if there is no table.

    Columns that a table of an earlier version lacks are empty. A torn last line is ignored.
    Raises UserError if there are columns that are unknown here, or at the first damaged line.
    """
    whole = _whole_lines(table.read_bytes()) if table.exists() else b""
    return _rows(table, whole)


def _rows(table: Path, content: bytes) -> list[RunRow]:
    """The rows of whole lines, of which the first names the columns."""
    if not content:
        return []
    columns, found = _columns(table, content), []
    for number, line in enumerate(content.splitlines()[1:], start=2):
        try:
            found += [parse_line(line.decode("utf-8"), columns)] if line else []
        except ValueError as error:
            raise UserError(
                f"table={table}: line {number} is damaged ({error}); "
                "mend it, or make the table again with `ferbench table --rebuild`"
            ) from None
    return found


def restore_row(table: Path, folder: Path, cells: Any) -> None:
    """Put the row of a complete run back, from its run.json, if the table lost it.

    Raises UserError if the row is of a version that lacks what this one needs.
    """
    try:
        append_row(table, row_from_json(cells))
    except ValueError as error:
        raise UserError(f"{folder}: {error}; force=true runs it again") from None


@contextmanager
def _locked(table: Path) -> Iterator[None]:
    table.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{table}.lock", timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(
            f"table={table}: another process has held {table}.lock for {LOCK_SECONDS:.0f} s"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _whole_lines(content: bytes) -> bytes:
    """Up to the last line end: what follows is what a killed process left."""
    return content[: content.rfind(b"\n") + 1]


def _columns(table: Path, content: bytes) -> tuple[str, ...]:
    """The columns that the first line names; UserError if one is unknown in this version."""
    try:
        found = tuple(split_line(content.splitlines()[0].decode("utf-8-sig")))
    except ValueError as error:
        raise UserError(f"table={table}: line 1 is damaged ({error})") from None
    other = [name for name in found if name not in COLUMNS]
    if not other:
        return found
    lacks = [name for name in COLUMNS if name not in found]
    raise UserError(
        f"table={table}: its columns are of another version (lacks {_few(lacks)}; has unknown "
        f"{_few(other)}); make it again from the runs with `ferbench table --rebuild`"
    )


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "") or "none"


# --- the runs' own folders -----------------------------------------------------------------------


@dataclass(frozen=True)
class Rebuilt:
    """rows: how many the new table holds; skipped: "<run.json>: <why>" for those left out."""

    rows: int
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class FailedRun:
    """A run without a result.

    status: "failed", "interrupted", "killed" (it says that it runs, but its process is gone),
    "unknown" (the same, and its process cannot be looked up from here) or "unreadable".
    error, when: its one line and its start (ISO 8601); empty where not recorded.
    """

    run: str
    command: str
    status: str
    error: str
    when: str


def rebuild(outputs: Path, table: Path) -> Rebuilt:
    """Write the table again from the rows in the `run.json` files, oldest first.

    Looks one to three folders below `outputs`. Runs that are not complete, or have no row, are
    passed over. A run whose folder was moved gets its new place. A folder that holds a table of
    the same name (outputs/demo) keeps its runs to itself. The table is written beside its name
    and renamed, under the lock of `append_row`; one that differs is kept as `<table>.old`.
    """
    found, skipped = [], []
    with _locked(table):
        for file in _run_files(outputs, table.name):
            try:
                state = _read_state(file)
                if state.get("status") == "complete" and state.get("row") is not None:
                    row = row_from_json(state["row"])
                    found.append(replace(row, run=_folder(file, outputs)))
            except (OSError, ValueError) as error:
                skipped.append(f"{file}: {error}")
        found.sort(key=lambda row: (moment(row.finished), row.run))
        _replace_table(table, b"".join([csv_header(), *map(csv_line, found)]))
    return Rebuilt(len(found), tuple(skipped))


def failed_runs(outputs: Path) -> list[FailedRun]:
    """The runs below `outputs` that did not complete and are not running now, by their start."""
    found = []
    for file in _run_files(outputs, own_table=None):
        try:
            state = _read_state(file)
        except (OSError, ValueError) as error:
            found.append(FailedRun(_folder(file, outputs), "", "unreadable", str(error), ""))
            continue
        status = _status(state)
        if status not in ("complete", "running"):
            command, reason, when = (
                str(state.get(key) or "") for key in ("command", "error", "started")
            )
            found.append(FailedRun(_folder(file, outputs), command, status, reason, when))
    return sorted(found, key=lambda run: (run.when, run.run))


def _run_files(outputs: Path, own_table: str | None) -> Iterator[Path]:
    """Every run.json, except those below a folder that holds an `own_table`."""
    for pattern in ("*", "*/*", "*/*/*"):
        for file in sorted(outputs.glob(f"{pattern}/{RUN_FILE}")):
            inside = [outputs / folder for folder in list(file.relative_to(outputs).parents)[:-1]]
            if own_table is None or not any((folder / own_table).exists() for folder in inside):
                yield file


def _read_state(file: Path) -> dict[str, Any]:
    state = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(state, dict):
        raise ValueError("not a JSON object")
    return state


def _folder(file: Path, outputs: Path) -> str:
    return file.parent.relative_to(outputs).as_posix()


def _status(state: dict[str, Any]) -> str:
    """The status, where "running" is believed of a live process of this machine only."""
    pid, same_host = state.get("pid"), state.get("host") == platform.node()
    if state.get("status") != "running":
        return str(state.get("status") or "unknown")
    if not same_host or not isinstance(pid, int):
        return "unknown"
    try:
        born = psutil.Process(pid).create_time()
        started = moment(str(state.get("started"))).timestamp()
    except (psutil.NoSuchProcess, ValueError):
        return "unknown" if psutil.pid_exists(pid) else "killed"
    except psutil.AccessDenied:
        return "running"
    return "running" if born <= started + CLOCK_SECONDS else "killed"  # the number was given again


def _replace_table(table: Path, content: bytes) -> None:
    """Write beside the name, then rename: readers see the old table or the new one."""
    if table.exists() and table.read_bytes() != content:
        shutil.copy2(table, f"{table}.old")
    beside = table.with_name(f".{table.name}.new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, table)
