"""`ferbench study`: the matrix of runs behind a results table; what is done is skipped."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ferbench import runs
from ferbench.commands import needed, plans
from ferbench.commands.estimates import Estimator
from ferbench.commands.launcher import Command, Launcher, command_line, words_of
from ferbench.config import yaml_files
from ferbench.config.study import RunStudy
from ferbench.errors import UserError, one_of
from ferbench.files import save_json
from ferbench.report import drawing
from ferbench.runs import calibration
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

POLL_SECONDS = 1.0  # how often a run of another process is looked at


def run(job: RunStudy, launcher: Launcher) -> int:
    """Run what is left of the study, wave by wave, and write its report; how many runs are left."""
    study = _study(job)
    folder = Path(job.outputs) / "study" / study.name
    ledger = Ledger(folder / RUNS)  # of all budgets: some of their runs are the same
    asked = study.only(job.chosen_cells()) if job.only else study
    configs = {} if job.report else _checked(asked, launcher, to_run=not job.plan)
    estimates = {} if job.report else _estimates(job, asked, configs)
    if job.plan:
        now = progress(asked, ledger, estimates)
        print(_overview(asked, now))
        return len(now.left)
    failed = [] if job.report else _run_all(asked, ledger, launcher, estimates)
    reached = progress(study, ledger)
    pages_folder = folder / study.budget
    pages_folder.mkdir(parents=True, exist_ok=True)
    findings = measure(study, reached)
    save_json(pages_folder / "metrics.json", numbers.as_json(findings))
    with drawing.also_as_pdf(job.figures == "pdf"):
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


def _checked(study: Study, launcher: Launcher, *, to_run: bool) -> dict[str, Any]:
    """The configs of the runs, by the id of a step or a cell; `@id` stands for a step's folder.

    Refuses a study with a run that its command would refuse, before the first one. Of the seeds of
    a cell the first and the largest are looked at.
    to_run: whether the runs follow, which need the real faces and the loggers' packages.
    """
    folders = {step.id: f"@{step.id}" for step in study.steps}
    configs: dict[str, Any] = {}
    for task in study.tasks():
        if task.seed not in (None, study.seeds[0], max(study.seeds)):
            continue
        try:
            config = launcher.check(task.command, filled(task.words, folders))
            if to_run:
                needed.check(config, made=folders.values())
        except UserError as error:
            raise UserError(f"{task.id}: {error}") from None
        configs[task.cell or task.id] = config
    return configs


def _estimates(job: RunStudy, study: Study, configs: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of a run of each step and cell, as far as they are known.

    A plan measures the machine's speed where that is not known yet.
    """
    earlier = {f"@{step.id}": configs[step.id] for step in study.steps}
    estimator = Estimator.of(job, may_measure=job.plan, earlier=earlier)
    known: dict[str, float] = {}
    for id, config in configs.items():
        with suppress(UserError):  # the run itself says what is wrong
            seconds = estimator.seconds(config)
            if seconds is not None:
                known[id] = seconds
    return known


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


@dataclass(frozen=True)
class _Left:
    """A run that is not done. busy: the folder where another process is at work on it, or None."""

    task: str
    busy: str | None = None


def _run_all(
    study: Study, ledger: Ledger, launcher: Launcher, estimates: Mapping[str, float]
) -> list[str]:
    """Run every task that is not done, those that others need first; ids of those that failed.

    What another process is at work on comes last, and is waited for.
    """
    failed: list[str] = []
    busy: dict[str, Path] = {}
    while True:
        now = progress(study, ledger, estimates)
        ready = now.ready(failed)
        if not ready:
            return failed
        free = [task for task in ready if task.id not in busy]
        if not free:
            _wait(busy)
            busy.clear()
            continue
        print(_standing(study, now))
        tasks = [task for task in free if task.command == free[0].command]
        wave = _Wave(tasks, now.folders, ledger, study, launcher, estimates)
        jobs = [filled(task.words, now.folders) for task in wave.tasks]
        left = [one for one in launcher.run(free[0].command, jobs, wave) if one is not None]
        failed += [one.task for one in left if one.busy is None]
        busy |= {one.task: Path(one.busy) for one in left if one.busy is not None}


def _wait(busy: Mapping[str, Path]) -> None:
    """Until other processes have ended one of their runs."""
    print(f"waiting for another process, which is at work on {', '.join(busy)}", flush=True)
    while all(runs.is_busy(folder) for folder in busy.values()):
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True)
class _Wave:
    """Runs of one command that wait for nothing; called in the process that runs each of them."""

    tasks: list[Task]
    folders: Mapping[str, str]
    ledger: Ledger
    study: Study
    launcher: Launcher
    estimates: Mapping[str, float]

    def __call__(self, i: int, command: Command) -> _Left | None:
        """Run task i and note how it ended; None if it is done."""
        task, began = self.tasks[i], time.time()
        words = filled(task.words, self.folders)
        now = progress(self.study, self.ledger, self.estimates)
        if now.is_done(task):  # by another process, meanwhile
            return None
        print(
            f"\n[{len(now.tasks) - len(now.left) + 1}/{len(now.tasks)}] {task.id}; "
            f"left: {now.time_left()}\n$ {command_line(task.command, words)}",
            flush=True,
        )
        try:
            entry = entry_of(task, words, Path(command()), began=began)
        except runs.Busy as error:
            print(f"{error}; it comes later", flush=True)
            return _Left(task.id, str(error.folder))
        except Exception as error:
            self.launcher.report(error)
            text = " ".join(f"{type(error).__name__}: {error}".split())
            seconds = time.time() - began
            entry = Entry(task.id, task.command, words, FAILED, None, seconds, text)
        self.ledger.add(task, self.folders, entry)
        return None if entry.status == DONE else _Left(task.id)


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
        took = in_words(entry.seconds) if entry else _about(now.guess(task))
        where = entry.folder or entry.error or "" if entry else ""
        lines.append(f"  {state:6} {took:>13}  {task.command:9} {task.id:32} {where}".rstrip())
    busy = [plans.BUSY] if now.estimates and calibration.is_busy() else []
    return "\n".join([*lines, "", _standing(study, now), *busy])


def _about(seconds: float | None) -> str:
    return "?" if seconds is None else f"~ {in_words(seconds)}"
