"""`ferbench study`: the matrix of runs behind a results table; what is done is skipped."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ferbench.commands import inputs
from ferbench.commands.launcher import Command, Launcher, command_line, words_of
from ferbench.config import yaml_files
from ferbench.config.study import RunStudy
from ferbench.errors import UserError, one_of
from ferbench.files import save_json
from ferbench.runs import loggers
from ferbench.study import numbers, yaml_file
from ferbench.study import report as pages
from ferbench.study.ledger import (
    DONE,
    FAILED,
    Entry,
    Ledger,
    Progress,
    entry_of,
    in_words,
    progress,
)
from ferbench.study.measure import measure
from ferbench.study.plan import RUNS, Study, Task, filled, merged


def run(job: RunStudy, launcher: Launcher) -> int:
    """Run what is left of the study, wave by wave, and write its report; how many runs are left."""
    study = _study(job)
    folder = Path(job.outputs) / "study" / study.name
    ledger = Ledger(folder / RUNS)  # of all budgets: some of their runs are the same
    asked = study.only(job.chosen_cells()) if job.only else study
    if not job.report:
        _check(asked, launcher, runs=not job.plan)
    if job.plan:
        print(_overview(asked, progress(asked, ledger)))
        return len(progress(study, ledger).left)
    failed = [] if job.report else _run_all_or_stop(asked, ledger, launcher)
    reached = progress(study, ledger)
    pages_folder = folder / study.budget
    pages_folder.mkdir(parents=True, exist_ok=True)
    findings = measure(study, reached)
    save_json(pages_folder / "metrics.json", numbers.as_json(findings))
    pages.write(pages_folder, study, reached, findings, command=_command(job))
    for line in pages.summary(findings):
        print(line)
    print(f"report: {pages_folder / 'report.md'}, {pages_folder / 'report.html'}")
    now = progress(asked, ledger)
    if failed and now.left:  # what failed here, another process may have done
        raise UserError(
            f"{len(now.left)} of {len(now.tasks)} runs are not done, see above "
            f"({', '.join(failed[:5])} failed); the same command tries them again"
        )
    return len(reached.left)


def _study(job: RunStudy) -> Study:
    """The study of the config, with the words that every run gets."""
    if job.file is not None:
        path = Path(job.file)
    else:
        one_of("name", str(job.name), yaml_files.options_of("study"))
        path = yaml_files.CONF / "study" / f"{job.name}.yaml"
    study = yaml_file.read(path, budget=job.budget, seeds=job.chosen_seeds())
    common = {"outputs": job.outputs, "device": job.device, "precision": job.precision}
    every = words_of({key: value for key, value in common.items() if value != "auto"})
    own = shlex.split(job.words or "")
    return replace(
        study,
        steps=tuple(replace(step, words=merged(step.words, every)) for step in study.steps),
        cells=tuple(
            replace(cell, words=merged([*cell.words, *every], own)) for cell in study.cells
        ),
    )


def _check(study: Study, launcher: Launcher, *, runs: bool) -> None:
    """Refuse a study with a run that its command would refuse, before the first one.

    runs: whether runs follow, which need the real faces and the loggers' packages.
    """
    folders = {step.id: "later" for step in study.steps}
    checked = set()
    for task in study.tasks():
        words = (task.command, *filled(task.words, folders))
        if words in checked or (task.cell and task.seed != study.seeds[0]):
            continue
        checked.add(words)
        try:
            config = launcher.check(task.command, words[1:])
            if runs:
                _check_needs(config)
        except UserError as error:
            raise UserError(f"{task.id}: {error}") from None


def _check_needs(config: Any) -> None:
    """UserError if the real faces or the logger's package of a run are not there."""
    if hasattr(config, "logger"):
        loggers.require(config.logger.name)
    if hasattr(config, "data"):
        inputs.require_faces(config.data, Path(config.outputs))


def _command(job: RunStudy) -> str:
    """The command line that made the study."""
    words = {
        "name": job.name,
        "file": job.file,
        "budget": job.budget,
        "seeds": job.seeds,
        "words": job.words,
    }
    return command_line("study", words_of(words))


# --- running -------------------------------------------------------------------------------------


def _run_all_or_stop(study: Study, ledger: Ledger, launcher: Launcher) -> list[str]:
    """As `_run_all`; a stop says that the study can go on."""
    try:
        return _run_all(study, ledger, launcher)
    except KeyboardInterrupt as stop:
        now = progress(study, ledger)
        done = f"{len(now.tasks) - len(now.left)} of {len(now.tasks)} runs are done"
        stop.args = (f"stopped; {done}; the same command goes on with the study",)
        raise


def _run_all(study: Study, ledger: Ledger, launcher: Launcher) -> list[str]:
    """Run every task that is not done, those that others need first; ids of those that failed."""
    failed: list[str] = []
    while True:
        now = progress(study, ledger)
        ready = now.ready(failed)
        if not ready:
            return failed
        print(_standing(study, now))
        wave = _Wave(
            [task for task in ready if task.command == ready[0].command],
            now.folders,
            ledger,
            study,
            launcher,
        )
        jobs = [filled(task.words, now.folders) for task in wave.tasks]
        failed += [id for id in launcher.run(ready[0].command, jobs, wave) if id is not None]


@dataclass(frozen=True)
class _Wave:
    """Runs of one command that wait for nothing; called in the process that runs each of them."""

    tasks: list[Task]
    folders: Mapping[str, str]
    ledger: Ledger
    study: Study
    launcher: Launcher

    def __call__(self, i: int, command: Command) -> str | None:
        """Run task i and note how it ended; its id if it failed."""
        task, began = self.tasks[i], time.time()
        words = filled(task.words, self.folders)
        now = progress(self.study, self.ledger)
        print(
            f"\n[{len(now.tasks) - len(now.left) + 1}/{len(now.tasks)}] {task.id}; "
            f"left: {now.time_left()}\n$ {command_line(task.command, words)}",
            flush=True,
        )
        try:
            entry = entry_of(task, words, Path(command()), began=began)
        except Exception as error:
            self.launcher.report(error)
            text = " ".join(f"{type(error).__name__}: {error}".split())
            seconds = time.time() - began
            entry = Entry(task.id, task.command, words, FAILED, None, seconds, text)
        self.ledger.add(task, self.folders, entry)
        return None if entry.status == DONE else task.id


# --- what is printed -----------------------------------------------------------------------------


def _standing(study: Study, now: Progress) -> str:
    done = len(now.tasks) - len(now.left)
    return (
        f"{study.name} (budget {study.budget}): {done} of {len(now.tasks)} runs are done; "
        f"left: {now.time_left()}"
    )


def _overview(study: Study, now: Progress) -> str:
    """Every run with its state, and the estimate."""
    lines = [study.title, ""]
    for task in now.tasks:
        entry = now.entries.get(task.id)
        state = entry.status if entry else "left"
        took = in_words(entry.seconds) if entry else ""
        where = entry.folder or entry.error or "" if entry else ""
        lines.append(f"  {state:6} {took:>10}  {task.command:9} {task.id:32} {where}".rstrip())
    return "\n".join([*lines, "", _standing(study, now)])
