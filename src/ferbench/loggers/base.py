"""What a logger is, and how one is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ferbench.errors import UserError


class Logger(Protocol):
    """Takes the numbers of every epoch, and the scores at the end."""

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
    try:
        module = import_module(f"ferbench.loggers.{name}_logger")
    except ModuleNotFoundError as error:
        raise UserError(
            f"logger={name}: the package {error.name} is not installed; expected "
            f'pip install "ferbench[{name}]", or logger=tensorboard'
        ) from None
    logger: Logger = module.open_run(
        folder, config=config, project=project, address=address, first_step=first_step
    )
    return logger
