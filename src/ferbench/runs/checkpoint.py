"""Weights and states in files that are whole or absent (`files.write_whole`)."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ferbench.errors import UserError
from ferbench.files import write_whole

FORMAT = "format"  # the key that says it
# What torch.load raises, or may raise, on files with missing or changed bytes.
_DAMAGE = (RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError, TypeError)


def save_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write a state dict as safetensors, on the CPU."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    write_whole(path, lambda beside: save_file(tensors, beside))


def load_weights(path: Path) -> dict[str, Tensor]:
    """A state dict from safetensors; UserError if the file is absent or damaged."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; expected a run's weights") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a whole safetensors file ({error})") from None


def save_state(path: Path, state: dict[str, Any], *, format_name: str) -> None:
    """Write what a run needs to go on: tensors, numbers, strings, lists and dicts of them.

    format_name: name and number of the state's format, which `load_state` asks for. The number is
    to be raised when the code can no longer read what was written before.
    """
    write_whole(path, lambda beside: torch.save({FORMAT: format_name, **state}, beside))


def load_state(path: Path, *, format_name: str) -> dict[str, Any]:
    """What `save_state` wrote, without its format.

    Raises UserError as `load_plain`, and if the state is of another format.
    """
    state = load_plain(path)
    written = state.pop(FORMAT, None)
    if written != format_name:
        named = "without a format" if written is None else f"of format {_one_line(written)!r}"
        raise UserError(
            f"{path}: a state {named}, so another version of ferbench wrote it; expected "
            f"{format_name!r}; move the file away, and the run starts from its beginning"
        )
    return state


def load_plain(path: Path) -> dict[str, Any]:
    """A dict of tensors and plain values that torch saved, read without running any code.

    The checksums of its archive are compared first: 0.1 s for 100 MB.
    Raises UserError if the file is absent, damaged, or holds more than tensors and plain values.
    """
    _check_archive(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; there is no state to go on from") from None
    except pickle.UnpicklingError:
        reason = "damaged, or with something else than tensors and plain values"
        raise UserError(f"{path}: not a state file ({reason})") from None
    except _DAMAGE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not a whole state file ({reason})") from None
    if not isinstance(state, dict):
        raise UserError(f"{path}: not a state file (it holds a {type(state).__name__})")
    return state


def _check_archive(path: Path) -> None:
    """UserError if a byte of the archive's content is missing or changed."""
    try:
        if not zipfile.is_zipfile(path):  # torch's older form has no checksums
            return
        with zipfile.ZipFile(path) as archive:
            changed = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, *_DAMAGE) as error:
        raise UserError(f"{path}: not a whole state file ({_one_line(error)})") from None
    if changed is not None:
        raise UserError(f"{path}: not a whole state file (bytes of {changed} have changed)")


def _one_line(value: object) -> str:
    return " ".join(str(value).split())[:60]
