"""Safe access to the files of a folder or a zip: nothing is unpacked, every read is bounded."""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from ferbench.errors import UserError

# FER2013 holds 35,887 images, 46 MB as JPEG, 300 MB as a CSV. What exceeds these limits is
# something else, or made to exhaust memory.
MAX_FILES = 500_000
MAX_IMAGE_BYTES = 16 * 2**20
MAX_CSV_BYTES = 2 * 2**30
MAX_TOTAL_BYTES = 8 * 2**30
MAX_RATIO = 100  # unpacked to packed bytes, of members over RATIO_FROM_BYTES
RATIO_FROM_BYTES = 2**20

_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
)
_JUNK = {"thumbs.db", "desktop.ini"}
_PAIR = {"train.csv", "test.csv"}
FORMS = (
    "expected FER2013 as a zip, a folder train/<emotion>/*.jpg + test/<emotion>/*.jpg,"
    " fer2013.csv, icml_face_data.csv, or train.csv beside a labeled test.csv"
)


class Files(Protocol):
    """What a source holds: file names with "/", bytes, and apart the junk of file managers."""

    source: Path
    names: list[str]
    junk: list[str]

    def size(self, name: str) -> int:
        """Bytes of the file, unpacked."""

    def open(self, name: str) -> IO[bytes]:
        """A stream of at most `size(name)` bytes."""


def refusal(source: Path, text: str) -> UserError:
    """The UserError `source=PATH: text`, on one line whatever the names in it hold."""
    return UserError(printable(f"source={source}: {text}"))


def printable(text: str) -> str:
    """`text` with "?" for control characters and for bytes that are not UTF-8."""
    return "".join(char if char.isprintable() else "?" for char in text)


@contextmanager
def open_files(source: Path) -> Iterator[Files]:
    """The files of `source`: a folder, a zip, or a CSV (with its other half, if it has one).

    Raises UserError if the path does not exist, is none of these, or is an unsafe zip: paths
    that lead outside, links, encryption, sizes out of proportion.
    """
    if _is_folder(source):
        yield FolderFiles(source, source, _walk(source))
    elif _start(source).startswith(b"PK"):
        with _open_zip(source) as packed:
            yield ZipFiles(source, packed)
    else:
        yield FolderFiles(source, source.parent, [path.name for path in csv_paths(source)])


def csv_paths(source: Path) -> list[Path]:
    """The file `source`; train.csv and test.csv together if it is one of the two."""
    if source.name.lower() not in _PAIR:
        return [source]
    return sorted(path for path in source.parent.iterdir() if path.name.lower() in _PAIR)


@contextmanager
def opened(files: Files, name: str, *, max_bytes: int) -> Iterator[IO[bytes]]:
    """The stream of one file; UserError if it is too large, cannot be read or is damaged."""
    if files.size(name) > max_bytes:
        size = f"{files.size(name):,} bytes"
        raise refusal(files.source, f"{name}: {size}; expected at most {max_bytes:,}")
    try:
        with files.open(name) as stream:
            yield stream
    except _DAMAGE as error:
        text = f"{name}: cannot be read ({error}); expected an undamaged file"
        raise refusal(files.source, text) from error


def read(files: Files, name: str, *, max_bytes: int) -> bytes:
    """All bytes of one file; errors as of `opened`."""
    with opened(files, name, max_bytes=max_bytes) as stream:
        return stream.read(max_bytes)


class FolderFiles:
    """`names` below the folder `root`; `source` is what errors name."""

    def __init__(self, source: Path, root: Path, names: list[str]) -> None:
        """Names: paths below `root` with "/"."""
        self.source, self.root = source, root
        self.names = [name for name in names if not _is_junk(name)]
        self.junk = [name for name in names if _is_junk(name)]

    def size(self, name: str) -> int:
        """Bytes of the file."""
        return (self.root / name).stat().st_size

    def open(self, name: str) -> IO[bytes]:
        """A stream of the file."""
        return (self.root / name).open("rb")


class ZipFiles:
    """The members of an open zip, all checked before the first is read."""

    def __init__(self, source: Path, packed: zipfile.ZipFile) -> None:
        """Packed: open for reading; UserError if a member is unsafe."""
        self.source, self._packed = source, packed
        self._members = _checked_members(source, packed.infolist())
        self.names = [name for name in self._members if not _is_junk(name)]
        self.junk = [name for name in self._members if _is_junk(name)]

    def size(self, name: str) -> int:
        """Bytes of the member, as its header says; `open` gives no more than these."""
        return self._members[name].file_size

    def open(self, name: str) -> IO[bytes]:
        """A stream that unpacks the member; the last read checks its CRC."""
        return self._packed.open(self._members[name])


