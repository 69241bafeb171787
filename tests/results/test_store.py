"""The common table: many writers, killed writers, and the way back from the runs."""

import csv
import dataclasses
import itertools
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import get_type_hints

import numpy as np
import psutil
import pytest

from ferbench.classes import CLASSES
from ferbench.errors import UserError
from ferbench.metrics.classification import scores
from ferbench.results import (
    FailedRun,
    append_row,
    failed_runs,
    read_all,
    read_rows,
    rebuild,
    restore_row,
)
from ferbench.results.csv_lines import csv_line, parse_line
from ferbench.results.rows import COLUMNS, KINDS, OPTIONAL, ROWS, SCORES, Row, columns_of

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def make_row(make_row):
    """With a name that needs quotes in CSV."""
    return partial(make_row, best_epoch=41, hardware='a "quoted", name')


def leave_run(outputs, done, /, **state):
    """A run's folder as a command leaves it."""
    folder = outputs / done.run
    folder.mkdir(parents=True)
    whole = {"status": "complete", "row": dataclasses.asdict(done), **state}
    (folder / "run.json").write_text(json.dumps(whole))


def start(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    paths = [REPOSITORY / "src", Path(__file__).parent]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    return subprocess.Popen(command, env=environment)


APPENDER = """
import sys
from dataclasses import replace
from pathlib import Path
from ferbench.results import append_row
from ferbench.results.csv_lines import parse_line
table, text, name, count = sys.argv[1:]
row = parse_line(text)
for i in range(int(count)):
    append_row(Path(table), replace(row, run=f"classify/{name}_{i}", seed=i))
"""


# --- columns -------------------------------------------------------------------------------------


def test_scores_fill_the_score_columns():
    """What `scores` computes is what a row holds: no column of either is left over."""
    counts = {"n_test", "n_test_dedup"}
    found = scores(np.arange(70) % 7, np.eye(7, dtype=np.float32)[np.arange(70) % 5])
    assert set(found) - counts == set(SCORES)
    assert counts < set(COLUMNS)
    assert [name for name in SCORES if name.startswith("recall_")] == [
        f"recall_{name}" for name in CLASSES
    ]


def test_every_column_is_documented():
    """docs/metrics.md has one line `| column | type | unit | how |` a column, in their order."""
    lines = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8").splitlines()
    found = [
        re.match(r"\| `(\w+)` \| (\w+)(, may be empty)? \| ([^|]+) \| ([^|]+) \|$", line)
        for line in lines
        if line.startswith("| `")
    ]
    documented = [(m[1], m[2], bool(m[3])) for m in found if m]
    assert documented == [(name, KINDS[name].__name__, name in OPTIONAL) for name in COLUMNS]
    assert all(len(m[5].strip()) > 15 for m in found if m)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("seed", "0", "is str, not int"),
        ("seed", True, "is bool, not int"),
        ("seed", None, "is NoneType, not int"),
        ("seed", 1.0, "is float, not int"),
        ("model", 3, "is int, not str"),
        ("accuracy", float("nan"), "not finite"),
        ("seconds", float("inf"), "not finite"),
        ("model", "two\nlines", "not one line"),
        ("model", "", "not one line"),
        ("finished", "2026-01-31T12:00:00", "not in UTC"),
        ("finished", "2026-01-31T12:00:00+01:00", "not in UTC"),
        ("finished", "yesterday", "yesterday"),
    ],
)
def test_a_row_refuses_what_it_cannot_give_back(column, value, message, make_row):
    with pytest.raises(ValueError, match=message):
        make_row(**{column: value})


