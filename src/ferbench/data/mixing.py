"""What a classifier learns from: real faces, synthetic ones, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.data import face_set
from ferbench.data.face_set import FaceSet
from ferbench.data.label_counts import apportion, class_counts, counts_by_name
from ferbench.data.synthetic_set import SyntheticSet
from ferbench.data.training_set import Endless, Part, TrainingSet, gray_statistics
from ferbench.errors import UserError

Pool = SyntheticSet | Endless  # where synthetic images come from

# --- what to learn from --------------------------------------------------------------------------


def limited(faces: FaceSet, *, fraction: float, seed: int) -> FaceSet:
    """The set with a part of its training split: `fraction` of every class, at least one face.

    Which faces is a matter of the seed alone, and the faces of a smaller fraction are among those
    of a larger one. The other splits stay whole. The manifest's `limited` says what was there.
    """
    train = faces.splits["train"]
    sizes = class_counts(train.labels)
    kept = np.maximum(_part_of_each(sizes, fraction), sizes > 0)
    rows = _first_rows(_shuffled_rows(train.labels, seed), kept)
    part = train.take(rows)
    counts, hashes = faces.manifest["counts"], faces.manifest["hashes"]
    manifest = faces.manifest | {
        "counts": counts | {"train": counts_by_name(part.labels)},
        "hashes": hashes | {"train": face_set.content_hash(part)},
        "limited": {"fraction": fraction, "seed": seed, "of": len(train), "hash": hashes["train"]},
    }
    extras = {
        name: array[rows] if name.endswith("_train") else array
        for name, array in faces.extras.items()
    }
    return replace(faces, splits=faces.splits | {"train": part}, manifest=manifest, extras=extras)


def only_real(faces: FaceSet) -> TrainingSet:
    """The training split as it is."""
    train, sha256 = faces.splits["train"], faces.manifest["hashes"]["train"]
    return TrainingSet(_real(faces, np.arange(len(train))), _nothing(), sha256)


def only_synthetic(faces: FaceSet, pool: Pool, *, limit: int | None, balance: str) -> TrainingSet:
    """The first `limit` synthetic images, `balance` as in `wanted_counts`; None: all there are.

    Of an endless pool, None is as many as the training split has. Raises UserError if a class has
    none, or too few.
    """
    if isinstance(pool, Endless):
        limit = limit or len(faces.splits["train"])
    elif limit is None:
        _require(pool, np.ones(len(CLASSES), np.int64))
        return whole(pool)
    return TrainingSet(_nothing(), _synthetic(pool, wanted_counts(faces, limit, balance)))


def whole(pool: SyntheticSet) -> TrainingSet:
    """All images of a set; its hash is the set's own, unless the images were resized."""
    rows, px = np.arange(len(pool)), pool.images.shape[-1]
    sha256 = str(pool.manifest["hash"]) if px == pool.image_px else None
    return TrainingSet(_nothing(), Part(pool.images, pool.labels, rows), sha256)


def replaced(
    faces: FaceSet, pool: Pool | None, *, real_fraction: float, balance: str, seed: int
) -> TrainingSet:
    """As many images as the training split has: `real_fraction` of every class, else synthetic.

    The seed chooses the real ones; those of a smaller fraction are among those of a larger one.
    pool may be None if the fraction is 1. Raises UserError if a class has too few synthetic images.
    """
    labels = faces.splits["train"].labels
    kept = _part_of_each(class_counts(labels), real_fraction)
    total, real = len(labels), _real(faces, _first_rows(_shuffled_rows(labels, seed), kept))
    if pool is None:
        assert len(real) == total
        return TrainingSet(real, _nothing())
    return TrainingSet(real, _synthetic(pool, wanted_counts(faces, total - len(real), balance)))


def added(faces: FaceSet, pool: Pool, *, synthetic_per_real: float, balance: str) -> TrainingSet:
    """The whole training split, and so many synthetic images for each of its images.

    Raises UserError if a class has too few of them.
    """
    real = _real(faces, np.arange(len(faces.splits["train"])))
    count = round(synthetic_per_real * len(real))
    return TrainingSet(real, _synthetic(pool, wanted_counts(faces, count, balance)))