def _is_folder(source: Path) -> bool:
    try:
        return stat.S_ISDIR(source.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise refusal(source, f"there is no such file or folder; {FORMS}") from None
    except (OSError, ValueError) as error:
        raise refusal(source, f"cannot be read ({error}); {FORMS}") from error


def _start(source: Path) -> bytes:
    """The first bytes of a file that may be a zip or a CSV."""
    if not source.is_file():
        raise refusal(source, f"is neither a file nor a folder; {FORMS}")
    try:
        with source.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise refusal(source, f"cannot be read ({error.strerror})") from error
    if start.startswith(b"\x1f\x8b") or start[257:262] == b"ustar":
        raise refusal(source, "is a tar or gzip file; unpack it and give the folder or the CSV")
    return start


def _open_zip(source: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except _DAMAGE as error:
        text = f"the zip is damaged or incomplete ({error}); download it again"
        raise refusal(source, text) from error


def _checked_members(source: Path, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Members that are files, by their path with "/"; UserError at the first unsafe one."""
    if len(infos) > MAX_FILES:
        raise refusal(source, f"{len(infos):,} members; expected at most {MAX_FILES:,}")
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES:
        raise refusal(source, f"unpacks to {total:,} bytes; expected at most {MAX_TOTAL_BYTES:,}")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if fault := _fault(info):
            raise refusal(source, f"{info.filename}: {fault}")
        name = "/".join(part for part in _parts(info.filename) if part not in ("", "."))
        if name in members:
            raise refusal(source, f"{name}: is in the zip twice; expected one file of a name")
        if not info.is_dir():
            members[name] = info
    return members


def _fault(info: zipfile.ZipInfo) -> str | None:
    """Why a member must not be read, or None."""
    path, kind = info.filename.replace("\\", "/"), stat.S_IFMT(info.external_attr >> 16)
    if path.startswith("/") or re.match("[A-Za-z]:", path) or ".." in _parts(path):
        return "the path leads outside the zip; expected relative paths without '..'"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a special file; expected files and folders only"
    if info.flag_bits & 1:
        return "is encrypted; expected a zip without a password"
    if info.compress_type not in _PACKINGS:
        return f"is packed by method {info.compress_type}; expected stored or deflated"
    if info.file_size > max(RATIO_FROM_BYTES, MAX_RATIO * info.compress_size):
        return f"unpacks to over {MAX_RATIO} times its size; expected images or a CSV"
    return None


def _parts(name: str) -> list[str]:
    return name.replace("\\", "/").split("/")


def _is_junk(name: str) -> bool:
    """Whether a file manager left the file: hidden names, __MACOSX, Thumbs.db, ..."""
    parts = name.split("/")
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return hidden or parts[-1].lower() in _JUNK


def _walk(root: Path) -> list[str]:
    """Regular files below `root`, sorted; linked folders are followed, each folder once."""
    names: list[str] = []
    visited: set[tuple[int, int]] = set()
    try:
        for folder, subfolders, files in os.walk(root, followlinks=True, onerror=_raise):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited:
                subfolders.clear()
                continue
            visited.add((status.st_dev, status.st_ino))
            subfolders.sort()
            paths = [Path(folder, file) for file in files]
            names += [path.relative_to(root).as_posix() for path in paths if path.is_file()]
            if len(names) > MAX_FILES:
                raise refusal(root, f"over {MAX_FILES:,} files; expected the folder of FER2013")
    except OSError as error:
        raise refusal(root, f"cannot be read ({error.filename}: {error.strerror})") from error
    return sorted(names)


def _raise(error: OSError) -> None:
    raise error


@dataclass(frozen=True)
class Record:
    """One labeled face as a source holds it.

    image: [48, 48] uint8; label: index into `CLASSES`; name: unique in the source, as people can
    look it up there ("train/happy/Training_1.jpg", "fer2013.csv:2" for the file's second row);
    converted: what the file held if not 48 x 48 gray ("RGB", "96x96", "RGB 96x96");
    numbered: whether the source gives the class as a number.
    """

    split: str
    label: int
    name: str
    image: np.ndarray
    converted: str | None = None
    numbered: bool = False
