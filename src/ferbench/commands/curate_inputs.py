"""What `ferbench curate` reads: the real faces, the pool, the judges; checked before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ferbench.classes import IMAGE_PX
from ferbench.classifiers.judge import Judge
from ferbench.commands import inputs, judges, launcher
from ferbench.commands.judges import Wanted
from ferbench.commands.launcher import Launcher
from ferbench.config.curate import Curate
from ferbench.data import synthetic_set
from ferbench.data.face_set import FaceSet
from ferbench.data.synthetic_set import SyntheticSet
from ferbench.errors import UserError
from ferbench.runs import Compute


@dataclass(frozen=True)
class CurateInputs:
    """What is read: the real faces, of which PrivateTest stays untouched, the pool, the judges.

    judge: filters. gate_judge: says what the set shows, another one where there is another.
    """

    faces: FaceSet
    pool: SyntheticSet
    judge: Judge
    gate_judge: Judge

    @property
    def warnings(self) -> list[str]:
        """Why the judges cannot be trusted, each thing once."""
        return list(dict.fromkeys([*self.judge.warnings, *self.gate_judge.warnings]))

    @property
    def real(self) -> dict[str, str]:
        """Hashes of the real splits that the choice rests on."""
        return {split: self.faces.manifest["hashes"][split] for split in ("train", "public")}

    @property
    def hashes(self) -> dict[str, str]:
        """What the set depends on, by its content."""
        return {"pool": self.pool.manifest["hash"], "judge": self.judge.hash, **self.real}


def open_all(job: Curate, compute: Compute, other_commands: Launcher) -> CurateInputs:
    """Everything that is read, checked before anything is computed; the pool is drawn last."""
    faces = inputs.open_faces(job.data)
    real_faces = judges.real_faces(job.data.name, faces)
    wanted = Wanted(Path(job.outputs), real_faces)
    run = judges.choose(job.judge, wanted)
    assert run is not None
    judge = gate_judge = judges.load(run, wanted, compute)
    wanted = Wanted(Path(job.outputs), real_faces, key="gate_judge")
    another = judges.choose_another(job.gate_judge, wanted, run)
    if another.resolve() != run.resolve():
        gate_judge = judges.load(another, wanted, compute)
    return CurateInputs(faces, _pool(job, faces, other_commands), judge, gate_judge)


def _pool(job: Curate, faces: FaceSet, other_commands: Launcher) -> SyntheticSet:
    """The pool: the set named, the newest, or one drawn now. UserError if it does not fit."""
    if job.gan.path is not None:
        root, named = _drawn(job, other_commands), f"gan={job.gan.path}"
    else:
        root = _newest(Path(job.outputs)) if job.set is None else Path(job.set)
        named = f"set={root}"
    pool = inputs.read_set(root, Path(job.outputs), "set")
    facts = pool.manifest.get("generator") or {}
    learned_from, here = facts.get("data_hash"), faces.manifest["hashes"]["train"]
    if learned_from not in (None, here):
        raise UserError(
            f"{named}: its generator learned from other faces (hash {learned_from[:12]}) than the "
            f"Training split of data={job.data.name} ({here[:12]}); expected that data"
        )
    if job.n is not None and job.n > len(pool):
        raise UserError(f"n={job.n}: the pool {root} has {len(pool)} images; expected fewer")
    return pool


def _newest(outputs: Path) -> Path:
    """The newest complete set that is not curated itself, printed; UserError without one."""
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


def _drawn(job: Curate, other_commands: Launcher) -> Path:
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
    return Path(other_commands.call("synth", launcher.words_of(words)))
