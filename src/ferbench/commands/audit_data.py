"""`ferbench audit-data`: the faults of the real faces themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ferbench import models, runs
from ferbench.classes import CLASSES
from ferbench.classifiers.stepping import GRAPHS_KEY
from ferbench.classifiers.training import Stopped
from ferbench.commands import inputs, measured
from ferbench.commands.measured import Outcome, Run
from ferbench.config.audit_data import AuditData
from ferbench.config.identity import identity
from ferbench.data.face_set import FaceSet
from ferbench.data_audit import enlarged as zoomed
from ferbench.data_audit import faults, figures, label_noise, numbers, pool
from ferbench.data_audit import report as pages
from ferbench.data_audit.findings import Findings, LabelNoise
from ferbench.data_audit.label_noise import Search
from ferbench.data_audit.out_of_fold import Fitting
from ferbench.data_audit.pool import Pool
from ferbench.files import remove_partial
from ferbench.progress import steps
from ferbench.report.audit import Context, command_line, software
from ferbench.runs import Compute, Interrupted, Record, StopSignal


@dataclass(frozen=True)
class AuditDataInputs:
    """What is read: the set, its images in one row, and how classifiers are fitted, if at all."""

    faces: FaceSet
    pool: Pool
    fitting: Fitting | None

    @property
    def hashes(self) -> dict[str, Any]:
        """What the numbers depend on, by its content; the folds depend on what is a copy."""
        copies = self.pool.photographs().astype("<i8").tobytes()
        real = dict(self.faces.manifest["hashes"])
        return {"real": real, "copies": hashlib.sha256(copies).hexdigest()}


def run(job: AuditData) -> Path:
    """Report the set's faults, or say that it was done already; leave report, figures and a row."""
    compute = Compute.choose(job.device, job.precision)
    read = _open_all(job, compute)
    name = job.name or f"data_{read.faces.manifest['name']}"
    this = Run(job, "audit-data", name, read.hashes, compute)
    return measured.run(this, lambda record: _audit(job, read, record))


def _audit(job: AuditData, read: AuditDataInputs, record: Record) -> Outcome:
    noise = None if read.fitting is None else _label_noise(job, read, read.fitting)
    with steps() as on_step:
        if job.zoom:
            on_step("enlarged copies")
        enlarged = zoomed.find(read.pool, read.faces) if job.zoom else None
        on_step("copies and balance")
        findings = Findings(read.pool, faults.find(read.pool), noise, enlarged)
        if noise is not None:
            numbers.write_disputed(record.folder / numbers.DISPUTED, noise, read.pool)
        on_step("figures")
        drawn = figures.draw(record.folder, findings, show_real=job.show_real)
    context = Context(_facts(job, read, record), drawn, _again(job))
    return Outcome(
        lines=[pages.summary(findings)],
        row=_row(job, read, findings),
        numbers=numbers.as_json(findings),
        title=f"The faults of {read.faces.manifest['name']}",
        blocks=pages.blocks(findings, context),
    )


# --- what is read --------------------------------------------------------------------------------


def _open_all(job: AuditData, compute: Compute) -> AuditDataInputs:
    """Everything that is read, checked before anything is computed."""
    network = None if job.label_noise.folds is None else models.NetworkOptions(**asdict(job.model))
    faces = inputs.open_faces(job.data)
    images = pool.read(faces)
    if network is None or job.label_noise.folds is None:
        return AuditDataInputs(faces, images, None)
    make = partial(models.build, network, classes=len(CLASSES))
    make()  # ImageNet's weights may not be at hand
    runs.graphs_wanted(GRAPHS_KEY, job.train.graphs, compute.device)
    label_noise.check(images, job.label_noise.folds)
    fitting = Fitting(make, job.train, job.seed, compute.precision, compute.device, job.batch)
    return AuditDataInputs(faces, images, fitting)


# --- label noise ---------------------------------------------------------------------------------


def _label_noise(job: AuditData, read: AuditDataInputs, fitting: Fitting) -> LabelNoise:
    """Fit the classifiers, or read what an earlier run left of them; stop on a signal."""
    how = job.label_noise
    assert how.folds is not None
    search = Search(how.folds, how.control_flips, how.bootstrap)
    try:
        with _cache(job, read, fitting) as folder, StopSignal() as signal:
            return label_noise.find(
                read.pool,
                fitting,
                search,
                folder=folder,
                should_stop=lambda: bool(signal.received),
                on_fit=print,
            )
    except Stopped:
        raise Interrupted(
            "stopped, the state is saved; the same command goes on", signal.received
        ) from None


@contextmanager
def _cache(job: AuditData, read: AuditDataInputs, fitting: Fitting) -> Iterator[Path]:
    """The folder of predictions, which serve every report on these fits; for one process only."""
    fits = {
        "inputs": read.hashes,
        "model": identity(job.model),
        "train": identity(job.train),
        "seed": job.seed,
        "precision": fitting.precision.name,
        "folds": job.label_noise.folds,
    }
    folder = Path(job.outputs) / "cache" / "labels" / runs.hash_of(fits)[:16]
    with runs.alone(folder, "these predictions"):
        remove_partial(folder)
        yield folder


# --- what is left --------------------------------------------------------------------------------


def _row(job: AuditData, read: AuditDataInputs, findings: Findings) -> dict[str, Any]:
    hashes = read.faces.manifest["hashes"]
    fitted = read.fitting is not None
    return {
        "data": job.data.name,
        "data_hash": hashes["train"],
        "set_name": read.faces.manifest["name"],
        "set_hash": runs.hash_of(hashes),
        "fold_model": job.model.name if fitted else None,
        "control_flips": job.label_noise.control_flips or None if fitted else None,
        **numbers.row_columns(findings),
    }


def _facts(job: AuditData, read: AuditDataInputs, record: Record) -> dict[str, str]:
    """What was examined, for the head of the report."""
    counts = read.faces.manifest["counts"]
    sizes = ", ".join(f"{sum(of.values()):,} {split}" for split, of in counts.items())
    facts = {"set": f"`{read.faces.manifest['name']}`: {sizes}"}
    if read.fitting is not None:
        width = "" if job.model.width is None else f", width {job.model.width}"
        facts["classifiers"] = (
            f"{job.label_noise.folds} of `{job.model.name}`{width}, {job.model.input_px} px, "
            f"{job.train.epochs} epochs each, seed {job.seed}"
        )
    facts["software"] = software(record.facts["environment"])
    return facts


def _again(job: AuditData) -> str:
    """The command that gives these numbers again, with all that they depend on."""
    words: dict[str, Any] = {"data": job.data.name, "outputs": job.outputs, "zoom": job.zoom}
    if job.label_noise.folds is None:
        words["label_noise"] = "none"
    else:
        words |= {"model": job.model.name, "seed": job.seed, "precision": job.precision}
        words |= _flat("label_noise.", asdict(job.label_noise)) | _flat("train.", asdict(job.train))
        words |= _flat("model.", {k: v for k, v in asdict(job.model).items() if k != "name"})
    written = {key: "null" if value is None else value for key, value in words.items()}
    return command_line("audit-data", written)


def _flat(prefix: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of a section by their dotted names."""
    flat: dict[str, Any] = {}
    for key, value in section.items():
        inner = isinstance(value, Mapping)
        flat |= _flat(f"{prefix}{key}.", value) if inner else {f"{prefix}{key}": value}
    return flat
