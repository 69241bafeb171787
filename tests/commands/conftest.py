"""Small face sets and composed configs, for running commands in this process."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import made
from ferbench.classes import SPLITS
from ferbench.data import named_sets


def prepare_barred_faces(outputs: Path) -> None:
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


@pytest.fixture
def change_inputs() -> Callable[..., None]:
    """change_inputs(folder, name=hash, ...): as if a stopped run had read something else."""

    def change(folder: Path, **hashes: str) -> None:
        path = folder / "run.json"
        facts = json.loads(path.read_text())
        facts |= {"status": "interrupted", "inputs": facts["inputs"] | hashes}
        path.write_text(json.dumps(facts))

    return change


@pytest.fixture
def make_job(outputs: Path) -> Callable[..., Any]:
    """make_job(command, override, ...): the checked config of a command on those outputs."""
    return lambda command, *words: made.job(command, f"outputs={outputs}", *words)
