"""A study as its YAML file describes it: generators and sets to make, classifiers to compare.

    title: Is one number enough for the class?
    seeds: [0, 1]
    budgets:
      cpu: {words: {train-gan: [gan=study], classify: [train=quick]}}
    steps:
      - {id: onehot, command: train-gan, words: []}
      - {id: "set{n}", command: synth, words: [gan=@onehot, "n={n}"], grid: {n: [700, 7000]}}
    cells:
      - {id: "{n}", words: [data=synthetic, "data.synthetic=@set{n}"], grid: {n: [700, 7000]}}
    baseline: "700"

`{n}` is a variable of the grid, `=@set` the folder that the step `set` leaves.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ferbench.errors import UserError, file_name, nearest, one_of
from ferbench.study.plan import RUNS, SCORES, Cell, Step, Study, Value, merged, needed

MAKERS = ("train-gan", "synth", "curate", "classify")  # what a step may run; a cell is a classify
_VARIABLE = re.compile(r"\{(\w+)\}")
_STUDY = (
    "title",
    "question",
    "notes",
    "seeds",
    "budgets",
    "steps",
    "cells",
    "baseline",
    "compare",
    "chart",
    "pivot",
)
_BUDGET = ("note", "seeds", "words", "grid", "cases", "leave_out")
_STEP = ("id", "command", "words", "grid", "cases")
_CELL = ("id", "label", "words", "grid", "cases", "earlier", "cause", "against")
_CHART, _PIVOT = ("x", "lines", "log", "label"), ("rows", "columns", "scores")


def read(path: Path, *, budget: str, seeds: Sequence[int] = ()) -> Study:
    """The study of a YAML file; UserError, naming file and entry, where an entry is wrong.

    budget: one of the file's. seeds: instead of the file's, if any.
    """
    content = _load(path)
    try:
        if not path.stem.strip("."):
            raise UserError("the study is called like its file; expected a name of letters")
        return _study(path.stem, content, budget, seeds)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _load(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; expected a study's YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not YAML ({' '.join(str(error).split())[:200]})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected keys such as title, cells and seeds")
    return content


def _study(name: str, content: dict[str, Any], budget: str, seeds: Sequence[int]) -> Study:
    _check_keys("study", content, _STUDY)
    budgets = _mapping("budgets", content.get("budgets"))
    one_of("budget", budget, budgets)
    if not re.fullmatch(r"\w[\w.-]*", budget) or budget == RUNS:
        raise UserError(f"budgets.{budget}: expected a folder's name, and not {RUNS}")
    chosen = _mapping(f"budgets.{budget}", budgets[budget])
    _check_keys(f"budgets.{budget}", chosen, _BUDGET)
    common = _mapping("words", chosen.get("words"))
    for command in common:
        one_of(f"budgets.{budget}.words", command, MAKERS)
    left_out = _texts("leave_out", chosen)
    steps = [step for entry in _list("steps", content) for step in _steps(entry, common, chosen)]
    cells = [cell for entry in _list("cells", content) for cell in _cells(entry, common, chosen)]
    cells = [cell for cell in cells if cell.id not in left_out]
    if not cells:
        raise UserError("cells: none; expected one at least")
    _check_ids([*(step.id for step in steps), *(cell.id for cell in cells)])
    study = Study(
        name=name,
        title=str(content.get("title", name)),
        question=str(content.get("question", "")),
        notes=tuple(_texts("notes", content)),
        budget=budget,
        budget_note=str(chosen.get("note", "")),
        seeds=_seeds(seeds or chosen.get("seeds") or content.get("seeds")),
        steps=tuple(needed(steps, cells)),
        cells=tuple(cells),
        baseline=_text_or_none(content.get("baseline")),
        compare=tuple(_pair(pair) for pair in _list("compare", content)),
        chart=_mapping("chart", content.get("chart")),
        pivot=_mapping("pivot", content.get("pivot")),
    )
    return _checked(study, left_out)


def _steps(entry: Any, common: Mapping[str, Any], budget: Mapping[str, Any]) -> Iterator[Step]:
    where = f"steps: {_name_of(entry)}"
    _check_keys(where, entry, _STEP)
    command = str(entry.get("command"))
    one_of(f"{where}.command", command, MAKERS)
    for variables in _combinations(where, entry, budget):
        words = _texts("words", entry)
        yield Step(
            _insert(str(entry["id"]), variables, where),
            command,
            merged(_texts(command, common), [_insert(word, variables, where) for word in words]),
        )


def _cells(entry: Any, common: Mapping[str, Any], budget: Mapping[str, Any]) -> Iterator[Cell]:
    where = f"cells: {_name_of(entry)}"
    _check_keys(where, entry, _CELL)
    earlier = _mapping(f"{where}.earlier", entry.get("earlier"))
    _check_keys(f"{where}.earlier", earlier, SCORES)
    for variables in _combinations(where, entry, budget):
        words = [_insert(word, variables, where) for word in _texts("words", entry)]
        id = _insert(str(entry["id"]), variables, where)
        yield Cell(
            id,
            _insert(str(entry.get("label", id)), variables, where),
            merged(_texts("classify", common), words),
            variables,
            {key: float(value) for key, value in earlier.items()},
            str(entry.get("cause", "")),
            _text_or_none(entry.get("against")),
        )


def _combinations(
    where: str, entry: Mapping[str, Any], budget: Mapping[str, Any]
) -> list[dict[str, Value]]:
    """Every combination of the grid's values, for each of the cases (variables that go together).

    The budget may give a variable of the grid other values, and an entry, by its id, other cases.
    """
    grid = _mapping(f"{where}.grid", entry.get("grid"))
    others = _mapping("budgets.grid", budget.get("grid"))
    values = {key: others.get(key, own) for key, own in grid.items()}
    for key, value in values.items():
        if not isinstance(value, list) or not value:
            raise UserError(f"{where}.grid.{key}: expected a list of values")
    other_cases = _mapping("budgets.cases", budget.get("cases"))
    cases = _list(str(entry["id"]), other_cases) or _list("cases", entry) or [{}]
    if not all(isinstance(case, dict) for case in cases):
        raise UserError(f"{where}.cases: expected variables with values")
    product = [
        dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())
    ]
    return [{**case, **chosen} for case in cases for chosen in product]


def _insert(text: str, variables: Mapping[str, Value], where: str) -> str:
    """The text with the values of its variables."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in variables:
            raise UserError(f"{where}: {match[0]} is no variable; {nearest(match[1], variables)}")
        variable = variables[match[1]]
        return f"{variable:g}" if isinstance(variable, float) else str(variable)

    return _VARIABLE.sub(value, text)


