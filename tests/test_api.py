"""`import ferbench`: names and signatures, and that a call is the command of the same words."""

import inspect
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ferbench
import typed_script
from ferbench import runs
from ferbench.api import keywords
from ferbench.classifiers import training
from ferbench.metrics.classification import softmax
from ferbench.runs import Interrupted

FUNCTIONS = {
    "audit_privacy": "(**keys: 'object') -> 'MeasuredRun'",
    "draw": (
        "(generator: 'TrainedGenerator | str | Path', n: 'int', *, "
        "classes: 'str | Sequence[str] | None' = None, **keys: 'object') "
        "-> 'tuple[np.ndarray, np.ndarray]'"
    ),
    "draw_set": "(**keys: 'object') -> 'SyntheticSet'",
    "find_bias": "(**keys: 'object') -> 'MeasuredRun'",
    "load_generator": "(source: 'str | Path') -> 'TrainedGenerator'",
    "measure_fidelity": "(**keys: 'object') -> 'MeasuredRun'",
    "open_faces": "(source: 'str | Path', **keys: 'object') -> 'FaceSet'",
    "predict": (
        "(run: 'TrainedRun | str | Path', images: 'np.ndarray', **keys: 'object') -> 'np.ndarray'"
    ),
    "read_results": "(outputs: 'str | Path', kind: 'str' = 'classify') -> 'pd.DataFrame'",
    "train": "(**keys: 'object') -> 'TrainedRun'",
}
FIELDS = {
    "MeasuredRun": ["folder", "row", "numbers", "report"],
    "TrainedRun": ["folder", "row", "history"],
}
TOY = {"data.toy.train": 105, "data.toy.public": 49, "data.toy.private": 49}
CPU = {"device": "cpu", "precision": "fp32"}
NARROW = {"model.width": 4, "train.epochs": 2, "train.batch": 16, "train.warmup_epochs": 0}
NARROW |= {"train.ema_decay": 0.5}


# --- names ---------------------------------------------------------------------------------------


def test_the_exported_names() -> None:
    others = {"CLASSES", "UserError", "__version__"}
    assert set(ferbench.__all__) == FUNCTIONS.keys() | FIELDS.keys() | others
    assert all(hasattr(ferbench, name) for name in ferbench.__all__)
    assert sorted(ferbench.__all__) == ferbench.__all__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_signatures(name: str) -> None:
    assert str(inspect.signature(getattr(ferbench, name))) == FUNCTIONS[name]


@pytest.mark.parametrize("name", FIELDS)
def test_the_fields_of_what_is_returned(name: str) -> None:
    result = getattr(ferbench, name)
    assert list(inspect.signature(result).parameters) == FIELDS[name]
    assert result.__dataclass_params__.frozen


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_says_errors_and_has_an_example_of_two_lines(name: str) -> None:
    text = inspect.getdoc(getattr(ferbench, name)) or ""
    assert "Raises UserError" in text
    example = re.findall(r"^>>> (.*)$", text, re.MULTILINE)
    assert len(example) == 2 and f"ferbench.{name}(" in example[0]
    for line in example:
        compile(line, name, "exec")


@pytest.mark.slow
def test_importing_ferbench_imports_nothing_heavy() -> None:
    """Not even the functions' own modules' needs: a fresh process tells."""
    code = "import sys, ferbench; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "ferbench" in loaded
    heavy = {"torch", "numpy", "sklearn", "scipy", "hydra", "omegaconf", "matplotlib", "pandas"}
    assert not loaded & {*heavy, "stylegan2_ada", "timm", "yaml", "PIL"}


# --- keywords ------------------------------------------------------------------------------------


