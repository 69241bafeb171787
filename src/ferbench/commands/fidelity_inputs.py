"""What `ferbench fidelity` reads: the set, the real faces, the judge; checked before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ferbench.classes import SPLITS
from ferbench.classifiers.judge import Judge
from ferbench.commands import inputs
from ferbench.config.fidelity import Fidelity
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError
from ferbench.fidelity import feature_space, inception
from ferbench.fidelity.inception import Inception
from ferbench.fidelity.measure import REFERENCE, ImageSet, check_counts, floor_images, real_images
from ferbench.gan import trained
from ferbench.gan.trained import TrainedGenerator
from ferbench.runs.precision import Precision


@dataclass(frozen=True)
class Inputs:
    """What is compared, and who looks: `eyes` give features, `judge` (None: nobody) classes."""

    reference: ImageSet
    sample: ImageSet
    floor: ImageSet
    eyes: Judge | Inception
    judge: Judge | None
    generator: TrainedGenerator | None


def read(job: Fidelity, device: torch.device, chosen: Precision, *, least: int) -> Inputs:
    """Everything that is read, checked before anything is measured; least: images of a class."""
    feature_space.check_map(job.map)
    faces = inputs.open_base(job.data, Path(job.outputs))
    sample, floor, reference = (
        _sample(job, faces),
        floor_images(faces),
        real_images(faces, REFERENCE),
    )
    for side, key in (
        (sample, f"set={job.set or sample.name}"),
        (reference, f"data={job.data.base}: Training"),
        (floor, f"data={job.data.base}: PublicTest without copies"),
    ):
        check_counts(side, key, least)
    judge = _judge(job, reference.hash, device, chosen)
    generator = None
    if job.gan.path is not None:
        if judge is None:
            raise UserError(f"gan={job.gan.path}: path length needs a judge; expected judge=PATH")
        generator = trained.load(job.gan.path, device=device)
    eyes = judge
    if job.features == "inception" or eyes is None:
        weights = None if job.weights is None else Path(job.weights)
        return Inputs(reference, sample, floor, inception.load(weights, device), judge, generator)
    return Inputs(reference, sample, floor, eyes, judge, generator)


def _sample(job: Fidelity, faces: FaceSet) -> ImageSet:
    """The set to measure, or as many of its images as n says."""
    if job.set in SPLITS:
        found = real_images(faces, str(job.set))
    else:
        read = inputs.open_set(job.set, Path(job.outputs))
        facts = read.manifest.get("generator") or {}
        found = ImageSet(
            read.root.resolve().name, read.manifest["hash"], read.images, read.labels, facts
        )
        _say_origin(found, faces)
    if job.n is None:
        return found
    total = len(found.labels)
    if job.n > total:
        raise UserError(f"n={job.n}: the set has {total:,} images; expected at most so many")
    return found.take(np.sort(np.random.default_rng(job.seed).choice(total, job.n, replace=False)))


def _say_origin(sample: ImageSet, faces: FaceSet) -> None:
    seen = sample.facts.get("data_hash")
    if seen not in (None, faces.manifest["hashes"][REFERENCE]):
        print(f"note: the generator of {sample.name} learned from other faces than the reference")


def _judge(job: Fidelity, data_hash: str, device: torch.device, chosen: Precision) -> Judge | None:
    """The judge that `judge` names or the best there is; None only where features need none."""
    outputs = Path(job.outputs)
    auto = job.judge == "auto"
    path = inputs.find_judge(outputs, data_hash) if auto else Path(job.judge)
    if path is None:
        missing = inputs.no_judge(outputs, job.data.base)
        if job.features == "fer":
            raise UserError(missing)
        print(f"note: {missing}; class accuracy is left out")
        return None
    judge = inputs.judge_of(job.data.base, data_hash, path, device, chosen)
    print(f"judge: {path}")
    return judge
