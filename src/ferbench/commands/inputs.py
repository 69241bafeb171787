"""What commands read, opened from their configs: faces, sets, trained classifiers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ferbench import runs
from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers import doubts
from ferbench.classifiers.judge import Judge
from ferbench.commands import edited
from ferbench.config.commands import Classify
from ferbench.config.data import (
    DataConfig,
    FacesConfig,
    SomeFacesConfig,
    ToyConfig,
)
from ferbench.config.scored_faces import ScoredFacesConfig
from ferbench.config.sections import ModelConfig
from ferbench.config.store import read_config
from ferbench.data import class_folders, mixing, named_sets, resize, synthetic_set
from ferbench.data.face_set import FaceSet
from ferbench.data.mixing import Pool
from ferbench.data.named_sets import ToySize
from ferbench.data.synthetic_set import SyntheticSet
from ferbench.data.training_set import Endless, TrainingSet
from ferbench.errors import UserError
from ferbench.files import sha256_of
from ferbench.gan.trained import TrainedGenerator
from ferbench.models import FaceClassifier, NetworkOptions, build
from ferbench.runs import Compute, checkpoint

WEIGHTS = "model.safetensors"  # of a run: what classify writes and others read
WEIGHTS_HASH = "weights_sha256"  # of that file, in run.json
OWN_STARTS = ("none", "imagenet")  # of a judge: other runs' weights may know synthetic faces
FOLDERS = {"real": "fer2013", "toy": "toy"}  # below outputs/data, as conf/data/ says too


# --- faces ---------------------------------------------------------------------------------------


def open_faces(data: FacesConfig) -> FaceSet:
    """The set of data=real or data=toy, with as much of the training split as real_limit leaves.

    Toy faces are rendered if they are not there.
    """
    faces = _opened(data.name, Path(data.folder), data.toy)
    if isinstance(data, SomeFacesConfig):
        return _limited(faces, data.real_limit, data.draw_seed)
    return faces


def open_scored(data: ScoredFacesConfig) -> FaceSet:
    """The set of data=real or data=toy of `ferbench evaluate`, whose `own` is resolved."""
    assert data.folder is not None
    return _opened(data.name, Path(data.folder), data.toy)


def open_base(data: DataConfig, outputs: Path) -> FaceSet:
    """As `open_faces`; with data=synthetic and data=mixed, the real set that stands behind it."""
    faces = _opened(data.faces, base_folder(data, outputs), data.toy)
    return _limited(faces, data.real_limit, data.draw_seed)


def base_folder(data: DataConfig, outputs: Path) -> Path:
    """Where the faces are that select and score."""
    return Path(data.folder or outputs / "data" / FOLDERS[data.faces])


def open_synthetic(data: DataConfig, outputs: Path) -> SyntheticSet | None:
    """The synthetic set to learn from, None where no set is needed; the newest is printed.

    Images of another size are resized. Raises UserError if it is absent or damaged, or comes from
    a generator that was trained on the other kind of faces than the base's.
    """
    if not data.takes_synthetic or data.synthetic.online:
        return None
    root = Path(data.synthetic.folder or synthetic_set.newest(outputs))
    if data.synthetic.folder is None:
        print(f"data.synthetic: the newest set, {root}")
    pool = read_set(root, outputs, "data.synthetic")
    check_kind(pool.manifest.get("generator") or {}, data, f"data.synthetic={root}: its generator")
    return pool


def open_set(path: str | None, outputs: Path) -> SyntheticSet:
    """The synthetic set of set=`path`, the newest, which is printed, without one.

    Images of another size are resized.
    """
    root = synthetic_set.newest(outputs) if path is None else Path(path)
    if path is None:
        print(f"set={root} (the newest)")
    return read_set(root, outputs, "set")


def read_set(root: Path, outputs: Path, key: str) -> SyntheticSet:
    """The set at `root`: one of `ferbench synth` or `curate`, or images in folders named by class.

    Such images are read once and kept below outputs/cache. Images of another size than the real
    faces' are resized. Raises UserError, naming `key`, if there is no set or it is damaged.
    """
    try:
        if class_folders.is_one(root):
            made = class_folders.read(root, outputs / "cache" / "sets")
        else:
            made = synthetic_set.read(root)
    except UserError as error:
        raise UserError(f"{key}={error}") from None
    return at_image_px(made)


def at_image_px(made: SyntheticSet) -> SyntheticSet:
    """The set with images of the real faces' size, [N, 48, 48] uint8; printed if it resizes.

    Antialiased bicubic, in memory. The manifest stays that of the set on disk: its hash names the
    images before, and the resizing always gives the same ones.
    """
    if made.image_px == IMAGE_PX:
        return made
    print(
        f"note: the images of {made.root} have {made.image_px} x {made.image_px} pixels; they are "
        f"resized to {IMAGE_PX} x {IMAGE_PX} (antialiased bicubic)"
    )
    return replace(made, images=resize.resize(made.images, IMAGE_PX))


def is_whole_set(folder: Path, facts: Mapping[str, Any]) -> bool:
    """Whether a run that made a set has finished it: its manifest is written last."""
    return (folder / synthetic_set.MANIFEST).exists()


def select_training(data: DataConfig, faces: FaceSet, pool: Pool | None) -> TrainingSet:
    """What the section says to learn from; UserError if the synthetic set has too little of it.

    faces: what `open_base` gave; pool: what `open_synthetic` gave, or the `endless` one.
    """
    if pool is not None:
        _tell_origin(pool, faces)
    balance, seed, mix = str(data.synthetic.balance), data.draw_seed, data.mix
    if mix.how == "augment":
        training = mixing.augmented(
            faces, synthetic_per_real=mix.amount, balance=balance, seed=seed
        )
    elif mix.how == "replace":
        training = mixing.replaced(
            faces, pool, real_fraction=mix.amount, balance=balance, seed=seed
        )
    elif pool is None:
        training = mixing.only_real(faces)
    elif mix.how == "add":
        training = mixing.added(faces, pool, synthetic_per_real=mix.amount, balance=balance)
    else:
        training = mixing.only_synthetic(faces, pool, limit=data.synthetic.limit, balance=balance)
    if mix.real_weight is not None and not (len(training.real) and len(training.synthetic)):
        raise UserError(
            f"data.mix.real_weight={mix.real_weight}: {data.label} has no mixture of real and "
            "synthetic images; expected null"
        )
    return (
        mixing.match_levels(training, faces) if data.synthetic.normalize == "source" else training
    )


def endless(generator: TrainedGenerator) -> Endless:
    """The generator as a set that never ends."""
    facts = {**generator.facts, "sha256": generator.sha256, "source": generator.source}
    return Endless(generator.source, {"generator": facts})


def check_kind(facts: Mapping[str, Any], data: DataConfig, whose: str) -> None:
    """Refuse a generator that learned from toy faces for real ones, and the other way round."""
    kind = facts.get("data")
    if kind in FOLDERS and kind != data.faces:
        raise UserError(
            f"{whose} learned from {kind} faces; expected {data.faces} ones, as data.base says"
        )


def _opened(kind: str, folder: Path, toy: ToyConfig) -> FaceSet:
    if kind == "toy":
        return named_sets.open_toy(folder, ToySize(*toy.size), workers=os.cpu_count() or 1)
    return named_sets.open_real(folder)


def _limited(faces: FaceSet, fraction: float | None, seed: int) -> FaceSet:
    return faces if fraction is None else mixing.limited(faces, fraction=fraction, seed=seed)


def _tell_origin(pool: Pool, faces: FaceSet) -> None:
    """Print a note if the generator has seen other faces than the training split's."""
    learned_from = (pool.manifest.get("generator") or {}).get("data_hash")
    limited = faces.manifest.get("limited", {})
    if learned_from is None or learned_from == faces.manifest["hashes"]["train"]:
        return
    if learned_from == limited.get("hash"):
        print(
            f"note: the generator of {pool.root} learned from all {limited['of']:,} real faces, "
            f"this run may use {len(faces.splits['train']):,} of them"
        )
    else:
        print(
            f"note: the generator of {pool.root} learned from other faces than those of this "
            "run's training split"
        )


