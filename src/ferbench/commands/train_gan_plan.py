"""What `ferbench train-gan` is to do: the recipe, the run's folder, the state to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ferbench import runs
from ferbench.classes import CLASSES
from ferbench.commands import judges, measured
from ferbench.commands.judges import Wanted
from ferbench.commands.measured import Run
from ferbench.config.identity import identity
from ferbench.config.train_gan import TrainGan
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError
from ferbench.gan import weights
from ferbench.gan.trained import TrainedGenerator
from ferbench.gan.weights import STATE
from ferbench.recipes.gan import GanRecipe
from ferbench.runs import Compute, processes

HAVE_STATE = ("complete", "interrupted")  # runs that ended so have saved their state


@dataclass(frozen=True)
class Plan:
    """What is to be done, the same in every process.

    state: what STATE of the folder holds, None for a run from the beginning. judge: the run of
    the classifier that scores the samples, None without one.
    """

    folder: Path
    done: bool
    shards: int = 0
    state: dict[str, Any] | None = None
    judge: Path | None = None


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


def run_of(
    job: TrainGan,
    recipe: GanRecipe,
    faces: FaceSet,
    start: TrainedGenerator | None,
    compute: Compute,
) -> Run:
    """The run by recipe, faces and start: the same ones have the same folder, and can grow."""
    name = job.name or f"{recipe.name}_{job.data.name}_{recipe.res}px"
    hashes = {"train": faces.manifest["hashes"]["train"]}
    return Run(
        job,
        "train-gan",
        f"{name}_s{job.seed}",
        hashes if start is None else hashes | {"start": start.sha256},
        compute,
        chosen={"gan": identity(recipe), "device": compute.device.type},
        is_whole=lambda folder, facts: bool(facts["kimg"] >= recipe.total_kimg),
        again="starts it again, a larger total_kimg goes on",
    )


def settings_of(recipe: GanRecipe) -> str:
    """Hash of what a training's numbers depend on in its recipe."""
    return runs.hash_of(identity(recipe))


def plan_of(this: Run, recipe: GanRecipe, wanted: Wanted) -> Plan:
    """Folder, shards, state and judge; says so if there is nothing left to do."""
    if measured.is_done(this):
        measured.repeat(this)
        return Plan(this.folder, done=True)
    measured.check_inputs(this)
    path = this.folder / STATE
    if not path.exists() and runs.status_of(this.folder).get("status") in HAVE_STATE:
        raise UserError(
            f"{path}: is missing, so this run cannot go on; force=true trains anew, in a new folder"
        )
    state = weights.load_state(path, settings_of(recipe)) if path.exists() else None
    judge = _judge(this.job, wanted, weights.best_of(state).get("judge"))
    return Plan(this.folder, False, _shards(recipe, state), state, judge)


def _judge(job: TrainGan, wanted: Wanted, earlier: Mapping[str, str] | None) -> Path | None:
    """The run of the classifier that scores the samples.

    earlier: name and hash of the judge that rated the best weights so far. A run that goes on keeps
    it while it is there: numbers of another do not compare.
    """
    if job.judge == "auto" and earlier is not None:
        known = judges.known(wanted.outputs, **earlier)
        if known is not None:
            return known
    return judges.choose(job.judge, wanted)


def _shards(recipe: GanRecipe, state: dict[str, Any] | None) -> int:
    """Those of the state; of a new run at least one a process."""
    shards = max(recipe.shards, processes.count())
    if state is not None:
        try:
            shards = len(state["trainer"]["streams"])
        except (LookupError, TypeError):
            raise UserError("the state is not one of ferbench train-gan; move it away") from None
    if shards % processes.count() or recipe.batch % shards:
        raise UserError(
            f"{processes.count()} processes: expected a number that divides the {shards} shards "
            f"of this run, and shards that divide gan.batch={recipe.batch}"
        )
    return shards