def test_keywords_become_the_words_of_a_command_line(run: ferbench.TrainedRun) -> None:
    keys = {
        "seed": np.int64(3),
        "force": True,
        "name": None,
        "train.epochs": 2,
        "real_limit": 0.1,
        "outputs": Path("a folder"),
        "start": run,
    }
    assert keywords.words_of(keys) == [
        "seed=3",
        "force=true",
        "name=null",
        "train.epochs=2",
        "real_limit=0.1",
        "outputs=a folder",
        f"start={run.folder}",
    ]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"train": {"epochs": 2}}, r'train: a dict; expected one key .* \*\*{"train.epochs": ...}'),
        ({"seed": [0, 1]}, "seed: list; expected text, a number, .* of ferbench returned"),
        ({"sed": 1}, "sed: no such key of ferbench classify; did you mean .*seed"),
        ({"model": "cn"}, "model=cn: no such option; did you mean cnn"),
        ({"train.epochs": "two"}, "train.epochs=two: expected an integer"),
        ({"seed": -1}, "seed=-1: expected at least 0"),
        ({"data": "real"}, "data=real: FER2013 is not prepared .* data=toy works without it"),
    ],
)
def test_a_mistake_is_the_line_of_the_command_line(
    keys: dict[str, object], line: str, tmp_path: Path
) -> None:
    with pytest.raises(ferbench.UserError, match=line) as raised:
        ferbench.train(outputs=tmp_path, **keys)
    assert "\n" not in str(raised.value)


def test_a_program_with_a_hydra_of_its_own_keeps_it(tmp_path: Path) -> None:
    from hydra import compose, initialize_config_dir

    (tmp_path / "mine.yaml").write_text("answer: 42\n")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        with pytest.raises(ferbench.UserError, match="FER2013 is not prepared"):
            ferbench.open_faces("real", outputs=tmp_path)
        assert compose("mine").answer == 42


# --- classifiers ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("api") / "outputs")


@pytest.fixture(scope="module")
def run(outputs: str) -> ferbench.TrainedRun:
    """A narrow network after two epochs on 105 toy faces."""
    settings = {**TOY, **CPU, **NARROW}
    return ferbench.train(
        data="toy", model="cnn", train="quick", logger="none", seed=1, outputs=outputs, **settings
    )


def test_a_trained_run(outputs: str, run: ferbench.TrainedRun) -> None:
    assert run.folder.parent == Path(outputs) / "classify"
    assert run.row["model"] == "cnn" and run.row["seed"] == 1 and run.row["train_images"] == 105
    assert [line["epoch"] for line in run.history] == [1, 2]
    assert 0 <= run.history[-1]["public_accuracy"] <= 1


