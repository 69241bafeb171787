"""`ferbench audit data`: the faults of the real faces themselves, a half of `ferbench audit`."""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from filelock import FileLock, Timeout

from ferbench import models, report, results, runs
from ferbench.classes import CLASSES
from ferbench.classifiers.training import Stopped
from ferbench.commands import inputs
from ferbench.config.audit import Audit
from ferbench.data.face_set import FaceSet
from ferbench.data_audit import enlarged as zoomed
from ferbench.data_audit import faults, figures, label_noise, pool
from ferbench.data_audit import report as pages
from ferbench.data_audit.label_noise import LabelNoise
from ferbench.data_audit.out_of_fold import Fitting
from ferbench.data_audit.pool import Pool
from ferbench.data_audit.report import Findings
from ferbench.errors import UserError
from ferbench.files import remove_partial, save_json
from ferbench.results.rows import DataAuditRow
from ferbench.runs import Interrupted, Record, StopSignal, precision
from ferbench.runs.precision import Precision

SET = "data"  # set=data: the real faces take the place of a synthetic set
COMMAND = "audit-data"  # in run.json and in the row
KEYS = ("zoom", "model", "train", "label_noise")  # of the config, that only this half reads


@dataclass(frozen=True)
class Inputs:
    """What is read: the set, its images in one row, and how classifiers are fitted, if at all."""

    faces: FaceSet
    pool: Pool
    fitting: Fitting | None
    identity: Mapping[str, Any]


def run(job: Audit) -> None:
    """Report the set's faults, or say that it was done already; leave report, figures and a row."""
    device = runs.resolve_device(job.device)
    chosen = precision.choose(job.precision, device)
    given = _inputs(job, device, chosen)
    folder = Path(job.outputs) / "audit" / f"{_name(job, given)}_{runs.hash_of(given.identity)[:8]}"
    folder = runs.free_folder(folder) if job.force else folder
    if inputs.is_done(folder, Path(job.outputs), "audits it again"):
        return
    config = yaml.safe_dump(asdict(job) | {"force": False}, sort_keys=False)
    with runs.recorded(folder, COMMAND, config, given.identity) as record:
        record.update(environment=runs.environment(device))
        _audit(job, given, record)


def _audit(job: Audit, given: Inputs, record: Record) -> None:
    began, folder = time.perf_counter(), record.folder
    print(f"run: {folder}")
    noise = None if given.fitting is None else _label_noise(job, given, given.fitting)
    enlarged = zoomed.find(given.pool, given.faces) if job.zoom else None
    found = Findings(given.pool, faults.find(given.pool), noise, enlarged)
    if noise is not None:
        pages.write_disputed(folder / pages.DISPUTED, noise, given.pool)
    save_json(folder / "metrics.json", pages.as_json(found))
    drawn = figures.draw(folder, found, show_real=job.show_real)
    blocks = pages.blocks(found, _facts(job, given, record), drawn, _again(job))
    report.write(folder, f"The faults of {given.faces.manifest['name']}", blocks)
    row = _row(job, given, found, record, time.perf_counter() - began)
    record.update(status="complete", finished=row.finished, row=asdict(row))
    results.append(Path(job.outputs), row)
    print(pages.summary(found))
    print(f"report: {folder / report.HTML} ({row.seconds:.0f} s)")


# --- inputs --------------------------------------------------------------------------------------


def _inputs(job: Audit, device: torch.device, chosen: Precision) -> Inputs:
    """Everything that is read, checked before anything is computed."""
    if job.data.real_limit is not None:
        raise UserError(
            f"data.real_limit={job.data.real_limit}: faults are sought in the whole set; "
            "expected null"
        )
    faces = inputs.open_faces(job.data)
    whole = pool.read(faces)
    identity: dict[str, Any] = {
        "audit": SET,
        "real": dict(faces.manifest["hashes"]),
        "copies": _copies_hash(whole),
        "zoom": job.zoom,
        "pictures": job.show_real,
    }
    if job.label_noise.folds is None:
        return Inputs(faces, whole, None, identity)
    network = asdict(job.model)
    make = partial(models.build, classes=len(CLASSES), **network)
    make()  # refuses a wrong network now
    label_noise.check(whole, job.label_noise.folds)
    fitting = Fitting(make, job.train, job.seed, chosen, device, job.batch)
    identity |= {
        "labels": asdict(job.label_noise),
        "model": network,
        "train": job.train.said,
        "seed": job.seed,
        "precision": chosen.name,
    }
    return Inputs(faces, whole, fitting, identity)


