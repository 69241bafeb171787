"""What a run needs besides a right config: looked at, not opened, before others run for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ferbench.commands import inputs
from ferbench.config.data import DataConfig, FacesConfig
from ferbench.data import named_sets
from ferbench.errors import UserError
from ferbench.gan import trained
from ferbench.runs import loggers

WORDS = ("auto", "none")  # that stand for no path
PATHS = ("set", "run", "start", "resume", "judge", "gate_judge", "weights")


def check(job: Any, made: Collection[str] = ()) -> None:
    """Raise UserError, naming the key, if faces, a path or a package that a run needs is missing.

    job: the checked config of a command. made: paths that earlier runs will have made by then.
    """
    data = getattr(job, "data", None)
    if isinstance(data, DataConfig) and data.faces == "real":
        named_sets.require_real(inputs.base_folder(data, Path(job.outputs)))
    elif isinstance(data, FacesConfig) and data.name == "real":
        named_sets.require_real(Path(data.folder))
    for key, path in _paths(job):
        if path is not None and path not in (*WORDS, *made) and not _is_there(path):
            raise UserError(f"{key}={path}: no such file or folder")
    logger = getattr(job, "logger", None)
    if logger is not None:
        loggers.require(logger.name)


def _paths(job: Any) -> Iterator[tuple[str, str | None]]:
    """Every key that names a file or folder to read, with its value."""
    for key in PATHS:
        yield key, getattr(job, key, None)
    gan = getattr(job, "gan", None)
    yield "gan", getattr(gan, "path", None)
    data = getattr(job, "data", None)
    if isinstance(data, DataConfig):
        yield "data.synthetic", data.synthetic.folder
        yield "data.generator", data.synthetic.generator
        yield "data.teacher", data.teacher.run


def _is_there(path: str) -> bool:
    if path.startswith(("http://", "https://")):
        return True
    return Path(path).exists() or (trained.SHIPPED / f"{path}.safetensors").is_file()
