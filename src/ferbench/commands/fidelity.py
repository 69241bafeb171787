"""`ferbench fidelity`: how near a set is to the real faces, how varied, and whether classes fit."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from ferbench import report, results, runs
from ferbench.commands import fidelity_inputs, inputs
from ferbench.commands.fidelity_inputs import Inputs
from ferbench.config.fidelity import Fidelity
from ferbench.fidelity import measure, path_length
from ferbench.fidelity import pictures as fidelity_pictures
from ferbench.fidelity import report as fidelity_report
from ferbench.fidelity.comparison import How
from ferbench.fidelity.measure import Images
from ferbench.fidelity.report import Measured
from ferbench.files import save_json
from ferbench.results.rows import ClassifierRow, FidelityRow
from ferbench.runs import Record, precision
from ferbench.runs.precision import Precision

# Keys that do not change a result, or stand for what is hashed by its content.
NEUTRAL = ("outputs", "name", "set", "judge", "weights", "gan", "batch", "device", "force", "data")
# What pictures are drawn: in a run's hash only where they are not these, which runs had before.
PICTURES = {"map": "tsne", "map_images": 1000}


def run(job: Fidelity) -> None:
    """Measure the set, or say that it was done already; leave report, figures and a row."""
    device = runs.resolve_device(job.device)
    chosen = precision.choose(job.precision, device)
    runs.keep_freed_memory()
    given = fidelity_inputs.read(job, device, chosen, least=_how(job).least_images)
    identity = _identity(job, given, chosen)
    folder = _folder(job, given, identity)
    if inputs.is_done(folder, Path(job.outputs), "measures it again"):
        return
    config = yaml.safe_dump(asdict(job) | {"force": False}, sort_keys=False)
    with runs.recorded(folder, "fidelity", config, identity) as record:
        record.update(environment=runs.environment(device))
        _measure_and_write(job, given, identity, record)


def _measure_and_write(
    job: Fidelity, given: Inputs, identity: Mapping[str, Any], record: Record
) -> None:
    began, folder, outputs = time.perf_counter(), record.folder, Path(job.outputs)
    print(f"run: {folder}")
    rows = results.read(outputs, ClassifierRow)
    trained = tuple(row for row in rows if _learned_from(row, given.sample))
    real = measure.look(
        given.reference, given.eyes, batch=job.batch, cache=_cache(job, given, record)
    )
    sample, floor = (
        measure.judged(side, given.eyes, given.judge, batch=job.batch)
        for side in (given.sample, given.floor)
    )
    found = measure.measure(
        real, sample, floor, _how(job), path_length=_path_length(job, given), trained=trained
    )
    save_json(folder / "metrics.json", fidelity_report.as_json(found))
    pictures = fidelity_pictures.draw(
        folder, found, real, sample.described, seed=job.seed, map=job.map, map_images=job.map_images
    )
    facts, again = _facts(given, record.facts["environment"]), _again(job, given)
    title = f"Fidelity of {given.sample.name}"
    report.write(folder, title, fidelity_report.blocks(found, facts, pictures, again))
    row = _row(job, given, found, identity, record, time.perf_counter() - began)
    record.update(status="complete", finished=row.finished, row=asdict(row))
    results.append(outputs, row)
    width = shutil.get_terminal_size((100, 24)).columns
    print(fidelity_report.summary(found, width=width))
    print(f"report: {folder / report.HTML} ({row.seconds:.0f} s)")


# --- measuring -----------------------------------------------------------------------------------


def _cache(job: Fidelity, given: Inputs, record: Record) -> Path:
    """Where the reference's features are kept: they are half of the work, and always the same."""
    environment = record.facts["environment"]
    versions = [environment["packages"]["torch"], environment["code_version"].partition("+")[0]]
    known = [given.eyes.hash, given.reference.hash, record.facts["inputs"]["precision"]]
    name = runs.hash_of([*known, environment["device"], *versions])[:16]
    return Path(job.outputs) / "cache" / "fidelity" / f"{name}.npz"


def _how(job: Fidelity) -> How:
    return How(**asdict(job.metrics), seed=job.seed)


