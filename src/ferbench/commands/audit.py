"""`ferbench audit`: what a synthetic set gives away of the faces behind its generator."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor
from tqdm import tqdm

from ferbench import report, results, runs
from ferbench.classes import IMAGE_PX
from ferbench.classifiers import batches
from ferbench.commands import audit_data, audit_inputs, inputs
from ferbench.commands.audit_inputs import Inputs
from ferbench.config.audit import Audit
from ferbench.data import resize
from ferbench.files import save_json
from ferbench.privacy import audit, figures, networks, real
from ferbench.privacy import report as pages
from ferbench.privacy.audit import AttackResult, Options
from ferbench.privacy.network_attacks import Inversion
from ferbench.privacy.real import Real
from ferbench.results.rows import AuditRow
from ferbench.runs import Record, precision
from ferbench.runs.precision import Precision
from ferbench.similarity import views

# Keys that do not change a result, or stand for what is hashed by its content.
NEUTRAL = (
    "outputs",
    "name",
    "set",
    "gan",
    "judge",
    "batch",
    "device",
    "force",
    "data",
    "show_real",
    *audit_data.KEYS,
)


def run(job: Audit) -> None:
    """Audit the set, or say that it was done already; leave report, figures and a row."""
    if job.set == audit_data.SET:
        return audit_data.run(job)
    device = runs.resolve_device(job.device)
    chosen = precision.choose(job.precision, device)
    runs.keep_freed_memory()
    given = audit_inputs.read(job, device, chosen)
    identity = _identity(job, given, chosen)
    folder = _folder(job, given, identity)
    if inputs.is_done(folder, Path(job.outputs), "audits it again"):
        return
    config = yaml.safe_dump(asdict(job) | {"force": False}, sort_keys=False)
    with runs.recorded(folder, "audit", config, identity) as record:
        record.update(environment=runs.environment(device))
        _audit(job, given, identity, record, device)


def _audit(
    job: Audit, given: Inputs, identity: Mapping[str, Any], record: Record, device: torch.device
) -> None:
    began, folder = time.perf_counter(), record.folder
    print(f"run: {folder}")
    images = resize.resize(given.sample.images, IMAGE_PX)
    options = _options(job)
    with tqdm(disable=None, leave=False, bar_format="{desc} ({elapsed})") as bar:
        bar.set_description_str("the real images")
        found_real = _real(job, given)
        found = audit.run(
            images,
            given.sample.labels,
            found_real,
            options,
            seed=job.seed,
            on_step=bar.set_description_str,
        )
        added = _own_attacks(job, given, found_real, device, bar)
    found = replace(found, attacks=[*found.attacks, *added])
    save_json(folder / "metrics.json", pages.as_json(found))
    drawn = figures.draw(folder, found, images=images if job.show_real else None)
    blocks = pages.blocks(
        found,
        _facts(given, found, record.facts["environment"]),
        given.notes,
        drawn,
        _again(job, given),
    )
    report.write(folder, f"Privacy audit of {given.sample.root.resolve().name}", blocks)
    row = _row(job, given, found, identity, record, time.perf_counter() - began)
    record.update(status="complete", finished=row.finished, row=asdict(row))
    results.append(Path(job.outputs), row)
    print(pages.summary(found))
    for note in given.notes:
        print(f"note: {note}")
    print(f"report: {folder / report.HTML} ({row.seconds:.0f} s)")


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


def _real(job: Audit, given: Inputs) -> Real:
    """The real images in their spaces; how alike they are is computed once for these faces."""
    name = f"partners_{runs.hash_of(given.faces.manifest['hashes'])[:16]}.npy"
    best = real.known_partners(given.faces, Path(job.outputs) / "audit" / name)
    encoders = {"pixels": views.pixels, "gradients": views.gradients}
    judge = given.judge
    if judge is not None:
        encoders["judge"] = lambda images: views.unit(
            judge.describe(images, batch=job.batch).features
        )
    return Real(
        given.faces,
        best,
        encoders,
        drop=job.privacy.drop_correlation,
        cells=job.privacy.cells,
        rng=np.random.default_rng([job.seed, 10]),
    )


def _own_attacks(
    job: Audit, given: Inputs, real: Real, device: torch.device, bar: Any
) -> list[AttackResult]:
    """The attacks that need the generator's networks."""
    if given.generator is None:
        return []
    how, judge = job.inversion, given.judge

    def features(images: Tensor) -> Tensor:
        assert judge is not None
        found: Tensor = judge.model.embed(batches.channels_last(images))
        return found

    inversion = Inversion(how.steps, how.rate, how.batch, features if how.loss == "judge" else None)
    return networks.run(
        given.generator,
        real,
        inversion,
        images=how.images,
        rounds=job.privacy.bootstrap,
        seed=job.seed,
        device=device,
        on_step=bar.set_description_str,
    )


