"""What `ferbench curate` reads: the real faces, the pool, the judges; checked before it begins."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from ferbench.classes import IMAGE_PX
from ferbench.classifiers.judge import Judge
from ferbench.commands import inputs
from ferbench.config.curate import Curate
from ferbench.data import synthetic_set
from ferbench.data.face_set import FaceSet
from ferbench.data.synthetic_set import SyntheticSet
from ferbench.errors import UserError
from ferbench.runs.precision import Precision

AGAIN = " (force=true draws it again)"  # how synth ends its line on a set that is there


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


def read(job: Curate, device: torch.device, chosen: Precision) -> Inputs:
    """Everything that is read, checked before anything is computed; the pool is drawn last."""
    faces, outputs = inputs.open_faces(job.data), Path(job.outputs)
    path = _judge_path(job, faces)
    data = job.data.name, faces.manifest["hashes"]["train"]
    judge = inputs.judge_of(*data, path, device, chosen)
    print(f"judge: {path}")
    gate_judge = judge
    other = Path(job.gate_judge)
    if job.gate_judge == "auto":
        other = inputs.find_judge(outputs, judge.data_hash, besides=path) or path
    if other.resolve() != path.resolve():
        gate_judge = inputs.judge_of(*data, other, device, chosen, "gate_judge")
    return Inputs(faces, _pool(job, faces), judge, gate_judge)


def _judge_path(job: Curate, faces: FaceSet) -> Path:
    if job.judge != "auto":
        return Path(job.judge)
    outputs = Path(job.outputs)
    found = inputs.find_judge(outputs, faces.manifest["hashes"]["train"])
    if found is None:
        raise UserError(inputs.no_judge(outputs, job.data.name))
    return found


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
        raise UserError(
            f"{named}: its images have {px} x {px} pixels; expected {IMAGE_PX} "
            f"(ferbench synth out_px={IMAGE_PX})"
        )
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
        "gan": job.gan.path,
        "n": round(job.pool_per_image * job.n),
        "balance": job.balance,
        "seed": job.seed,
        "psi": job.psi,
        "out_px": IMAGE_PX,
        "device": job.device,
        "precision": job.precision,
        "judge": job.judge,
        "outputs": job.outputs,
    }
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
        raise UserError(
            f"gan={job.gan.path}: `ferbench synth` ended with status "
            f"{process.returncode}; its message says why"
        )
    return Path(folder)
