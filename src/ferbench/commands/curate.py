"""`ferbench curate`: a better synthetic set out of a larger one, or out of a generator."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tqdm import tqdm

from ferbench import results, runs
from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.commands import curate_inputs, inputs
from ferbench.commands.curate_inputs import Inputs
from ferbench.config.curate import Curate
from ferbench.curation import chain, numbers
from ferbench.curation.chain import Curated, Settings
from ferbench.curation.training_copies import Strictness
from ferbench.data import contact_sheets, synthetic_set
from ferbench.data.synthetic_set import SetWriter
from ferbench.files import save_array
from ferbench.gan import gate as gates
from ferbench.results.rows import CurateRow
from ferbench.runs import Record, precision
from ferbench.runs.precision import Precision

# Keys that do not change the set, or stand for what is hashed by its content.
NEUTRAL = (
    "outputs",
    "name",
    "set",
    "gan",
    "pool_per_image",
    "psi",
    "judge",
    "gate_judge",
    "batch",
    "device",
    "force",
    "data",
    "short",
)
OWN = ("format", "kind", "classes", "image_px", "counts", "hash", "gate", "seeds", "curation")
POOL_INDEX = "pool_index.npy"
GATE_IMAGES = 7000  # of the set and of the pool, that the gate's judge looks at


def run(job: Curate) -> Path:
    """Make the set, or say that it is there; its folder."""
    device = runs.resolve_device(job.device)
    chosen = precision.choose(job.precision, device)
    runs.keep_freed_memory()
    given = curate_inputs.read(job, device, chosen)
    identity = _identity(job, given, chosen)
    folder = _folder(job, given, identity)
    if _is_done(folder, Path(job.outputs)):
        return folder
    config = yaml.safe_dump(asdict(job) | {"force": False}, sort_keys=False)
    with runs.recorded(folder, "curate", config, identity) as record:
        record.update(environment=runs.environment(device))
        _curate(job, given, identity, record)
    return folder


def _curate(job: Curate, given: Inputs, identity: Mapping[str, Any], record: Record) -> None:
    began, folder, pool = time.perf_counter(), record.folder, given.pool
    print(f"pool: {pool.root}, {len(pool):,} images\nset: {folder}")
    with tqdm(disable=None, leave=False, bar_format="{desc} ({elapsed})") as bar:
        found = chain.run(
            pool.images,
            pool.labels,
            given.faces.splits["train"],
            given.faces.splits["public"].images,
            given.judge,
            _settings(job),
            batch=job.batch,
            on_step=bar.set_description_str,
        )
        bar.set_description_str("writing")
        gate, pool_accuracy = _write(job, folder, given, found)
    row = CurateRow(
        **runs.row_columns(
            record, Path(job.outputs), identity, seconds=time.perf_counter() - began
        ),
        **_row_columns(job, given, identity, folder),
        **numbers.row_columns(found, gate),
        pool_class_accuracy=pool_accuracy,
    )
    record.update(status="complete", finished=row.finished, row=asdict(row))
    results.append(Path(job.outputs), row)
    print(chain.table(found.steps))
    if found.missing:
        lacking = ", ".join(f"{name} {count:,}" for name, count in found.missing.items())
        print(f"short: {len(found.rows):,} images; missing: {lacking}")
    print(gates.describe(gate))
    print(f"  the pool's class accuracy by the same judge: {pool_accuracy:.3f}")
    if gate["same_judge"]:
        print(
            "  this judge filtered the set, so its accuracy says little (same_judge); "
            "gate_judge=RUN names another"
        )
    print(f"done: {folder} ({row.seconds:.0f} s)")


# --- choosing ------------------------------------------------------------------------------------


def _settings(job: Curate) -> Settings:
    strictness = Strictness(job.near_correlation, job.drop_correlation, job.quantile)
    return Settings(
        mismatched=job.mismatched,
        mismatch_confidence=job.mismatch_confidence,
        confidence=job.confidence,
        keep_share=job.keep_share,
        train_copies=strictness if job.train_copies else None,
        duplicate_correlation=job.near_correlation if job.duplicates else None,
        cells=job.cells if job.spread else None,
        n=job.n,
        balance=job.balance,
        short=job.short,
        seed=job.seed,
    )


# --- what is left --------------------------------------------------------------------------------


def _identity(job: Curate, given: Inputs, chosen: Precision) -> dict[str, Any]:
    """What the set depends on: the hashes of all that was read, and the settings."""
    config = {key: value for key, value in asdict(job).items() if key not in NEUTRAL}
    return config | {
        "precision": chosen.name,
        "pool": given.pool.manifest["hash"],
        "judge": given.judge.hash,
        "real": given.real,
    }


def _folder(job: Curate, given: Inputs, identity: Mapping[str, Any]) -> Path:
    """outputs/synth/<pool>_curated_n<N>_<hash>: the same choice, the same folder."""
    name = job.name or given.pool.root.resolve().name
    n = "max" if job.n is None else job.n
    folder = Path(job.outputs) / "synth" / f"{name}_curated_n{n}_{runs.hash_of(identity)[:8]}"
    return runs.free_folder(folder) if job.force else folder


def _is_done(folder: Path, outputs: Path) -> bool:
    """Say so if the set is there; put its row back if the table lost it."""
    if not (folder / synthetic_set.MANIFEST).exists():
        return False
    return inputs.is_done(folder, outputs, "chooses again")


def _row_columns(
    job: Curate, given: Inputs, identity: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """What the row says of the set and its pool, besides what was found."""
    pool, facts = given.pool, given.pool.manifest.get("generator") or {}
    kimg = facts.get("kimg")
    return {
        "command": "curate",
        "seed": job.seed,
        "data": job.data.name,
        "data_hash": given.real["train"],
        "precision": identity["precision"],
        "set_name": folder.name,
        "set_hash": synthetic_set.read_manifest(folder)["hash"],
        "generator": facts.get("sha256"),
        "kimg": None if kimg is None else float(kimg),
        "pool_name": pool.root.resolve().name,
        "pool_hash": pool.manifest["hash"],
        "balance": job.balance,
        "judge_name": given.judge.name,
        "judge_hash": given.judge.hash,
    }


def _write(
    job: Curate, folder: Path, given: Inputs, found: Curated
) -> tuple[dict[str, Any], float]:
    """The set on the disk, its manifest last; the gate and the pool's accuracy by its judge."""
    block = synthetic_set.BLOCK_ROWS
    with SetWriter(folder, len(found.rows), IMAGE_PX, resume=False) as writer:
        for start in range(0, len(found.rows), block):
            writer.append(given.pool.images[found.rows[start : start + block]])
        writer.save_progress()
        gate, pool_accuracy = _gates(folder, given, found.labels)
        save_array(folder / POOL_INDEX, found.rows)
        writer.finish(found.labels, _facts(job, given, found, gate, pool_accuracy))
    contact_sheets.write(folder, classes=CLASSES, subtitle=f"of {given.pool.root.resolve().name}")
    return gate, pool_accuracy


