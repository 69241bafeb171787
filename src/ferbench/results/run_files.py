"""The runs' own folders: tables are made again from their `run.json`, and failed runs are found."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from ferbench.files import write_whole
from ferbench.results.csv_lines import csv_header, csv_line, row_from_json
from ferbench.results.kinds import KINDS
from ferbench.results.row import RunRow, moment
from ferbench.results.store import locked, one_line

RUN_FILE = "run.json"
CLOCK_SECONDS = 60.0  # by how much a process may seem younger than the run that it wrote


@dataclass(frozen=True)
class Rebuilt:
    """rows: how many each table holds, by its path; skipped: "<run.json>: <why>" of the rest."""

    rows: dict[Path, int]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class FailedRun:
    """A run without a result.

    status: "failed", "interrupted", "killed" (its run.json says "running", but its process is
    gone), "unknown" (the same, and its process cannot be checked from here) or "unreadable".
    error, when: its one line and its start (ISO 8601); empty where not recorded.
    """

    run: str
    command: str
    status: str
    error: str
    when: str


# --- rows ----------------------------------------------------------------------------------------


def rebuild(outputs: Path) -> Rebuilt:
    """Write all tables again from the rows in the `run.json` files, oldest first.

    Looks one to three folders below `outputs`. Runs that are not complete, or have no row, are
    passed over. A run whose folder was moved gets its new place. A folder that holds tables of
    its own (outputs/demo) keeps its runs to itself. A table is written beside its name and
    renamed, under the lock of `append`; one that differs is kept as `<table>.old`. The table of
    classifiers is always written, another one if it has rows or is there.
    Raises UserError if a table cannot be written.
    """
    written: dict[Path, int] = {}
    with one_line(outputs, "the tables cannot be written", "expected a folder"), locked(outputs):
        rows, skipped = _rows(outputs)
        for kind in KINDS.values():
            table, own = outputs / kind.file, [row for row in rows if type(row) is kind.record]
            if own or table.exists() or kind.name == "classify":
                _replace(table, b"".join([csv_header(kind), *map(csv_line, own)]))
                written[table] = len(own)
    return Rebuilt(written, tuple(skipped))


def _rows(outputs: Path) -> tuple[list[RunRow], list[str]]:
    """The rows of all complete runs, oldest first, and what could not be read."""
    rows, skipped = [], []
    for file in _run_files(outputs, nested=False):
        try:
            state = _read_state(file)
            if state.get("status") == "complete" and state.get("row") is not None:
                rows.append(replace(row_from_json(state["row"]), run=_folder(file, outputs)))
        except (OSError, ValueError, RecursionError) as error:
            skipped.append(_one_line(f"{file}: {error}"))
    return sorted(rows, key=lambda row: (moment(row.finished), row.run)), skipped


def _replace(table: Path, content: bytes) -> None:
    """Write the table whole; one that differs stays beside it as `<table>.old`."""
    before = table.read_bytes() if table.exists() else content
    if before != content:
        old = table.with_name(f"{table.name}.old")
        write_whole(old, lambda beside: beside.write_bytes(before))
    write_whole(table, lambda beside: beside.write_bytes(content))


# --- runs without a result -----------------------------------------------------------------------


def failed_runs(outputs: Path) -> list[FailedRun]:
    """The runs below `outputs` that did not complete and are not running now, by their start."""
    failed = []
    for file in _run_files(outputs, nested=True):
        run = _one_line(_folder(file, outputs))
        try:
            state = _read_state(file)
        except (OSError, ValueError, RecursionError) as error:
            failed.append(FailedRun(run, "", "unreadable", _one_line(error), ""))
            continue
        status = _status(state)
        if status not in ("complete", "running"):
            command, reason, when = (
                _one_line(state.get(key) or "") for key in ("command", "error", "started")
            )
            failed.append(FailedRun(run, command, status, reason, when))
    return sorted(failed, key=lambda run: (run.when, run.run))


def _status(state: dict[str, Any]) -> str:
    """The status, where "running" is believed of a live process of this machine only."""
    pid, same_host = state.get("pid"), state.get("host") == platform.node()
    if state.get("status") != "running":
        return _one_line(state.get("status") or "unknown")
    if not same_host or not isinstance(pid, int):
        return "unknown"
    try:
        born = psutil.Process(pid).create_time()
        started = moment(str(state.get("started"))).timestamp()
    except psutil.NoSuchProcess:
        return "killed"
    except psutil.AccessDenied:
        return "running"
    except (ValueError, OverflowError):  # no number of a process, or no time
        return "unknown"
    return "running" if born <= started + CLOCK_SECONDS else "killed"  # the number was given again


# --- files ---------------------------------------------------------------------------------------


def _run_files(outputs: Path, *, nested: bool) -> Iterator[Path]:
    """Every run.json; nested: those below a folder that holds tables of its own, too."""
    files = [kind.file for kind in KINDS.values()]
    for pattern in ("*", "*/*", "*/*/*"):
        for file in sorted(outputs.glob(f"{pattern}/{RUN_FILE}")):
            inside = [outputs / folder for folder in list(file.relative_to(outputs).parents)[:-1]]
            if nested or not any((folder / name).exists() for folder in inside for name in files):
                yield file


def _read_state(file: Path) -> dict[str, Any]:
    state = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(state, dict):
        raise ValueError("not a JSON object")
    return state


def _folder(file: Path, outputs: Path) -> str:
    return file.parent.relative_to(outputs).as_posix()


def _one_line(value: Any) -> str:
    """As one line of text that a terminal may print."""
    text = " ".join(str(value).split())
    return "".join(letter if letter.isprintable() else "?" for letter in text)
