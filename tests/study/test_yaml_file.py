"""The studies that come with ferbench, and how grids, cases and budgets become cells."""

from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

import made
from ferbench.cli.jobs import Launcher
from ferbench.config.commands import COMMANDS
from ferbench.config.yaml_files import CONF, file_name, options_of
from ferbench.errors import UserError
from ferbench.study import plan, yaml_file

BUDGETS = [
    (name, budget)
    for name in options_of("study")
    for budget in yaml.safe_load((CONF / "study" / f"{name}.yaml").read_text())["budgets"]
]


@pytest.mark.parametrize(("name", "budget"), BUDGETS)
def test_every_shipped_study_asks_for_runs_that_exist(name: str, budget: str) -> None:
    """Each of its runs composes and passes the checks of its command."""
    study = yaml_file.read(CONF / "study" / f"{name}.yaml", budget=budget)
    folders = {step.id: "later" for step in study.steps}
    first = {}
    for task in study.tasks():
        if task.seed in (None, study.seeds[0]):
            words = plan.filled(task.words, folders)
            assert isinstance(made.job(task.command, *words), COMMANDS[task.command])
            first.setdefault(task.command, words)
    for command, words in first.items():
        Launcher((), full_error=False).check(command, words)
    assert len({task.id for task in study.tasks()}) == len(study.tasks())


def test_names_that_would_leave_the_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="called like its file"):
        yaml_file.read(written(tmp_path / "...yaml", FILE), budget="cpu")
    for id in ("../a", ".", "a" * 101):
        text = FILE.replace('id: "set{n}"', f'id: "{id}"')
        with pytest.raises(UserError, match=r"expected letters, digits|101 letters; expected at"):
            yaml_file.read(written(tmp_path / "a.yaml", text), budget="cpu")


@pytest.mark.parametrize(("name", "budget"), BUDGETS)
def test_what_a_shipped_study_compares_hangs_on_no_other_run(name: str, budget: str) -> None:
    """One classifier, its own, judges and teaches: not the best at hand, which may change."""
    study = yaml_file.read(CONF / "study" / f"{name}.yaml", budget=budget)
    for task in study.tasks():
        given = dict(word.split("=", 1) for word in task.words)
        if task.command in ("train-gan", "curate"):
            assert given["judge"] == "@judge", task.id
        assert given.get("data.teacher", "@judge") == "@judge", task.id
        if task.id == "judge":
            expected = {"model": "cnn", "data": "real", "train": "default", "train.epochs": "25"}
            assert expected.items() <= given.items()


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


FILE = """
title: T
seeds: [0, 1]
budgets:
  cpu: {words: {classify: [train=quick, seed=9]}, grid: {n: [5]}, leave_out: [b-2]}
  gpu: {seeds: [7], cases: {"{k}-{n}": [{k: c}]}}
steps:
  - {id: "set{n}", command: synth, words: ["n={n}", "seed={n}0"], grid: {n: [5, 6]}}
cells:
  - {id: "{k}-{n}", words: ["data.synthetic=@set{n}"], grid: {n: [5, 6]}, cases: [{k: a}, {k: b}]}
  - {id: b-2, words: [data=real, train=long]}
"""


@pytest.mark.parametrize("command", yaml_file.MAKERS)
def test_every_command_of_a_step_gives_the_folder_that_others_need(command: str) -> None:
    run = import_module(f"ferbench.commands.{file_name(command)}").run
    assert get_type_hints(run)["return"] is Path


def test_grids_cases_and_budgets(tmp_path: Path) -> None:
    path = written(tmp_path / "s.yaml", FILE)
    cpu, gpu = (yaml_file.read(path, budget=budget) for budget in ("cpu", "gpu"))
    assert [cell.id for cell in cpu.cells] == ["a-5", "b-5"]
    assert [cell.id for cell in gpu.cells] == ["c-5", "c-6", "b-2"]
    assert cpu.cells[0].words == ("train=quick", "seed=9", "data.synthetic=@set5")
    assert [step.id for step in cpu.steps] == ["set5"]  # set6 is needed by no cell
    assert gpu.seeds == (7,)
    assert yaml_file.read(path, budget="cpu", seeds=(3,)).seeds == (3,)


def test_a_cell_s_own_words_beat_the_budget_s() -> None:
    assert plan.merged(["train=quick", "a=1"], ["+train=long"]) == ("train=long", "a=1")


def test_folders_of_steps_are_filled_in() -> None:
    words = ("data.synthetic=@set5", "name=a@b")
    assert plan.needs_of(words) == ("set5",)
    assert plan.filled(words, {"set5": "outputs/x"}) == ["data.synthetic=outputs/x", "name=a@b"]
