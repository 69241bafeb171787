"""A study: runs that others need, the classifiers to compare, and how they hang together.

yaml_file.py reads it from YAML.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ferbench.errors import UserError, nearest

SCORES = ("accuracy", "macro_f1", "auroc", "macro_precision", "macro_recall")
RUNS = "runs"  # in a study's folder, beside one folder for the report of each budget
_REFERENCE = re.compile(r"=@([\w.-]+)$")

Value = str | float | int


@dataclass(frozen=True)
class Step:
    """A run that others need: its id, its command, and the words after it."""

    id: str
    command: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """One classifier of the table, the same but for its seeds.

    variables: the grid's, for charts. earlier: scores that earlier work reported, by column.
    against: the cell that it is compared with; None: the study's baseline. cause: what this cell
    changes against it, in words; "" if nothing.
    """

    id: str
    label: str
    words: tuple[str, ...]
    variables: Mapping[str, Value]
    earlier: Mapping[str, float]
    cause: str
    against: str | None

    def value(self, *names: str) -> str:
        """The values of some variables as text; "" without them."""
        return ", ".join(str(self.variables[name]) for name in names if name in self.variables)


@dataclass(frozen=True)
class Task:
    """One run: a step, or a cell with a seed."""

    id: str
    command: str
    words: tuple[str, ...]
    cell: str | None = None
    seed: int | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """The steps whose folders the words name."""
        return needs_of(self.words)


@dataclass(frozen=True)
class Study:
    """A study with its budget filled in.

    compare: pairs of cells (is the first different from the second?). chart: {x, lines, log,
    label}, pivot: {rows, columns, scores}, where lines and rows are lists of variables, x and
    columns one variable; {} for none.
    """

    name: str
    title: str
    question: str
    notes: tuple[str, ...]
    budget: str
    budget_note: str
    seeds: tuple[int, ...]
    steps: tuple[Step, ...]
    cells: tuple[Cell, ...]
    baseline: str | None
    compare: tuple[tuple[str, str], ...]
    chart: Mapping[str, Any]
    pivot: Mapping[str, Any]

    def tasks(self) -> list[Task]:
        """All runs, what is needed first before what needs it."""
        made = [Task(step.id, step.command, step.words) for step in self.steps]
        scored = [
            Task(f"{cell.id}/s{seed}", "classify", (*cell.words, f"seed={seed}"), cell.id, seed)
            for cell in self.cells
            for seed in self.seeds
        ]
        return [*made, *scored]

    def cell(self, id: str) -> Cell:
        """The cell of this id."""
        return next(cell for cell in self.cells if cell.id == id)

    def only(self, patterns: Sequence[str]) -> Study:
        """These cells (`few*`) with the steps that they need; UserError if a pattern fits none."""
        ids, chosen = [cell.id for cell in self.cells], set[str]()
        for pattern in patterns:
            fitting = [id for id in ids if fnmatch.fnmatchcase(id, pattern)]
            if not fitting:
                raise UserError(f"only={pattern}: no such cell; {nearest(pattern, ids)}")
            chosen.update(fitting)
        cells = [cell for cell in self.cells if cell.id in chosen]
        return replace(self, cells=tuple(cells), steps=tuple(needed(self.steps, cells)))


def needs_of(words: Sequence[str]) -> tuple[str, ...]:
    """The steps that some words name."""
    return tuple(match[1] for word in words if (match := _REFERENCE.search(word)))


def filled(words: Sequence[str], folders: Mapping[str, str]) -> list[str]:
    """The words with the folders of the steps that they name."""
    return [_REFERENCE.sub(lambda match: f"={folders[match[1]]}", word) for word in words]


def merged(common: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """The budget's words and then the entry's own, which win."""
    by_key: dict[str, str] = {}
    for word in (*common, *own):
        by_key[word.partition("=")[0].lstrip("+")] = word.lstrip("+")
    return tuple(by_key.values())


def needed(steps: Sequence[Step], cells: Sequence[Cell]) -> list[Step]:
    """The steps that the cells need, what is needed first before what needs it."""
    known = {step.id: step for step in steps}
    ordered: dict[str, Step] = {}

    def take(id: str, asked_by: tuple[str, ...]) -> None:
        if id not in known:
            raise UserError(f"{asked_by[-1]}: @{id} is no step; {nearest(id, known)}")
        if id in asked_by:
            raise UserError(f"steps: {' needs '.join([*asked_by, id])}, which never ends")
        for need in needs_of(known[id].words) if id not in ordered else ():
            take(need, (*asked_by, id))
        ordered.setdefault(id, known[id])

    for cell in cells:
        for need in needs_of(cell.words):
            take(need, (cell.id,))
    return list(ordered.values())