def _copies_hash(whole: Pool) -> str:
    """What counts as a copy decides on the folds."""
    return hashlib.sha256(whole.photographs().astype("<i8").tobytes()).hexdigest()


def _name(job: Audit, given: Inputs) -> str:
    return job.name or f"data_{given.faces.manifest['name']}"


# --- label noise ---------------------------------------------------------------------------------


def _label_noise(job: Audit, given: Inputs, fitting: Fitting) -> LabelNoise:
    """Fit the classifiers, or read what an earlier run left of them; stop on a signal."""
    assert job.label_noise.folds is not None
    try:
        with _cache(job, given) as folder, StopSignal() as signal:
            return label_noise.find(
                given.pool,
                fitting,
                folds=job.label_noise.folds,
                rounds=job.label_noise.bootstrap,
                control_flips=job.label_noise.control_flips,
                folder=folder,
                should_stop=lambda: bool(signal.received),
                on_fit=print,
            )
    except Stopped:
        raise Interrupted(
            "stopped, the state is saved; the same command goes on", signal.received
        ) from None


@contextmanager
def _cache(job: Audit, given: Inputs) -> Iterator[Path]:
    """The folder of predictions, which serve every report on these fits; for one process only."""
    parts = ("real", "copies", "model", "train", "seed", "precision")
    fits = {key: given.identity[key] for key in parts} | {"folds": job.label_noise.folds}
    folder = Path(job.outputs) / "cache" / "labels" / runs.hash_of(fits)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / runs.LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{folder}: another process is at work on these predictions") from None
    try:
        remove_partial(folder)
        yield folder
    finally:
        lock.release()


# --- what is left --------------------------------------------------------------------------------


def _row(
    job: Audit, given: Inputs, found: Findings, record: Record, seconds: float
) -> DataAuditRow:
    environment, identity = record.facts["environment"], given.identity
    hashes = given.faces.manifest["hashes"]
    fitted = given.fitting is not None
    flips = job.label_noise.control_flips if fitted and job.label_noise.control_flips else None
    return DataAuditRow(
        **runs.row_columns(record, Path(job.outputs), identity, seconds=seconds),
        command=COMMAND,
        seed=job.seed,
        data=job.data.name,
        data_hash=hashes["train"],
        precision=precision.choose(job.precision, torch.device(environment["device"])).name,
        set_name=given.faces.manifest["name"],
        set_hash=runs.hash_of(hashes),
        fold_model=job.model.name if fitted else None,
        control_flips=flips,
        **pages.row_columns(found),
    )


def _facts(job: Audit, given: Inputs, record: Record) -> dict[str, str]:
    """What was looked at, for the head of the report."""
    environment, counts = record.facts["environment"], given.faces.manifest["counts"]
    sizes = ", ".join(f"{sum(of.values()):,} {split}" for split, of in counts.items())
    facts = {"set": f"`{given.faces.manifest['name']}`: {sizes}"}
    if given.fitting is not None:
        width = "" if job.model.width is None else f", width {job.model.width}"
        facts["classifiers"] = (
            f"{job.label_noise.folds} of `{job.model.name}`{width}, {job.model.input_px} px, "
            f"{job.train.epochs} epochs each, seed {job.seed}"
        )
    facts["software"] = (
        f"ferbench {environment['code_version']}, torch {environment['packages']['torch']}, on "
        f"{environment['hardware']}"
    )
    return facts


def _again(job: Audit) -> str:
    """The command that gives these numbers again, with all that they depend on."""
    words: dict[str, Any] = {"data": job.data.name, "outputs": job.outputs, "zoom": job.zoom}
    if job.label_noise.folds is None:
        words["label_noise"] = "none"
    else:
        words |= {"model": job.model.name, "seed": job.seed, "precision": job.precision}
        words |= _flat("label_noise.", asdict(job.label_noise)) | _flat("train.", asdict(job.train))
        words |= _flat("model.", {k: v for k, v in asdict(job.model).items() if k != "name"})
    written = (f"{key}={'null' if value is None else value}" for key, value in words.items())
    return shlex.join(["ferbench", "audit", "data", *written])


def _flat(prefix: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of a section by their dotted names."""
    found: dict[str, Any] = {}
    for key, value in section.items():
        inner = isinstance(value, Mapping)
        found |= _flat(f"{prefix}{key}.", value) if inner else {f"{prefix}{key}": value}
    return found
