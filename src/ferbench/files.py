"""Files that are whole or absent: written beside their name, flushed, renamed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PARTIAL = ".part"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then rename it: a reader sees the old or the new."""
    beside = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        write(beside)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def remove_partial(folder: Path) -> None:
    """Delete what killed processes left half-written; no other process may be writing there."""
    for beside in folder.glob(f".*{PARTIAL}"):
        beside.unlink(missing_ok=True)


def save_json(path: Path, value: Any) -> None:
    """Write JSON (indented, UTF-8), whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def save_array(path: Path, array: np.ndarray) -> None:
    """Write a .npy file of any name, whole or not at all; ValueError for an array of objects."""

    def write(beside: Path) -> None:
        with beside.open("wb") as file:  # by its name alone, np.save would add a suffix
            np.save(file, array, allow_pickle=False)

    write_whole(path, write)


def save_arrays(path: Path, *, compress: bool = False, **arrays: np.ndarray) -> None:
    """Write named arrays, none of objects, as a .npz file of any name, whole or not at all."""
    assert not any(array.dtype.hasobject for array in arrays.values())
    save: Callable[..., None] = np.savez_compressed if compress else np.savez

    def write(beside: Path) -> None:
        with beside.open("wb") as file:
            save(file, **arrays)

    write_whole(path, write)


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
