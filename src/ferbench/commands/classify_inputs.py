"""What `ferbench classify` reads, opened and checked before a run's folder is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ferbench import runs
from ferbench.classifiers.stepping import GRAPHS_KEY
from ferbench.classifiers.teacher import Teacher
from ferbench.commands import generators, inputs, judges
from ferbench.commands.judges import Wanted
from ferbench.config.commands import Classify
from ferbench.config.data import DataConfig
from ferbench.config.sections import ModelConfig
from ferbench.config.store import read_config
from ferbench.data.face_set import FaceSet
from ferbench.data.training_set import TrainingSet
from ferbench.errors import UserError
from ferbench.files import sha256_of
from ferbench.gan.trained import TrainedGenerator
from ferbench.runs import Compute

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
        """The experiment of the run: seeds of one cell may start from its seeds."""
        return {key: self.row[key] for key in ("cell", "data_hash")}


@dataclass(frozen=True)
class ClassifyInputs:
    """All that a run reads.

    faces: the real ones, whose held-out splits select and score. generator: what draws images for
    every epoch. hashes: of the content, by what it is; paths count for nothing. synthetic_px:
    pixels a side of synthetic images before they are resized, None without any.
    """

    faces: FaceSet
    training: TrainingSet
    generator: TrainedGenerator | None
    teacher: Teacher | None
    start: Start | None
    hashes: dict[str, str]
    synthetic_px: int | None


def open_all(job: Classify, compute: Compute) -> tuple[Classify, ClassifyInputs]:
    """Everything that the job names, and the job with the paths that it left open.

    Raises UserError for what is absent, damaged, unfit, or would not be used.
    """
    data, outputs = job.data, Path(job.outputs)
    runs.graphs_wanted(GRAPHS_KEY, job.train.graphs, compute.device)
    _check_used(data)
    faces = inputs.open_base(data, outputs)
    pool = inputs.open_synthetic(data, outputs)
    hashes = {split: faces.manifest["hashes"][split] for split in faces.splits}
    generator = teacher = start = endless = synthetic_px = None
    if pool is not None:
        synthetic_px = pool.image_px
        hashes["synthetic"] = pool.manifest["hash"]
        data = replace(data, synthetic=replace(data.synthetic, folder=str(pool.root)))
    if data.synthetic.online:
        generator = generators.load_for_training(data, outputs, compute.device)
        endless = inputs.endless(generator)
        synthetic_px = generator.network.config.img_resolution
        hashes["generator"] = generator.sha256
        data = replace(data, synthetic=replace(data.synthetic, generator=generator.source))
    if data.taught:
        run, teacher = _open_teacher(data, faces, outputs, compute)
        hashes["teacher"] = teacher.judge.hash
        data = replace(data, teacher=replace(data.teacher, run=str(run)))
    if job.start is not None:
        start = _open_start(Path(job.start), job)
        hashes["start"] = start.sha256
    training = inputs.select_training(data, faces, endless or pool)
    read = ClassifyInputs(faces, training, generator, teacher, start, hashes, synthetic_px)
    return replace(job, data=data), read


def _check_used(data: DataConfig) -> None:
    """Refuse what has a meaning for synthetic images where the mix takes none."""
    if data.name not in ("synthetic", "mixed") or data.takes_synthetic:
        return
    lacks = f"{data.label} has no synthetic images"
    if data.teacher.run is not None and not data.taught_real:
        raise UserError(f"data.teacher={data.teacher.run}: {lacks}; expected null")
    if data.synthetic.online:
        raise UserError(f"data.synthetic.online=True: {lacks}; expected false")


def _open_teacher(
    data: DataConfig, faces: FaceSet, outputs: Path, compute: Compute
) -> tuple[Path, Teacher]:
    """The run that data.teacher names, as a teacher; it learned from the real faces of this run."""
    wanted = Wanted(outputs, judges.real_faces(data.faces, faces), key="data.teacher")
    run = judges.choose(str(data.teacher.run), wanted)
    assert run is not None
    judge = judges.load(run, wanted, compute)
    return run, Teacher(judge, weight=data.teacher.weight, temperature=data.teacher.temperature)


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
            f"model.pretrained={job.model.pretrained}: the weights come from start; expected none"
        )
    real_images = row["train_images"] - row["synthetic_images"]
    if job.data.real_limit is not None and real_images:
        print(f"note: start={run} learned from {real_images:,} real faces itself")
    weights = inputs.load_classifier(run).state_dict()
    return Start(run.resolve().name, weights, sha256_of(run / inputs.WEIGHTS), row)
