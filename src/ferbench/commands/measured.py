"""What every command that leaves a run does around its work: folder, record, report, row, end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ferbench import report, results, runs
from ferbench.commands import edited
from ferbench.config.commands import SHORT_KEYS
from ferbench.config.identity import identity, keys_of_mark
from ferbench.errors import UserError, is_network
from ferbench.files import save_json
from ferbench.recipes.marks import CONTENT, RESULT
from ferbench.report import Block, drawing
from ferbench.results.row import RunRow
from ferbench.runs import Compute, Record, loggers

SET_FOLDERS = {"curate": "synth"}  # of commands that leave a set, below outputs/


@dataclass(frozen=True)
class Run:
    """A run before anything is computed.

    job: the command's config, in which the paths that it left open are filled in.
    name: what the name of its folder begins with.
    inputs: hashes of what it reads; a stopped run goes on with the same ones only.
    chosen: values that the command found for keys such as `auto`; the number format is one always.
    apart: keys in which the runs of one cell differ; cell_inputs: what the inputs have in common.
    is_whole: of a complete run's folder and its run.json, whether nothing is left to do.
    again: what force=true does.
    """

    job: Any
    command: str
    name: str
    inputs: Mapping[str, Any]
    compute: Compute
    chosen: Mapping[str, Any] = field(default_factory=dict)
    apart: Sequence[str] = ("seed",)
    cell_inputs: Mapping[str, Any] | None = None
    is_whole: Callable[[Path, Mapping[str, Any]], bool] = lambda folder, facts: True
    again: str = "runs it again"

    @cached_property
    def folder(self) -> Path:
        """outputs/<command>/<name>_<hash of the identity>: the same run, the same folder.

        That of the run to go on with, if the job names one; a new one beside it with force=true.
        """
        resume = getattr(self.job, "resume", None)
        if resume and not is_network(resume):
            return Path(resume)
        kind = SET_FOLDERS.get(self.command, self.command)
        name = f"{runs.short(self.name)}_{runs.hash_of(self.identity)[:8]}"
        folder = Path(self.job.outputs) / kind / name
        return runs.free_folder(folder) if self.job.force else folder

    @property
    def identity(self) -> dict[str, Any]:
        """All that the result depends on: keys of the config, and what was read by its hashes."""
        return self._settings | {"inputs": dict(self.inputs)}

    @property
    def cell(self) -> dict[str, Any]:
        """The identity without what tells apart the seeds of one experiment."""
        shared = self.inputs if self.cell_inputs is None else self.cell_inputs
        kept = {key: value for key, value in self._settings.items() if key not in self.apart}
        return kept | {"inputs": dict(shared)}

    @property
    def keys(self) -> dict[str, dict[str, Any]]:
        """For run.json: what may tell the run from others of its command, by the keys as typed.

        settings: the keys that change a result. sources: what was read, and what was chosen.
        """
        short = {full: key for key, full in reversed(SHORT_KEYS.items())}
        return {
            name: {
                short.get(key, key): value
                for key, value in keys_of_mark(self.job, mark).items()
                if key not in self.apart
            }
            for name, mark in (("settings", RESULT), ("sources", CONTENT))
        }

    @property
    def _settings(self) -> dict[str, Any]:
        unread = "precision" in getattr(self.job, "unread", ())
        precision = {} if unread else {"precision": self.compute.precision.name}
        return identity(self.job) | precision | dict(self.chosen)


@dataclass(frozen=True)
class Outcome:
    """The result of a run's work.

    lines: for the terminal. row: the columns of its row that its command alone knows, None where
    it has no row. numbers: of metrics.json, None without. title, blocks: of its report; without
    blocks there is none. facts: what run.json says besides. warnings: why the numbers may not be
    trusted, which the command has printed; they stand in row and run.json.
    """

    lines: Sequence[str] = ()
    row: Mapping[str, Any] | None = None
    numbers: Mapping[str, Any] | None = None
    title: str = ""
    blocks: Sequence[Block] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def run(this: Run, work: Callable[[Record], Outcome]) -> Path:
    """Do the work and keep its result, or say that it is done; the run's folder.

    Raises UserError if the inputs of a stopped run have changed, or if table or logger would fail.
    """
    if is_done(this):
        repeat(this)
        return this.folder
    check_inputs(this)
    _try_before_work(this)
    runs.keep_freed_memory()
    with runs.recorded(this.folder, this.command, _config(this.job), this.inputs) as record:
        settings = {edited.SETTINGS: edited.settings_of(this.job)}
        facts = {**settings, **this.keys}
        record.update(environment=runs.environment(this.compute.device), **facts)
        print(f"run: {this.folder}")
        began = time.perf_counter()
        with drawing.also_as_pdf(_wants_pdf(this.job)):
            outcome = work(record)
        _complete(this, record, outcome, began)
    return this.folder


def _try_before_work(this: Run) -> None:
    """What fails after hours otherwise: the logger's package, the table, locks.

    The folder itself is tried by `recorded`, which writes there first.
    """
    logger = getattr(this.job, "logger", None)
    if logger is not None:
        loggers.require(logger.name)
    kinds = [kind for kind in results.KINDS.values() if this.command in kind.commands]
    for kind in kinds:
        results.require_table(Path(this.job.outputs), kind)


def is_done(this: Run) -> bool:
    """Whether the run is complete."""
    facts = runs.status_of(this.folder)
    return facts.get("status") == "complete" and this.is_whole(this.folder, facts)


def terminal_columns() -> int:
    """Columns of the terminal, 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def repeat(this: Run) -> None:
    """Say that the run is done, and put its row back if the table lost it."""
    runs.remove_left_parts(this.folder)
    print(f"done already: {this.folder} (force=true {this.again})")
    try:
        edited.check_file(this.folder, type(this.job))
    except UserError as error:
        print(f"note: {error}")
    page = this.folder / report.HTML
    if page.is_file():
        print(f"report: {page}")
    if _wants_pdf(this.job) and not any(this.folder.glob("*.pdf")):
        print("note: figures=pdf: this run was made without; force=true draws them in a new one")
    row = runs.status_of(this.folder).get("row")
    if row is not None:
        results.restore(Path(this.job.outputs), this.folder, row)


