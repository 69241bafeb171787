"""What a generator is to draw, and how: as `ferbench synth` asks for it, on the disk or not."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ferbench.classes import CLASSES
from ferbench.config.synth import Synth
from ferbench.data import label_counts
from ferbench.errors import UserError
from ferbench.gan.sampler import Rendering, Sampler, Truncation
from ferbench.gan.trained import TrainedGenerator
from ferbench.runs import Compute

NO_CLASS = "image"  # what the images of an unconditional generator are called
FILE_NAME = re.compile(r"\w[\w .-]*")


@dataclass(frozen=True)
class Plan:
    """What is to be drawn: the classes in the order of the labels, and how many images of each."""

    classes: tuple[str, ...]
    counts: dict[str, int]

    @property
    def n(self) -> int:
        """Number of images."""
        return sum(self.counts.values())

    @property
    def labels(self) -> np.ndarray:
        """[n] int64, the classes spread so that every prefix has their shares."""
        return label_counts.interleaved(list(self.counts.values()))


def plan(job: Synth, generator: TrainedGenerator) -> Plan:
    """The images that the job asks of this generator; UserError if it cannot give them."""
    classes = _classes(job, generator)
    return Plan(classes, _counts(job, generator, classes))


def sampler(job: Synth, generator: TrainedGenerator, compute: Compute) -> Sampler:
    """The generator with everything that decides what its images are."""
    return Sampler(
        generator,
        Truncation(job.psi, job.cutoff, job.center, job.center_latents),
        Rendering(
            job.noise,
            compute.precision,
            out_px=job.out_px,
            resize=job.resize,
            batch=job.batch,
        ),
    )


def _classes(job: Synth, generator: TrainedGenerator) -> tuple[str, ...]:
    """Names of the labels; UserError if they are not the expressions and were not asked for."""
    drawn = generator.classes
    if job.labels == "own":
        names = drawn or (NO_CLASS,)
        if len(set(names)) < len(names) or not all(map(FILE_NAME.fullmatch, names)):
            raise UserError(f"gan={generator.source}: its classes cannot be names of files")
        return names
    if drawn != CLASSES:
        has = f"its classes are {', '.join(drawn)}" if drawn else "it was trained without classes"
        raise UserError(
            f"gan={generator.source}: {has}; expected {', '.join(CLASSES)}, "
            "or labels=own for a set for pictures and export"
        )
    return CLASSES


def _counts(job: Synth, generator: TrainedGenerator, classes: tuple[str, ...]) -> dict[str, int]:
    """Images of each class; UserError if the generator's file does not say what is asked of it."""
    if job.counts is not None:
        return label_counts.from_text(job.counts, classes)
    shares = _trained_on(generator, classes)
    if shares is None and (job.n is None or job.balance == "natural"):
        raise UserError(
            f"n={'null' if job.n is None else job.n} balance={job.balance}: this generator's file "
            "does not say how many images of each class it was trained on; expected n=NUMBER with "
            "balance=equal, or counts=angry:500,happy:100"
        )
    n = sum((shares or {}).values()) if job.n is None else job.n
    if job.balance == "natural" and shares:
        return label_counts.natural(n, shares)
    return label_counts.equal(n, classes)


def _trained_on(generator: TrainedGenerator, classes: tuple[str, ...]) -> dict[str, int] | None:
    """Images of each class that the generator was trained on; None if its file does not say."""
    counts = generator.facts.get("class_counts")
    if not isinstance(counts, dict) or set(counts) != set(classes):
        return None
    known = all(type(count) is int and count >= 0 for count in counts.values())
    return {name: counts[name] for name in classes} if known and any(counts.values()) else None
