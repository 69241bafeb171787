"""Files that are whole or absent: written beside their name, flushed, renamed."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ferbench.errors import UserError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then rename it: a reader sees the old or the new."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def save_json(path: Path, value: Any) -> None:
    """Write JSON (indented, UTF-8), whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))


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


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write what a run needs to go on: tensors, numbers, strings, lists and dicts of them."""
    write_whole(path, lambda beside: torch.save(state, beside))


def load_state(path: Path) -> dict[str, Any]:
    """What `save_state` wrote, read without running any code; UserError if it is damaged."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; there is no state to go on from") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not a whole state file ({reason})") from None
    return state
