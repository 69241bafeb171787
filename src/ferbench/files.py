"""Files that are whole or absent: written beside their name, flushed, renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

PARTIAL = ".part"
LOCK_POLL_SECONDS = 0.02
# What reading a .npz file raises where bytes are missing or changed.
_DAMAGE = (
    *(ValueError, LookupError, EOFError, TypeError, AttributeError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
# numpy's and torch's words for a disk that did not take all bytes
NOT_WHOLE = re.compile(r"\d+ requested and \d+ written|PytorchStreamWriter|unexpected pos")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then rename it: a reader sees the old or the new.

    What the disk refuses is an OSError that names `path`, whichever library was writing.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        write(beside)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    except Exception as error:
        of_disk = _error_of_disk(error, path, beside)
        if of_disk is None:
            raise
        raise of_disk from error
    finally:
        beside.unlink(missing_ok=True)


def _error_of_disk(error: Exception, path: Path, beside: Path) -> OSError | None:
    """The OSError behind what a library raised, None for another error or one that names a path.

    numpy, safetensors and torch say in their own words that the disk did not take all bytes.
    """
    number = getattr(error, "errno", None)
    if isinstance(error, OSError) and number is not None:
        if error.filename not in (None, str(beside)):
            return None
        return OSError(number, error.strerror, str(path))
    named = re.search(r"\(os error (\d+)\)", str(error))
    if named:
        return OSError(int(named[1]), os.strerror(int(named[1])), str(path))
    if NOT_WHOLE.search(str(error)):
        return OSError(errno.ENOSPC, "could not be written whole, as on a full disk", str(path))
    return None


@contextmanager
def locked(path: Path, *, wait_seconds: float | None = None) -> Iterator[None]:
    """For one process at a time: the lock is the kernel's, on the file `path`, which stays.

    So a lock ends with its process, and a file that nobody holds is no lock. wait_seconds: how
    long to wait for another process; None: as long as it takes.
    Raises TimeoutError if another process keeps the lock, OSError that names `path` if the file
    system has no locks.
    """
    import fcntl  # not on Windows, where the command line ends before it comes here

    with path.open("ab") as file:
        began = time.monotonic()
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except (BlockingIOError, InterruptedError):
                if wait_seconds is not None and time.monotonic() - began >= wait_seconds:
                    raise TimeoutError(errno.ETIMEDOUT, "held by another", str(path)) from None
                time.sleep(LOCK_POLL_SECONDS)
            except OSError as error:
                reason = f"no file locks on this file system: {error.strerror}"
                raise OSError(error.errno, reason, str(path)) from error
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def remove_partial(folder: Path) -> None:
    """Delete what killed processes left half-written, in the folders inside it too.

    No other process may be writing there.
    """
    for beside in partial(folder):
        beside.unlink(missing_ok=True)


def partial(folder: Path) -> list[Path]:
    """The files in a folder, and in those inside it, that `write_whole` has not renamed yet."""
    return list(folder.rglob(f".*{PARTIAL}"))


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


def load_arrays(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Arrays of a .npz file by their names, their checksums compared.

    Raises ValueError, in one line that names the file, if it is damaged or lacks one.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in names}
    except _DAMAGE as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{path}: damaged ({reason[:200]})") from error


def load_cached(path: Path, *names: str) -> dict[str, np.ndarray] | None:
    """As `load_arrays`; None where there is no such file, and, said aloud, where it is damaged."""
    if not path.is_file():
        return None
    try:
        return load_arrays(path, *names)
    except ValueError as error:
        print(f"note: {error}; it is made again")
        return None


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
