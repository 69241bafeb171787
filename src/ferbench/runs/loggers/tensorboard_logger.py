"""TensorBoard: event files in the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter


class TensorBoardLogger:
    """Writes scalars under the names of metrics.jsonl."""

    def __init__(self, writer: SummaryWriter) -> None:
        self._writer = writer

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One scalar a value."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush and close the event file."""
        self._writer.close()


def open_run(
    folder: Path,
    *,
    config: Mapping[str, Any],
    project: str | None,
    address: str | None,
    first_step: int,
) -> TensorBoardLogger:
    """Event files in `folder`/tensorboard; TensorBoard needs no project and no address."""
    return TensorBoardLogger(SummaryWriter(folder / "tensorboard", purge_step=first_step))
