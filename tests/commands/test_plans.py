"""plan=true says how long a run may take, from runs at hand or from a few steps on this machine."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.cli.jobs import Launcher
from ferbench.commands import classify, demo, estimates, study, train_gan
from ferbench.commands.estimates import Estimator
from ferbench.runs import calibration

LAUNCHER = Launcher(("launcher=local",), full_error=False)
TINY = ["model.width=4", "train=quick", "train.epochs=2", "logger=none", "device=cpu"]
GAN = ["gan=tiny", "gan.z_dim=8", "gan.w_dim=8", "gan.channel_base=128", "gan.channel_max=8"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fewest steps are measured, as on a machine that does nothing else."""
    monkeypatch.setattr(calibration, "ENOUGH_SECONDS", 0.0)
    monkeypatch.setattr(calibration, "is_busy", lambda: False)


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Seconds for each kind of work, instead of the machine's."""
    known = {"training": 0.01, "prediction": 0.001, "gan": 0.02, "drawing": 0.002, "toy": 0.004}

    def seconds(self: Any, what: Any, name: str, measure: Any) -> float:
        return known[what["work"]]

    monkeypatch.setattr(calibration.Calibration, "seconds", seconds)
    return known


def seconds_of(job: Any, **earlier: Any) -> float:
    found = Estimator.of(job, may_measure=False, earlier=earlier).seconds(job)
    assert found is not None
    return found - estimates.OWN_SECONDS


def test_the_work_of_each_command(make_job: Callable[..., Any], speeds: dict[str, float]) -> None:
    """140 faces in batches of 128: one a epoch; 70 and 70 held-out faces, seen in two views."""
    one_epoch = 128 * 0.01 + 70 * 0.001
    job = make_job("classify", *TINY)
    assert seconds_of(job) == pytest.approx(2 * one_epoch + 140 * 0.001)
    job = make_job("classify", *TINY, "train.batch=70", "eval.tta=ten_crop", "train.score_epochs=2")
    assert seconds_of(job) == pytest.approx(2 * 140 * 0.01 + 70 * 0.001 + 700 * 0.001)
    job = make_job("classify", *TINY, "data=mixed", "mix=add", "synthetic_per_real=2")
    assert seconds_of(job) == pytest.approx(2 * (384 * 0.01 + 0.07) + 0.14)
    made = make_job("synth", "gan=fer48", "n=256", "judge=none")
    assert seconds_of(made) == pytest.approx(256 * 0.002)
    job = make_job("classify", *TINY, "data=synthetic", "data.synthetic=@set")
    assert seconds_of(job, **{"@set": made}) == pytest.approx(2 * (256 * 0.01 + 0.07) + 0.14)
    job = make_job("train-gan", *GAN, "total_kimg=10", "judge=none")
    assert seconds_of(job) == pytest.approx(10_000 * 0.02)


def test_before_fer2013_is_prepared_its_size_is_known(
    make_job: Callable[..., Any], speeds: dict[str, float], tmp_path: Path
) -> None:
    job = make_job("classify", *TINY, f"outputs={tmp_path / 'empty'}")
    assert seconds_of(job) == pytest.approx(2 * (224 * 128 * 0.01 + 3.589) + 2 * 3.589)


def test_a_speed_is_measured_once_for_a_network_a_machine_and_a_version(
    make_job: Callable[..., Any], outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job("classify", *TINY, "plan=true")
    classify.run(job)
    first = capsys.readouterr().out
    assert first.count("measuring the speed of cnn of width 4") == 2  # training, prediction
    assert re.search(r"^time: about \d+ s, by a few steps on this machine$", first, re.MULTILINE)
    assert not list(outputs.glob("classify/*"))
    files = list((outputs / "cache" / "speed").glob("*.json"))
    assert len(files) == 2
    known = json.loads(files[0].read_text())["of"]
    machine = {"host", "hardware", "device", "precision", "torch", "code_version"}
    assert set(known) == {"work", "network", *machine}
    classify.run(make_job("classify", *TINY, "plan=true", "train.epochs=3", "seed=1"))
    assert "measuring" not in capsys.readouterr().out
    files[0].write_text("{}")  # damaged
    classify.run(job)
    assert capsys.readouterr().out.count("measuring") == 1


def test_a_busy_machine_is_said_and_its_speed_is_not_kept(
    make_job: Callable[..., Any],
    outputs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibration, "is_busy", lambda: True)
    classify.run(make_job("classify", *TINY, "plan=true"))
    assert "note: other programs keep this machine busy" in capsys.readouterr().out
    assert not list((outputs / "cache" / "speed").glob("*.json"))


def test_runs_at_hand_count_first(
    make_job: Callable[..., Any],
    finished: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One with another seed; another number of epochs is another run."""
    words = ["model.width=4", "train=quick", "train.epochs=1", "logger=none"]
    run = finished("classify", *words, "seed=1")
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(facts | {"seconds": 7200.0}))
    classify.run(make_job("classify", *words, "plan=true"))
    assert "time: about 2 h 00 min, as one run with other seeds took" in capsys.readouterr().out
    classify.run(make_job("classify", *words, "train.epochs=2", "plan=true"))
    assert "by a few steps" in capsys.readouterr().out


def test_the_plan_of_a_generator(
    make_job: Callable[..., Any], outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_gan.run(make_job("train-gan", *GAN, "plan=true", "device=cpu"))
    text = capsys.readouterr().out
    assert text.startswith("tiny at 24 px on real, 40 kimg, ")
    assert re.search(r"^time: about .*, by a few steps on this machine$", text, re.MULTILINE)
    assert not (outputs / "train-gan").exists()


def test_the_demo_says_how_long_it_may_take(
    make_job: Callable[..., Any],
    outputs: Path,
    speeds: dict[str, float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    demo.run(make_job("demo", "plan=true"), LAUNCHER)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8 and "ferbench prepare source=toy" in lines[0]
    assert re.fullmatch(r"7 steps, about \d+ min on this machine", lines[-1])


def test_the_plan_of_a_study_knows_every_run(
    make_job: Callable[..., Any], speeds: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also those of sets and generators that are not there yet; nothing is unknown."""
    for name in ("seeds", "ratios", "amount", "mixed", "gap"):
        study.run(make_job("study", f"name={name}", "plan=true"), LAUNCHER)
        text = capsys.readouterr().out
        assert " ? " not in text and "unknown" not in text and "more than" not in text
        assert re.search(r"0 of \d+ runs are done; left: about \d+ (h|min)", text)


def test_a_study_without_a_plan_measures_nothing(
    make_job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, outputs: Path
) -> None:
    path = outputs.parent / "one.yaml"
    words = ", ".join([*TINY, "data=real"])
    cells = f"cells: [{{id: a, words: [{words}]}}]"
    path.write_text(f"title: one\nseeds: [0]\nbudgets: {{cpu: {{}}}}\n{cells}\n")

    def measured(*_: Any) -> float:
        raise AssertionError("a run waits for no calibration")

    monkeypatch.setattr("ferbench.classifiers.speed.training", measured)
    monkeypatch.setattr("ferbench.classifiers.speed.prediction", measured)
    assert study.run(make_job("study", f"file={path}"), LAUNCHER) == 0
