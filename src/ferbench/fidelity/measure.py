"""A set, as much of it as the floor has, and the floor itself, against the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers.judge import Description, Judge
from ferbench.data import resize
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError
from ferbench.fidelity import comparison
from ferbench.fidelity.comparison import FeatureSet, Reference, Settings
from ferbench.fidelity.feature_space import Cells
from ferbench.fidelity.findings import Diversity, Findings, Side
from ferbench.fidelity.inception import Inception
from ferbench.files import load_cached, save_arrays
from ferbench.metrics import classification
from ferbench.progress import Counter
from ferbench.results.rows import ClassifierRow

REFERENCE, FLOOR = "train", "public"
BLOCK = 4096  # images between two steps of the progress bar


@dataclass(frozen=True)
class ImageSet:
    """Labeled images, [N, H, W] uint8 and [N] int64.

    facts: of their generator, {} without one. px: pixels a side before they were resized.
    training_hash: the data_hash in the row of a classifier that learned from all of them.
    """

    name: str
    hash: str
    images: np.ndarray
    labels: np.ndarray
    facts: Mapping[str, Any]
    px: int = IMAGE_PX
    training_hash: str = ""

    def take(self, rows: np.ndarray) -> ImageSet:
        """The images of these rows."""
        return replace(self, images=self.images[rows], labels=self.labels[rows])


def real_images(faces: FaceSet, split: str) -> ImageSet:
    """The faces of train, public or private."""
    part, manifest = faces.splits[split], faces.manifest
    name = f"{manifest['name']}_{split}"
    hash = manifest["hashes"][split]
    return ImageSet(name, hash, part.images, part.labels, {}, training_hash=hash)


def floor_images(faces: FaceSet) -> ImageSet:
    """PublicTest without the images that Training has, too."""
    return real_images(faces, FLOOR).take(np.flatnonzero(faces.extras[f"clean_{FLOOR}"]))


def check_counts(images: ImageSet, key: str, least: int) -> None:
    """UserError, in the name of `key`, unless every class has so many images."""
    counts = comparison.class_counts(images.labels)
    few = [f"{name} {n}" for name, n in zip(CLASSES, counts, strict=True) if n < least]
    if few:
        raise UserError(
            f"{key}: too few images ({', '.join(few)}); neighbors and covariances need {least} "
            "or more of every class"
        )


# --- features ------------------------------------------------------------------------------------


def extract(
    images: ImageSet, extractor: Judge | Inception, *, batch: int, cache: Path | None = None
) -> FeatureSet:
    """The images with the network's features and logits, read and resized block by block.

    cache: a file that keeps both for the next time; its name must tell which they are.
    """
    labels = np.asarray(images.labels)
    kept = None if cache is None else load_cached(cache, "features", "logits")
    if kept is not None:
        return FeatureSet(images.images, labels, kept["features"], kept["logits"])
    extracted = FeatureSet(images.images, labels, *_features(images, extractor, batch))
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        save_arrays(cache, features=extracted.features, logits=extracted.logits)
    return extracted


def _features(
    images: ImageSet, extractor: Judge | Inception, batch: int
) -> tuple[np.ndarray, np.ndarray]:
    """[N, F] float32 features and [N, K] float32 logits."""
    parts: list[Description] = []
    total = len(images.labels)
    with Counter(total, images.name) as bar:
        for start in range(0, total, BLOCK):
            block = resize.resize(images.images[start : start + BLOCK], IMAGE_PX)
            parts.append(extractor.describe(block, batch=batch))
            bar.update(len(block))
    features = np.concatenate([part.features for part in parts])
    return features, np.concatenate([part.logits for part in parts])


@dataclass(frozen=True)
class JudgedSet:
    """A set's features and the classes that a judge predicts; predicted: [N] int64 or None."""

    features: FeatureSet
    predicted: np.ndarray | None


def extract_judged(
    images: ImageSet, extractor: Judge | Inception, judge: Judge | None, *, batch: int
) -> JudgedSet:
    """The images with the extractor's features and the judge's predictions.

    A judge that is the extractor, too, sees the images once.
    """
    features = extract(images, extractor, batch=batch)
    if judge is None:
        return JudgedSet(features, None)
    judged = features if extractor is judge else extract(images, judge, batch=batch)
    return JudgedSet(features, judged.logits.argmax(axis=1))


# --- numbers -------------------------------------------------------------------------------------


def measure(
    real: FeatureSet,
    sample: JudgedSet,
    floor: JudgedSet,
    settings: Settings,
    *,
    path_length: float | None,
    trained: tuple[ClassifierRow, ...],
    has_generator: bool = True,
) -> Findings:
    """All numbers; matched and floor have as many images of each class as the smaller of both.

    path_length: of the generator, if it was measured. has_generator: whether it is known. trained:
    rows of the classifiers that learned from the sample.
    """
    both = (comparison.class_counts(side.features.labels) for side in (sample, floor))
    counts = tuple(min(pair) for pair in zip(*both, strict=True))
    rng = np.random.default_rng(settings.seed)
    rows, floor_rows = (
        comparison.draw(side.features.labels, counts, rng) for side in (sample, floor)
    )
    reference = comparison.reference(real, settings)
    against = _Against(reference, Cells(real.features, real.labels, seed=settings.seed), settings)
    return Findings(
        reference=_diversity(reference),
        whole=against.side(sample, np.arange(len(sample.features))),
        matched=against.side(sample, rows),
        floor=against.side(floor, floor_rows),
        path_length=path_length,
        trained=trained,
        has_generator=has_generator,
    )


@dataclass(frozen=True)
class _Against:
    """The reference, its histogram over cells of the feature space, and how to compare."""

    reference: Reference
    cells: Cells
    settings: Settings

    def side(self, judged: JudgedSet, rows: np.ndarray) -> Side:
        """These rows of a set against the reference."""
        whole = len(rows) == len(judged.features)
        part = judged.features if whole else judged.features.take(rows)
        confusion = None
        if judged.predicted is not None:
            confusion = classification.confusion(part.labels, judged.predicted[rows])
        js = self.cells.distance(part.features, part.labels)
        return Side(comparison.compare(self.reference, part, self.settings), confusion, js)


def _diversity(reference: Reference) -> Diversity:
    features, pixels = (
        np.array([of[k] for k in range(len(CLASSES))])
        for of in (reference.diversity, reference.pixel_diversity)
    )
    return Diversity(features, pixels)
