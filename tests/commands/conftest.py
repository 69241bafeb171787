"""Small face sets, composed configs and finished runs, for running commands in this process."""

import base64
import hashlib
import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import made
from ferbench import results
from ferbench.classes import SPLITS
from ferbench.classifiers import figures
from ferbench.cli import main
from ferbench.commands import classify, train_gan
from ferbench.data import named_sets
from ferbench.results.rows import ClassifierRow

ONE_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


RUN = {"classify": classify.run, "train-gan": train_gan.run}


@pytest.fixture
def report_figures() -> None:
    """The figures of reports are drawn as for a user."""


@pytest.fixture
def classifier_figures(report_figures: None) -> None:
    """Those of classifiers too."""


@pytest.fixture(autouse=True)
def _quick_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PNG of one pixel stands for every figure: drawing takes most of the time of a small run."""
    if "report_figures" not in request.fixturenames:
        monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: path.write_bytes(ONE_PIXEL))
    if "classifier_figures" not in request.fixturenames:
        for name in ("confusion", "per_class", "reliability", "learning_curves"):
            written = lambda *_, path, **__: path.write_bytes(ONE_PIXEL)  # noqa: E731
            monkeypatch.setattr(figures, f"plot_{name}", written)


# --- faces ---------------------------------------------------------------------------------------


def prepare_barred_faces(outputs: Path) -> None:
    """A prepared FER2013 of made images."""
    rng = np.random.default_rng(0)
    sizes = zip(SPLITS, (20, 10, 10), strict=True)
    splits = {split: made.barred_faces(split, n, rng) for split, n in sizes}
    splits["private"].images[0] = splits["train"].images[0]
    folder = outputs / "data" / "fer2013"
    named_sets.store(folder, splits, {"name": "fer2013"}, near_correlation=None)


@pytest.fixture
def outputs(tmp_path: Path, once: Callable[..., Path]) -> Path:
    """An outputs folder with a prepared FER2013 of made images: 140, 70 and 70.

    The first private image is a copy of the first of train.
    """
    shutil.copytree(once("barred faces", prepare_barred_faces), tmp_path / "outputs")
    return tmp_path / "outputs"


# --- configs and runs ----------------------------------------------------------------------------


@pytest.fixture
def make_job(outputs: Path) -> Callable[..., Any]:
    """make_job(command, override, ...): the checked config of a command on those outputs."""
    return lambda command, *words: made.job(command, f"outputs={outputs}", *words)


@pytest.fixture
def ferbench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str]]]:
    """ferbench(word, ...): type a command in a fresh folder; its status, and what it printed."""

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["ferbench", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def finished(outputs: Path, once: Callable[..., Path]) -> Callable[..., Path]:
    """finished(command, word, ..., beside=): the folder of a complete run, with its row.

    It was made once, in outputs with the same faces, and is copied. beside: a function that puts
    into those outputs what the run needs besides, a named one: by its name the run is known.
    """

    def copy(command: str, *words: str, beside: Callable[[Path], object] | None = None) -> Path:
        def run(folder: Path) -> None:
            prepare_barred_faces(folder)
            if beside:
                beside(folder)
            left = RUN[command](made.job(command, f"outputs={folder}", *words))
            (folder / "run").write_text(left.name)

        known_by = (f"{beside.__module__} {beside.__name__}" if beside else "", command, *words)
        source = once(hashlib.sha256("\0".join(known_by).encode()).hexdigest()[:16], run)
        return copied(source / command / (source / "run").read_text(), outputs)

    return copy


def copied(run: Path, outputs: Path) -> Path:
    """A finished run, copied into other outputs: its files name those, the table has its row."""
    copy = outputs / run.parent.name / run.name
    shutil.copytree(run, copy)
    for name in ("config.yaml", "run.json"):
        text = (copy / name).read_text("utf-8")
        (copy / name).write_text(text.replace(str(run.parents[1]), str(outputs)), "utf-8")
    row = json.loads((copy / "run.json").read_text("utf-8"))["row"]
    if row:
        results.append(outputs, ClassifierRow(**row))
    return copy


@pytest.fixture
def change_inputs() -> Callable[..., None]:
    """change_inputs(folder, name=hash, ...): as if a stopped run had read something else."""

    def change(folder: Path, **hashes: str) -> None:
        path = folder / "run.json"
        facts = json.loads(path.read_text())
        facts |= {"status": "interrupted", "inputs": facts["inputs"] | hashes}
        path.write_text(json.dumps(facts))

    return change
