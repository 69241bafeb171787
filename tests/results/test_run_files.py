"""The way back from the runs' folders: tables that are made again, and runs without a result."""

import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import psutil
import pytest

from ferbench import results
from ferbench.errors import UserError
from ferbench.results import KINDS, FailedRun, failed_runs, rebuild
from ferbench.results.rows import ClassifierRow


@pytest.fixture
def make_row(make_row):
    """With a name that needs quotes in CSV."""
    return partial(make_row, best_epoch=41, hardware='a "quoted", name')


def runs_of(outputs):
    return [row.run for row in results.read(outputs, ClassifierRow)]


def test_rebuilt_equals_appended(tmp_path, make_row, leave_run):
    """The same bytes, whatever the order of the folders' names."""
    rows = [
        make_row(run=run, seed=seed, finished=f"2026-01-0{seed + 1}T00:00:00+00:00", auroc=auroc)
        for seed, (run, auroc) in enumerate(
            [("classify/z", 1 / 3), ("evaluate/a", None), ("study/night/b", 0.5), ("c", 0.25)]
        )
    ]
    table = tmp_path / "metrics.csv"
    for row in rows:
        results.append(tmp_path, row)
        leave_run(tmp_path, row)
    appended = table.read_bytes()
    table.unlink()
    made = rebuild(tmp_path)
    assert (made.rows, made.skipped) == ({table: 4}, ())
    assert table.read_bytes() == appended
    assert not (tmp_path / "metrics.csv.old").exists()


def test_every_kind_is_made_again(tmp_path, make_any, leave_run):
    """Also a table that lost all its rows; none is made for kinds without a run."""
    names = [name for name in KINDS if name != "curate"]
    for name in names:
        leave_run(tmp_path, make_any(name))
    made = rebuild(tmp_path)
    assert made.rows == {tmp_path / KINDS[name].file: 1 for name in names}
    for name in names:
        assert results.read(tmp_path, KINDS[name].record) == [make_any(name)]
    (tmp_path / "bias" / "x_s0" / "run.json").unlink()
    assert rebuild(tmp_path).rows[tmp_path / "bias.csv"] == 0
    assert results.kinds_with_rows(tmp_path) == [name for name in names if name != "bias"]


def test_a_foreign_table_is_replaced_and_kept(tmp_path, make_row, leave_run):
    """What stands in its place is `<table>.old`."""
    leave_run(tmp_path, make_row())
    (tmp_path / "metrics.csv").write_bytes(b"a,b\n1,2\n")
    rebuild(tmp_path)
    assert runs_of(tmp_path) == [make_row().run]
    assert (tmp_path / "metrics.csv.old").read_bytes() == b"a,b\n1,2\n"


def test_rebuild_passes_over_runs_without_a_row_and_names_unreadable_ones(
    tmp_path, make_row, leave_run
):
    leave_run(tmp_path, make_row(run="classify/good"))
    leave_run(tmp_path, make_row(run="classify/half"), status="running")
    leave_run(tmp_path, make_row(run="train-gan/gan"), row=None)
    leave_run(tmp_path, make_row(run="classify/short"), row={"command": "classify", "run": "x"})
    leave_run(tmp_path, make_row(run="classify/typed"))
    damaged = {"torn": '{"status": "comp', "list": "[1]", "deep": "[" * 100_000}
    whole = json.dumps({"status": "complete", "row": [1]})
    for folder, content in {**damaged, "row": whole}.items():
        (tmp_path / "classify" / folder).mkdir()
        (tmp_path / "classify" / folder / "run.json").write_text(content)
    typed = tmp_path / "classify" / "typed" / "run.json"
    typed.write_text(typed.read_text().replace('"seed": 0', '"seed": "0"'))
    made = rebuild(tmp_path)
    assert made.rows == {tmp_path / "metrics.csv": 1}
    assert runs_of(tmp_path) == ["classify/good"]
    skipped = {Path(text.split(": ")[0]).parent.name: text for text in made.skipped}
    assert list(skipped) == ["deep", "list", "row", "short", "torn", "typed"]
    assert "seed='0': is str, not int" in skipped["typed"]
    assert "lacks command" not in skipped["short"] and "lacks finished" in skipped["short"]
    assert "row: not a JSON object" in skipped["row"]
    assert not any("\n" in text for text in made.skipped)


