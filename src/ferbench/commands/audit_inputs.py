"""What `ferbench audit` reads: faces, set, judge and generator; checked before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers.judge import Judge
from ferbench.commands import generators, inputs, judges
from ferbench.commands.judges import Wanted
from ferbench.config.audit import Audit
from ferbench.data.face_set import FaceSet
from ferbench.data.synthetic_set import SyntheticSet
from ferbench.errors import UserError
from ferbench.gan.trained import TrainedGenerator
from ferbench.runs import Compute

LEAST_IMAGES = 100


@dataclass(frozen=True)
class AuditInputs:
    """What is read: the real faces, the set, the judge, and the generator if it is there.

    notes: what the reader of the report must know of them, besides the size of the images.
    """

    faces: FaceSet
    sample: SyntheticSet
    judge: Judge | None
    generator: TrainedGenerator | None
    notes: list[str]

    @property
    def name(self) -> str:
        """The set's."""
        return self.sample.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the judge cannot be trusted."""
        return () if self.judge is None else self.judge.warnings

    @property
    def size_notes(self) -> list[str]:
        """That the images were resized, as opening the set printed it; [] if they were not."""
        px = self.sample.image_px
        resized = f"The set's images have {px} pixels a side; they were resized to {IMAGE_PX}."
        return [] if px == IMAGE_PX else [resized]

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the set says of its generator."""
        return _facts_of(self.sample)

    @property
    def hashes(self) -> dict[str, Any]:
        """What the numbers depend on, by its content."""
        return {
            "set": self.sample.manifest["hash"],
            "real": dict(self.faces.manifest["hashes"]),
            "judge": None if self.judge is None else self.judge.hash,
            "generator": None if self.generator is None else self.generator.sha256,
        }


def open_all(job: Audit, compute: Compute) -> AuditInputs:
    """Everything that is read, checked before anything is computed."""
    sample = inputs.open_set(job.set, Path(job.outputs))
    if len(sample) < LEAST_IMAGES:
        raise UserError(f"set={sample.root}: {len(sample)} images; an audit needs {LEAST_IMAGES}")
    faces = inputs.open_faces(job.data)
    notes = _origin(sample, faces, job)
    real_faces = judges.real_faces(job.data.name, faces)
    wanted = Wanted(Path(job.outputs), real_faces, may_be_none=True, any_faces=True)
    judge = judges.choose_and_load(job.judge, wanted, compute)
    generator, missing = generators.load_of_set(job.gan.path, _facts_of(sample), compute.device)
    if generator is None:
        notes += [missing] * bool(missing)
    else:
        notes += _check_generator(generator, faces, job)
    _check_inversion(job, judge, generator, missing)
    return AuditInputs(faces, sample, judge, generator, notes)


def _facts_of(sample: SyntheticSet) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = sample.manifest.get("generator") or {}
    return facts


def _origin(sample: SyntheticSet, faces: FaceSet, job: Audit) -> list[str]:
    """Refuse a set of a generator of other faces: it cannot reveal these."""
    learned_from = _facts_of(sample).get("data_hash")
    here = faces.manifest["hashes"]["train"]
    if learned_from is None:
        return [
            "The set does not say what its generator learned from; it is taken to be the "
            "Training split at hand."
        ]
    if learned_from != here:
        raise UserError(
            f"set={sample.root}: its generator learned from other faces (hash {learned_from[:12]}) "
            f"than the Training split of data={job.data.name} ({here[:12]}); expected that data"
        )
    return []


def _check_generator(generator: TrainedGenerator, faces: FaceSet, job: Audit) -> list[str]:
    """Refuse a generator of other faces; a note if it has no discriminator."""
    here = faces.manifest["hashes"]["train"]
    other_faces = generator.facts.get("data_hash", here) != here
    if other_faces or generator.classes not in ((), CLASSES):
        raise UserError(
            f"gan={generator.source}: learned from other faces than data={job.data.name}"
        )
    if generator.discriminator is None:
        return ["The generator's file holds no discriminator, so the attack on it is left out."]
    return []


def _check_inversion(
    job: Audit, judge: Judge | None, generator: TrainedGenerator | None, missing: str
) -> None:
    """Refuse an inversion that lacks its generator, or its judge."""
    if not job.inversion.images:
        return
    if generator is None:
        reason = missing.rstrip(".") or "gan=none"
        raise UserError(
            f"inversion.images={job.inversion.images}: needs the generator ({reason}); "
            "expected gan=PATH"
        )
    if job.inversion.loss == "judge" and judge is None:
        raise UserError("inversion.loss=judge: there is no judge; expected pixels, or judge=PATH")
