"""What every run has around its work: its folder, its record, what it says at the end."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ferbench.commands import measured
from ferbench.commands.measured import Outcome, Run
from ferbench.errors import UserError
from ferbench.recipes.marks import Neutral, Result
from ferbench.report import Text
from ferbench.runs import Compute, Record

COMPUTE = Compute.choose("cpu", "fp32")


@dataclass(frozen=True)
class Job:
    """A command with one key that changes its result."""

    outputs: Neutral[str]
    strength: Result[float] = 0.5
    seed: Result[int] = 0
    force: Neutral[bool] = False
    resume: Neutral[str | None] = None


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(str(tmp_path))


def run_of(job: Job, **options: Any) -> Run:
    return Run(job, "synth", "made", options.pop("inputs", {"faces": "1a"}), COMPUTE, **options)


def work(record: Record) -> Outcome:
    (record.folder / "result.txt").write_text("done")
    return Outcome(lines=["all went well"], facts={"images": 7})


def facts_of(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return facts


def test_a_run_leaves_config_record_and_last_lines(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = measured.run(run_of(replace(job, force=True)), work)
    assert folder.parent == Path(job.outputs) / "synth"
    assert yaml.safe_load((folder / "config.yaml").read_text())["force"] is False
    facts = facts_of(folder)
    assert (facts["status"], facts["inputs"]) == ("complete", {"faces": "1a"})
    assert (facts["images"], facts["row"]) == (7, None)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"run: {folder}", "all went well", f"done: {folder} (0 s)"]


def test_numbers_and_report_are_written_where_there_are_any(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome(numbers={"share": 0.5}, title="A report", blocks=[Text("Half of it.")])
    folder = measured.run(run_of(job), lambda record: outcome)
    assert json.loads((folder / "metrics.json").read_text()) == {"share": 0.5}
    assert "Half of it" in (folder / "report.md").read_text()
    assert f"report: {folder / 'report.html'} (0 s)" in capsys.readouterr().out


def test_the_same_run_is_done_once_and_force_does_it_beside(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = measured.run(run_of(job), work)
    (folder / "result.txt").unlink()
    assert measured.run(run_of(job), work) == folder
    assert f"done already: {folder} (force=true runs it again)" in capsys.readouterr().out
    assert not (folder / "result.txt").exists()
    assert measured.run(run_of(replace(job, force=True)), work).name == f"{folder.name}-2"


def test_parts_in_a_run_that_is_done_are_removed(job: Job) -> None:
    """Left by a process that was killed while it drew pictures of a set that was whole."""
    folder = measured.run(run_of(job), work)
    (folder / ".contact_angry.png.4711.part").write_bytes(b"half")
    measured.run(run_of(job), work)
    assert not list(folder.glob("*.part")) and not list(folder.glob(".*.part"))


def test_a_complete_run_that_is_not_whole_goes_on(job: Job) -> None:
    """As a training that is to be longer, or a set whose manifest is gone."""
    grown = run_of(job, is_whole=lambda folder, facts: facts["images"] >= 8)
    folder = measured.run(grown, work)
    (folder / "result.txt").unlink()
    assert measured.run(grown, work) == folder
    assert (folder / "result.txt").exists()


def test_a_name_that_grew_from_other_folders_fits_into_one(job: Job) -> None:
    """As that of an evaluation: its run's folder, the data, the split."""
    folder = measured.run(replace(run_of(job), name="ä" * 127 + "_real_private"), work)
    assert len(folder.name.encode()) == 200 + 9
    assert folder.name.startswith("ä" * 100 + "_")


def test_results_and_inputs_name_the_folder_and_nothing_else_does(job: Job) -> None:
    same = run_of(replace(job, resume="x.pkl"))
    assert same.folder == run_of(job).folder
    others = [
        run_of(replace(job, strength=0.6)),
        run_of(replace(job, seed=1)),
        run_of(job, inputs={"faces": "2b"}),
        run_of(job, chosen={"strength": 0.7}),
    ]
    assert len({run.folder for run in (same, *others)}) == 5


def test_seeds_share_a_cell_and_other_settings_and_inputs_do_not(job: Job) -> None:
    first, second = run_of(job), run_of(replace(job, seed=1))
    assert first.cell == second.cell
    assert first.identity != second.identity
    assert run_of(replace(job, strength=0.6)).cell != first.cell
    assert run_of(job, inputs={"faces": "2b"}).cell != first.cell
    apart = [run_of(job, inputs={"faces": name}, cell_inputs={}) for name in "ab"]
    assert apart[0].cell == apart[1].cell


def test_a_stopped_run_goes_on_with_its_own_inputs_alone(job: Job) -> None:
    def stopped(record: Record) -> Outcome:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured.run(run_of(job), stopped)
    folder = run_of(job).folder
    assert facts_of(folder)["status"] == "interrupted"
    resumed = replace(job, resume=str(folder))
    with pytest.raises(UserError, match=f"resume={folder}: the data have changed"):
        measured.run(run_of(resumed, inputs={"faces": "2b"}), work)
    assert measured.run(run_of(resumed), work) == folder
    assert facts_of(folder)["status"] == "complete"
    assert yaml.safe_load((folder / "config.yaml").read_text())["resume"] is None


def test_a_failure_is_recorded(job: Job) -> None:
    def failing(record: Record) -> Outcome:
        raise FloatingPointError("the loss is nan")

    with pytest.raises(FloatingPointError):
        measured.run(run_of(job), failing)
    facts = facts_of(run_of(job).folder)
    assert (facts["status"], facts["error"]) == ("failed", "FloatingPointError: the loss is nan")
