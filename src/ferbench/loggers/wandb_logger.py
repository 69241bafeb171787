"""Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb


class WandbLogger:
    """Sends the numbers to a run that has the folder's name as its id."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """All values of a step at once."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Finish the upload."""
        self._run.finish()


def open_run(
    folder: Path,
    *,
    config: Mapping[str, Any],
    project: str | None,
    address: str | None,
    first_step: int,
) -> WandbLogger:
    """A run of `project`; a resumed run goes on under its id. The key comes from wandb's login."""
    settings = wandb.Settings(base_url=address) if address else None
    run = wandb.init(
        project=project,
        id=folder.name,
        name=folder.name,
        dir=folder,
        config=dict(config),
        resume="allow",
        settings=settings,
    )
    return WandbLogger(run)
