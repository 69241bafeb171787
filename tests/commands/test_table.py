"""`ferbench table`: which tables it prints, makes again and names."""

import json
from dataclasses import asdict

import pytest

from ferbench import results
from ferbench.commands import evaluate, table
from ferbench.errors import UserError


@pytest.fixture
def both(outputs, make_row, make_fidelity_row):
    """Outputs with a classifier's row and one of fidelity, and the runs behind them."""
    for row in (make_row(), make_fidelity_row()):
        results.append(outputs, row)
        (outputs / row.run).mkdir(parents=True)
        state = {"status": "complete", "row": asdict(row)}
        (outputs / row.run / "run.json").write_text(json.dumps(state))
    return outputs


def test_table_rebuilds_and_lists_failed_runs(make_job, outputs, capsys):
    folder = outputs / "classify" / "broken"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(
        '{"status": "failed", "command": "classify", "error": "ValueError: boom", '
        '"started": "2026-01-01T00:00:00+00:00"}'
    )
    table.run(make_job("table", "rebuild=true", "failed=true"))
    printed = capsys.readouterr()
    assert "classify/broken" in printed.out
    assert "boom" in printed.out
    assert "0 rows from the runs' folders" in printed.err
    assert (outputs / "metrics.csv").exists()
    assert not (outputs / "fidelity.csv").exists()


def test_an_empty_table_is_a_friendly_line(make_job, capsys):
    table.run(make_job("table"))
    assert "No rows yet" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["format=csv", "kind=all", "failed=true", "rebuild=true"])
def test_a_folder_that_is_not_there_is_one_line(make_job, tmp_path, word):
    nowhere = tmp_path / "nowhere"
    with pytest.raises(UserError, match=f"^outputs={nowhere}: no such folder"):
        table.run(make_job("table", word, f"outputs={nowhere}"))
    assert not nowhere.exists()


def test_classifiers_are_shown_and_other_tables_named(both, make_job, capsys):
    table.run(make_job("table"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("fer2013, private split")
    assert lines[-1] == "more tables: kind=fidelity"
    table.run(make_job("table", "kind=fidelity"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("fidelity, features of x")
    assert lines[-1] == "more tables: kind=classify"
    table.run(make_job("table", "kind=all"))
    text = capsys.readouterr().out
    assert "private split" in text and "fidelity, features" in text and "more tables" not in text


@pytest.mark.parametrize("form", ["csv", "markdown", "latex"])
def test_a_table_for_a_file_is_nothing_but_the_table(both, make_job, capsys, form):
    table.run(make_job("table", f"format={form}"))
    assert "more tables" not in capsys.readouterr().out


def test_every_table_is_made_again(both, make_job, capsys):
    before = {path: path.read_bytes() for path in both.glob("*.csv")}
    assert len(before) == 2
    for path in before:
        path.unlink()
    table.run(make_job("table", "rebuild=true"))
    printed = capsys.readouterr()
    assert {path: path.read_bytes() for path in both.glob("*.csv")} == before
    for path in before:
        assert f"{path}: 1 rows from the runs' folders" in printed.err


def test_a_damaged_table_of_another_kind_does_not_matter(both, make_job, capsys):
    (both / "fidelity.csv").write_bytes(b"a,b\n1,2\n")
    table.run(make_job("table"))
    assert "private split" in capsys.readouterr().out
    with pytest.raises(
        UserError, match=r"fidelity\.csv: its columns are not those of this version"
    ):
        table.run(make_job("table", "kind=fidelity"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["kind=gan"], "kind=gan: unknown; expected one of all, audit, audit-data, bias, cla"),
        (["kind=all", "format=csv"], "format=csv: one table; expected kind=classify or another"),
        (["columns=fid"], "columns=fid: no such column; it is one of kind=fidelity"),
    ],
)
def test_what_cannot_be_shown_is_one_line(both, make_job, words, message):
    with pytest.raises(UserError, match=message):
        table.run(make_job("table", *words))


def test_two_networks_of_other_widths_are_told_apart_by_the_key(
    outputs, finished, make_job, capsys
):
    """As typed: `model.width=8`. The second, scored again elsewhere, keeps its keys."""
    small = ("train.epochs=1", "train.batch=16", "train.warmup_epochs=0", "logger=none")
    small += ("train.ema_decay=0.5", "eval.tta=none", "device=cpu", "precision=fp32", "data=real")
    for width in (4, 8):
        run = finished("classify", *small, f"model.width={width}")
    again = ("eval.tta=none", "device=cpu", "precision=fp32", "eval.batch=7")
    evaluate.run(make_job("evaluate", f"run={run}", *again))
    capsys.readouterr()
    table.run(make_job("table", "format=markdown"))
    text = capsys.readouterr().out
    assert "| model | recipe | data | train images | settings | seeds |" in text
    assert "| cnn | default | real | 140 | model.width=4 | 1 |" in text
    assert "| cnn | default | real | 140 | model.width=8 | 1 |" in text
    assert "| cell |" not in text