def _path_length(job: Fidelity, given: Inputs) -> float | None:
    if given.generator is None:
        return None
    assert given.judge is not None
    return path_length.path_length(
        given.generator.network,
        given.judge.embed,
        pairs=job.path_pairs,
        seed=job.seed,
        batch=min(job.batch, 64),
    )


def _learned_from(row: ClassifierRow, sample: Images) -> bool:
    """Whether a row is of a classifier trained on this very set alone, scored on PrivateTest.

    One that began with the weights of another run has learned from that run's images, too.
    """
    whole = row.data_hash == sample.hash and row.synthetic_images == row.train_images
    alone = whole and row.pretrained in inputs.OWN_STARTS
    return alone and row.command == "classify" and row.test_split == "private"


# --- what is left --------------------------------------------------------------------------------


def _identity(job: Fidelity, given: Inputs, chosen: Precision) -> dict[str, Any]:
    """What the numbers depend on: the hashes of all that was read, and the settings."""
    config = {
        key: value
        for key, value in asdict(job).items()
        if key not in NEUTRAL and not (key in PICTURES and value == PICTURES[key])
    }
    return config | {
        "precision": chosen.name,
        "set": given.sample.hash,
        "reference": given.reference.hash,
        "floor": given.floor.hash,
        "eyes": given.eyes.hash,
        "judge": None if given.judge is None else given.judge.hash,
        "generator": None if given.generator is None else given.generator.sha256,
    }


def _folder(job: Fidelity, given: Inputs, identity: Mapping[str, Any]) -> Path:
    """outputs/fidelity/<set>_<hash>: the same images, the same eyes, the same folder."""
    name = job.name or given.sample.name
    folder = Path(job.outputs) / "fidelity" / f"{name}_{runs.hash_of(identity)[:8]}"
    return runs.free_folder(folder) if job.force else folder


def _row(
    job: Fidelity,
    given: Inputs,
    found: Measured,
    identity: Mapping[str, Any],
    record: Record,
    seconds: float,
) -> FidelityRow:
    facts = given.sample.facts
    kimg = facts.get("kimg")
    return FidelityRow(
        **runs.row_columns(
            record, Path(job.outputs), identity, seconds=seconds, not_in_cell=("seed", *PICTURES)
        ),
        command="fidelity",
        seed=job.seed,
        data=job.data.base,
        data_hash=given.reference.hash,
        precision=identity["precision"],
        set_name=given.sample.name,
        set_hash=given.sample.hash,
        generator=facts.get("sha256"),
        kimg=None if kimg is None else float(kimg),
        reference=given.reference.name,
        features=job.features,
        features_name=given.eyes.name,
        features_hash=given.eyes.hash,
        **fidelity_report.row_columns(found),
    )


def _facts(given: Inputs, environment: Mapping[str, Any]) -> dict[str, str]:
    """What was compared with what, for the head of the report."""
    sample, facts = given.sample, given.sample.facts
    made = [f"{key} {facts[key]}" for key in ("kimg", "data", "source") if key in facts]
    sides = {"set": sample, "reference": given.reference, "floor": given.floor}
    found = {
        name: f"`{side.name}`, {len(side.labels):,} images, hash `{side.hash[:12]}`"
        for name, side in sides.items()
    }
    found["features"] = f"`{given.eyes.name}`, hash `{given.eyes.hash[:12]}`"
    found["generator"] = ", ".join(made) or "-"
    found["judge"] = "-" if given.judge is None else f"`{given.judge.name}`"
    packages = environment["packages"]
    versions = f"ferbench {environment['code_version']}, torch {packages['torch']}"
    found["software"] = f"{versions}, on {environment['hardware']}"
    return found


def _again(job: Fidelity, given: Inputs) -> str:
    """The command that gives these numbers again."""
    words = {
        "set": job.set or str(Path(job.outputs) / "synth" / given.sample.name),
        "features": job.features,
        "judge": job.judge,
        "n": job.n,
        "gan": job.gan.path,
        "data": job.data.base,
        "seed": job.seed,
        "outputs": job.outputs,
        **{key: getattr(job, key) for key, usual in PICTURES.items() if getattr(job, key) != usual},
    }
    given_words = [f"{key}={value}" for key, value in words.items() if value is not None]
    return shlex.join(["ferbench", "fidelity", *given_words])
