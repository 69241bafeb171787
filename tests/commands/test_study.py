"""`ferbench study`: a small study from its file to its report, stopped, failed and gone on with."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ferbench.cli.jobs import Launcher
from ferbench.commands import study
from ferbench.errors import UserError

QUICK = ["train=quick", "train.epochs=1", "model=cnn", "model.width=4", "logger=none"]
SMALL: dict[str, Any] = {
    "title": "Bars",
    "question": "Is half of it enough?",
    "seeds": [0, 1],
    "budgets": {"cpu": {"words": {"classify": QUICK}}},
    "cells": [
        {"id": "whole", "words": ["data=real"]},
        {
            "id": "{part}",
            "label": "part {part}",
            "words": ["data=real", "real_limit={part}"],
            "grid": {"part": [0.2, 0.5]},
            "earlier": {"accuracy": 0.4},
        },
    ],
    "baseline": "whole",
    "compare": [["0.5", "0.2"]],
    "chart": {"x": "part"},
}
LAUNCHER = Launcher(("launcher=local",), full_error=False)


@pytest.fixture
def make_study(tmp_path: Path, make_job: Callable[..., Any]) -> Callable[..., Any]:
    """make_study(changes, override, ...): the job of a study of this file."""

    def make(changes: dict[str, Any], *overrides: str) -> Any:
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(SMALL | changes))
        return make_job("study", f"file={path}", *overrides)

    return make


def folder_of(job: Any) -> Path:
    return Path(job.outputs) / "study" / "small" / "cpu"


def test_a_study_runs_every_cell_and_reports(
    make_study: Callable[..., Any], report_figures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_study({})
    study.run(job, LAUNCHER)
    text = (folder_of(job) / "report.md").read_text()
    assert "| part 0.2 | 2 |" in text
    assert "accuracy 40.0" in text  # of earlier work
    assert text.count("ferbench classify") == 6
    page = (folder_of(job) / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    numbers = json.loads((folder_of(job) / "metrics.json").read_text())
    assert len(numbers["cells"]["whole"]["scores"]["accuracy"]["values"]) == 2
    assert [one["against"] for one in numbers["differences"]] == ["whole", "whole", "0.2"]
    assert "http" not in page.replace("data:image", "")
    capsys.readouterr()
    study.run(job, LAUNCHER)
    assert "$ ferbench" not in capsys.readouterr().out  # nothing runs again


def test_a_study_goes_on_after_a_stop(
    make_study: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed after two runs: they are kept, and the others alone are run."""

    class Impatient(Launcher):
        def run(self, command: str, jobs: Sequence[Sequence[str]], around: Any) -> list[Any]:
            super().run(command, jobs[:2], around)
            raise KeyboardInterrupt

    job = make_study({})
    with pytest.raises(KeyboardInterrupt):
        study.run(job, Impatient(LAUNCHER.words, full_error=False))
    study.run(make_study({}, "plan=true"), LAUNCHER)
    said = capsys.readouterr().out
    assert "2 of 6 runs are done; left: about" in said
    assert "unknown" not in said.splitlines()[-1]
    study.run(job, LAUNCHER)
    said = capsys.readouterr().out
    assert said.count("$ ferbench classify") == 4
    assert "not finished" not in (folder_of(job) / "report.md").read_text()