# --- checks --------------------------------------------------------------------------------------


def _checked(study: Study, left_out: Sequence[str]) -> Study:
    """The study without comparisons of cells that the budget leaves out; UserError for others."""
    known = [cell.id for cell in study.cells]
    others = [study.baseline, *(cell.against for cell in study.cells)]
    named = [*itertools.chain(*study.compare), *(id for id in others if id is not None)]
    for id in named:
        if id not in (*known, *left_out):
            raise UserError(f"{id}: no such cell; {nearest(id, known)}")
    _check_keys("chart", study.chart, _CHART)
    _check_keys("pivot", study.pivot, _PIVOT)
    variables = {key for cell in study.cells for key in cell.variables}
    single = [study.chart.get("x", []), study.pivot.get("columns", [])]
    several = [_list("lines", study.chart), _list("rows", study.pivot)]
    for key in itertools.chain(*several, (one for one in single if one)):
        one_of("chart and pivot", str(key), variables)
    for score in study.pivot.get("scores", ()):
        one_of("pivot.scores", str(score), SCORES)
    return replace(
        study,
        baseline=study.baseline if study.baseline in known else None,
        compare=tuple(pair for pair in study.compare if set(pair) <= set(known)),
    )


def _check_keys(where: str, section: Any, allowed: Sequence[str]) -> None:
    if not isinstance(section, Mapping):
        raise UserError(f"{where}: expected keys, some of {', '.join(allowed)}")
    for key in section:
        if key not in allowed:
            raise UserError(f"{where}.{key}: no such key; {nearest(str(key), allowed)}")


def _check_ids(ids: Sequence[str]) -> None:
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise UserError(f"{twice[0]}: the id of two entries; expected another for one of them")
    for id in ids:
        file_name("id", id)


def _name_of(entry: Any) -> str:
    if not isinstance(entry, Mapping) or "id" not in entry:
        raise UserError(f"{str(entry)[:60]}: expected an entry with an id")
    return str(entry["id"])


def _mapping(where: str, value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise UserError(f"{where}: expected keys with values")
    return value or {}


def _list(key: str, section: Mapping[str, Any]) -> list[Any]:
    value = section.get(key)
    if value is not None and not isinstance(value, list):
        raise UserError(f"{key}: expected a list")
    return value or []


def _texts(key: str, section: Mapping[str, Any]) -> list[str]:
    texts = _list(key, section)
    if not all(isinstance(one, str) for one in texts):
        raise UserError(f"{key}: expected texts, such as model=cnn")
    return texts


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)


def _pair(value: Any) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise UserError(f"compare: {value}: expected two ids of cells")
    return str(value[0]), str(value[1])


def _seeds(value: Any) -> tuple[int, ...]:
    seeds = list(value) if isinstance(value, list | tuple) else []
    if not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
        raise UserError(f"seeds={value}: expected whole numbers, such as [0, 1, 2]")
    return tuple(dict.fromkeys(seeds))
