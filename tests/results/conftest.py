"""Rows of every kind, and runs' folders."""

import dataclasses
import json

import pytest

from ferbench.results import KINDS

SAMPLE = {str: "x", int: 3, float: 0.5}
RUN = {"finished": "2026-02-01T12:00:00+00:00", "seed": 0}


@pytest.fixture(scope="session")
def make_any():
    """make_any(kind, column=value, ...): a row of that kind, empty where it may be."""

    def make(name, **changes):
        kind = KINDS[name]
        needed = [column for column in kind.columns.values() if not column.optional]
        base = {column.name: SAMPLE[column.type] for column in needed}
        own = {"command": kind.commands[0], "run": f"{name}/x_s{changes.get('seed', 0)}"}
        return kind.record(**{**base, **RUN, **own, **changes})

    return make


@pytest.fixture(scope="session")
def leave_run():
    """leave_run(outputs, row, key=value, ...): a run's folder as a command leaves it."""

    def leave(outputs, done, /, **state):
        folder = outputs / done.run
        folder.mkdir(parents=True)
        whole = {"status": "complete", "row": dataclasses.asdict(done), **state}
        (folder / "run.json").write_text(json.dumps(whole))

    return leave
