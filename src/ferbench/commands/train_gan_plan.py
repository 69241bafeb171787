"""What `ferbench train-gan` is to do: the recipe, the run's folder, the state to go on from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ferbench import runs
from ferbench.classes import CLASSES
from ferbench.config.identity import identity
from ferbench.config.train_gan import TrainGan
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError, is_network
from ferbench.gan import weights
from ferbench.gan.trained import TrainedGenerator
from ferbench.gan.weights import STATE
from ferbench.recipes.gan import GanRecipe
from ferbench.runs import processes

# Keys that do not change what a run has learned after so many images.
NEUTRAL = ("outputs", "name", "force", "resume", "logger", "judge", "total_kimg", "res")


@dataclass(frozen=True)
class Plan:
    """What is to be done, the same in every process.

    state: what STATE of the folder holds, None for a run from the beginning.
    """

    folder: Path
    done: bool
    shards: int
    state: dict[str, Any] | None

    @property
    def judge(self) -> dict[str, str] | None:
        """Name and hash of the judge that rated the best weights so far, if the state says so."""
        best = json.loads(self.state["best"]) if self.state else {}
        return best.get("judge")  # not in states of older versions


def recipe_of(job: TrainGan, start: TrainedGenerator | None) -> GanRecipe:
    """The preset with the sizes asked for, or with those of the networks to start from."""
    recipe = replace(
        job.gan,
        res=job.res or job.gan.res,
        total_kimg=job.total_kimg or job.gan.total_kimg,
    )
    if start is None:
        return recipe
    res = start.network.config.img_resolution
    if job.res not in (None, res):
        raise UserError(f"res={job.res}: resume={job.resume} holds networks of {res} pixels")
    if recipe.conditional and start.classes != CLASSES:
        raise UserError(
            f"resume={job.resume}: its classes are {list(start.classes)}; expected "
            f"{list(CLASSES)} (gan.conditional=false takes a network without classes)"
        )
    if recipe.conditional and recipe.scalar_label != (start.network.config.c_dim == 1):
        raise UserError(
            f"resume={job.resume}: its condition has {start.network.config.c_dim} columns, which "
            f"gan.scalar_label={str(recipe.scalar_label).lower()} does not fit"
        )
    if not recipe.conditional and start.classes:
        raise UserError(f"resume={job.resume}: has classes; expected gan.conditional=true")
    return replace(recipe, res=res)


def plan_of(
    job: TrainGan, recipe: GanRecipe, faces: FaceSet, start: TrainedGenerator | None
) -> Plan:
    """Folder, state and shards; says so if there is nothing left to do."""
    read = hashes_read(faces, start)
    folder = _folder(job, recipe, read)
    facts = runs.status_of(folder)
    if facts.get("inputs") not in (None, read):
        raise UserError(f"{folder}: the data have changed since that run; start a new one")
    done = facts.get("status") == "complete" and facts["kimg"] >= recipe.total_kimg
    if done:
        print(
            f"done already: {folder}, {facts['kimg']:.1f} kimg (force=true starts it again, a "
            "larger total_kimg goes on)"
        )
    state = None
    if not done and (folder / STATE).exists():
        state = weights.load_state(folder / STATE)
    return Plan(folder, done, _shards(recipe, state), state)


def _shards(recipe: GanRecipe, state: dict[str, Any] | None) -> int:
    """Those of the state; of a new run at least one a process."""
    shards = max(recipe.shards, processes.count())
    if state is not None:
        try:
            shards = len(state["trainer"]["streams"])
        except (LookupError, TypeError):
            raise UserError("the state is not one of ferbench train-gan; delete it") from None
    if shards % processes.count() or recipe.batch % shards:
        raise UserError(
            f"{processes.count()} processes: expected a number that divides the {shards} shards "
            f"of this run, and shards that divide gan.batch={recipe.batch}"
        )
    return shards


def _folder(job: TrainGan, recipe: GanRecipe, read: dict[str, str]) -> Path:
    """outputs/train-gan/<name>_s<seed>_<hash of config and data>: a run can only grow longer."""
    if job.resume and not is_network(job.resume):
        return Path(job.resume)
    config = {key: value for key, value in asdict(job).items() if key not in NEUTRAL}
    config["gan"] = identity(recipe)
    config["data"] = job.data.name
    name = job.name or f"{recipe.name}_{job.data.name}_{recipe.res}px"
    folder = (
        Path(job.outputs) / "train-gan" / f"{name}_s{job.seed}_{runs.hash_of([config, read])[:8]}"
    )
    return runs.free_folder(folder) if job.force else folder


def hashes_read(faces: FaceSet, start: TrainedGenerator | None) -> dict[str, str]:
    """Hashes of what is read."""
    found = {"train": faces.manifest["hashes"]["train"]}
    return found if start is None else found | {"start": start.sha256}