@pytest.mark.parametrize("finished", ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.25+00:00"])
def test_both_spellings_of_utc(finished, make_row):
    assert make_row(finished=finished).finished == finished


def test_a_line_reads_back_as_its_row(make_row):
    """Floats come back bit by bit, None as None, quotes and commas as they were."""
    row = make_row(accuracy=1 / 3, best_epoch=None, seconds=1e-9)
    assert parse_line(csv_line(row).decode()) == row


# --- appending and reading -----------------------------------------------------------------------


def test_rows_of_several_kinds_share_the_table(tmp_path, make_row, make_fidelity_row):
    """All come back as they were; who asks for classifiers sees no others."""
    table = tmp_path / "metrics.csv"
    rows = [make_row(), make_fidelity_row(kimg=12.5), make_row(seed=1)]
    for row in rows:
        append_row(table, row)
        leave_run(tmp_path, row)
    assert read_all(table) == rows
    assert read_rows(table) == [rows[0], rows[2]]
    content = table.read_bytes()
    assert rebuild(tmp_path, table).rows == 3
    assert sorted(content.splitlines()) == sorted(table.read_bytes().splitlines())


def test_a_cell_of_another_kind_of_row_is_refused(make_row):
    """A row of classify that holds an FID was not written by this program."""
    cells = csv_line(make_row()).decode().strip().split(",")
    whole = csv_line(make_row(hardware="x")).decode().strip().split(",")
    assert len(whole) == len(COLUMNS) != len(cells)
    whole[COLUMNS.index("fid")] = "3.5"
    with pytest.raises(ValueError, match=r"fid=3\.5: no column of classify"):
        parse_line(",".join(whole))
    whole[COLUMNS.index("command")] = "dance"
    with pytest.raises(ValueError, match="command=dance: unknown; expected one of classify"):
        parse_line(",".join(whole))


def test_kinds_of_rows_agree_on_what_they_share():
    """A column that two kinds have means the same in both: one type, empty in both or in none."""
    hints = [get_type_hints(kind) for kind in set(ROWS.values())]
    for one, other in itertools.combinations(hints, 2):
        assert all(one[name] == other[name] for name in set(one) & set(other))


def test_no_column_ends_as_the_table_names_a_deviation():
    """The printed table adds <column>_sd to every number."""
    assert not [name for name in COLUMNS if name.endswith("_sd")]


def test_append_and_read(tmp_path, make_row):
    table = tmp_path / "deep" / "metrics.csv"
    rows = [make_row(seed=seed, run=f"classify/x_s{seed}") for seed in range(3)]
    for row in rows:
        append_row(table, row)
    assert read_rows(table) == rows
    assert table.read_text().splitlines()[0] == ",".join(COLUMNS)


def test_no_table_has_no_rows(tmp_path):
    assert read_rows(tmp_path / "metrics.csv") == []
    (tmp_path / "metrics.csv").touch()
    assert read_rows(tmp_path / "metrics.csv") == []


def test_the_same_row_is_added_once(tmp_path, make_row):
    table = tmp_path / "metrics.csv"
    for _ in range(2):
        append_row(table, make_row())
    append_row(table, make_row(finished="2026-01-31T12:00:01+00:00"))
    assert len(read_rows(table)) == 2


def test_eight_processes_lose_no_row(tmp_path, make_row):
    """8 processes x 50 rows: one header and 400 whole rows, each writer's in its order."""
    table = tmp_path / "metrics.csv"
    text = csv_line(make_row()).decode().strip()
    writers = [start(APPENDER, table, text, f"w{writer}", 50) for writer in range(8)]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 8
    assert table.read_text().count("run,command,finished") == 1
    runs = [row.run for row in read_rows(table)]
    assert len(runs) == 400
    for writer in range(8):
        own = [run for run in runs if run.startswith(f"classify/w{writer}_")]
        assert own == [f"classify/w{writer}_{i}" for i in range(50)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_writer_leaves_a_readable_table(tmp_path, make_row):
    """Five writers killed in mid-loop: the lock is free again and no row is torn or missing."""
    table = tmp_path / "metrics.csv"
    text = csv_line(make_row()).decode().strip()
    for kill in range(5):
        before = table.stat().st_size if table.exists() else 0
        writer = start(APPENDER, table, text, f"k{kill}", 100_000)
        deadline = time.monotonic() + 30
        while not table.exists() or table.stat().st_size < before + 2000:
            assert time.monotonic() < deadline
            time.sleep(0.001 * (kill + 1))
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        append_row(table, make_row(run=f"classify/after_{kill}"))
        runs = [row.run for row in read_rows(table)]
        own = [run for run in runs if run.startswith(f"classify/k{kill}_")]
        assert own == [f"classify/k{kill}_{i}" for i in range(len(own))]
        assert len(own) >= 1
    assert [run for run in runs if "after" in run] == [f"classify/after_{k}" for k in range(5)]


def test_a_line_torn_anywhere_costs_that_line_alone(tmp_path, make_row):
    """Cut after any byte: the rows before it are read, and the next append mends the file."""
    table, first, second = tmp_path / "metrics.csv", make_row(seed=1), make_row(seed=2)
    append_row(table, first)
    whole = table.read_bytes()
    head = whole.index(b"\n") + 1
    for cut in [0, 1, head - 1, head, head + 1, len(whole) - 40, len(whole) - 1]:
        table.write_bytes(whole[:cut])
        assert read_rows(table) == []
        append_row(table, second)
        assert read_rows(table) == [second]
    table.write_bytes(whole + whole[head : head + 100])
    assert read_rows(table) == [first]
    append_row(table, second)
    assert read_rows(table) == [first, second]


def test_cutting_a_torn_line_is_said(tmp_path, caplog, make_row):
    table = tmp_path / "metrics.csv"
    table.write_bytes(b"run,comm")
    append_row(table, make_row())
    assert "torn last line of 8 bytes" in caplog.text


@pytest.mark.parametrize("use", ["read", "append"])
def test_other_columns_name_the_way_out(tmp_path, make_row, use):
    table = tmp_path / "metrics.csv"
    content = ",".join(COLUMNS).replace("auroc", "area").encode() + b"\n"
    table.write_bytes(content)
    with pytest.raises(UserError, match=r"lacks auroc; has unknown area.*ferbench table --rebuild"):
        read_rows(table) if use == "read" else append_row(table, make_row())
    assert table.read_bytes() == content


def old_table(table, row):
    """A table of before there were other rows than those of classifiers, in the old order."""
    names = ["run", "command", "finished", "data", *(n for n in columns_of(Row) if n != "auroc")]
    names = list(dict.fromkeys(names))
    cells = {key: "" if value is None else value for key, value in asdict(row).items()}
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerow(cells)


def test_a_table_of_an_earlier_version_is_read_and_gets_the_new_columns(
    tmp_path, make_row, make_fidelity_row, caplog
):
    """Its order of columns is another and it lacks some; it stays beside as metrics.csv.old."""
    table, first, second = tmp_path / "metrics.csv", make_row(auroc=None), make_fidelity_row()
    old_table(table, first)
    before = table.read_bytes()
    assert read_all(table) == [first]
    assert table.read_bytes() == before
    append_row(table, second)
    assert read_all(table) == [first, second]
    assert table.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert (tmp_path / "metrics.csv.old").read_bytes() == before
    assert "has the columns of this version now" in caplog.text


def test_an_earlier_table_with_a_damaged_line_is_left_as_it_is(tmp_path, make_row):
    table = tmp_path / "metrics.csv"
    old_table(table, make_row())
    damaged = table.read_text().replace(",28709,", ",many,")
    table.write_text(damaged)
    with pytest.raises(UserError, match=r"line 2 is damaged \(train_images=many"):
        append_row(table, make_row(seed=1))
    assert table.read_text() == damaged


def test_a_damaged_line_is_named(tmp_path, make_row):
    table = tmp_path / "metrics.csv"
    append_row(table, make_row(seed=1))
    append_row(table, make_row(seed=2))
    good = table.read_text()
    for bad, message in [
        (good.replace(",28709,", ",many,", 1), r"line 2 is damaged \(train_images=many: not int"),
        (good + "a,b\n", r"line 4 is damaged \(2 cells, expected"),
        (good.replace('name"', "name", 1), r"line 2 is damaged"),
    ]:
        table.write_text(bad)
        with pytest.raises(UserError, match=message):
            read_rows(table)
    table.write_bytes(good.encode().replace(b",cnn,", b",\xff,", 1))
    with pytest.raises(UserError, match="line 2 is damaged"):
        read_rows(table)


def test_a_table_saved_by_a_spreadsheet_still_reads(tmp_path, make_row):
    """Byte order mark, CRLF and a blank last line are read; the next row is still added."""
    table = tmp_path / "metrics.csv"
    append_row(table, make_row(seed=1))
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    append_row(table, make_row(seed=2))
    assert [row.seed for row in read_rows(table)] == [1, 2]


def test_a_lock_that_stays_held_is_named(tmp_path, monkeypatch, make_row):
    from filelock import FileLock

    monkeypatch.setattr("ferbench.results.store.LOCK_SECONDS", 0.05)
    table = tmp_path / "metrics.csv"
    with FileLock(f"{table}.lock"), pytest.raises(UserError, match=r"metrics.csv.lock"):
        append_row(table, make_row())


def test_a_lost_row_is_put_back_once_from_its_run(tmp_path, make_row):
    table, row = tmp_path / "metrics.csv", make_row()
    restore_row(table, tmp_path, asdict(row))
    restore_row(table, tmp_path, asdict(row))
    assert read_rows(table) == [row]


def test_a_row_of_another_version_is_refused_by_name(tmp_path, make_row):
    cells = {key: value for key, value in asdict(make_row()).items() if key != "accuracy"}
    with pytest.raises(UserError, match="lacks accuracy; force=true"):
        restore_row(tmp_path / "metrics.csv", tmp_path, cells)


# --- the way back from the runs ------------------------------------------------------------------


def test_rebuilt_equals_appended(tmp_path, make_row):
    """The same bytes, whatever the order of the folders' names."""
    rows = [
        make_row(run=run, seed=seed, finished=f"2026-01-0{seed + 1}T00:00:00+00:00", auroc=auroc)
        for seed, (run, auroc) in enumerate(
            [("classify/z", 1 / 3), ("evaluate/a", None), ("study/night/b", 0.5), ("c", 0.25)]
        )
    ]
    for row in rows:
        append_row(tmp_path / "metrics.csv", row)
        leave_run(tmp_path, row)
    appended = (tmp_path / "metrics.csv").read_bytes()
    (tmp_path / "metrics.csv").unlink()
    found = rebuild(tmp_path, tmp_path / "metrics.csv")
    assert (found.rows, found.skipped) == (4, ())
    assert (tmp_path / "metrics.csv").read_bytes() == appended
    assert not (tmp_path / "metrics.csv.old").exists()


def test_rebuild_passes_over_runs_without_a_row_and_names_unreadable_ones(tmp_path, make_row):
    table = tmp_path / "metrics.csv"
    leave_run(tmp_path, make_row(run="classify/good"))
    leave_run(tmp_path, make_row(run="classify/half"), status="running")
    leave_run(tmp_path, make_row(run="train-gan/gan"), row=None)
    leave_run(tmp_path, make_row(run="classify/short"), row={"run": "classify/short"})
    leave_run(tmp_path, make_row(run="classify/typed"))
    for folder, content in [("torn", '{"status": "comp'), ("list", "[1]")]:
        (tmp_path / "classify" / folder).mkdir()
        (tmp_path / "classify" / folder / "run.json").write_text(content)
    typed = tmp_path / "classify" / "typed" / "run.json"
    typed.write_text(typed.read_text().replace('"seed": 0', '"seed": "0"'))
    found = rebuild(tmp_path, table)
    assert found.rows == 1
    assert [row.run for row in read_rows(table)] == ["classify/good"]
    places = [Path(text.split(": ")[0]).parent.name for text in found.skipped]
    assert places == ["list", "short", "torn", "typed"]
    assert "seed='0': is str, not int" in found.skipped[3]
    assert "lacks command, finished" in found.skipped[1]


def test_rebuild_keeps_the_table_it_replaces(tmp_path, make_row):
    """A row whose folder is gone is still in metrics.csv.old."""
    table = tmp_path / "metrics.csv"
    append_row(table, make_row(run="classify/gone"))
    leave_run(tmp_path, make_row(run="classify/here"))
    assert rebuild(tmp_path, table).rows == 1
    assert [row.run for row in read_rows(table)] == ["classify/here"]
    assert [row.run for row in read_rows(tmp_path / "metrics.csv.old")] == ["classify/gone"]


def test_rebuild_reads_rows_of_an_older_version(tmp_path, make_row):
    """A column that may be empty is filled with None, one that is gone is left out."""
    row = make_row(auroc=None)
    cells = dataclasses.asdict(row)
    del cells["auroc"]
    leave_run(tmp_path, row, row={**cells, "area": 0.5})
    assert rebuild(tmp_path, tmp_path / "metrics.csv").skipped == ()
    assert read_rows(tmp_path / "metrics.csv") == [row]


def test_rebuild_follows_moved_runs_and_leaves_nested_tables_alone(tmp_path, make_row):
    leave_run(tmp_path, make_row(run="classify/before"))
    (tmp_path / "classify" / "before").rename(tmp_path / "classify" / "after")
    leave_run(tmp_path / "demo", make_row(run="classify/toy", test_data="toy"))
    (tmp_path / "demo" / "metrics.csv").touch()
    rebuild(tmp_path, tmp_path / "metrics.csv")
    assert [row.run for row in read_rows(tmp_path / "metrics.csv")] == ["classify/after"]
    assert rebuild(tmp_path / "demo", tmp_path / "demo" / "metrics.csv").rows == 1


def test_rebuild_between_run_json_and_its_row(tmp_path, make_row):
    """The run is complete, the table is rebuilt, then the run adds its row: it is there once."""
    row = make_row()
    leave_run(tmp_path, row)
    rebuild(tmp_path, tmp_path / "metrics.csv")
    append_row(tmp_path / "metrics.csv", row)
    assert read_rows(tmp_path / "metrics.csv") == [row]


def test_failed_runs(tmp_path):
    """Complete and live runs are left out; a run whose process is gone was killed."""
    gone = start("pass")
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
