"""Small face sets and composed configs, for running commands in this process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from ferbench.classes import CLASSES, SPLITS
from ferbench.cli.arguments import for_hydra
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF, file_name
from ferbench.data import named_sets
from ferbench.data.face_set import Faces


def patterned_faces(split: str, per_class: int, rng: np.random.Generator) -> Faces:
    """Noise with a bright bar whose place tells the class."""
    labels = np.repeat(np.arange(len(CLASSES)), per_class).astype(np.int64)
    images = rng.integers(0, 60, (len(labels), 48, 48), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[6 * label + 2 : 6 * label + 7] += 150
    names = np.array([f"{split}_{i:04d}" for i in range(len(labels))])
    return Faces(images, labels, names)


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """An outputs folder with a prepared FER2013 of made images: 140, 70 and 70.

    The first private image is a copy of the first of train.
    """
    rng = np.random.default_rng(0)
    sizes = zip(SPLITS, (20, 10, 10), strict=True)
    splits = {split: patterned_faces(split, n, rng) for split, n in sizes}
    splits["private"].images[0] = splits["train"].images[0]
    folder = tmp_path / "outputs" / "data" / "fer2013"
    named_sets.store(folder, splits, {"name": "fer2013"}, near_correlation=None)
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
    register()

    def make(command: str, *overrides: str) -> Any:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            words = for_hydra(command, [f"outputs={outputs}", *overrides])
            cfg = compose(file_name(command), words)
        return OmegaConf.to_object(cfg)

    return make
