"""The tables: many writers, killed writers, spreadsheets, disks that are full or read-only."""

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from ferbench import results
from ferbench.errors import UserError
from ferbench.files import locked
from ferbench.results import KINDS
from ferbench.results.csv_lines import csv_header, csv_line
from ferbench.results.rows import ClassifierRow, FidelityRow

REPOSITORY = Path(__file__).parents[2]
CLASSIFY = KINDS["classify"]


@pytest.fixture
def make_row(make_row):
    """With a name that needs quotes in CSV."""
    return partial(make_row, best_epoch=41, hardware='a "quoted", name')


def read(outputs):
    return results.read(outputs, ClassifierRow)


def start(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    return subprocess.Popen(command, env=environment)


APPENDER = """
import sys
from dataclasses import replace
from pathlib import Path
from ferbench.results import KINDS, append
from ferbench.results.csv_lines import parse_line
outputs, text, name, count = sys.argv[1:]
row = parse_line(text, KINDS["classify"])
for i in range(int(count)):
    append(Path(outputs), replace(row, run=f"classify/{name}_{i}", seed=i))
"""


# --- appending and reading -----------------------------------------------------------------------


def test_each_kind_has_a_table_of_its_own(tmp_path, make_any):
    rows = {name: [make_any(name), make_any(name, seed=1)] for name in KINDS}
    for name in rows:
        for row in rows[name]:
            results.append(tmp_path, row)
    files = {kind.file for kind in KINDS.values()}
    assert {path.name for path in tmp_path.glob("*.csv")} == files
    for name, kind in KINDS.items():
        assert results.read(tmp_path, kind.record) == rows[name]
        text = (tmp_path / kind.file).read_text()
        assert text.splitlines()[0] == ",".join(kind.columns)


def test_evaluations_stand_among_the_classifiers(tmp_path, make_row):
    rows = [make_row(), make_row(command="evaluate", run="evaluate/x")]
    for row in rows:
        results.append(tmp_path, row)
    assert read(tmp_path) == rows


def test_append_and_read(tmp_path, make_row):
    outputs = tmp_path / "deep" / "outputs"
    rows = [make_row(seed=seed, run=f"classify/x_s{seed}") for seed in range(3)]
    for row in rows:
        results.append(outputs, row)
    assert read(outputs) == rows
    header = (outputs / "metrics.csv").read_text().splitlines()[0]
    assert header == ",".join(CLASSIFY.columns)


def test_no_table_has_no_rows(tmp_path):
    assert read(tmp_path) == []
    (tmp_path / "metrics.csv").touch()
    assert read(tmp_path) == []
    assert results.kinds_with_rows(tmp_path) == []


def test_kinds_that_have_rows_are_named(tmp_path, make_any):
    for name in ("bias", "fidelity"):
        results.append(tmp_path, make_any(name))
    (tmp_path / "curate.csv").mkdir()
    (tmp_path / "audit.csv").write_bytes(csv_header(KINDS["audit"]))
    assert results.kinds_with_rows(tmp_path) == ["fidelity", "bias"]


def test_the_same_row_is_added_once(tmp_path, make_row):
    for _ in range(2):
        results.append(tmp_path, make_row())
    results.append(tmp_path, make_row(finished="2026-01-31T12:00:01+00:00"))
    assert len(read(tmp_path)) == 2


def test_eight_processes_lose_no_row(tmp_path, make_row):
    """8 processes x 50 rows: one header and 400 whole rows, each writer's in its order."""
    text = csv_line(make_row()).decode().strip()
    writers = [start(APPENDER, tmp_path, text, f"w{writer}", 50) for writer in range(8)]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 8
    assert (tmp_path / "metrics.csv").read_text().count("run,command,finished") == 1
    runs = [row.run for row in read(tmp_path)]
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
        writer = start(APPENDER, tmp_path, text, f"k{kill}", 100_000)
        deadline = time.monotonic() + 30
        while not table.exists() or table.stat().st_size < before + 2000:
            assert time.monotonic() < deadline
            time.sleep(0.001 * (kill + 1))
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        results.append(tmp_path, make_row(run=f"classify/after_{kill}"))
        runs = [row.run for row in read(tmp_path)]
        own = [run for run in runs if run.startswith(f"classify/k{kill}_")]
        assert own == [f"classify/k{kill}_{i}" for i in range(len(own))]
        assert len(own) >= 1
    assert [run for run in runs if "after" in run] == [f"classify/after_{k}" for k in range(5)]


def test_a_line_torn_anywhere_costs_that_line_alone(tmp_path, make_row):
    """Cut after any byte: the rows before it are read, and the next append mends the file."""
    table, first, second = tmp_path / "metrics.csv", make_row(seed=1), make_row(seed=2)
    results.append(tmp_path, first)
    whole = table.read_bytes()
    head = whole.index(b"\n") + 1
    for cut in [0, 1, head - 1, head, head + 1, len(whole) - 40, len(whole) - 1]:
        table.write_bytes(whole[:cut])
        assert read(tmp_path) == []
        results.append(tmp_path, second)
        assert read(tmp_path) == [second]
    table.write_bytes(whole + whole[head : head + 100])
    assert read(tmp_path) == [first]
    results.append(tmp_path, second)
    assert read(tmp_path) == [first, second]


def test_cutting_a_torn_line_is_said(tmp_path, caplog, make_row):
    (tmp_path / "metrics.csv").write_bytes(b"run,comm")
    with caplog.at_level(logging.WARNING):
        results.append(tmp_path, make_row())
    assert "torn last line of 8 bytes" in caplog.text


# --- what is no table of this version ------------------------------------------------------------

HEADER = ",".join(CLASSIFY.columns)
OTHERS = {
    f"{HEADER.replace('auroc', 'area')}\n": r"\(lacks auroc; has unknown area\)",
    f"{HEADER},area\n": r"\(has unknown area\)",
    f"{HEADER.replace('run,command', 'command,run')}\n": r"\(they are in another order\)",
    f"{HEADER.replace(',', ';')}\n": r"is separated by semicolons, as a spreadsheet saves it",
    f"{HEADER.replace(',', chr(9))}\n": r"is separated by tabs, as a spreadsheet saves it",
    "a table without a line's end": r"\(lacks run, command, finished \.\.\.; has unknown a table",
    f"{HEADER}\r1,2\r": r"has unknown",
    "\N{BLACK STAR}\n": r"has unknown \N{BLACK STAR}",
    "x" * 5000 + "\n": r"has unknown x{40} \.\.\.\)",
}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_table_in_utf_16_is_one_short_line(tmp_path, make_row, encoding):
    """As a spreadsheet saves "Unicode text"; the table is left as it is."""
    results.append(tmp_path, make_row())
    table = tmp_path / "metrics.csv"
    saved = table.read_text("utf-8").replace(",", "\t").encode(encoding)
    table.write_bytes(saved)
    for use in (lambda: read(tmp_path), lambda: results.append(tmp_path, make_row(seed=9))):
        with pytest.raises(
            UserError, match=r"metrics.csv: is UTF-16, as a .* --rebuild"
        ) as refused:
            use()
        assert len(str(refused.value).replace(str(tmp_path), "")) < 200
    assert table.read_bytes() == saved


def test_a_folder_that_is_not_there_is_said(tmp_path):
    results.read_frame(tmp_path)
    nowhere = tmp_path / "nowhere"
    with pytest.raises(UserError, match=f"^outputs={nowhere}: no such folder; expected the one of"):
        results.read_frame(nowhere)
    assert not nowhere.exists()


@pytest.mark.parametrize("use", ["read", "append", "restore", "frame"])
@pytest.mark.parametrize("content", OTHERS)
def test_other_columns_name_the_way_out(tmp_path, make_row, use, content):
    """The header is the format: whatever else is there is left as it is, in one line."""
    table = tmp_path / "metrics.csv"
    table.write_bytes(content.encode())
    uses = {
        "read": lambda: read(tmp_path),
        "append": lambda: results.append(tmp_path, make_row()),
        "restore": lambda: results.restore(tmp_path, tmp_path, asdict(make_row())),
        "frame": lambda: results.read_frame(tmp_path),
    }
    with pytest.raises(UserError, match=OTHERS[content]) as refused:
        uses[use]()
    text = str(refused.value)
    assert "\n" not in text and len(text.replace(str(tmp_path), "")) < 260
    assert text.endswith(f"`ferbench table --rebuild outputs={tmp_path}`")
    assert table.read_bytes() == content.encode()


def test_a_damaged_line_is_named(tmp_path, make_row):
    table = tmp_path / "metrics.csv"
    results.append(tmp_path, make_row(seed=1))
    results.append(tmp_path, make_row(seed=2))
    good = table.read_text()
    for bad, message in [
        (good.replace(",28709,", ",many,", 1), r"line 2 is damaged \(train_images=many: not int"),
        (good.replace(",28709,", ",,", 1), r"line 2 is damaged \(train_images is empty"),
        (good + "a,b\n", r"line 4 is damaged \(2 cells, expected"),
        (good.replace(",cnn,", ",cnn,cnn,", 1), r"line 2 is damaged \(\d+ cells, expected"),
        (good.replace('name"', "name", 1), r"line 2 is damaged"),
    ]:
        table.write_text(bad)
        with pytest.raises(UserError, match=message) as refused:
            read(tmp_path)
        assert "ferbench table --rebuild outputs=" in str(refused.value)
    table.write_bytes(good.encode().replace(b",cnn,", b",\xff,", 1))
    with pytest.raises(UserError, match="line 2 is damaged"):
        read(tmp_path)


# --- spreadsheets --------------------------------------------------------------------------------


def quoted(content):
    lines = [line for line in content.decode().splitlines() if '"' not in line]
    return "".join(f'"{line.replace(",", chr(34) + "," + chr(34))}"\n' for line in lines).encode()


SPREADSHEETS = {
    "byte order mark": lambda content: b"\xef\xbb\xbf" + content,
    "CRLF": lambda content: content.replace(b"\n", b"\r\n"),
    "both, and a blank line": lambda content: (
        b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n") + b"\r\n"
    ),
    "every cell in quotes": quoted,
    "empty cells at the end": lambda content: content.replace(b"\n", b",,,\n"),
    "a line of empty cells": lambda content: content + b",,,\n",
    "without the last empty cells": lambda content: b"".join(
        line.rstrip(b",\n") + b"\n" for line in content.splitlines(keepends=True)
    ),
    "other digits": lambda content: content.replace(b",12.5,", b",12.50,"),
}


@pytest.mark.parametrize("change", SPREADSHEETS)
def test_a_table_saved_by_a_spreadsheet_is_the_same_table(tmp_path, make_row, change):
    """Its rows are read, and one of them is not added again; the next row is added."""
    table, row = tmp_path / "metrics.csv", make_row(seed=1, recall_neutral=None, hardware="x")
    results.append(tmp_path, row)
    table.write_bytes(SPREADSHEETS[change](table.read_bytes()))
    saved = table.read_bytes()
    assert read(tmp_path) == [row]
    results.append(tmp_path, row)
    results.restore(tmp_path, tmp_path, asdict(row))
    assert table.read_bytes() == saved
    results.append(tmp_path, make_row(seed=2))
    assert [one.seed for one in read(tmp_path)] == [1, 2]
    assert len(pd.read_csv(table).dropna(how="all")) == 2


# --- locks and disks -----------------------------------------------------------------------------


def test_a_lock_that_stays_held_is_named(tmp_path, monkeypatch, make_row):
    monkeypatch.setattr("ferbench.results.store.LOCK_SECONDS", 0.05)
    with locked(tmp_path / "tables.lock"), pytest.raises(UserError, match=r"tables\.lock for"):
        results.append(tmp_path, make_row())


@pytest.mark.parametrize("error", [OSError(37, "No locks available"), OSError(38, "no function")])
def test_a_disk_without_locks_is_one_line(tmp_path, monkeypatch, make_row, error):
    def flock(file, operation):
        raise error

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(UserError, match=r"metrics\.csv: cannot be written \(.*adds the row of"):
        results.append(tmp_path, make_row())


def test_a_full_disk_is_one_line_and_the_table_is_mended(tmp_path, monkeypatch, make_row):
    """Half of the line is on the disk when it is full; the next row goes where it stood."""
    first, second = make_row(seed=1), make_row(seed=2)
    results.append(tmp_path, first)

    def full(number):
        os.truncate(tmp_path / "metrics.csv", os.path.getsize(tmp_path / "metrics.csv") - 20)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ferbench.results.store.os.fsync", full)
        with pytest.raises(UserError, match=r"No space left on device.*--rebuild.*adds the row of"):
            results.append(tmp_path, second)
    assert read(tmp_path) == [first]
    results.append(tmp_path, second)
    assert read(tmp_path) == [first, second]


def test_outputs_that_cannot_be_are_one_line(tmp_path, make_row):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "metrics.csv").mkdir(parents=True)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "at all")
    for name in ("file", "folder", "dangling"):
        with pytest.raises(UserError, match=r"metrics\.csv: cannot be (written|read) \("):
            results.append(tmp_path / name, make_row())
    for name in ("file", "folder"):
        with pytest.raises(UserError, match=r"metrics\.csv: cannot be read \("):
            read(tmp_path / name)


