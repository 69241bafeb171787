"""Which classifier judges: what a key names, the best there is, or none where that is allowed."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ferbench.commands import inputs, judges
from ferbench.commands.judges import RealFaces, Wanted
from ferbench.errors import UserError


@pytest.fixture
def add_run(tmp_path: Path, make_row: Callable[..., Any]) -> Callable[..., Path]:
    """add_run(name, public): a complete run of classify, with its accuracy on PublicTest."""

    def add(name: str, public: float) -> Path:
        run = tmp_path / "classify" / name
        run.mkdir(parents=True)
        row = asdict(make_row(run=f"classify/{name}", data_hash="d", best_epoch=1))
        facts = {"command": "classify", "status": "complete", "row": row}
        (run / "run.json").write_text(json.dumps(facts))
        (run / inputs.WEIGHTS).write_bytes(b"")
        (run / "metrics.jsonl").write_text(json.dumps({"epoch": 1, "public_accuracy": public}))
        return run

    return add


def wanted(outputs: Path, **options: Any) -> Wanted:
    return Wanted(outputs, RealFaces("data=real", "d"), **options)


def test_auto_is_the_best_and_says_so(
    tmp_path: Path, add_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    add_run("worse", 0.4)
    best = add_run("best", 0.6)
    assert judges.choose("auto", wanted(tmp_path)) == best
    assert capsys.readouterr().out == f"judge={best} (the best on PublicTest)\n"


def test_another_one_is_the_next_best_or_the_same_again(
    tmp_path: Path, add_run: Callable[..., Path]
) -> None:
    best = add_run("best", 0.6)
    assert judges.choose_another("auto", wanted(tmp_path), best) == best
    worse = add_run("worse", 0.4)
    assert judges.choose_another("auto", wanted(tmp_path), best) == worse
    assert judges.choose_another(str(best), wanted(tmp_path), best) == best


def test_a_path_must_be_that_of_a_complete_run(
    tmp_path: Path, add_run: Callable[..., Path]
) -> None:
    run = add_run("one", 0.5)
    assert judges.choose(str(run), wanted(tmp_path)) == run
    with pytest.raises(UserError, match=r"^gate_judge=.*: expected the folder of a complete run"):
        judges.choose(str(tmp_path), wanted(tmp_path, key="gate_judge"))


def test_without_a_run_there_is_an_error_or_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = "no run of a classifier on the Training split of data=real below .* trains one"
    with pytest.raises(UserError, match=f"^judge=auto: {missing}$"):
        judges.choose("auto", wanted(tmp_path))
    with pytest.raises(UserError, match=f"^judge=auto: {missing}, judge=none does without$"):
        judges.choose("auto", wanted(tmp_path, may_be_none=True))
    assert judges.choose("auto", wanted(tmp_path, without="nothing is judged")) is None
    out = capsys.readouterr().out
    assert out.startswith("note: judge=auto: ") and out.endswith("; nothing is judged\n")


def test_none_is_taken_only_where_it_may_be(tmp_path: Path) -> None:
    assert judges.choose("none", wanted(tmp_path, may_be_none=True)) is None
    assert judges.choose("none", wanted(tmp_path, without="nothing is judged")) is None
    with pytest.raises(UserError, match=r"^judge=none: one is needed here; expected auto"):
        judges.choose("none", wanted(tmp_path))
