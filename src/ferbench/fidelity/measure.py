"""A set, as much of it as the floor has, and the floor itself, against the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers.judge import Description, Judge
from ferbench.data import resize
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError
from ferbench.fidelity import comparison
from ferbench.fidelity.comparison import Described, How, Reference
from ferbench.fidelity.feature_space import Cells
from ferbench.fidelity.inception import Inception
from ferbench.fidelity.report import Measured, Side
from ferbench.files import save_arrays
from ferbench.metrics import classification
from ferbench.results.rows import ClassifierRow

REFERENCE, FLOOR = "train", "public"
BLOCK = 4096  # images between two steps of the progress bar


@dataclass(frozen=True)
class Images:
    """Labeled images [N, H, W] uint8 that nobody has looked at; facts: their generator's."""

    name: str
    hash: str
    images: np.ndarray
    labels: np.ndarray
    facts: Mapping[str, Any]

    def take(self, rows: np.ndarray) -> Images:
        """The images of these rows."""
        return replace(self, images=self.images[rows], labels=self.labels[rows])


def real_images(faces: FaceSet, split: str) -> Images:
    """The faces of train, public or private."""
    part, manifest = faces.splits[split], faces.manifest
    name = f"{manifest['name']}_{split}"
    return Images(name, manifest["hashes"][split], part.images, part.labels, {})


def floor_images(faces: FaceSet) -> Images:
    """PublicTest without the images that Training has, too."""
    return real_images(faces, FLOOR).take(np.flatnonzero(faces.extras[f"clean_{FLOOR}"]))


def check_counts(side: Images, key: str, least: int) -> None:
    """UserError, in the name of `key`, unless every class has so many images."""
    counts = comparison.class_counts(side.labels)
    few = [f"{name} {n}" for name, n in zip(CLASSES, counts, strict=True) if n < least]
    if few:
        raise UserError(
            f"{key}: too few images ({', '.join(few)}); neighbors and covariances need {least} "
            "or more of every class"
        )


@dataclass(frozen=True)
class Seen:
    """The images with features of one network, and the classes that the judge takes them for.

    verdicts: [N] int64; None without a judge.
    """

    described: Described
    verdicts: np.ndarray | None

    def side(self, real: Reference, cells: Cells, rows: np.ndarray, how: How) -> Side:
        """These rows against the reference, and against its histogram over the cells."""
        whole = len(rows) == len(self.described)
        part = self.described if whole else self.described.take(rows)
        gate = None
        if self.verdicts is not None:
            gate = classification.confusion(part.labels, self.verdicts[rows])
        js = cells.distance(part.features, part.labels)
        return Side(comparison.compare(real, part, how), gate, js)


def look(
    side: Images, eyes: Judge | Inception, *, batch: int, cache: Path | None = None
) -> Described:
    """The images with the network's features and logits, read and resized block by block.

    cache: a file that keeps both for the next time; its name must say of what they are.
    """
    labels = np.asarray(side.labels)
    if cache is None or not cache.is_file():
        described = Described(side.images, labels, *_features(side, eyes, batch))
        if cache is not None:
            _keep(cache, described)
        return described
    with np.load(cache, allow_pickle=False) as file:
        return Described(side.images, labels, file["features"], file["logits"])


def _features(side: Images, eyes: Judge | Inception, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """[N, F] float32 features and [N, K] float32 logits."""
    seen: list[Description] = []
    with tqdm(total=len(side.labels), unit="img", desc=side.name, disable=None, leave=False) as bar:
        for start in range(0, len(side.labels), BLOCK):
            block = resize.resize(side.images[start : start + BLOCK], IMAGE_PX)
            seen.append(eyes.describe(block, batch=batch))
            bar.update(len(block))
    features = np.concatenate([part.features for part in seen])
    return features, np.concatenate([part.logits for part in seen])


def _keep(cache: Path, described: Described) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    save_arrays(cache, features=described.features, logits=described.logits)


def judged(side: Images, eyes: Judge | Inception, judge: Judge | None, *, batch: int) -> Seen:
    """The images with features of `eyes` and verdicts of the judge, who is asked once alone."""
    described = look(side, eyes, batch=batch)
    if judge is None:
        return Seen(described, None)
    own = described if eyes is judge else look(side, judge, batch=batch)
    return Seen(described, own.logits.argmax(axis=1))


def measure(
    real: Described,
    sample: Seen,
    floor: Seen,
    how: How,
    *,
    path_length: float | None,
    trained: tuple[ClassifierRow, ...],
) -> Measured:
    """All numbers; matched and floor have as many images of each class as the smaller of both."""
    both = (comparison.class_counts(side.described.labels) for side in (sample, floor))
    counts = tuple(min(pair) for pair in zip(*both, strict=True))
    rng = np.random.default_rng(how.seed)
    rows, floor_rows = (
        comparison.draw(side.described.labels, counts, rng) for side in (sample, floor)
    )
    prepared = comparison.reference(real, how)
    cells = Cells(real.features, real.labels, seed=how.seed)
    return Measured(
        real=prepared,
        whole=sample.side(prepared, cells, np.arange(len(sample.described)), how),
        matched=sample.side(prepared, cells, rows, how),
        floor=floor.side(prepared, cells, floor_rows, how),
        path_length=path_length,
        trained=trained,
    )