# --- what is left --------------------------------------------------------------------------------


def _identity(job: Audit, given: Inputs, chosen: Precision) -> dict[str, Any]:
    """What the numbers depend on: the hashes of all that was read, and the settings."""
    config = {key: value for key, value in asdict(job).items() if key not in NEUTRAL}
    return config | {
        "precision": chosen.name,
        "set": given.sample.manifest["hash"],
        "real": given.faces.manifest["hashes"],
        "judge": None if given.judge is None else given.judge.hash,
        "generator": None if given.generator is None else given.generator.sha256,
        "pictures": job.show_real,
    }


def _folder(job: Audit, given: Inputs, identity: Mapping[str, Any]) -> Path:
    """outputs/audit/<set>_<hash>: the same set, the same audit, the same folder."""
    name = job.name or given.sample.root.resolve().name
    folder = Path(job.outputs) / "audit" / f"{name}_{runs.hash_of(identity)[:8]}"
    return runs.free_folder(folder) if job.force else folder


def _row(
    job: Audit,
    given: Inputs,
    found: audit.Audit,
    identity: Mapping[str, Any],
    record: Record,
    seconds: float,
) -> AuditRow:
    facts = given.facts
    kimg = facts.get("kimg")
    return AuditRow(
        **runs.row_columns(record, Path(job.outputs), identity, seconds=seconds),
        command="audit",
        seed=job.seed,
        data=job.data.name,
        data_hash=given.faces.manifest["hashes"]["train"],
        precision=identity["precision"],
        set_name=given.sample.root.resolve().name,
        set_hash=given.sample.manifest["hash"],
        generator=facts.get("sha256"),
        kimg=None if kimg is None else float(kimg),
        judge_name=None if given.judge is None else given.judge.name,
        judge_hash=None if given.judge is None else given.judge.hash,
        **pages.row_columns(found),
    )


def _facts(given: Inputs, found: audit.Audit, environment: Mapping[str, Any]) -> dict[str, str]:
    """What was compared with what, for the head of the report."""
    facts, counts = given.facts, given.sample.manifest["counts"]
    made = [f"{key} {facts[key]}" for key in ("kimg", "data", "source") if key in facts]
    left = ", ".join(f"{n:,} of {split}" for split, n in found.dropped.items())
    return {
        "set": f"`{given.sample.root.resolve().name}`, {found.images:,} images "
        f"({', '.join(f'{name} {n:,}' for name, n in counts.items())}), hash "
        f"`{given.sample.manifest['hash'][:12]}`",
        "training images": f"{found.members:,} of Training",
        "held-out images": f"{found.held:,} of PublicTest and PrivateTest",
        "left out": f"{left}: a near copy of another real image",
        "searched for copies": f"all {len(given.faces.splits['train']):,} of Training",
        "judge": "-"
        if given.judge is None
        else f"`{given.judge.name}`, hash `{given.judge.hash[:12]}`",
        "generator": ", ".join(made) or "-",
        "software": f"ferbench {environment['code_version']}, torch "
        f"{environment['packages']['torch']}, on {environment['hardware']}",
    }


def _again(job: Audit, given: Inputs) -> str:
    """The command that gives these numbers again."""
    words = {
        "set": given.sample.root,
        "gan": job.gan.path,
        "judge": job.judge,
        "data": job.data.name,
        "seed": job.seed,
        "inversion.images": job.inversion.images,
        "outputs": job.outputs,
    }
    return shlex.join(["ferbench", "audit", *(f"{key}={value}" for key, value in words.items())])