# --- rows that were lost -------------------------------------------------------------------------


def test_a_lost_row_is_put_back_once_from_its_run(tmp_path, make_row, make_fidelity_row):
    for row in (make_row(), make_fidelity_row()):
        results.restore(tmp_path, tmp_path, asdict(row))
        results.restore(tmp_path, tmp_path, asdict(row))
    assert read(tmp_path) == [make_row()]
    assert results.read(tmp_path, FidelityRow) == [make_fidelity_row()]


def test_a_run_of_a_version_without_an_optional_column_is_read(tmp_path, make_row):
    cells = {name: value for name, value in asdict(make_row()).items() if name != "warnings"}
    results.restore(tmp_path, tmp_path, cells)
    assert results.read(tmp_path, ClassifierRow) == [make_row()]


def test_a_row_that_is_there_needs_no_lock(tmp_path, make_row, monkeypatch):
    """So that a finished run is found on a disk that can only be read."""
    results.append(tmp_path, make_row())
    monkeypatch.setattr("ferbench.results.store.locked", None)
    results.restore(tmp_path, tmp_path, asdict(make_row()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cells: {k: v for k, v in cells.items() if k != "accuracy"}, "row: lacks accuracy"),
        (lambda cells: {**cells, "area": 0.5}, "row: has unknown area"),
        (lambda cells: {**cells, "command": "dance"}, "command=dance: unknown"),
        (lambda cells: {**cells, "seed": "0"}, "seed='0': is str, not int"),
        (lambda cells: list(cells), "row: not a JSON object"),
        (lambda cells: None, "row: not a JSON object"),
    ],
)
def test_what_is_no_row_of_this_version_is_refused_by_name(tmp_path, make_row, change, message):
    with pytest.raises(UserError, match=f"{message}.*force=true"):
        results.restore(tmp_path, tmp_path, change(asdict(make_row())))


