"""What `ferbench bias` reads: the examined images, the real faces, the user's file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.bias import from_file
from ferbench.bias.attributes import Attribute
from ferbench.bias.compared import LEAST
from ferbench.classes import CLASSES, SPLITS
from ferbench.classifiers import doubts
from ferbench.commands import inputs
from ferbench.config.bias import Bias
from ferbench.data import label_counts, named_sets
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError
from ferbench.files import load_arrays

PREDICTIONS = "predictions.npz"  # of a run of classify


@dataclass(frozen=True)
class Subject:
    """The examined images: images [N, 48, 48] uint8, labels, predicted [N] int64, names.

    name, hash: of the set. classifier: the run's row; predicted: its predictions; None without one.
    """

    name: str
    hash: str
    images: np.ndarray
    labels: np.ndarray
    names: list[str]
    synthetic: bool = False
    itself: bool = False  # the real Training images
    classifier: Mapping[str, Any] | None = None
    predicted: np.ndarray | None = None


@dataclass(frozen=True)
class BiasInputs:
    """What is read: the examined images, the real faces, and the user's file of attributes.

    attributes: of that file, none without it.
    """

    subject: Subject
    faces: FaceSet
    file: from_file.AttributeFile | None
    attributes: list[Attribute]

    @property
    def warnings(self) -> list[str]:
        """Why the bias of the classifier means nothing."""
        predicted = self.subject.predicted
        return [] if predicted is None else doubts.of_predictions(predicted)

    @property
    def hashes(self) -> dict[str, str | None]:
        """What the numbers depend on, by its content."""
        predicted = self.subject.predicted
        return {
            "set": self.subject.hash,
            "reference": self.faces.manifest["hashes"]["train"],
            "predictions": None if predicted is None else _hash(predicted.tobytes()),
            "attributes": None if self.file is None else _hash(self.file.path.read_bytes()),
        }


def open_all(job: Bias) -> BiasInputs:
    """Everything that is read, checked before anything is computed."""
    file = None if job.attributes is None else from_file.read(Path(job.attributes))
    faces = inputs.open_faces(job.data)
    subject = _subject(job, faces)
    _check_classes(job, subject)
    attributes = [] if file is None else _attributes(job, file, subject, faces)
    return BiasInputs(subject, faces, file, attributes)


def _subject(job: Bias, faces: FaceSet) -> Subject:
    if job.run is not None:
        return _tested(Path(job.run), job, faces)
    if job.set in SPLITS:
        part, manifest = faces.splits[str(job.set)], faces.manifest
        return Subject(
            f"{manifest['name']}_{job.set}",
            manifest["hashes"][job.set],
            part.images,
            np.asarray(part.labels),
            part.names.tolist(),
            itself=job.set == "train",
        )
    made = inputs.open_set(job.set, Path(job.outputs))
    names = [str(i) for i in range(len(made.labels))]
    return Subject(
        made.name,
        made.manifest["hash"],
        made.images,
        np.asarray(made.labels),
        names,
        synthetic=True,
    )


def _tested(folder: Path, job: Bias, faces: FaceSet) -> Subject:
    """The test images of a classifier's run, with its predictions."""
    row = inputs.trained_row(folder)
    tested, _, test_hash = named_sets.test_faces(faces, row["test_split"])
    if row["test_hash"] != test_hash:
        raise UserError(
            f"run={folder}: was tested on other images than those of "
            f"data={job.data.name}; expected a run on {row['test_data']}, "
            f"{row['test_split']} split, as it is now"
        )
    logits = _logits(folder / PREDICTIONS, tested.names)
    return Subject(
        f"{row['test_data']}_{row['test_split']}",
        test_hash,
        tested.images,
        tested.labels,
        tested.names.tolist(),
        classifier=row,
        predicted=logits.argmax(axis=1),
    )


def _logits(path: Path, names: np.ndarray) -> np.ndarray:
    """[N, 7] of a predictions.npz on just these images; nothing in the file is run."""
    try:
        kept = load_arrays(path, "names", "logits")
    except (OSError, ValueError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"run={path.parent}: {path.name} cannot be read ({reason})") from None
    predicted_names, logits = kept["names"], kept["logits"]
    if not np.array_equal(predicted_names, names) or logits.shape != (len(names), len(CLASSES)):
        raise UserError(f"run={path.parent}: {path.name} is not of the test split's images")
    if logits.dtype.kind != "f" or not np.isfinite(logits).all():
        raise UserError(
            f"run={path.parent}: {path.name} holds numbers that are not finite (NaN or infinite); "
            "expected a run whose training went well"
        )
    return logits


def _check_classes(job: Bias, subject: Subject) -> None:
    """Refuse images among which a class is missing, or has a single one."""
    counts = label_counts.counts_by_name(subject.labels)
    few = [f"{name} {n}" for name, n in counts.items() if n < LEAST]
    if few:
        key = f"run={job.run}" if job.run else f"set={job.set or subject.name}"
        raise UserError(
            f"{key}: too few images ({', '.join(few)}); expected {LEAST} or more of every class"
        )


def _attributes(
    job: Bias, file: from_file.AttributeFile, subject: Subject, faces: FaceSet
) -> list[Attribute]:
    real_names = None if subject.itself else faces.splits["train"].names.tolist()
    return from_file.attributes(file, subject.names, real_names, groups=job.quantiles)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