def test_the_same_call_does_nothing_again(
    outputs: str, run: ferbench.TrainedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = {"model": "cnn", "train": "quick", "logger": "none", "seed": 1}
    assert ferbench.train(data="toy", outputs=outputs, **keys, **TOY, **CPU, **NARROW) == run
    printed = capsys.readouterr().out
    assert "$ ferbench classify data=toy outputs=" in printed and "done already" in printed


def test_a_stopped_call_goes_on(
    outputs: str, run: ferbench.TrainedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped by Ctrl-C (a notebook's stop button) and called again, it ends in the same bits."""
    keys = {"model": "cnn", "train": "quick", "logger": "none", "seed": 1, "name": "stopped"}
    keys |= {**TOY, **CPU, **NARROW}
    monkeypatch.setattr(
        training.checkpoint,
        "save_state",
        stopping_once(training.checkpoint.save_state),
    )
    with pytest.raises(KeyboardInterrupt, match="the state is saved") as stopped:
        ferbench.train(data="toy", outputs=outputs, **keys)
    assert isinstance(stopped.value, Interrupted)
    again = ferbench.train(data="toy", outputs=outputs, **keys)
    assert [line["train_loss"] for line in again.history] == [
        line["train_loss"] for line in run.history
    ]
    assert again.row["accuracy"] == run.row["accuracy"]


def stopping_once(save):
    """`save`, in whose first call the process gets a SIGINT."""
    signals = [signal.SIGINT]

    def saving(*arguments, **keywords):
        if signals:
            signal.raise_signal(signals.pop())
        return save(*arguments, **keywords)

    return saving


def test_predictions_are_those_of_the_run(outputs: str, run: ferbench.TrainedRun) -> None:
    faces = ferbench.open_faces("toy", outputs=outputs, **TOY)
    images = faces.splits["private"].images
    probabilities = ferbench.predict(run, images, **CPU)
    assert probabilities.shape == (49, 7) and probabilities.dtype == np.float32
    with np.load(run.folder / "predictions.npz") as kept:
        np.testing.assert_allclose(probabilities, softmax(kept["logits"]), atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(
        ferbench.predict(str(run.folder), images[:1], **CPU), probabilities[:1], atol=1e-6
    )


def test_images_of_another_size_are_resized(run: ferbench.TrainedRun) -> None:
    """A gray image is the same at any size."""
    shades = np.array([0, 90, 255], np.uint8)
    small, large = (np.broadcast_to(shades[:, None, None], (3, px, px)) for px in (48, 96))
    np.testing.assert_allclose(
        ferbench.predict(run, large, **CPU), ferbench.predict(run, small, **CPU), atol=1e-6
    )
    assert ferbench.predict(run, small[:0]).shape == (0, 7)


@pytest.mark.parametrize(
    ("images", "line"),
    [
        (np.zeros((2, 48, 48)), r"images: float64 \[2, 48, 48\]; expected uint8 \[N, H, W\]"),
        (np.zeros((48, 48), np.uint8), r"images: uint8 \[48, 48\]; expected uint8 \[N, H, W\]"),
    ],
)
def test_what_predict_refuses(images: np.ndarray, line: str, run: ferbench.TrainedRun) -> None:
    with pytest.raises(ferbench.UserError, match=line):
        ferbench.predict(run, images)


def test_predict_wants_a_run_of_classify(tmp_path: Path) -> None:
    with pytest.raises(ferbench.UserError, match="expected the folder of a complete run"):
        ferbench.predict(tmp_path, np.zeros((1, 48, 48), np.uint8))


# --- faces ---------------------------------------------------------------------------------------


def test_faces_by_name_and_by_folder(outputs: str, run: ferbench.TrainedRun) -> None:
    faces = ferbench.open_faces("toy", outputs=outputs, **TOY)
    assert {split: len(part) for split, part in faces.splits.items()} == {
        "train": 105,
        "public": 49,
        "private": 49,
    }
    assert faces.splits["train"].images.dtype == np.uint8
    again = ferbench.open_faces(faces.root)
    assert again.manifest == faces.manifest
    with pytest.raises(ferbench.UserError, match="outputs: a folder has its faces already"):
        ferbench.open_faces(faces.root, outputs=outputs)
    with pytest.raises(ferbench.UserError, match="no face set here"):
        ferbench.open_faces(run.folder)


@pytest.fixture(scope="module")
def generator(make_generator, tmp_path_factory: pytest.TempPathFactory):
    """A tiny untrained generator."""
    path = tmp_path_factory.mktemp("gan") / "tiny.safetensors"
    return ferbench.load_generator(make_generator(path, data="toy"))


SMALL = {"center_latents": 50, **CPU}


def test_images_in_memory_are_those_of_the_set(generator, tmp_path: Path) -> None:
    how = {"seed": 5, "psi": 0.7, "batch": 8, **SMALL}
    images, labels = ferbench.draw(generator, 20, **how)
    assert images.shape == (20, 48, 48) and images.dtype == np.uint8
    assert labels.dtype == np.int64 and labels[:7].tolist() == list(range(7))
    drawn = ferbench.draw_set(gan=generator, n=20, outputs=tmp_path, judge="none", **how)
    np.testing.assert_array_equal(images, drawn.images)
    np.testing.assert_array_equal(labels, drawn.labels)


def test_an_image_depends_on_its_seed_and_class_alone(generator) -> None:
    images, labels = ferbench.draw(generator, 7, seed=3, **SMALL)
    alone, sad = ferbench.draw(generator, 1, classes="sad", seed=3 + 4, **SMALL)
    assert labels[4] == sad[0] == ferbench.CLASSES.index("sad")
    np.testing.assert_allclose(images[4].astype(int), alone[0], atol=1)  # rounding of a batch


def test_classes_by_name(generator) -> None:
    _, labels = ferbench.draw(generator, 5, classes=["happy", "angry", "happy"], **SMALL)
    assert np.bincount(labels, minlength=7).tolist() == [2, 0, 0, 3, 0, 0, 0]
    with pytest.raises(ferbench.UserError, match="no class 'hapy'; did you mean happy"):
        ferbench.draw(generator, 5, classes="hapy", **SMALL)
    with pytest.raises(ferbench.UserError, match="expected names, as in classes='happy'"):
        ferbench.draw(generator, 5, classes=[], **SMALL)
    with pytest.raises(ferbench.UserError, match="n=1: below the number of classes"):
        ferbench.draw(generator, 1, classes=["happy", "sad"], **SMALL)


def test_a_shipped_generator() -> None:
    generator = ferbench.load_generator("fer48-long")
    assert generator.classes == ferbench.CLASSES
    assert generator.network.config.img_resolution == 48
    with pytest.raises(ferbench.UserError, match="gan=nowhere: no such file or folder"):
        ferbench.load_generator("nowhere")


# --- measurements --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(generator, outputs: str):
    """105 images of the tiny generator."""
    return ferbench.draw_set(gan=generator, n=105, outputs=outputs, judge="none", **SMALL)


def check_measured(measured: ferbench.MeasuredRun, kind: str, outputs: str) -> None:
    assert measured.report.is_file() and measured.report.parent == measured.folder
    assert measured.numbers == json.loads((measured.folder / "metrics.json").read_text())
    table = ferbench.read_results(outputs, kind)
    name = runs.name_in(Path(outputs), measured.folder)
    assert table["run"].tolist().count(name) == 1
    assert measured.row["run"] == name


def test_fidelity(outputs: str, run: ferbench.TrainedRun, drawn) -> None:
    keys = {"data": "toy", "judge": run, "map": "pca", "metrics.kid_subsets": 3, **CPU, **TOY}
    measured = ferbench.measure_fidelity(set=drawn, outputs=outputs, **keys)
    assert measured.row["fid"] > 0 and measured.row["set_images"] == 105
    check_measured(measured, "fidelity", outputs)


def test_audit(outputs: str, run: ferbench.TrainedRun, drawn) -> None:
    keys = {"data": "toy", "judge": "none", "gan": "none", "privacy.bootstrap": 10, **CPU, **TOY}
    keys |= {"privacy.cells": 2, "privacy.control_percents": "10"}
    audited = ferbench.audit_privacy(set=drawn, outputs=outputs, **keys)
    assert audited.row["verdict"]
    check_measured(audited, "audit", outputs)


def test_bias_of_a_classifier(outputs: str, run: ferbench.TrainedRun) -> None:
    found = ferbench.find_bias(run=run, data="toy", outputs=outputs, bootstrap=10, **TOY)
    assert found.row["classifier"] == run.row["run"]
    check_measured(found, "bias", outputs)


def test_a_typed_script(outputs: str, run: ferbench.TrainedRun, drawn) -> None:
    numbers = typed_script.look(outputs, run, str(drawn.root), TOY)
    assert numbers["accuracy"] == pytest.approx(run.row["accuracy"])
    assert numbers["best"] >= numbers["accuracy"] and numbers["class_ratio"] == 1


def test_results_are_a_frame(outputs: str, run: ferbench.TrainedRun, tmp_path: Path) -> None:
    table = ferbench.read_results(outputs)
    assert isinstance(table, pd.DataFrame)
    (line,) = table[table["run"] == run.row["run"]].to_dict("records")
    assert line["accuracy"] == run.row["accuracy"] and line["epochs"] == 2
    assert len(ferbench.read_results(tmp_path)) == 0
    with pytest.raises(ferbench.UserError, match="kind=fid: unknown; did you mean fidelity"):
        ferbench.read_results(outputs, "fid")
