"""plan=true: what a run would do and how long it may take here; nothing runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from ferbench import runs
from ferbench.commands.estimates import Estimator, recipe_of
from ferbench.config.train_gan import TrainGan
from ferbench.errors import UserError
from ferbench.runs import Compute, calibration
from ferbench.study.ledger import in_words

BUSY = "note: other programs keep this machine busy: alone it may be much faster"
CHANGE_NO_TIME = ("name", "seed", "force", "resume", "logger", "plan", "figures", "outputs")


def show(command: str, job: Any, what: str, compute: Compute) -> Path:
    """Print what a run does and how long it may take; the folder that runs of the command are in.

    what: the work in words. Complete runs that differ in their seed alone count first, then what
    this machine takes for a few steps.
    """
    folder = Path(job.outputs) / command
    print(f"{what}, {compute.in_words}")
    past = list(_past_seconds(folder, job, compute))
    if past:
        number = "one run" if len(past) == 1 else f"{len(past)} runs"
        print(f"time: about {in_words(fmean(past))}, as {number} with other seeds took")
        return folder
    seconds = Estimator.of(job, may_measure=True).seconds(job)
    assert seconds is not None  # it may be measured
    print(f"time: about {in_words(seconds)}, by a few steps on this machine")
    if calibration.is_busy():
        print(BUSY)
    return folder


def of_gan(job: TrainGan) -> str:
    """The work of a train-gan in words."""
    recipe = recipe_of(job)
    return f"{recipe.name} at {recipe.res} px on {job.data.name}, {recipe.total_kimg:g} kimg"


def _past_seconds(folder: Path, job: Any, compute: Compute) -> Iterator[float]:
    """Seconds of the complete runs on this hardware with the same config, whatever its seed."""
    here, wanted = runs.hardware(compute.device), _kept(asdict(job))
    for path in folder.glob("*/run.json"):
        try:
            facts = runs.status_of(path.parent)
            config = yaml.safe_load((path.parent / "config.yaml").read_text(encoding="utf-8"))
        except (OSError, UserError, yaml.YAMLError):
            continue
        complete = facts.get("status") == "complete" and isinstance(config, dict)
        hardware = (facts.get("environment") or {}).get("hardware")
        if complete and hardware == here and _kept(config) == wanted and "seconds" in facts:
            yield float(facts["seconds"])


def _kept(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in CHANGE_NO_TIME}
