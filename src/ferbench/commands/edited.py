"""Whether the config.yaml of a run is still the one that it ran with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ferbench import runs
from ferbench.config.identity import identity
from ferbench.config.store import OtherVersion, read_config
from ferbench.errors import UserError

SETTINGS = "settings_hash"  # in run.json: a hash of the keys that change a result


def settings_of(job: Any) -> str:
    """Hash of the keys of a config that change a result; paths and names may change."""
    return runs.hash_of(identity(job))


def check(folder: Path, job: Any) -> None:
    """UserError if the run of a folder began with other settings than those of its config now."""
    written = runs.status_of(folder).get(SETTINGS)
    if written not in (None, settings_of(job)):
        raise UserError(
            f"{folder / 'config.yaml'}: was edited since the run began, and its settings are not "
            "those of the results; expected it as it was, or a new run with those keys"
        )


def check_file(folder: Path, schema: type) -> None:
    """As `check`, of the file itself; one of another version passes, a damaged one does not."""
    try:
        job = read_config(schema, folder / "config.yaml")
    except OtherVersion:
        return
    check(folder, job)
