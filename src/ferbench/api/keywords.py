"""Keyword arguments as the words of a command line, and a command run from them."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

from ferbench.errors import UserError

PLACES = ("folder", "root", "source")  # where a run, a set and a generator say that they are


def run(command: str, keys: Mapping[str, object]) -> Path:
    """Run a command in this process; the folder that it leaves.

    Raises UserError for keys or values that it refuses, and what the command raises.
    """
    from ferbench.cli.jobs import Launcher

    return Path(Launcher(words=(), full_error=False).call(command, words_of(keys)))


def row_of(folder: Path) -> dict[str, Any]:
    """The line of a complete run in its table, by column."""
    from ferbench import runs

    return dict(runs.status_of(folder)["row"])


def words_of(keys: Mapping[str, object]) -> list[str]:
    """`key=value` of every keyword; UserError for a value that no key takes."""
    return [f"{key}={_text(key, value)}" for key, value in keys.items()]


def _text(key: str, value: object) -> str:
    """A value as the command line spells it; a run, set or generator by its place."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, Path, Real)):
        return str(value)
    if isinstance(value, Mapping) and value:
        inner = next(iter(value))
        raise UserError(f'{key}: a dict; expected one key at a time, **{{"{key}.{inner}": ...}}')
    for name in PLACES:
        if isinstance(place := getattr(value, name, None), (str, Path)):
            return str(place)
    raise UserError(
        f"{key}: {type(value).__name__}; expected text, a number, True, False, None, a path, or "
        "what a function of ferbench returned"
    )
