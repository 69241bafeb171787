"""What of a study is done: a small file a run, written by the process that ran it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from ferbench import runs
from ferbench.files import save_json
from ferbench.study.plan import Study, Task, filled

DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class Entry:
    """How a run of a study ended. seconds: what it took when it was made, here or elsewhere."""

    task: str
    command: str
    words: list[str]
    status: str
    folder: str | None
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class Ledger:
    """The entries of one study, files in `folder`; safe from several processes."""

    folder: Path

    def find(self, task: Task, folders: Mapping[str, str]) -> Entry | None:
        """The entry of a task; None if it was not run yet, or its folder is gone or unfinished.

        folders: of the steps it needs; None, too, where they do not hold all of them.
        """
        if not set(task.needs) <= set(folders):
            return None
        try:
            entry = Entry(**json.loads(self._path(task, folders).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        if entry.status == DONE and not _is_complete(entry.folder):
            return None
        return entry

    def add(self, task: Task, folders: Mapping[str, str], entry: Entry) -> None:
        """Write the entry of a task."""
        self.folder.mkdir(parents=True, exist_ok=True)
        save_json(self._path(task, folders), asdict(entry))

    def _path(self, task: Task, folders: Mapping[str, str]) -> Path:
        words = sorted(filled(task.words, folders))
        name = task.id.replace("/", "_")
        return self.folder / f"{name}_{runs.hash_of([task.command, words])[:8]}.json"


@dataclass(frozen=True)
class Progress:
    """Where a study stands.

    folders: of the steps that are done, by id. estimates: seconds of runs on this machine, by the
    id of a step or of a cell, as far as they are known.
    """

    tasks: list[Task]
    entries: dict[str, Entry]
    folders: dict[str, str]
    estimates: Mapping[str, float] = field(default_factory=dict)

    def is_done(self, task: Task) -> bool:
        """Whether its result is there."""
        return task.id in self.entries and self.entries[task.id].status == DONE

    @property
    def left(self) -> list[Task]:
        """What is not done, with what failed."""
        return [task for task in self.tasks if not self.is_done(task)]

    def ready(self, given_up: Sequence[str] = ()) -> list[Task]:
        """What could run now: all that it needs is there. given_up: ids that failed just now."""
        return [
            task
            for task in self.left
            if set(task.needs) <= set(self.folders) and task.id not in given_up
        ]

    def time_left(self) -> str:
        """An estimate from the runs that are done and from the machine's speed: `about 3 min`.

        `more than 3 min` where nothing is known of some command, `unknown` if of none.
        """
        guesses = [self.guess(task) for task in self.left]
        known = [guess for guess in guesses if guess is not None]
        if guesses and not known:
            return "unknown"
        return f"{'about' if len(known) == len(guesses) else 'more than'} {in_words(sum(known))}"

    def guess(self, task: Task) -> float | None:
        """Mean seconds of the same cell's runs, else of the same model's; else the estimate.

        Without one, the mean of the command's runs; None where there is nothing to go by.
        """
        done = [other for other in self.tasks if self.is_done(other)]
        same = [other for other in done if other.command == task.command]
        of_cells = [other for other in same if other.cell is not None and task.cell is not None]
        alike = [
            [other for other in of_cells if other.cell == task.cell],
            [other for other in of_cells if _model(other) == _model(task)],
        ]
        estimate = self.estimates.get(task.cell or task.id)
        nearest = next((group for group in alike if group), [] if estimate is not None else same)
        return fmean(self.entries[o.id].seconds for o in nearest) if nearest else estimate


def progress(
    study: Study, ledger: Ledger, estimates: Mapping[str, float] | None = None
) -> Progress:
    """Where the study stands by its files; estimates: as in `Progress`."""
    tasks, entries = study.tasks(), {}
    folders: dict[str, str] = {}
    for task in tasks:
        entry = ledger.find(task, folders)
        if entry is not None:
            entries[task.id] = entry
        if entry is not None and entry.status == DONE and task.cell is None:
            assert entry.folder is not None
            folders[task.id] = entry.folder
    return Progress(tasks, entries, folders, estimates or {})


def entry_of(task: Task, words: list[str], folder: Path, *, began: float) -> Entry:
    """The entry of a run that ended well. began: `time.time()` before it.

    A run that was there before has the seconds between its own start and end.
    """
    facts = runs.status_of(folder)
    seconds = time.time() - began
    finished = _timestamp(facts.get("finished"))
    if finished is not None and finished < began:
        started = _timestamp(facts.get("started"))
        seconds = finished - started if started is not None else seconds
    return Entry(task.id, task.command, words, DONE, str(folder), seconds)


def in_words(seconds: float) -> str:
    """A duration for people: `1 h 05 min`, `3 min`, `20 s`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def _is_complete(folder: str | None) -> bool:
    return folder is not None and runs.status_of(Path(folder)).get("status") == "complete"


def _model(task: Task) -> str | None:
    named = [word for word in task.words if word.startswith("model=")]
    return named[-1] if named else None


def _timestamp(text: Any) -> float | None:
    return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
