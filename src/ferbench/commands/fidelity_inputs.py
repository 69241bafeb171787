"""What `ferbench fidelity` reads: the set, the real faces, the judge; checked before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferbench.classes import SPLITS
from ferbench.classifiers.judge import Judge
from ferbench.commands import generators, inputs, judges
from ferbench.commands.judges import Wanted
from ferbench.config.fidelity import Fidelity
from ferbench.data import mixing
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError
from ferbench.fidelity import feature_space, inception
from ferbench.fidelity.inception import Inception
from ferbench.fidelity.measure import REFERENCE, ImageSet, check_counts, floor_images, real_images
from ferbench.gan.trained import TrainedGenerator
from ferbench.runs import Compute


@dataclass(frozen=True)
class FidelityInputs:
    """What is compared, and by which networks.

    extractor: gives the features. judge: gives the classes, None where there is none.
    """

    reference: ImageSet
    sample: ImageSet
    floor: ImageSet
    extractor: Judge | Inception
    judge: Judge | None
    generator: TrainedGenerator | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the judge cannot be trusted."""
        return () if self.judge is None else self.judge.warnings

    @property
    def hashes(self) -> dict[str, str | None]:
        """What the numbers depend on, by its content."""
        return {
            "set": self.sample.hash,
            "reference": self.reference.hash,
            "floor": self.floor.hash,
            "features": self.extractor.hash,
            "judge": None if self.judge is None else self.judge.hash,
            "generator": None if self.generator is None else self.generator.sha256,
        }


def open_all(job: Fidelity, compute: Compute, *, least: int) -> FidelityInputs:
    """Everything that is read, checked before anything is measured; least: images of a class."""
    feature_space.check_map(job.map)
    sample, faces = _sample_and_faces(job, least)
    reference, floor = real_images(faces, REFERENCE), floor_images(faces)
    check_counts(reference, f"data={job.data.name}: Training", least)
    check_counts(floor, f"data={job.data.name}: PublicTest without copies", least)
    wanted = Wanted(
        Path(job.outputs),
        judges.real_faces(job.data.name, faces),
        without="class accuracy is left out" if job.features == "inception" else None,
    )
    judge = judges.choose_and_load(job.judge, wanted, compute)
    generator = None
    if job.gan.path is not None:
        if judge is None:
            raise UserError(f"gan={job.gan.path}: path length needs a judge; expected judge=PATH")
        generator = generators.load(job.gan.path, "gan", compute.device)
    extractor: Judge | Inception
    if job.features == "inception" or judge is None:
        weights = None if job.weights is None else Path(job.weights)
        extractor = inception.load(weights, compute.device)
    else:
        extractor = judge
    return FidelityInputs(reference, sample, floor, extractor, judge, generator)


def _sample_and_faces(job: Fidelity, least: int) -> tuple[ImageSet, FaceSet]:
    """The set to measure, checked before toy faces may have to be rendered, and the real faces."""
    if job.set in SPLITS:
        faces = inputs.open_faces(job.data)
        sample = _limited(job, real_images(faces, str(job.set)))
        check_counts(sample, f"set={job.set}", least)
        return sample, faces
    sample = _limited(job, _made(job))
    check_counts(sample, f"set={job.set or sample.name}", least)
    faces = inputs.open_faces(job.data)
    _say_origin(sample, faces)
    return sample, faces


def _made(job: Fidelity) -> ImageSet:
    """The synthetic set to measure."""
    made = inputs.open_set(job.set, Path(job.outputs))
    return ImageSet(
        made.name,
        made.manifest["hash"],
        made.images,
        made.labels,
        made.manifest.get("generator") or {},
        px=made.image_px,
        training_hash=mixing.whole(made).content_hash(),
    )


def _limited(job: Fidelity, images: ImageSet) -> ImageSet:
    """The set to measure, or as many of its images as n says."""
    if job.n is None:
        return images
    total = len(images.labels)
    if job.n > total:
        raise UserError(f"n={job.n}: the set has {total:,} images; expected at most so many")
    return images.take(np.sort(np.random.default_rng(job.seed).choice(total, job.n, replace=False)))


def _say_origin(sample: ImageSet, faces: FaceSet) -> None:
    learned_from = sample.facts.get("data_hash")
    if learned_from not in (None, faces.manifest["hashes"][REFERENCE]):
        print(f"note: the generator of {sample.name} learned from other faces than the reference")
