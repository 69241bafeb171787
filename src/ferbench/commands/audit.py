"""`ferbench audit`: privacy leakage, what a synthetic set reveals of its training faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ferbench import runs
from ferbench.classifiers import batches
from ferbench.commands import audit_inputs, measured
from ferbench.commands.audit_inputs import AuditInputs
from ferbench.commands.measured import Outcome, Run
from ferbench.config.audit import Audit
from ferbench.privacy import audit, figures, network_attacks, numbers, real
from ferbench.privacy import report as pages
from ferbench.privacy.findings import AttackResult, Findings, Options
from ferbench.privacy.network_attacks import Inversion, NetworkOptions
from ferbench.privacy.real import Real
from ferbench.progress import steps
from ferbench.report.audit import Context, command_line, generator, image_set, software
from ferbench.runs import Compute, Record
from ferbench.similarity import views


def run(job: Audit) -> Path:
    """Audit the set, or say that it was done already; leave report, figures and a row."""
    compute = Compute.choose(job.device, job.precision)
    read = audit_inputs.open_all(job, compute)
    this = Run(job, "audit", job.name or read.name, read.hashes, compute)
    return measured.run(this, lambda record: _audit(job, read, compute, record))


def _audit(job: Audit, read: AuditInputs, compute: Compute, record: Record) -> Outcome:
    images = read.sample.images
    with steps() as on_step:
        on_step("the real images")
        real_images = _real(job, read)
        findings = audit.run(
            images,
            read.sample.labels,
            real_images,
            _options(job),
            seed=job.seed,
            on_step=on_step,
        )
        attacks = _network_attacks(job, read, real_images, compute, on_step)
    findings = replace(findings, attacks=[*findings.attacks, *attacks])
    drawn = figures.draw(record.folder, findings, images=images if job.show_real else None)
    warnings = [f"Warning: {warning}." for warning in read.warnings]
    notes = [*warnings, *read.size_notes, *read.notes]
    context = Context(_facts(read, findings, record), drawn, _again(job, read), notes)
    return Outcome(
        lines=[pages.summary(findings), *(f"note: {note}" for note in read.notes)],
        row=_row(job, read, findings),
        numbers=numbers.as_json(findings),
        title=f"Privacy audit of {read.name}",
        blocks=pages.blocks(findings, context),
        warnings=read.warnings,
    )


# --- measuring -----------------------------------------------------------------------------------


def _options(job: Audit) -> Options:
    how = job.privacy
    return Options(
        how.near_correlation,
        how.quantile,
        how.alpha,
        how.bootstrap,
        how.control_images,
        how.percents,
    )


def _real(job: Audit, read: AuditInputs) -> Real:
    """The real images in their spaces; how alike they are is computed once for these faces."""
    name = f"partners_{runs.hash_of(read.faces.manifest['hashes'])[:16]}.npz"
    best = real.known_partners(read.faces, Path(job.outputs) / "cache" / "audit" / name)
    encoders = {"pixels": views.pixels, "gradients": views.gradients}
    judge = read.judge
    if judge is not None:
        encoders["judge"] = lambda images: views.unit(
            judge.describe(images, batch=job.batch, what="described").features
        )
    return Real(
        read.faces,
        best,
        encoders,
        drop=job.privacy.drop_correlation,
        cells=job.privacy.cells,
        rng=np.random.default_rng([job.seed, 10]),
    )


def _network_attacks(
    job: Audit, read: AuditInputs, real: Real, compute: Compute, on_step: Callable[[str], None]
) -> list[AttackResult]:
    """The attacks that need the generator's networks."""
    if read.generator is None:
        return []
    how, judge = job.inversion, read.judge

    def features(images: Tensor) -> Tensor:
        assert judge is not None
        embedded: Tensor = judge.model.embed(batches.channels_last(images))
        return embedded

    inversion = Inversion(how.steps, how.rate, how.batch, features if how.loss == "judge" else None)
    options = NetworkOptions(inversion, how.images, job.privacy.bootstrap, job.seed, compute.device)
    return network_attacks.run(read.generator, real, options, on_step=on_step)


# --- what is left --------------------------------------------------------------------------------


def _row(job: Audit, read: AuditInputs, findings: Findings) -> dict[str, Any]:
    facts = read.facts
    kimg = facts.get("kimg")
    return {
        "data": job.data.name,
        "data_hash": read.faces.manifest["hashes"]["train"],
        "set_name": read.name,
        "set_hash": read.sample.manifest["hash"],
        "set_px": read.sample.image_px,
        "generator": facts.get("sha256"),
        "kimg": None if kimg is None else float(kimg),
        "judge_name": None if read.judge is None else read.judge.name,
        "judge_hash": None if read.judge is None else read.judge.hash,
        **numbers.row_columns(findings),
    }


def _facts(read: AuditInputs, findings: Findings, record: Record) -> dict[str, str]:
    """What was compared with what, for the head of the report."""
    manifest, judge = read.sample.manifest, read.judge
    sizes = ", ".join(f"{name} {n:,}" for name, n in manifest["counts"].items())
    left = ", ".join(f"{n:,} of {split}" for split, n in findings.dropped.items())
    return {
        "set": image_set(read.name, findings.images, manifest["hash"], details=sizes),
        "training images": f"{findings.members:,} of Training",
        "held-out images": f"{findings.held:,} of PublicTest and PrivateTest",
        "left out": f"{left}: a near copy of another real image",
        "searched for copies": f"all {len(read.faces.splits['train']):,} of Training",
        "judge": "-" if judge is None else f"`{judge.name}`, hash `{judge.hash[:12]}`",
        "generator": generator(read.facts),
        "software": software(record.facts["environment"]),
    }


def _again(job: Audit, read: AuditInputs) -> str:
    """The command that gives these numbers again."""
    words = {
        "set": read.sample.root,
        "gan": job.gan.path,
        "judge": job.judge,
        "data": job.data.name,
        "seed": job.seed,
        "inversion.images": job.inversion.images,
        "outputs": job.outputs,
    }
    return command_line("audit", words)