# --- for pandas ----------------------------------------------------------------------------------


def test_a_frame_has_the_columns_types(tmp_path, make_row):
    rows = [make_row(accuracy=1 / 3, best_epoch=None), make_row(seed=1, auroc=None)]
    for row in rows:
        results.append(tmp_path, row)
    table = results.read_frame(tmp_path)
    assert list(table.columns) == list(CLASSIFY.columns)
    types = {name: str(kind) for name, kind in table.dtypes.items()}
    assert (types["model"], types["seed"], types["best_epoch"]) == ("string", "int64", "Int64")
    assert (types["accuracy"], types["auroc"]) == ("float64", "float64")
    assert table["finished"].dt.tz is not None
    assert table["finished"][0] == pd.Timestamp(rows[0].finished)
    assert table["accuracy"].tolist() == [row.accuracy for row in rows]
    assert table["best_epoch"].isna().tolist() == [True, False]
    assert table["auroc"].isna().tolist() == [False, True]
    assert table["hardware"].tolist() == ['a "quoted", name'] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_frame(tmp_path, make_any, kind):
    """The types are the same with rows, without rows, and where every cell is empty."""
    empty = results.read_frame(tmp_path, kind)
    assert len(empty) == 0
    results.append(tmp_path, replace(make_any(kind), finished="2026-02-01T12:00:00.25Z"))
    results.append(tmp_path, make_any(kind, seed=1))
    table = results.read_frame(tmp_path, kind)
    assert len(table) == 2 and table["run"][1] == f"{kind}/x_s1"
    assert table.dtypes.astype(str).tolist() == empty.dtypes.astype(str).tolist()


def test_a_frame_of_an_unknown_kind_is_one_line(tmp_path):
    with pytest.raises(UserError, match="kind=gan: unknown; expected one of audit, audit-data"):
        results.read_frame(tmp_path, "gan")


def test_a_frame_needs_no_torch(tmp_path):
    code = (
        "import sys; from pathlib import Path; from ferbench import results\n"
        "assert 'pandas' not in sys.modules\n"
        "results.read_frame(Path(sys.argv[1])); assert 'torch' not in sys.modules"
    )
    assert start(code, tmp_path).wait(timeout=60) == 0
