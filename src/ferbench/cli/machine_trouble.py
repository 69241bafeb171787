"""The machine's trouble, which is no bug: disk, permission, locks, memory; in one line each."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
from pathlib import Path

from ferbench.config.commands import COMMANDS, keys_of
from ferbench.config.yaml_files import CONF

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
WRONG_PATH = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
OTHERS = (errno.ELOOP, errno.ENAMETOOLONG, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE)
MEMORY = re.compile(
    r"out of memory|not enough memory|DefaultCPUAllocator|can(no|')t allocate memory|"
    r"CUBLAS_STATUS_ALLOC_FAILED|bad_alloc|failed to map segment|can't start new thread",
    re.IGNORECASE,
)


def sentence(error: BaseException, command: str | None, outputs: str | None) -> str | None:
    """`PATH: what is wrong; expected the way out` for the machine's trouble, None for a bug.

    command: whose keys the way out may name. outputs: the command's folder, which is named where
    the error names no path.
    """
    if _is_memory(error):
        return _memory(error, command)
    if not isinstance(error, OSError):
        return None
    from ferbench.files import NOT_WHOLE  # imports numpy, which help does without

    if NOT_WHOLE.search(str(error)):  # numpy, on a full disk
        return _disk(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), outputs, outputs)
    if error.errno is not None and not _is_bug(error, outputs):
        path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
        return _disk(error, path or outputs, outputs)
    return None


# --- memory --------------------------------------------------------------------------------------


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, OSError | ImportError | RuntimeError) and bool(
        MEMORY.search(str(error)) or type(error).__name__ == "OutOfMemoryError"
    )


def _memory(error: BaseException, command: str | None) -> str:
    on_gpu = re.search(r"cuda|cublas|gpu", f"{type(error).__module__} {error}", re.IGNORECASE)
    keys = keys_of(COMMANDS[command]) if command else {}
    sizes = [f"{key}=" for key in keys if key.rpartition(".")[2] == "batch"]
    ways = [f"a smaller {' or '.join(sizes)}"] if sizes else []
    if on_gpu:
        ways += ["device=cpu"] if "device" in keys else []
        ways += ["a GPU with more memory"]
    else:
        ways += ["a machine with more memory"]
    return f"out of memory on the {'GPU' if on_gpu else 'CPU'}; expected {', or '.join(ways)}"


# --- disk ----------------------------------------------------------------------------------------


def _is_bug(error: OSError, outputs: str | None) -> bool:
    """Whether the error is of another kind, or about a file that ferbench itself should have."""
    if error.errno not in (*FULL, *NO_LOCKS, *WRONG_PATH, *NOT_ALLOWED, *OTHERS):
        return True
    if error.errno not in WRONG_PATH:
        return False
    if error.filename is None:
        return not _is_about_temporary_files(error)
    path = Path(os.path.abspath(os.fsdecode(error.filename)))
    if any(path.is_relative_to(folder) for folder in _own_folders()):
        return True
    return error.errno == errno.ENOENT and path.parent.is_dir() and _is_ours(path, outputs)


def _own_folders() -> list[Path]:
    names = ("ferbench", "stylegan2_ada")
    files = [getattr(sys.modules.get(name), "__file__", None) for name in names]
    return [CONF, *(Path(file).parent for file in files if file)]


def _is_ours(path: Path, outputs: str | None) -> bool:
    """Whether ferbench makes this file itself, so that only a bug can miss it."""
    if path.is_symlink() or (outputs is not None and path == Path(os.path.abspath(outputs))):
        return False
    made_by_the_system = path.is_relative_to("/proc") or path.is_relative_to("/sys")
    return not made_by_the_system


def _is_about_temporary_files(error: OSError) -> bool:
    return "temporary directory" in str(error)


def _disk(error: OSError, path: str | None, outputs: str | None) -> str:
    reason = error.strerror or str(error)
    if _is_about_temporary_files(error):
        return f"TMPDIR={os.environ.get('TMPDIR', '')}: {reason}; expected TMPDIR=FOLDER with room"
    if path is None:
        return f"{reason}; expected room on the disk of TMPDIR, and of what the output goes to"
    return f"{path}: {reason}; expected {_way_out(error, path, outputs)}"


def _way_out(error: OSError, path: str, outputs: str | None) -> str:
    """What helps, by what is wrong and where."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "a higher limit (ulimit -n), or fewer jobs at once"
    where = Path(os.path.abspath(path))
    room = "room there, or " if error.errno in FULL else ""
    if outputs is not None and where.is_relative_to(os.path.abspath(outputs)):
        return f"{room}outputs=FOLDER on {_disk_that_serves(error)}"
    if _is_temporary(where):
        return f"{room}TMPDIR=FOLDER on {_disk_that_serves(error)}"
    return f"{room}a path that can be used"


def _disk_that_serves(error: OSError) -> str:
    if error.errno in FULL:
        return "a disk that has room"
    return "a disk with file locks" if error.errno in NO_LOCKS else "a disk that can be written"


def _is_temporary(path: Path) -> bool:
    try:
        return path.is_relative_to(os.path.abspath(tempfile.gettempdir()))
    except OSError:  # there is none
        return True
