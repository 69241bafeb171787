"""Which trained generator draws: the one that a key names, the newest, or the one of a set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ferbench import runs
from ferbench.classes import CLASSES
from ferbench.commands import inputs
from ferbench.config.data import DataConfig
from ferbench.errors import UserError, is_network
from ferbench.gan import trained
from ferbench.gan.trained import TrainedGenerator

SHIPPED = "fer48-long"  # what draws where nobody trained a generator


def choose(source: str | None, outputs: Path, key: str) -> str | Path:
    """Where the generator of gan=`source` is; without one the newest, which is printed."""
    return source or newest(outputs, key)


def load(source: str | Path, key: str, device: torch.device) -> TrainedGenerator:
    """The generator of a file, a run's folder, an address or a shipped name.

    Raises UserError, naming `key`.
    """
    try:
        return trained.load(source, device=device)
    except UserError as error:
        raise UserError(f"{key}={error}") from None


def choose_or_shipped(source: str | None, outputs: Path) -> str | Path:
    """As `choose` for gan=; where no run is complete, the shipped one, which is printed."""
    if source is not None or complete_runs(outputs):
        return choose(source, outputs, "gan")
    print(
        f"gan={SHIPPED} (the generator that ferbench ships; there is no complete run of "
        f"`ferbench train-gan` below {outputs / 'train-gan'})"
    )
    return SHIPPED


def newest(outputs: Path, key: str) -> Path:
    """The newest complete run of train-gan, which is printed; UserError if there is none."""
    complete = complete_runs(outputs)
    if not complete:
        raise UserError(
            f"{key}=null: no complete run below {outputs / 'train-gan'}; expected one of "
            f"ferbench train-gan, {key}=PATH (a run under way, too), or {key}={SHIPPED}, which "
            "ferbench ships"
        )
    print(f"{key}={complete[-1]} (the newest complete run)")
    return complete[-1]


def complete_runs(outputs: Path) -> list[Path]:
    """The folders of the complete runs of train-gan, the newest last."""
    finished = []
    for folder in outputs.glob("train-gan/*/"):
        facts = runs.status_of(folder)
        if facts.get("status") == "complete":
            finished.append((str(facts.get("finished")), folder))
    return [folder for _, folder in sorted(finished)]


def load_for_training(data: DataConfig, outputs: Path, device: torch.device) -> TrainedGenerator:
    """The generator of data.synthetic.online, on the device; the newest is printed.

    Raises UserError if it is absent or damaged, does not draw our classes, or was trained on the
    other kind of faces than the base's.
    """
    key = "data.generator"
    generator = load(choose(data.synthetic.generator, outputs, key), key, device)
    if generator.classes != CLASSES:
        raise UserError(
            f"{key}={generator.source}: its classes are {list(generator.classes)}; expected "
            f"{list(CLASSES)}"
        )
    inputs.check_kind(generator.facts, data, f"{key}={generator.source}: the generator")
    return generator


def load_of_set(
    source: str | None, facts: Mapping[str, Any], device: torch.device
) -> tuple[TrainedGenerator | None, str]:
    """The generator behind a set; without it None, and a sentence on why it is missing.

    source: of gan=; none does without, auto is the one that the set's manifest names. facts: what
    that manifest says of its generator.
    """
    if source == "none":
        return None, ""
    path = facts.get("source") if source == "auto" else source
    if path is None or (source == "auto" and not Path(path).exists()):
        return None, "The generator is not there, so the attack on its discriminator is left out."
    generator = load(path, "gan", device)
    if source == "auto" and generator.sha256 != facts.get("sha256"):
        reason = "is not the generator of this set any more, so the attack is left out."
        return None, f"{path} {reason}"
    return generator, ""


def load_to_resume(resume: str | None, device: torch.device) -> TrainedGenerator | None:
    """The networks that resume=`resume` starts from; None for a run's folder, or nothing."""
    if resume is None or not is_network(resume):
        return None
    return load(resume, "resume", device)
