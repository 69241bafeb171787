"""The records of the tables: their columns, what they refuse, and that documents name them all."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.metrics.classification import scores
from ferbench.results import KINDS
from ferbench.results.columns import columns_of
from ferbench.results.csv_lines import csv_line, parse_line
from ferbench.results.kinds import kind_of_command, kind_of_record
from ferbench.results.row import RunRow

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
COLUMN = re.compile(r"\| `(\w+)` \| (\w+)(, may be empty)? \| ([^|]+) \| ([^|]+) \|")
CLASSIFY = KINDS["classify"]


@pytest.fixture
def make_row(make_row):
    """With a name that needs quotes in CSV."""
    return partial(make_row, best_epoch=41, hardware='a "quoted", name')


def test_scores_fill_the_score_columns():
    """What `scores` computes is what a row holds: no column of either is left over."""
    counts = {"n_test", "n_test_dedup"}
    found = scores(np.arange(70) % 7, np.eye(7, dtype=np.float32)[np.arange(70) % 5])
    assert set(found) - counts == set(CLASSIFY.scores)
    assert counts < set(CLASSIFY.columns)
    assert [name for name in CLASSIFY.scores if name.startswith("recall_")] == [
        f"recall_{name}" for name in CLASSES
    ]


def documented(section):
    """Name, type and whether it may be empty, of each line `| column | type | unit | how |`."""
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    found = [COLUMN.fullmatch(line) for line in lines]
    assert all(found), lines
    assert all(len(m[5].strip()) > 15 for m in found)
    return [(m[1], m[2], bool(m[3])) for m in found]


def test_every_column_is_documented():
    """docs/metrics.md has a section for every run, and one a table, in the order of the columns."""
    first, *sections = DOCUMENT.read_text(encoding="utf-8").split("\n## ")
    assert not documented(first)
    tables = {name: documented(text) for name, text in (s.split("\n", 1) for s in sections)}
    common = columns_of(RunRow)
    wanted = {"Every run": common}
    for kind in KINDS.values():
        (title,) = (name for name in tables if name.endswith(f"(`{kind.file}`)"))
        wanted[title] = {n: c for n, c in kind.columns.items() if n not in common}
    for name, columns in tables.items():
        own = wanted.get(name, {})
        assert columns == [(c.name, c.type.__name__, c.optional) for c in own.values()], name
    assert set(wanted) <= set(tables)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("seed", "0", "is str, not int"),
        ("seed", True, "is bool, not int"),
        ("seed", None, "is NoneType, not int"),
        ("seed", 1.0, "is float, not int"),
        ("seed", 2**63, "a whole number of more than 64 bits"),
        ("seconds", 10**400, "a whole number of more than 64 bits"),
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
    assert parse_line(csv_line(row).decode(), CLASSIFY) == row


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "'x", "'=x", "''", "x='y'"])
def test_a_name_is_no_formula_to_a_spreadsheet(name, make_row):
    """An apostrophe stands before it in the file alone."""
    row = make_row(model=name)
    line = csv_line(row).decode()
    assert f",{name}," not in line or name[0] not in "=+-@"
    assert parse_line(line, CLASSIFY) == row


@pytest.mark.parametrize("name", KINDS)
def test_a_row_of_every_kind_comes_back(name, make_any):
    row = make_any(name)
    kind = KINDS[name]
    assert parse_line(csv_line(row).decode(), kind) == row
    assert kind_of_record(type(row)) is kind_of_command(row.command) is kind


def test_every_command_and_every_file_belongs_to_one_kind():
    commands = [command for kind in KINDS.values() for command in kind.commands]
    files = [kind.file for kind in KINDS.values()]
    assert len(set(commands)) == len(commands) and len(set(files)) == len(files)
    assert CLASSIFY.file == "metrics.csv" and CLASSIFY.commands == ("classify", "evaluate")
    assert all(kind.file == f"{name}.csv" for name, kind in KINDS.items() if name != "classify")
    with pytest.raises(ValueError, match="command=dance: unknown; expected one of classify"):
        kind_of_command("dance")


def test_kinds_agree_on_what_they_share():
    """A column that several kinds have holds the same type in all of them."""
    types = {(name, c.type) for kind in KINDS.values() for name, c in kind.columns.items()}
    assert len(types) == len({name for name, _ in types})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_a_kind_shows_are_its_columns(kind):
    """The printed table adds <column>_sd to every number, so no column may end so."""
    named = (
        kind.default_columns,
        kind.separate_by,
        kind.group_by,
        kind.cell_columns,
        kind.run_columns,
        kind.extra_columns,
    )
    assert {name for names in named for name in names} | {kind.sort_by} <= set(kind.columns)
    assert not [name for name in kind.columns if name.endswith("_sd")]
