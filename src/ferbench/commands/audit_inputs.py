"""What `ferbench audit` reads: faces, set, judge and generator; checked before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers.judge import Judge
from ferbench.commands import inputs
from ferbench.config.audit import Audit
from ferbench.data.face_set import FaceSet
from ferbench.data.synthetic_set import SyntheticSet
from ferbench.errors import UserError
from ferbench.gan import trained
from ferbench.gan.trained import TrainedGenerator
from ferbench.runs.precision import Precision

LEAST_IMAGES = 100


@dataclass(frozen=True)
class Inputs:
    """What is read: the real faces, the set, who looks at both, and the generator if it is there.

    notes: what the reader of the report must know of them.
    """

    faces: FaceSet
    sample: SyntheticSet
    judge: Judge | None
    generator: TrainedGenerator | None
    notes: list[str]

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the set says of its generator."""
        found: Mapping[str, Any] = self.sample.manifest.get("generator") or {}
        return found


def read(job: Audit, device: torch.device, chosen: Precision) -> Inputs:
    """Everything that is read, checked before anything is computed."""
    faces = inputs.open_faces(job.data)
    sample = inputs.open_set(job.set, Path(job.outputs))
    if len(sample) < LEAST_IMAGES:
        raise UserError(f"set={sample.root}: {len(sample)} images; an audit needs {LEAST_IMAGES}")
    notes = _origin(sample, faces, job)
    px = sample.images.shape[-1]
    if px != IMAGE_PX:
        notes.append(f"The set's images have {px} pixels a side; {IMAGE_PX} were looked at.")
    judge = _judge(job, faces, device, chosen)
    generator = _generator(job, sample, faces, device, notes)
    if job.inversion.images and generator is None:
        reason = notes[-1] if job.gan.path == "auto" else "gan=none"
        raise UserError(
            f"inversion.images={job.inversion.images}: needs the generator ({reason.rstrip('.')}); "
            "expected gan=PATH"
        )
    if job.inversion.images and job.inversion.loss == "judge" and judge is None:
        raise UserError("inversion.loss=judge: there is no judge; expected pixels, or judge=PATH")
    return Inputs(faces, sample, judge, generator, notes)


def _origin(sample: SyntheticSet, faces: FaceSet, job: Audit) -> list[str]:
    """Refuse a set of a generator of other faces: there is nothing of these to give away."""
    facts = sample.manifest.get("generator") or {}
    seen, here = facts.get("data_hash"), faces.manifest["hashes"]["train"]
    if seen is None:
        return [
            "The set does not say what its generator learned from; it is taken to be the "
            "Training split at hand."
        ]
    if seen != here:
        raise UserError(
            f"set={sample.root}: its generator learned from other faces (hash {seen[:12]}) than "
            f"the Training split of data={job.data.name} ({here[:12]}); expected that data"
        )
    return []


def _judge(job: Audit, faces: FaceSet, device: torch.device, chosen: Precision) -> Judge | None:
    """The judge that the key names, or the best there is."""
    if job.judge == "none":
        return None
    outputs, data_hash = Path(job.outputs), faces.manifest["hashes"]["train"]
    auto = job.judge == "auto"
    path = inputs.find_judge(outputs, data_hash) if auto else Path(job.judge)
    if path is None:
        missing = inputs.no_judge(outputs, job.data.name)
        raise UserError(f"{missing}, judge=none does without")
    judge = inputs.load_judge(path, device, chosen)
    print(f"judge: {path}")
    return judge


def _generator(
    job: Audit, sample: SyntheticSet, faces: FaceSet, device: torch.device, notes: list[str]
) -> TrainedGenerator | None:
    """The generator of the set: the one that the key names, or the manifest; a note if none."""
    facts = sample.manifest.get("generator") or {}
    named = facts.get("source") if job.gan.path == "auto" else job.gan.path
    if job.gan.path == "none":
        return None
    if named is None or (job.gan.path == "auto" and not Path(named).exists()):
        notes.append("The generator is not at hand, so its discriminator was not asked.")
        return None
    found = trained.load(named, device=device)
    if job.gan.path == "auto" and found.sha256 != facts.get("sha256"):
        notes.append(
            f"{named} is not the generator of this set any more: its discriminator was not asked."
        )
        return None
    trained_on = found.facts.get("data_hash", faces.manifest["hashes"]["train"])
    if trained_on != faces.manifest["hashes"]["train"] or found.classes not in ((), CLASSES):
        raise UserError(f"gan={named}: learned from other faces than data={job.data.name}")
    if found.discriminator is None:
        notes.append("The generator's file holds no discriminator to ask.")
    return found