def test_rebuild_keeps_the_table_it_replaces(tmp_path, make_row, leave_run):
    """A row whose folder is gone is still in metrics.csv.old."""
    results.append(tmp_path, make_row(run="classify/gone"))
    before = (tmp_path / "metrics.csv").read_bytes()
    leave_run(tmp_path, make_row(run="classify/here"))
    assert rebuild(tmp_path).rows == {tmp_path / "metrics.csv": 1}
    assert runs_of(tmp_path) == ["classify/here"]
    assert (tmp_path / "metrics.csv.old").read_bytes() == before


@pytest.mark.parametrize("name", ["metrics.csv", "fidelity.csv"])
def test_rebuild_follows_moved_runs_and_leaves_nested_tables_alone(
    tmp_path, make_row, leave_run, name
):
    leave_run(tmp_path, make_row(run="classify/before"))
    (tmp_path / "classify" / "before").rename(tmp_path / "classify" / "after")
    leave_run(tmp_path / "demo", make_row(run="classify/toy", test_data="toy"))
    (tmp_path / "demo" / name).touch()
    rebuild(tmp_path)
    assert runs_of(tmp_path) == ["classify/after"]
    assert rebuild(tmp_path / "demo").rows[tmp_path / "demo" / "metrics.csv"] == 1


def test_rebuild_between_run_json_and_its_row(tmp_path, make_row, leave_run):
    """The run is complete, the table is rebuilt, then the run adds its row: it is there once."""
    row = make_row()
    leave_run(tmp_path, row)
    rebuild(tmp_path)
    results.append(tmp_path, row)
    assert results.read(tmp_path, ClassifierRow) == [row]


def test_outputs_that_cannot_be_written_are_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file: the tables cannot be written \("):
        rebuild(tmp_path / "file")


# --- runs without a result -----------------------------------------------------------------------


def test_failed_runs(tmp_path):
    """Complete and live runs are left out; a run whose process is gone was killed."""
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    now = datetime.now(timezone.utc)
    born = datetime.fromtimestamp(psutil.Process().create_time(), timezone.utc)
    here = {"host": platform.node(), "status": "running", "command": "classify"}
    states = {
        "done": {"status": "complete"},
        "live": {**here, "pid": os.getpid(), "started": now.isoformat()},
        "a": {"status": "failed", "error": "loss is nan at step 7", "started": "2026-01-03"},
        "b": {"status": "interrupted", "started": "2026-01-02"},
        "c": {**here, "pid": gone.pid, "started": now.isoformat()},
        "d": {**here, "pid": os.getpid(), "started": (born - timedelta(days=1)).isoformat()},
        "e": {**here, "pid": os.getpid(), "host": "elsewhere", "started": "2026-01-01"},
        "f": {**here, "started": "2026-01-01"},
    }
    for name, state in states.items():
        (tmp_path / "classify" / name).mkdir(parents=True)
        (tmp_path / "classify" / name / "run.json").write_text(json.dumps(state))
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "run.json").write_text("{")
    found = failed_runs(tmp_path)
    assert {run.run: run.status for run in found} == {
        "classify/a": "failed",
        "classify/b": "interrupted",
        "classify/c": "killed",
        "classify/d": "killed",
        "classify/e": "unknown",
        "classify/f": "unknown",
        "g": "unreadable",
    }
    assert FailedRun("classify/a", "", "failed", "loss is nan at step 7", "2026-01-03") in found
    assert [run.when for run in found] == sorted(run.when for run in found)
    assert failed_runs(tmp_path / "nothing") == []


@pytest.mark.parametrize(
    "state",
    [
        {"status": "running", "host": platform.node(), "pid": -1},
        {"status": "running", "host": platform.node(), "pid": 10**30, "started": "2026-01-01"},
        {"status": "running", "host": platform.node(), "pid": os.getpid(), "started": [1]},
        {"status": "running", "host": platform.node(), "pid": os.getpid(), "started": "0001-01-01"},
        {"status": ["complete"], "started": {"a": 1}, "command": None, "error": 3},
        {"status": "failed", "error": "two\nlines \x1b[2J and a command to the terminal"},
    ],
)
def test_a_run_json_of_wrong_types_is_one_line(tmp_path, state):
    (tmp_path / "classify" / "a").mkdir(parents=True)
    (tmp_path / "classify" / "a" / "run.json").write_text(json.dumps(state))
    (run,) = failed_runs(tmp_path)
    assert all(text.isprintable() for text in vars(run).values())
    assert rebuild(tmp_path).rows == {tmp_path / "metrics.csv": 0}
