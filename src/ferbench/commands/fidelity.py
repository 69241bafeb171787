"""`ferbench fidelity`: how near a set is to the real faces, how varied, and whether classes fit."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ferbench import results, runs
from ferbench.commands import fidelity_inputs, inputs, measured
from ferbench.commands.fidelity_inputs import FidelityInputs
from ferbench.commands.measured import Outcome, Run
from ferbench.config.fidelity import Fidelity
from ferbench.fidelity import figures, measure, numbers, path_length
from ferbench.fidelity import report as fidelity_report
from ferbench.fidelity.comparison import Settings
from ferbench.fidelity.figures import MapOptions
from ferbench.fidelity.findings import Findings
from ferbench.fidelity.measure import ImageSet
from ferbench.progress import steps
from ferbench.report import audit
from ferbench.results.rows import ClassifierRow
from ferbench.runs import Compute, Record

PICTURES = ("map", "map_images")  # keys that change what is drawn, and no number


def run(job: Fidelity) -> Path:
    """Measure the set, or say that it was done already; leave report, figures and a row."""
    compute = Compute.choose(job.device, job.precision)
    read = fidelity_inputs.open_all(job, compute, least=_settings(job).least_images)
    this = run_of(job, read, compute)
    return measured.run(this, lambda record: _measure(job, read, compute, record))


def run_of(job: Fidelity, read: FidelityInputs, compute: Compute) -> Run:
    """The run that measures what was read: the same images and networks, the same folder."""
    name = job.name or read.sample.name
    return Run(job, "fidelity", name, read.hashes, compute, apart=("seed", *PICTURES))


def _measure(job: Fidelity, read: FidelityInputs, compute: Compute, record: Record) -> Outcome:
    rows = results.read(Path(job.outputs), ClassifierRow)
    cache = _cache(job, read, compute, record)
    with steps() as on_step:
        on_step("features of the real faces, the set and PublicTest")
        real = measure.extract(read.reference, read.extractor, batch=job.batch, cache=cache)
        sample, floor = (
            measure.extract_judged(side, read.extractor, read.judge, batch=job.batch)
            for side in (read.sample, read.floor)
        )
        on_step("distances between them")
        findings = measure.measure(
            real,
            sample,
            floor,
            _settings(job),
            path_length=_path_length(job, read),
            trained=tuple(row for row in rows if _learned_from(row, read.sample)),
            has_generator=bool(read.sample.facts),
        )
        on_step("figures")
        maps = MapOptions(job.map, job.map_images, job.seed)
        drawn = figures.draw(record.folder, findings, real, sample.features, maps)
    notes = [f"Warning: {warning}." for warning in read.warnings]
    context = audit.Context(_facts(read, record), drawn, _again(job, read), notes)
    return Outcome(
        lines=[fidelity_report.summary(findings, width=measured.terminal_columns())],
        row=_row(job, read, findings),
        numbers=numbers.as_json(findings),
        title=f"Fidelity of {read.sample.name}",
        blocks=fidelity_report.blocks(findings, context),
        warnings=read.warnings,
    )


# --- measuring -----------------------------------------------------------------------------------


def _cache(job: Fidelity, read: FidelityInputs, compute: Compute, record: Record) -> Path:
    """Where the reference's features are kept: they are half of the work, and always the same."""
    environment = record.facts["environment"]
    versions = [environment["packages"]["torch"], environment["code_version"].partition("+")[0]]
    known = [read.extractor.hash, read.reference.hash, compute.precision.name]
    name = runs.hash_of([*known, environment["device"], *versions])[:16]
    return Path(job.outputs) / "cache" / "fidelity" / f"{name}.npz"


def _settings(job: Fidelity) -> Settings:
    return Settings(**asdict(job.metrics), seed=job.seed)


def _path_length(job: Fidelity, read: FidelityInputs) -> float | None:
    if read.generator is None:
        return None
    assert read.judge is not None
    return path_length.path_length(
        read.generator.network,
        read.judge.embed,
        pairs=job.path_pairs,
        seed=job.seed,
        batch=min(job.batch, 64),
    )


def _learned_from(row: ClassifierRow, sample: ImageSet) -> bool:
    """Whether a row is of a classifier trained on this very set alone, scored on PrivateTest.

    One that began with the weights of another run has learned from that run's images, too.
    """
    whole = row.data_hash == sample.training_hash and row.synthetic_images == row.train_images
    alone = whole and row.pretrained in inputs.OWN_STARTS
    return alone and row.command == "classify" and row.test_split == "private"


# --- what is left --------------------------------------------------------------------------------


def _row(job: Fidelity, read: FidelityInputs, findings: Findings) -> dict[str, Any]:
    facts = read.sample.facts
    kimg = facts.get("kimg")
    return {
        "data": job.data.name,
        "data_hash": read.reference.hash,
        "set_name": read.sample.name,
        "set_hash": read.sample.hash,
        "set_px": read.sample.px,
        "generator": facts.get("sha256"),
        "kimg": None if kimg is None else float(kimg),
        "reference": read.reference.name,
        "features": job.features,
        "features_name": read.extractor.name,
        "features_hash": read.extractor.hash,
        **numbers.row_columns(findings),
    }


def _facts(read: FidelityInputs, record: Record) -> dict[str, str]:
    """What was compared with what, for the head of the report."""
    sides = {"set": read.sample, "reference": read.reference, "floor": read.floor}
    facts = {
        name: audit.image_set(side.name, len(side.labels), side.hash)
        for name, side in sides.items()
    }
    facts["features"] = f"`{read.extractor.name}`, hash `{read.extractor.hash[:12]}`"
    facts["generator"] = audit.generator(read.sample.facts)
    facts["judge"] = "-" if read.judge is None else f"`{read.judge.name}`"
    facts["software"] = audit.software(record.facts["environment"])
    return facts


def _again(job: Fidelity, read: FidelityInputs) -> str:
    """The command that gives these numbers again."""
    words = {
        "set": job.set or str(Path(job.outputs) / "synth" / read.sample.name),
        "features": job.features,
        "judge": job.judge,
        "n": job.n,
        "gan": job.gan.path,
        "data": job.data.name,
        "seed": job.seed,
        "map": job.map,
        "map_images": job.map_images,
        "outputs": job.outputs,
    }
    return audit.command_line("fidelity", words)