# --- trained classifiers -------------------------------------------------------------------------


def trained_row(run: Path, key: str = "run") -> dict[str, Any]:
    """The row of a complete run of `ferbench classify`; UserError, naming `key`, if it is none."""
    facts = runs.status_of(run)
    if facts.get("command") != "classify" or facts.get("status") != "complete":
        raise UserError(f"{key}={run}: expected the folder of a complete run of ferbench classify")
    row: dict[str, Any] = facts["row"]
    return row


def load_classifier(run: Path) -> FaceClassifier:
    """The run's network with its weights; what ImageNet gave is in them already."""
    edited.check_file(run, Classify)
    config: ModelConfig = read_config(ModelConfig, run / "config.yaml", section="model")
    options = NetworkOptions(**asdict(replace(config, pretrained="none")))
    model = build(options, classes=len(CLASSES))
    path = run / WEIGHTS
    weights, written = checkpoint.load_weights(path), runs.status_of(run).get(WEIGHTS_HASH)
    if written is not None and sha256_of(path) != written:
        raise UserError(f"{path}: damaged, not the bytes that the run wrote")
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not the weights of this network ({reason})") from None
    return model


def open_judge(run: Path, compute: Compute, key: str = "judge") -> Judge:
    """The classifier of a complete run of `ferbench classify` on real faces alone, as a judge.

    Raises UserError, naming `key`, if it is none, if training started from another run, or if its
    outputs are not finite.
    """
    row = trained_row(run, key)
    if row["synthetic_images"]:
        raise UserError(f"{key}={run}: learned from synthetic faces; expected a run on real ones")
    if row["pretrained"] not in OWN_STARTS:
        raise UserError(
            f"{key}={run}: started from the weights of {row['pretrained']}; expected a "
            "run that learned from its own real faces alone"
        )
    name = run.resolve().name
    judge = Judge(
        load_classifier(run),
        compute.precision,
        compute.device,
        name=name,
        hash=sha256_of(run / WEIGHTS),
        data_hash=row["data_hash"],
        warnings=tuple(doubts.of_judge(name, row)),
    )
    if not judge.is_finite():
        raise UserError(
            f"{key}={run}: its outputs are not finite (NaN or infinite); expected another run of "
            "ferbench classify"
        )
    return judge
