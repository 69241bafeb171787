"""Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb

from ferbench.errors import UserError
from ferbench.runs.loggers.base import stored_id


class WandbLogger:
    """Sends the numbers to one run of the service."""

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
    """A run of `project` under the folder's name; the key comes from wandb's own login.

    A stopped run goes on under its id; wandb leaves out the steps that it has already.
    Raises UserError if wandb refuses: no key, another server.
    """
    earlier = stored_id(folder / "wandb_id", first_step)
    try:
        run = wandb.init(
            project=project,
            id=earlier,
            resume="allow" if earlier else None,
            name=folder.name,
            dir=str(folder),
            config=dict(config),
            settings=wandb.Settings(base_url=address) if address else None,
        )
    except wandb.Error as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise UserError(
            f"logger=wandb: {reason}; expected `wandb login` before, or WANDB_MODE=offline"
        ) from None
    (folder / "wandb_id").write_text(run.id, encoding="utf-8")
    return WandbLogger(run)