def _wants_pdf(job: Any) -> bool:
    return getattr(job, "figures", "png") == "pdf"


def check_inputs(this: Run) -> None:
    """Refuse to go on with a run on data, or by a config.yaml, that have changed since."""
    resume = getattr(this.job, "resume", None)
    if resume and not is_network(resume):
        edited.check(this.folder, this.job)
    earlier = runs.status_of(this.folder).get("inputs")
    if earlier not in (None, dict(this.inputs)):
        raise UserError(
            f"resume={this.folder}: the data have changed since that run; start a new one"
        )


def _config(job: Any) -> str:
    """The config as it is kept: without what only says whether to begin anew or to go on."""
    kept = asdict(job) | {"force": False}
    return yaml.safe_dump(kept | ({"resume": None} if "resume" in kept else {}), sort_keys=False)


def _complete(this: Run, record: Record, outcome: Outcome, began: float) -> None:
    """Numbers, report, run.json, row and the last lines."""
    folder, end = this.folder, f"done: {this.folder}"
    if outcome.numbers is not None:
        save_json(folder / "metrics.json", outcome.numbers)
    if outcome.blocks:
        report.write(folder, outcome.title, outcome.blocks)
        end = f"report: {folder / report.HTML}"
    if any(folder.glob("*.png")):
        end += ", figures beside it" if outcome.blocks else ", figures in it"
    seconds = time.perf_counter() - began
    facts: dict[str, Any] = {"finished": runs.now(), "seconds": seconds, **outcome.facts}
    facts["warnings"] = list(outcome.warnings)
    row = None if outcome.row is None else _row(this, record, outcome.row, facts)
    record.update(status="complete", row=None if row is None else asdict(row), **facts)
    if row is not None:
        results.append(Path(this.job.outputs), row)
    for line in outcome.lines:
        print(line)
    print(f"{end} ({seconds:.0f} s)")


def _row(this: Run, record: Record, own: Mapping[str, Any], facts: Mapping[str, Any]) -> RunRow:
    """The run's row: what every run has, and its command's own columns, which win."""
    environment = record.facts["environment"]
    common = {
        "run": runs.name_in(Path(this.job.outputs), this.folder),
        "command": this.command,
        "finished": facts["finished"],
        "seed": getattr(this.job, "seed", None),
        "config_hash": runs.hash_of(this.identity),
        "cell": runs.hash_of(this.cell),
        "code_version": environment["code_version"],
        "device": environment["device"],
        "hardware": environment["hardware"],
        "torch": environment["packages"]["torch"],
        "precision": this.compute.precision.name,
        "seconds": facts["seconds"],
        "warnings": "; ".join(facts["warnings"]) or None,
    }
    return results.kind_of_command(this.command).record(**(common | dict(own)))