def _gates(folder: Path, given: Inputs, labels: np.ndarray) -> tuple[dict[str, Any], float]:
    """The gate of the set's first images, and the pool's class accuracy by the same judge."""
    own = np.load(folder / synthetic_set.IMAGES, mmap_mode="r")[:GATE_IMAGES]
    gate = gates.gate(given.gate_judge, own, labels[:GATE_IMAGES])
    pool = given.pool
    before = gates.gate(given.gate_judge, pool.images[:GATE_IMAGES], pool.labels[:GATE_IMAGES])
    same = given.gate_judge.hash == given.judge.hash
    return gate | {"same_judge": same}, before["class_accuracy"]


def _facts(
    job: Curate, given: Inputs, found: Curated, gate: Mapping[str, Any], pool_accuracy: float
) -> dict[str, Any]:
    """What the manifest says besides classes, counts and hash: the pool's facts, and the steps."""
    pool = given.pool.manifest
    seeds = dict(pool.get("seeds") or {})
    rule = f"image i is image {POOL_INDEX}[i] of the pool"
    return {
        **{key: value for key, value in pool.items() if key not in OWN},
        "seeds": seeds | {"count": len(found.rows), "rule": f"{rule}: {seeds.get('rule', '-')}"},
        "gate": dict(gate),
        "curation": {
            "pool": {
                "path": str(given.pool.root),
                "hash": pool["hash"],
                "images": len(given.pool),
                "class_accuracy": pool_accuracy,
                "curation": pool.get("curation"),
            },
            "judge": {"name": given.judge.name, "hash": given.judge.hash},
            "real": given.real,
            "settings": asdict(_settings(job)),
            "steps": [asdict(step) for step in found.steps],
            "missing": found.missing,
        },
    }
