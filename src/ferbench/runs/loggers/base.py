"""What a logger is, and how one is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ferbench.errors import UserError

PACKAGES = {
    "tensorboard": "tensorboard",
    "wandb": "ferbench[wandb]",
    "mlflow": "ferbench[mlflow]",
}


class Logger(Protocol):
    """Takes the numbers of every epoch."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Record numbers at a step (epoch, from 1)."""

    def close(self) -> None:
        """Write what is pending."""


class NoLogger:
    """Records nothing; metrics.jsonl is written anyway."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def open_logger(
    name: str,
    folder: Path,
    *,
    config: Mapping[str, Any],
    project: str | None,
    address: str | None,
    first_step: int,
) -> Logger:
    """The logger `name` for the run in `folder`.

    first_step: the first step that will come; what a stopped run recorded from there on is void.
    Raises UserError if the service's package is not installed.
    """
    if name == "none":
        return NoLogger()
    logger: Logger = _module(name).open_run(
        folder, config=config, project=project, address=address, first_step=first_step
    )
    return logger


def require(name: str) -> None:
    """Refuse a logger whose package is not installed, before there is anything to log."""
    if name != "none":
        _module(name)


def _module(name: str) -> Any:
    try:
        return import_module(f"ferbench.runs.loggers.{name}_logger")
    except ModuleNotFoundError as error:
        raise UserError(
            f"logger={name}: the package {error.name} is not installed; "
            f'expected pip install "{PACKAGES[name]}", or logger=none'
        ) from None


def stored_id(path: Path, first_step: int) -> str | None:
    """The service's id of this run from its stopped start; None for a run from the beginning."""
    return path.read_text(encoding="utf-8") if first_step > 1 and path.exists() else None
