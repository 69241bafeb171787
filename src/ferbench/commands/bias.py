"""`ferbench bias`: what separates groups of faces, in a set of images or under a classifier."""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
import yaml

from ferbench import report, results, runs
from ferbench.bias import attributes, figures, findings, from_file
from ferbench.bias import report as pages
from ferbench.bias.attributes import Attribute
from ferbench.bias.compared import LEAST
from ferbench.bias.computed import compute
from ferbench.bias.findings import Findings
from ferbench.classes import CLASSES, IMAGE_PX, SPLITS
from ferbench.commands import inputs
from ferbench.config.bias import Bias
from ferbench.data import named_sets, resize
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError
from ferbench.files import save_json
from ferbench.results.rows import BiasRow
from ferbench.runs import Record

PREDICTIONS = "predictions.npz"  # of a run of classify
PRECISION = "fp32"  # of the row, where no classifier has one


@dataclass(frozen=True)
class Subject:
    """The images in question: images [N, 48, 48] uint8, labels, predicted [N] int64, names.

    name, hash: of the set. classifier: the run's row; predicted: its verdicts; None without one.
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
class Inputs:
    """What is read: the images in question, the real faces, the user's file, and their hashes."""

    subject: Subject
    faces: FaceSet
    file: from_file.AttributeFile | None
    identity: Mapping[str, Any]


def run(job: Bias) -> None:
    """Look for bias, or say that it was done already; leave report, figures and a row."""
    given = _inputs(job)
    name = job.name or (Path(job.run).resolve().name if job.run else given.subject.name)
    folder = Path(job.outputs) / "bias" / f"{name}_{runs.hash_of(given.identity)[:8]}"
    folder = runs.free_folder(folder) if job.force else folder
    if inputs.is_done(folder, Path(job.outputs), "looks again"):
        return
    named = _file_attributes(job, given)
    config = yaml.safe_dump(asdict(job) | {"force": False}, sort_keys=False)
    with runs.recorded(folder, "bias", config, given.identity) as record:
        record.update(environment=runs.environment(torch.device("cpu")))
        _look(job, given, named, record)


def _look(job: Bias, given: Inputs, named: list[Attribute], record: Record) -> None:
    began, folder, subject = time.perf_counter(), record.folder, given.subject
    print(f"run: {folder}")
    real = given.faces.splits["train"]
    computed, blank = _computed(job, given)
    found = findings.find(
        subject.labels,
        real.labels,
        [*computed, *named],
        predicted=subject.predicted,
        blank=blank,
        synthetic=subject.synthetic,
        itself=subject.itself,
        min_count=job.min_count,
        rounds=job.bootstrap,
        seed=job.seed,
    )
    save_json(folder / "metrics.json", pages.as_json(found))
    drawn = figures.draw(folder, found, subject.labels, real.labels)
    blocks = pages.blocks(found, _facts(job, given, record), drawn, _again(job))
    report.write(folder, f"Bias of {_title(job, subject)}", blocks)
    row = _row(job, given, found, record, time.perf_counter() - began)
    record.update(status="complete", finished=row.finished, row=asdict(row))
    results.append(Path(job.outputs), row)
    print(pages.summary(found))
    print(f"report: {folder / report.HTML} ({row.seconds:.0f} s)")


def _title(job: Bias, subject: Subject) -> str:
    return Path(job.run).resolve().name if job.run else subject.name


# --- inputs --------------------------------------------------------------------------------------


def _inputs(job: Bias) -> Inputs:
    """Everything that is read, checked before anything is computed."""
    file = None if job.attributes is None else from_file.read(Path(job.attributes))
    faces = inputs.open_faces(job.data)
    subject = _subject(job, faces)
    _check_classes(job, subject)
    identity: dict[str, Any] = {
        "set": subject.hash,
        "reference": faces.manifest["hashes"]["train"],
        "predictions": None if subject.predicted is None else _hash(subject.predicted.tobytes()),
        "attributes": None if file is None else _hash(file.path.read_bytes()),
        **{key: getattr(job, key) for key in ("quantiles", "min_count", "bootstrap", "seed")},
    }
    return Inputs(subject, faces, file, identity)


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
    read = inputs.open_set(job.set, Path(job.outputs))
    names = [str(i) for i in range(len(read.labels))]
    return Subject(
        read.root.resolve().name,
        read.manifest["hash"],
        resize.resize(read.images, IMAGE_PX),
        np.asarray(read.labels),
        names,
        synthetic=True,
    )