def test_a_failed_run_is_told_and_tried_again(
    make_study: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """What needs nothing of it goes on; the report says what is missing."""
    cells = [
        {"id": "whole", "words": ["data=real"]},
        {"id": "lost", "words": ["data=synthetic", "data.synthetic=/nowhere"]},
    ]
    job = make_study({"cells": cells, "compare": [], "chart": {}, "seeds": [0]})
    with pytest.raises(UserError, match=r"1 of 2 runs are not done, see above \(lost/s0 failed\)"):
        study.run(job, LAUNCHER)
    assert "ferbench: " in capsys.readouterr().err
    assert "1 of 2 runs are missing" in (folder_of(job) / "report.md").read_text()
    with pytest.raises(UserError, match="lost/s0 failed"):
        study.run(job, LAUNCHER)
    assert "$ ferbench classify" in capsys.readouterr().out


def test_what_another_process_has_done_is_no_failure(make_study: Callable[..., Any]) -> None:
    """A run that is refused because somebody else is at work on it, and is done in the end."""

    class Refused(Launcher):
        def run(self, command: str, jobs: Sequence[Sequence[str]], around: Any) -> list[Any]:
            super().run(command, jobs, around)
            return [task.id for task in around.tasks]

    cells = [{"id": "whole", "words": ["data=real"]}]
    job = make_study({"cells": cells, "compare": [], "chart": {}, "seeds": [0]})
    study.run(job, Refused(LAUNCHER.words, full_error=False))
    assert "not finished" not in (folder_of(job) / "report.md").read_text()


def test_steps_are_made_first_and_their_folders_handed_on(
    make_study: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A generator, a set from it, a classifier of the set; steps without use are not made."""
    tiny = [
        "gan=tiny",
        "total_kimg=0.1",
        "gan.tick_kimg=0.1",
        "judge=none",
        "logger=none",
        "gan.channel_base=64",
        "gan.channel_max=8",
        "gan.z_dim=8",
        "gan.w_dim=8",
    ]
    steps = [
        {"id": "set", "command": "synth", "words": ["gan=@gan", "n=70", "out_px=48"]},
        {"id": "gan", "command": "train-gan", "words": tiny},
        {"id": "other", "command": "train-gan", "words": [*tiny, "seed=1"]},
    ]
    cells = [{"id": "made", "words": ["data=synthetic", "data.synthetic=@set"]}]
    job = make_study(
        {"steps": steps, "cells": cells, "baseline": None, "compare": [], "chart": {}, "seeds": [0]}
    )
    study.run(job, LAUNCHER)
    told = capsys.readouterr().out.splitlines()
    assert "[2/3] set; left: unknown" in told  # a set and a classifier, of which none is done
    assert any(line.endswith("2 of 3 runs are done; left: unknown") for line in told)
    said = [line for line in told if line.startswith("$ ferbench")]
    assert [line.split()[2] for line in said] == ["train-gan", "synth", "classify"]
    text = (folder_of(job) / "report.md").read_text()
    assert "| set | 70 |" in text
    assert (folder_of(job) / "set_set.png").exists()


def test_some_cells_can_be_run_alone_and_the_report_shows_all_that_is_done(
    make_study: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    study.run(make_study({"seeds": [0]}, "only=0.2"), LAUNCHER)
    study.run(make_study({"seeds": [0]}, "only='wh*,0.2'"), LAUNCHER)
    assert capsys.readouterr().out.count("$ ferbench classify") == 2
    text = (folder_of(make_study({})) / "report.md").read_text()
    assert "| part 0.2 | 1 |" in text
    assert "| whole | 1 |" in text
    assert "1 of 3 runs are missing; cells without any: part 0.5 |" in text
    assert "| part 0.5 |" not in text
    with pytest.raises(UserError, match="only=hole: no such cell; did you mean whole"):
        study.run(make_study({}, "only=hole"), LAUNCHER)


def test_every_budget_has_its_own_report(
    make_study: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    budgets = {"cpu": SMALL["budgets"]["cpu"], "wide": {"words": {"classify": [*QUICK, "seed=5"]}}}
    changes = {"budgets": budgets, "seeds": [0]}
    study.run(make_study(changes, "only=whole"), LAUNCHER)
    first = (folder_of(make_study(changes)) / "report.md").read_text()
    study.run(make_study(changes, "only=whole", "budget=wide"), LAUNCHER)
    assert (folder_of(make_study(changes)) / "report.md").read_text() == first
    assert (
        "| budget | wide |"
        in (folder_of(make_study(changes)).parent / "wide/report.md").read_text()
    )
    with pytest.raises(UserError, match=r"budgets\.runs: expected a folder's name, and not runs"):
        study.run(make_study({"budgets": {"runs": {}}}, "budget=runs"), LAUNCHER)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell": []}, r"study\.cell: no such key; did you mean cells\?"),
        ({"cells": []}, "cells: none"),
        ({"baseline": "hole"}, r"hole: no such cell; did you mean whole\?"),
        ({"seeds": ["a"]}, "expected whole numbers"),
        (
            {"cells": [{"id": "a", "words": ["data=real", "data.limit=1"]}]},
            "no such key of ferbench",
        ),
        ({"cells": [{"id": "a", "words": ["data=real", "train.epochs=x"]}]}, "train.epochs=x"),
        ({"cells": [{"id": "a", "words": ["data.synthetic=@set"]}]}, "@set is no step"),
        ({"cells": [{"id": "a", "words": ["seed={b}"]}]}, r"\{b\} is no variable"),
        ({"budgets": {"gpu": {}}}, "budget=cpu: unknown"),
        ({"steps": [{"id": "s", "command": "demo"}]}, "demo: unknown"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_before_anything_runs(
    make_study: Callable[..., Any], changes: dict[str, Any], message: str
) -> None:
    changes = {"baseline": None, "compare": [], "chart": {}} | changes
    job = make_study(changes)
    with pytest.raises(UserError, match=message):
        study.run(job, LAUNCHER)
    assert not folder_of(job).exists()


def test_a_study_needs_a_name_or_a_file(make_job: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match="expected name=STUDY"):
        make_job("study")
    with pytest.raises(UserError, match="did you mean gap"):
        study.run(make_job("study", "name=gab"), LAUNCHER)


def test_steps_that_need_each_other_are_refused(make_study: Callable[..., Any]) -> None:
    steps = [
        {"id": "a", "command": "synth", "words": ["gan=@b"]},
        {"id": "b", "command": "train-gan", "words": ["resume=@a"]},
    ]
    cells = [{"id": "c", "words": ["data.synthetic=@a"]}]
    job = make_study({"steps": steps, "cells": cells, "baseline": None, "compare": [], "chart": {}})
    with pytest.raises(UserError, match="which never ends"):
        study.run(job, LAUNCHER)
