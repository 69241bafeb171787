"""MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow

from ferbench.errors import UserError
from ferbench.runs.loggers.base import stored_id


class MlflowLogger:
    """Sends the numbers to the MLflow run that is open."""

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
    """A run of the experiment `project`, on the server `address` or as MLFLOW_TRACKING_URI says.

    It has the folder's name and the config as parameters; a stopped run goes on under its id.
    Raises UserError if the server does not answer or refuses.
    """
    earlier = stored_id(folder / "mlflow_id", first_step)
    try:
        if address:
            mlflow.set_tracking_uri(address)
        if project:
            mlflow.set_experiment(project)
        run = mlflow.start_run(run_id=earlier, run_name=folder.name)
    except mlflow.MlflowException as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise UserError(
            f"logger=mlflow: {reason}; expected a server at logger.address, or logger=tensorboard"
        ) from None
    if not earlier:
        mlflow.log_params(flat(config))
        (folder / "mlflow_id").write_text(run.info.run_id, encoding="utf-8")
    return MlflowLogger()


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as dotted names."""
    names: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            names |= flat(value, f"{prefix}{key}.")
        else:
            names[f"{prefix}{key}"] = value
    return names