def _tested(folder: Path, job: Bias, faces: FaceSet) -> Subject:
    """The test images of a classifier's run, with what it takes them for."""
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
        with np.load(path, allow_pickle=False) as file:
            found, logits = file["names"], np.asarray(file["logits"])
    except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"run={path.parent}: {path.name} cannot be read ({reason})") from None
    if not np.array_equal(found, names) or logits.shape != (len(names), len(CLASSES)):
        raise UserError(f"run={path.parent}: {path.name} is not of the test split's images")
    return logits


def _check_classes(job: Bias, subject: Subject) -> None:
    """Refuse images among which a class is missing, or has a single one."""
    counts = np.bincount(subject.labels, minlength=len(CLASSES))
    few = [f"{name} {n}" for name, n in zip(CLASSES, counts, strict=True) if n < LEAST]
    if few:
        key = f"run={job.run}" if job.run else f"set={job.set or subject.name}"
        raise UserError(
            f"{key}: too few images ({', '.join(few)}); expected {LEAST} or more of every class"
        )


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- attributes ----------------------------------------------------------------------------------


def _computed(job: Bias, given: Inputs) -> tuple[list[Attribute], int]:
    """The attributes that every image has, and how many images are blank."""
    own = compute(given.subject.images)
    real = None if given.subject.itself else compute(given.faces.splits["train"].images)
    blank = int(np.isnan(own["brightness"]).sum())
    if blank == len(given.subject.labels):
        raise UserError(f"set={given.subject.name}: all images are blank; expected faces")
    found = [
        attributes.of_numbers(
            name, values, None if real is None else real[name], groups=job.quantiles
        )
        for name, values in own.items()
    ]
    return found, blank


def _file_attributes(job: Bias, given: Inputs) -> list[Attribute]:
    if given.file is None:
        return []
    real = None if given.subject.itself else given.faces.splits["train"].names.tolist()
    return from_file.attributes(given.file, given.subject.names, real, groups=job.quantiles)


# --- what is left --------------------------------------------------------------------------------


def _row(job: Bias, given: Inputs, found: Findings, record: Record, seconds: float) -> BiasRow:
    identity = given.identity
    trained = given.subject.classifier
    return BiasRow(
        **runs.row_columns(record, Path(job.outputs), identity, seconds=seconds),
        command="bias",
        seed=job.seed,
        data=job.data.name,
        data_hash=identity["reference"],
        precision=PRECISION if trained is None else trained["precision"],
        set_name=given.subject.name,
        set_hash=given.subject.hash,
        classifier=None if trained is None else trained["run"],
        attributes_hash=identity["attributes"] and identity["attributes"][:16],
        **pages.row_columns(found),
    )


def _facts(job: Bias, given: Inputs, record: Record) -> dict[str, str]:
    """What was looked at, for the head of the report."""
    subject, environment = given.subject, record.facts["environment"]
    facts = {"images": f"`{subject.name}`, {len(subject.labels):,}, hash `{subject.hash[:12]}`"}
    if subject.classifier is not None:
        row = subject.classifier
        facts["classifier"] = (
            f"`{row['run']}`: {row['model']} on {row['data']}, accuracy "
            f"{100 * row['accuracy']:.1f} %"
        )
    if not subject.itself:
        count = len(given.faces.splits["train"])
        facts["compared with"] = f"`{given.faces.manifest['name']}_train`, {count:,} images"
    if given.file is not None:
        facts["attributes"] = f"`{given.file.path.name}`: {', '.join(given.file.cells)}"
    facts["draws"] = f"{job.bootstrap:,}, seed {job.seed}"
    facts["software"] = f"ferbench {environment['code_version']}, on {environment['hardware']}"
    return facts


def _again(job: Bias) -> str:
    """The command that gives these numbers again."""
    words = {
        "set": job.set,
        "run": job.run,
        "attributes": job.attributes,
        "data": job.data.name,
        "quantiles": job.quantiles,
        "min_count": job.min_count,
        "bootstrap": job.bootstrap,
        "seed": job.seed,
        "outputs": job.outputs,
    }
    given = [f"{key}={value}" for key, value in words.items() if value is not None]
    return shlex.join(["ferbench", "bias", *given])
