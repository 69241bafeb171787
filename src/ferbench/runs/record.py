"""A run's own record: its folder, its run.json, and the hash that names it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ferbench.errors import UserError
from ferbench.files import locked, partial, remove_partial, save_json, write_whole

RUN_FILE = "run.json"
LOCK_FILE = ".lock"
NAME_BYTES = 200  # of a folder's name, which a hash and a number follow


def hash_of(value: Any) -> str:
    """Hex SHA-256 of a value as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def now() -> str:
    """The time in UTC, ISO 8601 to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


# --- a run's own record --------------------------------------------------------------------------


class Busy(UserError):
    """Another process is at work in `folder`."""

    def __init__(self, folder: Path, work: str) -> None:
        super().__init__(f"{folder}: another process is at work on {work}")
        self.folder = folder


class Record:
    """A run's folder and its run.json, kept whole at every moment."""

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        self.folder = folder
        self.facts = dict(facts)

    def update(self, **facts: Any) -> None:
        """Set keys of run.json and write it."""
        changed = self.facts | facts
        save_json(self.folder / RUN_FILE, changed)
        self.facts = changed


@contextmanager
def recorded(
    folder: Path, command: str, config: str, inputs: Mapping[str, Any]
) -> Iterator[Record]:
    """Run the block as the run of `folder`: its status in run.json follows what happens.

    config: the resolved config as YAML; inputs: what was read, with hashes. The status is
    `running`, then `complete` (set by the block together with its row), `interrupted` or `failed`;
    a complete run stays complete, whatever fails after it.
    Raises Busy if another process is at work in this folder.
    """
    with alone(folder, "this run"):
        remove_partial(folder)
        write_whole(folder / "config.yaml", lambda p: p.write_text(config, "utf-8"))
        record = Record(folder, {"command": command, "pid": os.getpid(), "host": platform.node()})
        record.update(status="running", started=now(), inputs=dict(inputs), error=None, row=None)
        with _status_of_errors(record):
            yield record


@contextmanager
def alone(folder: Path, work: str) -> Iterator[None]:
    """For one process at a time that works in a folder; Busy if another one does."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder / LOCK_FILE, wait_seconds=0))
        except TimeoutError:
            raise Busy(folder, work) from None
        yield


def is_busy(folder: Path) -> bool:
    """Whether a process is at work in a folder."""
    try:
        with alone(folder, "this run"):
            return False
    except Busy:
        return True


def remove_left_parts(folder: Path) -> None:
    """Delete what killed processes left half-written in a run's folder, unless one is at work."""
    if partial(folder):
        with suppress(UserError, OSError), alone(folder, "this run"):
            remove_partial(folder)


@contextmanager
def _status_of_errors(record: Record) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if record.facts["status"] != "complete":  # what fails after the result leaves it as it is
            with suppress(OSError):  # a full disk must not hide `error`
                record.update(**_failure(error), finished=now())
        raise


def _failure(error: BaseException) -> dict[str, str]:
    """Status and error of a run that ended so."""
    if isinstance(error, KeyboardInterrupt):
        return {"status": "interrupted", "error": str(error) or "interrupted"}
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return {"status": "failed", "error": text, "traceback": traceback.format_exc()}


def status_of(folder: Path) -> dict[str, Any]:
    """The run.json of a folder; {} where there is none yet.

    Raises UserError if the file is damaged.
    """
    path = folder / RUN_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(
            f"{path}: damaged ({error}); move the folder away to run it again"
        ) from None
    return facts if isinstance(facts, dict) else {}


def free_folder(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist yet."""
    number, candidate = 1, folder
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def short(name: str) -> str:
    """A name, which may be that of another folder with more to it, cut to 200 bytes."""
    assert "/" not in name, name
    return os.fsencode(name)[:NAME_BYTES].decode("utf-8", "ignore")


def name_in(outputs: Path, folder: Path) -> str:
    """The folder relative to `outputs`, as the table names runs; if outside, the whole path."""
    outer, inner = outputs.resolve(), folder.resolve()
    return inner.relative_to(outer).as_posix() if inner.is_relative_to(outer) else str(inner)
