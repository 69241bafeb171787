"""`ferbench curate`: a better synthetic set out of a larger one, or out of a generator."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.commands import curate_inputs, inputs, measured
from ferbench.commands.curate_inputs import CurateInputs
from ferbench.commands.launcher import Launcher
from ferbench.commands.measured import Outcome, Run
from ferbench.config.curate import Curate
from ferbench.curation import chain, numbers, report
from ferbench.curation.chain import Pool, RealFaces, Settings
from ferbench.curation.findings import Curated
from ferbench.curation.training_copies import Strictness
from ferbench.data import contact_sheets, synthetic_set
from ferbench.data.synthetic_set import SetWriter, SyntheticSet
from ferbench.files import save_array
from ferbench.gan import gate
from ferbench.progress import steps
from ferbench.runs import Compute, Record

# What the manifest of the pool says of the pool alone.
OF_THE_POOL = (
    "format",
    "kind",
    "classes",
    "image_px",
    "counts",
    "hash",
    "gate",
    "seeds",
    "curation",
)
POOL_INDEX = "pool_index.npy"
GATE_IMAGES = 7000  # of the set and of the pool, that the gate's judge looks at


@dataclass(frozen=True)
class Gates:
    """Class accuracy by the gate's judge: of the new set, for its manifest, and of the pool."""

    of_set: dict[str, Any]
    pool_class_accuracy: float


def run(job: Curate, other_commands: Launcher) -> Path:
    """Make the set, or say that it is there; its folder."""
    compute = Compute.choose(job.device, job.precision)
    read = curate_inputs.open_all(job, compute, other_commands)
    pool_name = job.name or read.pool.name
    name = f"{pool_name}_curated_n{'max' if job.n is None else job.n}"
    this = Run(job, "curate", name, read.hashes, compute, is_whole=inputs.is_whole_set)
    return measured.run(this, lambda record: _curate(job, read, record))


def _curate(job: Curate, read: CurateInputs, record: Record) -> Outcome:
    pool = read.pool
    print(f"pool: {pool.root}, {len(pool):,} images")
    with steps() as on_step:
        curated = chain.run(
            Pool(pool.images, pool.labels),
            RealFaces(read.faces.splits["train"], read.faces.splits["public"].images),
            read.judge,
            _settings(job),
            batch=job.batch,
            on_step=on_step,
        )
        on_step("writing")
        gates = _write(job, record.folder, read, curated)
    row = _row(job, record.folder, read) | numbers.row_columns(curated, gates.of_set)
    row["pool_class_accuracy"] = gates.pool_class_accuracy
    return Outcome(lines=_summary(curated, gates), row=row, warnings=read.warnings)


def _summary(curated: Curated, gates: Gates) -> list[str]:
    lines = [report.summary(curated), gate.describe(gates.of_set)]
    shown = f"{gates.pool_class_accuracy:.3f}"
    lines.append(f"  the pool's class accuracy by the same judge: {shown}")
    if gates.of_set["same_judge"]:
        lines.append(
            "  this judge filtered the set, so its accuracy says little (same_judge); "
            "gate_judge=RUN names another"
        )
    return lines


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


def _row(job: Curate, folder: Path, read: CurateInputs) -> dict[str, Any]:
    """The row's columns on the set and its pool, besides the results."""
    facts = read.pool.manifest.get("generator") or {}
    kimg = facts.get("kimg")
    return {
        "data": job.data.name,
        "data_hash": read.real["train"],
        "set_name": folder.name,
        "set_hash": synthetic_set.read_manifest(folder)["hash"],
        "generator": facts.get("sha256"),
        "kimg": None if kimg is None else float(kimg),
        "pool_name": read.pool.name,
        "pool_hash": read.pool.manifest["hash"],
        "pool_px": read.pool.image_px,
        "balance": job.balance,
        "judge_name": read.judge.name,
        "judge_hash": read.judge.hash,
    }


def _write(job: Curate, folder: Path, read: CurateInputs, curated: Curated) -> Gates:
    """The set on the disk, its manifest last; its class accuracy by the gate's judge."""
    block = synthetic_set.BLOCK_ROWS
    with SetWriter(folder, len(curated.rows), IMAGE_PX, resume=False) as writer:
        for start in range(0, len(curated.rows), block):
            writer.append(read.pool.images[curated.rows[start : start + block]])
        writer.save_progress()
        gates = _gates(folder, read, curated.labels)
        save_array(folder / POOL_INDEX, curated.rows)
        writer.finish(curated.labels, _facts(job, read, curated, gates))
    contact_sheets.write(folder, classes=CLASSES, subtitle=f"of {read.pool.name}")
    return gates


def _gates(folder: Path, read: CurateInputs, labels: np.ndarray) -> Gates:
    """The gate of the set's first images, and the pool's class accuracy by the same judge."""
    own = np.load(folder / synthetic_set.IMAGES, mmap_mode="r")[:GATE_IMAGES]
    of_set = gate.gate(read.gate_judge, own, labels[:GATE_IMAGES])
    of_set["same_judge"] = read.gate_judge.hash == read.judge.hash
    images, pool_labels = read.pool.images[:GATE_IMAGES], read.pool.labels[:GATE_IMAGES]
    of_pool = gate.gate(read.gate_judge, images, pool_labels)
    return Gates(of_set, of_pool["class_accuracy"])


def _facts(job: Curate, read: CurateInputs, curated: Curated, gates: Gates) -> dict[str, Any]:
    """What the manifest says besides classes, counts and hash: the pool's facts, and the steps."""
    pool = read.pool.manifest
    seeds = dict(pool.get("seeds") or {})
    rule = f"image i is image {POOL_INDEX}[i] of the pool"
    return {
        **{key: value for key, value in pool.items() if key not in OF_THE_POOL},
        **_resized(read.pool),
        "seeds": seeds | {"count": len(curated.rows), "rule": f"{rule}: {seeds.get('rule', '-')}"},
        "gate": gates.of_set,
        "curation": {
            "pool": {
                "path": str(read.pool.root),
                "hash": pool["hash"],
                "images": len(read.pool),
                "class_accuracy": gates.pool_class_accuracy,
                "curation": pool.get("curation"),
            },
            "judge": {"name": read.judge.name, "hash": read.judge.hash},
            "real": read.real,
            "settings": asdict(_settings(job)),
            **numbers.as_json(curated),
        },
    }


def _resized(pool: SyntheticSet) -> dict[str, Any]:
    """What the manifest says of the pool's images if they were resized; {} if not."""
    if pool.image_px == IMAGE_PX:
        return {}
    return {"resized": {"from_px": pool.image_px, "method": "bicubic"}}