def augmented(faces: FaceSet, *, synthetic_per_real: float, balance: str, seed: int) -> TrainingSet:
    """The control of `added`: in place of every synthetic image a real one of its class once more.

    The training loop augments each pass over an image anew, so the repeated ones are further
    ordinarily augmented images. All faces of a class are repeated before one is for the second
    time; the seed says in which order.
    """
    by_class = _shuffled_rows(faces.splits["train"].labels, seed)
    assert all(map(len, by_class))  # `prepare` refuses a set without a class
    total = sum(map(len, by_class))
    wanted = wanted_counts(faces, round(synthetic_per_real * total), balance)
    again = [np.resize(rows, n) for rows, n in zip(by_class, wanted, strict=True)]
    return TrainingSet(_real(faces, np.concatenate([np.arange(total), *again])), _nothing())


def match_levels(training: TrainingSet, faces: FaceSet) -> TrainingSet:
    """The synthetic images with mean and standard deviation of the real ones.

    The real ones are those of the training set, or the training split where it has none. It is one
    affine map of gray levels, rounded and cut at 0 and 255: the same as normalizing each source by
    its own statistics, in the units of the real one, so test images need no change. Raises
    UserError if the synthetic images are all of one gray level.
    """
    if not len(training.synthetic):
        return training
    reference = training.real if len(training.real) else only_real(faces).real
    mean, std = gray_statistics(reference)
    own_mean, own_std = gray_statistics(training.synthetic)
    if own_std == 0:
        raise UserError(
            f"data.normalize=source: every synthetic pixel is {own_mean:.0f}; expected images"
        )
    levels = mean + (np.arange(256) - own_mean) * std / own_std
    table = levels.round().clip(0, 255).astype(np.uint8)
    return replace(training, synthetic=replace(training.synthetic, levels=table), sha256=None)


# --- which rows ----------------------------------------------------------------------------------


def wanted_counts(faces: FaceSet, total: int, balance: str) -> np.ndarray:
    """[7] int64: how many of `total` images each class gets.

    balance: equal, or natural for the proportions of the training split.
    """
    if balance == "equal":
        return apportion(total, np.ones(len(CLASSES), np.int64))
    assert balance == "natural"
    return apportion(total, class_counts(faces.splits["train"].labels))


def _part_of_each(sizes: np.ndarray, fraction: float) -> np.ndarray:
    """[7] int64, each class rounded by itself: a larger fraction never has fewer of one."""
    return np.rint(fraction * sizes).astype(np.int64)


def _shuffled_rows(labels: np.ndarray, seed: int) -> list[np.ndarray]:
    """For each class its row numbers in random order."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(np.flatnonzero(labels == label)) for label in range(len(CLASSES))]


def _first_rows(by_class: Sequence[np.ndarray], counts: np.ndarray) -> np.ndarray:
    """Upwards, so that a file is read from its beginning to its end."""
    taken = [rows[:count] for rows, count in zip(by_class, counts, strict=True)]
    return np.sort(np.concatenate(taken))


def _real(faces: FaceSet, rows: np.ndarray) -> Part:
    train = faces.splits["train"]
    return Part(train.images, train.labels, rows)


def _synthetic(pool: Pool, counts: np.ndarray) -> Part:
    """The first images of every class, as many as wanted."""
    if isinstance(pool, Endless):
        return pool.part(counts)
    _require(pool, counts)
    by_class = [np.flatnonzero(pool.labels == label) for label in range(len(CLASSES))]
    return Part(pool.images, pool.labels, _first_rows(by_class, counts))


def _nothing() -> Part:
    shape = (0, IMAGE_PX, IMAGE_PX)
    no_rows = np.zeros(0, np.int64)
    return Part(np.zeros(shape, np.uint8), no_rows, no_rows)


def _require(pool: SyntheticSet, counts: np.ndarray) -> None:
    """UserError unless the set has so many images of every class."""
    available = class_counts(pool.labels)
    short = [
        f"{name} {there:,} of {count:,}"
        for name, there, count in zip(CLASSES, available, counts, strict=True)
        if there < count
    ]
    if short:
        total = int(counts.sum())
        enough = total if np.ptp(counts) <= 1 else len(CLASSES) * int(counts.max())
        raise UserError(
            f"data.synthetic={pool.root}: too few images ({', '.join(short)}); expected "
            f"{total:,} in all (ferbench synth n={enough} has enough of every class)"
        )
