"""Made things that tests of several packages use; conftest files hand them on as fixtures."""

import contextlib
import copy
import io
import os
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from filelock import FileLock
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from torch.nn import functional

import stylegan2_ada as sg
from ferbench.classes import CLASSES, SPLITS
from ferbench.cli.arguments import for_hydra
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF, file_name, groups_of
from ferbench.data.face_set import Faces, FaceSet
from ferbench.gan import trained
from ferbench.metrics.classification import scores
from ferbench.recipes.gan import GanRecipe, GanSchedule
from ferbench.results.rows import ClassifierRow, FidelityRow

# --- recipes -------------------------------------------------------------------------------------


def gan_recipe(*presets: str, **changes: Any) -> GanRecipe:
    """The recipe of conf/gan/fer48.yaml with those of other presets over it, and changes."""
    values: dict[str, Any] = {}
    for preset in ("fer48", *presets):
        values |= yaml.safe_load((CONF / f"gan/{preset}.yaml").read_text())
    values.pop("defaults", None)
    values |= changes
    if isinstance(values["schedule"], dict):
        values["schedule"] = GanSchedule(**values["schedule"])
    return GanRecipe(**values)


# --- once in a run of the tests ------------------------------------------------------------------


def once(base: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` fills: once in a run of the tests, for all its processes.

    base: `tmp_path_factory.getbasetemp()`; a worker of pytest-xdist has its own in that of the run.
    A test reads it or copies it, and changes nothing in it. What `make` prints is not shown.
    """
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, whole = shared / "once" / name, shared / "once" / f"{name}.whole"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            with contextlib.redirect_stdout(io.StringIO()):
                make(folder)
            whole.touch()
    return folder


# --- configs -------------------------------------------------------------------------------------


def job(command: str, *words: str) -> Any:
    """The checked config of a command, as Hydra composes it from these words.

    Hydra composes each choice of options once; values are set on a copy, as Hydra sets them.
    """
    given, groups = for_hydra(command, list(words)), groups_of(command)
    options = tuple(word for word in given if word.partition("=")[0] in groups)
    cfg = copy.deepcopy(_composed(command, options))
    for word in given:
        if word not in options:
            key, value = _key_and_value(word)
            OmegaConf.update(cfg, key, value, merge=True, force_add=False)
    return OmegaConf.to_object(cfg)


@cache
def _composed(command: str, options: tuple[str, ...]) -> DictConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(file_name(command), list(options))


@cache
def _key_and_value(word: str) -> tuple[str, Any]:
    parsed = OverridesParser.create().parse_override(word)
    return parsed.key_or_group, parsed.value()


# --- faces ---------------------------------------------------------------------------------------


def photographs(count: int, seed: int) -> np.ndarray:
    """[count, 48, 48] uint8: smooth random pictures with details of some four pixels."""
    coarse = torch.randn(count, 1, 12, 12, generator=torch.Generator().manual_seed(seed))
    smooth = functional.interpolate(coarse, size=48, mode="bicubic")[:, 0]
    return (128 + 40 * smooth).round().clamp(0, 255).to(torch.uint8).numpy()


def photographed(split: str, per_class: int, seed: int) -> Faces:
    """Photographs as faces of a split, named after it; no two are alike."""
    labels = np.repeat(np.arange(len(CLASSES)), per_class).astype(np.int64)
    names = np.array([f"{split}_{i:04d}" for i in range(len(labels))])
    return Faces(photographs(len(labels), seed), labels, names)


def photograph_set() -> FaceSet:
    """420 training images, 140 and 140 held-out ones.

    The first private image is the first training image, cropped; the last two public ones are
    mirror images of each other.
    """
    sizes = zip(SPLITS, (60, 20, 20), strict=True)
    splits = {split: photographed(split, n, seed) for seed, (split, n) in enumerate(sizes, 100)}
    window = torch.from_numpy(splits["train"].images[:1, 2:46, 2:46].astype(np.float32))[:, None]
    crop = functional.interpolate(window, size=48, mode="bilinear")[:, 0].round()
    splits["private"].images[0] = crop.numpy()[0]
    splits["public"].images[-1] = splits["public"].images[-2, :, ::-1]
    return FaceSet(Path("made"), splits, {"name": "made"})


def barred_faces(split: str, per_class: int, rng: np.random.Generator) -> Faces:
    """Noise with a bright bar whose place tells the class."""
    labels = np.repeat(np.arange(len(CLASSES)), per_class).astype(np.int64)
    images = rng.integers(0, 60, (len(labels), 48, 48), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[6 * label + 2 : 6 * label + 7] += 150
    names = np.array([f"{split}_{i:04d}" for i in range(len(labels))])
    return Faces(images, labels, names)


# --- networks ------------------------------------------------------------------------------------


def generator_file(
    path: Path,
    *,
    classes: Sequence[str] = CLASSES,
    res: int = 48,
    channels: int = 1,
    **facts: Any,
) -> Path:
    """A tiny untrained generator of 48 gray pixels in a file.

    classes: of its condition, () for none; res, channels: of its images; facts: further ones.
    """
    torch.manual_seed(0)
    sizes = {"img_resolution": res, "img_channels": channels, "c_dim": len(classes)}
    sizes |= {"channel_base": 64, "channel_max": 8}
    g = sg.Generator(sg.GeneratorConfig(**sizes, z_dim=8, w_dim=8, mapping_layers=2))
    for name, weight in g.named_parameters():
        if name.endswith("noise_strength"):
            torch.nn.init.constant_(weight, 0.2)
    d = sg.Discriminator(sg.DiscriminatorConfig(**sizes, mbstd_group=2, mapping_layers=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    trained.save(path, g, d, {"classes": list(classes), "res": res, **facts})
    return path


# --- rows ----------------------------------------------------------------------------------------


def classifier_row(**changes: Any) -> ClassifierRow:
    """The row of a classifier, whole but for what may be empty."""
    base = {
        "run": f"classify/x_s{changes.get('seed', 0)}",
        "command": "classify",
        "finished": "2026-01-31T12:00:00+00:00",
        "data": "real",
        "train_images": 28709,
        "synthetic_images": 0,
        "test_data": "fer2013",
        "test_split": "private",
        "selected_on": "public",
        "model": "cnn",
        "stem": "small",
        "input_px": 48,
        "pretrained": "none",
        "tune": "all",
        "recipe": "default",
        "tta": "flip",
        "parameters": 1_234_567,
        "seed": 0,
        "epochs": 60,
        "precision": "float32",
        "config_hash": "1a2b3c4d",
        "data_hash": "d1",
        "test_hash": "t1",
        "cell": "c1",
        "code_version": "0.1.0",
        "device": "cpu",
        "hardware": "an & old_machine",
        "torch": "2.5.1",
        "seconds": 12.5,
    }
    return ClassifierRow(**{**base, **_numbers(), **changes})


@cache
def _numbers() -> dict[str, Any]:
    """Scores of 70 images, of which some are called right."""
    return scores(np.arange(70) % 7, np.eye(7, dtype=np.float32)[np.arange(70) % 5])


def fidelity_row(**changes: Any) -> FidelityRow:
    """The row of a measured set."""
    hashes = ("data_hash", "config_hash", "set_hash", "features_hash")
    texts = ("data", "cell", "code_version", "device", "hardware", "torch", "precision")
    counts = ("set_images", "set_px", "reference_images", "floor_images")
    distances = ("fid", "fid_matched", "fid_floor", "fid_intra", "js_distance", "js_floor")
    kids = ("kid", "kid_deviation", "kid_floor", "kid_disgust")
    shares = ("precision_knn", "density", "recall_knn", "coverage")
    others = ("seconds", "diversity", "diversity_least", "inception_score")
    base = {
        "run": "fidelity/y_1a2b3c4d",
        "command": "fidelity",
        "seed": 0,
        "features": "fer",
        "finished": "2026-02-01T12:00:00+00:00",
        "set_name": "y",
        **dict.fromkeys((*hashes, *texts, "reference", "features_name"), "x"),
        **dict.fromkeys(counts, 700),
        **dict.fromkeys((*distances, *kids, *shares, *others), 0.5),
    }
    return FidelityRow(**{**base, **changes})
