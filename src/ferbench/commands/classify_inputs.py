"""What `ferbench classify` reads, opened and checked before a run's folder is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ferbench.classifiers.teacher import Teacher
from ferbench.commands import inputs
from ferbench.config.commands import Classify
from ferbench.config.data import DataConfig
from ferbench.config.sections import ModelConfig
from ferbench.config.store import read_config
from ferbench.data.face_set import FaceSet
from ferbench.data.synthetic_set import SyntheticSet
from ferbench.data.training_set import TrainingSet
from ferbench.errors import UserError
from ferbench.files import sha256_of
from ferbench.gan.trained import TrainedGenerator
from ferbench.runs.precision import Precision

NETWORK = ("name", "stem", "input_px", "width")  # of a model: what its weights depend on


@dataclass(frozen=True)
class Start:
    """The run that training starts from: its folder's name, weights with their hash, and row."""

    name: str
    weights: dict[str, Tensor]
    sha256: str
    row: dict[str, Any]

    @property
    def experiment(self) -> dict[str, str]:
        """What the runs have in common that the seeds of one cell may start from."""
        return {key: self.row[key] for key in ("cell", "data_hash")}


@dataclass(frozen=True)
class Given:
    """All that a run reads. hashes: of its content, by what it is; paths count for nothing.

    pool: the synthetic set; generator: what draws images for every epoch; at most one of the two.
    """

    faces: FaceSet
    pool: SyntheticSet | None
    generator: TrainedGenerator | None
    teacher: Teacher | None
    start: Start | None
    hashes: dict[str, str]

    def training_set(self, data: DataConfig) -> TrainingSet:
        """What the section says to learn from."""
        endless = None if self.generator is None else inputs.endless(self.generator)
        return inputs.select_training(data, self.faces, endless or self.pool)


def open_all(job: Classify, device: torch.device, precision: Precision) -> tuple[Classify, Given]:
    """Everything that the job names, and the job with the paths that it left open.

    Raises UserError for what is absent, damaged, unfit, or would not be used.
    """
    data, outputs = job.data, Path(job.outputs)
    _check_used(data)
    pool = inputs.open_synthetic(data, outputs)
    faces = inputs.open_base(data, outputs)
    hashes = {split: faces.manifest["hashes"][split] for split in faces.splits}
    generator = teacher = start = None
    if pool is not None:
        hashes["synthetic"] = pool.manifest["hash"]
        data = replace(data, synthetic=replace(data.synthetic, folder=str(pool.root)))
    if data.synthetic.online:
        generator = inputs.open_endless(data, outputs, device)
        hashes["generator"] = generator.sha256
        data = replace(data, synthetic=replace(data.synthetic, generator=generator.source))
    if data.taught:
        path = _teacher_path(data, faces, outputs)
        teacher = _open_teacher(path, data, faces, device, precision)
        hashes["teacher"] = teacher.judge.hash
        data = replace(data, teacher=replace(data.teacher, run=str(path)))
    if job.start is not None:
        start = _open_start(Path(job.start), job)
        hashes["start"] = start.sha256
    given = Given(faces, pool, generator, teacher, start, hashes)
    return replace(job, data=data), given


def _check_used(data: DataConfig) -> None:
    """Refuse what has a meaning for synthetic images where the mix takes none."""
    if data.name not in ("synthetic", "mixed") or data.takes_synthetic:
        return
    lacks = f"{data.label} has no synthetic images"
    if data.teacher.run is not None and not data.taught_real:
        raise UserError(f"data.teacher={data.teacher.run}: {lacks}; expected null")
    if data.synthetic.online:
        raise UserError(f"data.synthetic.online=True: {lacks}; expected false")


# --- the teacher ---------------------------------------------------------------------------------


def _teacher_path(data: DataConfig, faces: FaceSet, outputs: Path) -> Path:
    """The run that data.teacher names; auto is the best on PublicTest, named aloud."""
    if data.teacher.run != "auto":
        return Path(str(data.teacher.run))
    found = inputs.find_judge(outputs, faces.manifest["hashes"]["train"])
    if found is None:
        few = "" if data.real_limit is None else f" real_limit={data.real_limit:g}"
        raise UserError(
            f"data.teacher=auto: no run below {outputs / 'classify'} learned from just this "
            f"Training split; `ferbench classify model=cnn data={data.faces}{few}` makes one"
        )
    print(f"data.teacher={found} (the best on PublicTest)")
    return found


def _open_teacher(
    run: Path, data: DataConfig, faces: FaceSet, device: torch.device, precision: Precision
) -> Teacher:
    """The run as a teacher; UserError if it saw other real faces than this run may."""
    judge = inputs.load_judge(run, device, precision, "data.teacher")
    hashes, limited = faces.manifest["hashes"], faces.manifest.get("limited", {})
    if judge.data_hash != hashes["train"]:
        if judge.data_hash == limited.get("hash"):
            has = f"learned from all {limited['of']:,} real faces"
        else:
            has = "learned from other faces"
        raise UserError(
            f"data.teacher={run}: {has}; expected a run on the {len(faces.splits['train']):,} of "
            "this run's Training split"
        )
    return Teacher(judge, weight=data.teacher.weight, temperature=data.teacher.temperature)


# --- the start -----------------------------------------------------------------------------------


def _open_start(run: Path, job: Classify) -> Start:
    """The weights of a complete run of the same network; UserError if they do not fit."""
    row = inputs.trained_row(run, "start")
    theirs: ModelConfig = read_config(ModelConfig, run / "config.yaml", section="model")
    for key in NETWORK:
        here, there = getattr(job.model, key), getattr(theirs, key)
        if here != there:
            raise UserError(
                f"start={run}: its network has model.{key}={there}; expected {here}, as this run's"
            )
    if job.model.pretrained != "none":
        raise UserError(
            f"model.pretrained={job.model.pretrained}: start gives the weights; expected none"
        )
    seen = row["train_images"] - row["synthetic_images"]
    if job.data.real_limit is not None and seen:
        print(f"note: start={run} learned from {seen:,} real faces itself")
    weights = inputs.load_classifier(run).state_dict()
    return Start(run.resolve().name, weights, sha256_of(run / inputs.WEIGHTS), row)
