"""`ferbench bias`: how groups of faces differ, in a set or in the predictions of a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ferbench.bias import attributes, figures, numbers
from ferbench.bias import report as pages
from ferbench.bias.attributes import Attribute
from ferbench.bias.computed import compute as compute_attributes
from ferbench.bias.findings import Findings
from ferbench.bias.measure import Sample, Settings, measure
from ferbench.commands import bias_inputs, measured
from ferbench.commands.bias_inputs import BiasInputs
from ferbench.commands.measured import Outcome, Run
from ferbench.config.bias import Bias
from ferbench.errors import UserError
from ferbench.progress import steps
from ferbench.report import audit
from ferbench.runs import Compute, Record


def run(job: Bias) -> Path:
    """Look for bias, or say that it was done already; leave report, figures and a row."""
    read = bias_inputs.open_all(job)
    compute = Compute.choose("cpu", "fp32")
    this = Run(job, "bias", job.name or _title(job, read), read.hashes, compute)
    return measured.run(this, lambda record: _look(job, read, record))


def _look(job: Bias, read: BiasInputs, record: Record) -> Outcome:
    subject, real = read.subject, read.faces.splits["train"]
    with steps() as on_step:
        on_step("attributes of the images")
        computed, blank = _computed(job, read)
        sample = Sample(subject.labels, subject.predicted, blank, subject.synthetic, subject.itself)
        settings = Settings(job.min_count, job.bootstrap, job.seed)
        on_step("differences between groups, and what chance gives")
        findings = measure(sample, real.labels, [*computed, *read.attributes], settings)
        on_step("figures")
        drawn = figures.draw(record.folder, findings, subject.labels, real.labels)
    notes = [f"Warning: {warning}." for warning in read.warnings]
    context = audit.Context(_facts(job, read, record), drawn, _again(job), notes)
    return Outcome(
        lines=[*(f"warning: {warning}" for warning in read.warnings), pages.summary(findings)],
        row=_row(job, read, findings),
        numbers=numbers.as_json(findings),
        title=f"Bias of {_title(job, read)}",
        blocks=pages.blocks(findings, context),
        warnings=read.warnings,
    )


def _title(job: Bias, read: BiasInputs) -> str:
    return Path(job.run).resolve().name if job.run else read.subject.name


def _computed(job: Bias, read: BiasInputs) -> tuple[list[Attribute], int]:
    """The attributes that every image has, and how many images are blank."""
    own = compute_attributes(read.subject.images)
    train = read.faces.splits["train"].images
    real = None if read.subject.itself else compute_attributes(train)
    blank = int(np.isnan(own["brightness"]).sum())
    if blank == len(read.subject.labels):
        raise UserError(f"set={read.subject.name}: all images are blank; expected faces")
    computed = [
        attributes.of_numbers(
            name, values, None if real is None else real[name], groups=job.quantiles
        )
        for name, values in own.items()
    ]
    return computed, blank


# --- what is left --------------------------------------------------------------------------------


def _row(job: Bias, read: BiasInputs, findings: Findings) -> dict[str, Any]:
    subject, hashes = read.subject, read.hashes
    trained, file_hash = subject.classifier or {}, hashes["attributes"]
    return {
        "data": job.data.name,
        "data_hash": hashes["reference"],
        **{key: trained[key] for key in ("precision",) if key in trained},
        "set_name": subject.name,
        "set_hash": subject.hash,
        "classifier": trained.get("run"),
        "attributes_hash": None if file_hash is None else file_hash[:16],
        **numbers.row_columns(findings),
    }


def _facts(job: Bias, read: BiasInputs, record: Record) -> dict[str, str]:
    """What was examined, for the head of the report."""
    subject = read.subject
    facts = {"set": audit.image_set(subject.name, len(subject.labels), subject.hash)}
    if subject.classifier is not None:
        row = subject.classifier
        facts["classifier"] = (
            f"`{row['run']}`: {row['model']} on {row['data']}, accuracy "
            f"{100 * row['accuracy']:.1f} %"
        )
    if not subject.itself:
        count = len(read.faces.splits["train"])
        facts["compared with"] = f"`{read.faces.manifest['name']}_train`, {count:,} images"
    if read.file is not None:
        facts["attributes"] = f"`{read.file.path.name}`: {', '.join(read.file.cells)}"
    facts["draws"] = f"{job.bootstrap:,}, seed {job.seed}"
    facts["software"] = audit.software(record.facts["environment"])
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
    return audit.command_line("bias", words)
