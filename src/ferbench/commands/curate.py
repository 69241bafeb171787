"""`ferbench curate`: a better synthetic set out of a larger one, or out of a generator."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from tqdm import tqdm

from ferbench import checkpoint, contact_sheets, precision
from ferbench import gate as gates
from ferbench import run as runs
from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.commands import inputs
from ferbench.curation import chain
from ferbench.curation.chain import Curated, Settings
from ferbench.curation.training_copies import Strictness
from ferbench.data import synthetic_set
from ferbench.data.face_set import FaceSet
from ferbench.data.synthetic_set import SetWriter, SyntheticSet
from ferbench.errors import UserError
from ferbench.judge import Judge
from ferbench.precision import Precision
from ferbench.run import Record
from ferbench.schemas.curate import Curate

# Keys that do not change the set, or stand for what is hashed by its content.
NEUTRAL = (
    "outputs", "name", "set", "gan", "pool_per_image", "psi", "judge", "gate_judge", "batch",
    "device", "force", "data", "short",
)  # fmt: skip
OWN = ("format", "kind", "classes", "image_px", "counts", "hash", "gate", "seeds", "curation")
POOL_INDEX = "pool_index.npy"
AGAIN = " (force=true draws it again)"  # how synth ends its line on a set that is there
GATE_IMAGES = 7000  # of the set and of the pool, that the gate's judge looks at


@dataclass(frozen=True)
class Inputs:
    """What is read: the real faces, of which PrivateTest stays untouched, the pool, the judges.

    judge: filters. gate_judge: says what the set shows, another one where there is another.
    """

    faces: FaceSet
    pool: SyntheticSet
    judge: Judge
    gate_judge: Judge

    @property
    def real(self) -> dict[str, str]:
        """Hashes of the real splits that the choice rests on."""
        return {split: self.faces.manifest["hashes"][split] for split in ("train", "public")}


def run(job: Curate) -> Path:
    """Make the set, or say that it is there; its folder."""
    device = runs.resolve_device(job.device)
    chosen = precision.choose(job.precision, device)
    runs.keep_freed_memory()
    given = _inputs(job, device, chosen)
    identity = _identity(job, given, chosen)
    folder = _folder(job, given, identity)
    if _is_done(folder):
        return folder
    config = yaml.safe_dump(asdict(job) | {"force": False}, sort_keys=False)
    with runs.recorded(folder, "curate", config, identity) as record:
        record.update(environment=runs.environment(device))
        _curate(job, given, record)
    return folder


def _curate(job: Curate, given: Inputs, record: Record) -> None:
    began, folder, pool = time.perf_counter(), record.folder, given.pool
    print(f"pool: {pool.root}, {len(pool):,} images\nset: {folder}")
    with tqdm(disable=None, leave=False, bar_format="{desc} ({elapsed})") as bar:
        found = chain.run(
            pool.images, pool.labels, given.faces.splits["train"],
            given.faces.splits["public"].images, given.judge, _settings(job), batch=job.batch,
            on_step=bar.set_description_str,
        )  # fmt: skip
        bar.set_description_str("writing")
        gate, pool_accuracy = _write(job, folder, given, found)
    record.update(status="complete", finished=runs.now(), seconds=time.perf_counter() - began)
    print(chain.table(found.steps))
    if found.missing:
        lacking = ", ".join(f"{name} {count:,}" for name, count in found.missing.items())
        print(f"short: {len(found.rows):,} images; missing: {lacking}")
    print(gates.describe(gate))
    print(f"  the pool's class accuracy by the same judge: {pool_accuracy:.3f}")
    if gate["same_judge"]:
        print("  this judge filtered the set, so its accuracy says little (same_judge); "
              "gate_judge=RUN names another")  # fmt: skip
    print(f"done: {folder} ({time.perf_counter() - began:.0f} s)")


# --- inputs --------------------------------------------------------------------------------------


def _inputs(job: Curate, device: torch.device, chosen: Precision) -> Inputs:
    """Everything that is read, checked before anything is computed; the pool is drawn last."""
    faces, outputs = inputs.open_faces(job.data), Path(job.outputs)
    path = _judge_path(job, faces)
    judge = _load_judge("judge", path, job, faces, device, chosen)
    print(f"judge: {path}")
    gate_judge = judge
    other = Path(job.gate_judge)
    if job.gate_judge == "auto":
        other = inputs.find_judge(outputs, judge.data_hash, besides=path) or path
    if other.resolve() != path.resolve():
        gate_judge = _load_judge("gate_judge", other, job, faces, device, chosen)
    return Inputs(faces, _pool(job, faces), judge, gate_judge)


def _judge_path(job: Curate, faces: FaceSet) -> Path:
    if job.judge != "auto":
        return Path(job.judge)
    outputs = Path(job.outputs)
    found = inputs.find_judge(outputs, faces.manifest["hashes"]["train"])
    if found is None:
        raise UserError(
            f"judge=auto: no run of a classifier on the Training split of data={job.data.name} "
            f"below {outputs / 'classify'}; `ferbench classify model=cnn data={job.data.name}` "
            "trains one"
        )
    return found


def _load_judge(
    key: str, path: Path, job: Curate, faces: FaceSet, device: torch.device, chosen: Precision
) -> Judge:
    """A classifier that learned from this Training split alone; UserError if it did not."""
    inputs.trained_row(path, key)
    judge = inputs.load_judge(path, device, chosen)
    if judge.data_hash != faces.manifest["hashes"]["train"]:
        raise UserError(
            f"{key}={path}: learned from other faces; expected a run on the Training split of "
            f"data={job.data.name}"
        )
    return judge


def _pool(job: Curate, faces: FaceSet) -> SyntheticSet:
    """The pool: the set named, the newest, or one drawn now. UserError if it does not fit."""
    if job.gan.path is not None:
        root, named = _drawn(job), f"gan={job.gan.path}"
    else:
        root = _newest(Path(job.outputs)) if job.set is None else Path(job.set)
        named = f"set={root}"
    pool = synthetic_set.read(root)
    px, facts = pool.images.shape[-1], pool.manifest.get("generator") or {}
    seen, here = facts.get("data_hash"), faces.manifest["hashes"]["train"]
    if px != IMAGE_PX:
        raise UserError(f"{named}: its images have {px} x {px} pixels; expected {IMAGE_PX} "
                        f"(ferbench synth out_px={IMAGE_PX})")  # fmt: skip
    if seen not in (None, here):
        raise UserError(
            f"{named}: its generator learned from other faces (hash {seen[:12]}) than the Training "
            f"split of data={job.data.name} ({here[:12]}); expected that data"
        )
    if job.n is not None and job.n > len(pool):
        raise UserError(f"n={job.n}: the pool {root} has {len(pool)} images; expected fewer")
    return pool


def _newest(outputs: Path) -> Path:
    """The newest complete set that is not curated itself, said aloud; UserError without one."""
    files = outputs.glob(f"synth/*/{synthetic_set.MANIFEST}")
    for file in sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True):
        try:
            manifest = synthetic_set.read_manifest(file.parent)
        except UserError:  # damaged, or of other classes
            continue
        if "curation" not in manifest:
            print(f"set={file.parent} (the newest that is not curated)")
            return file.parent
    raise UserError(
        f"set=null: no synthetic set below {outputs / 'synth'} that is not curated; "
        f"{synthetic_set.HOW_TO_MAKE_ONE}, and gan=PATH draws one here"
    )


def _drawn(job: Curate) -> Path:
    """Folder of the pool that `ferbench synth` draws, or has drawn before, from job.gan."""
    assert job.n is not None
    words = {
        "gan": job.gan.path, "n": round(job.pool_per_image * job.n), "balance": job.balance,
        "seed": job.seed, "psi": job.psi, "out_px": IMAGE_PX, "device": job.device,
        "precision": job.precision, "judge": job.judge, "outputs": job.outputs,
    }  # fmt: skip
    command = ["synth", *(f"{key}={value}" for key, value in words.items())]
    print(f"$ ferbench {shlex.join(command)}", flush=True)
    folder = None
    with subprocess.Popen(
        [sys.executable, "-m", "ferbench", *command], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            for start in ("set: ", "done already: "):
                if line.startswith(start):
                    folder = line.removeprefix(start).rstrip("\n").removesuffix(AGAIN)
    if process.returncode or folder is None:
        raise UserError(f"gan={job.gan.path}: `ferbench synth` ended with status "
                        f"{process.returncode}; its message says why")  # fmt: skip
    return Path(folder)


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


def _is_done(folder: Path) -> bool:
    complete = runs.status_of(folder).get("status") == "complete"
    if not (complete and (folder / synthetic_set.MANIFEST).exists()):
        return False
    print(f"done already: {folder} (force=true chooses again)")
    return True


def _write(
    job: Curate, folder: Path, given: Inputs, found: Curated
) -> tuple[dict[str, Any], float]:  # fmt: skip
    """The set on the disk, its manifest last; the gate and the pool's accuracy by its judge."""
    block = synthetic_set.BLOCK_ROWS
    with SetWriter(folder, len(found.rows), IMAGE_PX, resume=False) as writer:
        for start in range(0, len(found.rows), block):
            writer.append(given.pool.images[found.rows[start : start + block]])
        writer.save_progress()
        gate, pool_accuracy = _gates(folder, given, found.labels)
        checkpoint.write_whole(folder / POOL_INDEX, lambda path: _save(path, found.rows))
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
    }  # fmt: skip


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:  # np.save would add a suffix to the name
        np.save(file, array, allow_pickle=False)
