"""MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow


class MlflowLogger:
    """Sends the numbers to an MLflow run that has the folder's name."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """All values of a step at once."""
        mlflow.log_metrics(dict(values), step=step)

    def close(self) -> None:
        """End the run."""
        mlflow.end_run()


def open_run(
    folder: Path,
    *,
    config: Mapping[str, Any],
    project: str | None,
    address: str | None,
    first_step: int,
) -> MlflowLogger:
    """A run of the experiment `project`, on the server `address` or as MLFLOW_TRACKING_URI says."""
    if address:
        mlflow.set_tracking_uri(address)
    mlflow.set_experiment(project)
    mlflow.start_run(run_name=folder.name)
    mlflow.log_params(flat(config))
    return MlflowLogger()


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as dotted names."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
