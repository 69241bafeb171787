"""A synthetic set on disk: memory-mapped images and labels, and a manifest that is written last."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classes import CLASSES
from ferbench.data.label_counts import counts_by_name
from ferbench.errors import UserError
from ferbench.files import save_array, save_json

FORMAT = 1
KIND = "synthetic"
IMAGES, LABELS, MANIFEST = "images.npy", "labels.npy", "manifest.json"
PROGRESS = "progress.json"
BLOCK_ROWS = 4096  # images in memory at once where a set is read from end to end
HOW_TO_MAKE_ONE = "`ferbench synth` makes one"


@dataclass(frozen=True)
class SyntheticSet:
    """A set as read from disk: images [N, H, H] uint8 and labels [N] int64, memory-mapped.

    labels: in the order of `CLASSES`. manifest: format, kind, classes, image_px, counts, hash, and
    what the writer knew: generator, seeds, truncation, ...
    """

    root: Path
    images: np.ndarray
    labels: np.ndarray
    manifest: dict[str, Any]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def name(self) -> str:
        """Its folder's; of files that a set was exported to, the set's name stands before it."""
        root = self.root.resolve()
        return f"{root.parent.name}_{root.name}" if _is_set(root.parent) else root.name

    @property
    def image_px(self) -> int:
        """Pixels a side of the images on disk."""
        px: int = self.manifest["image_px"]
        return px


# --- reading -------------------------------------------------------------------------------------


def read(root: Path) -> SyntheticSet:
    """The set at `root`, memory-mapped; its content is compared with its hash: 0.2 s for 100 MB.

    Raises UserError if there is none, it is unfinished, damaged, or of other classes than ours.
    """
    manifest = read_manifest(root)
    try:
        images, labels = (np.load(root / name, mmap_mode="r") for name in (IMAGES, LABELS))
        _check(images, labels, manifest)
        if _hash((part for _, part, _ in blocks(root)), labels) != manifest["hash"]:
            raise ValueError(f"{IMAGES}, {LABELS}: not the content of the manifest's hash")
    except (OSError, ValueError, EOFError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{root}: the set is damaged ({reason}); make it again") from error
    return SyntheticSet(root, images, labels, manifest)


def read_manifest(root: Path) -> dict[str, Any]:
    """The manifest of the set at `root`, its format and class order checked (UserError)."""
    try:
        manifest = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(_why_absent(root)) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{root}: the manifest is damaged ({error}); make the set again") from None
    kind = (manifest.get("format"), manifest.get("kind")) if isinstance(manifest, dict) else None
    if kind != (FORMAT, KIND):
        if isinstance(manifest, dict) and "hashes" in manifest and "action_units" in manifest:
            raise UserError(f"{root}: holds prepared faces, no synthetic set; use data.folder=")
        raise UserError(f"{root}: not a synthetic set of format {FORMAT}; {HOW_TO_MAKE_ONE}")
    if manifest.get("classes") != list(CLASSES):
        raise UserError(
            f"{root}: its classes are {manifest.get('classes')}; expected {list(CLASSES)}"
        )
    return manifest


def newest(outputs: Path) -> Path:
    """The complete set below outputs/synth/ that was finished last; UserError if there is none."""
    sets = sorted(outputs.glob(f"synth/*/{MANIFEST}"), key=lambda file: file.stat().st_mtime_ns)
    if not sets:
        raise UserError(f"{outputs / 'synth'}: no synthetic set here; {HOW_TO_MAKE_ONE}")
    return sets[-1].parent


def blocks(root: Path) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(first row, images, labels) of the set at `root`, in order; the memory of one block at once.

    For sets of any classes; mapped anew block by block, because pages once seen stay mapped.
    """
    labels = np.load(root / LABELS, mmap_mode="r")
    for start in range(0, len(labels), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        yield start, np.load(root / IMAGES, mmap_mode="r")[rows].copy(), labels[rows].copy()


def _is_set(root: Path) -> bool:
    return (root / MANIFEST).exists() and (root / IMAGES).exists()


def _why_absent(root: Path) -> str:
    if not root.is_dir():
        return f"{root}: no such folder; expected a synthetic set: {HOW_TO_MAKE_ONE}"
    if (root / IMAGES).exists():
        return f"{root}: the set is unfinished; the command that began it goes on with it"
    return (
        f"{root}: no synthetic set here ({MANIFEST} is missing); {HOW_TO_MAKE_ONE}; images of "
        f"another generator are taken in folders named {', '.join(CLASSES)}"
    )


def _check(images: np.ndarray, labels: np.ndarray, manifest: Mapping[str, Any]) -> None:
    """ValueError if the arrays are not what the manifest says."""
    n, px = sum(manifest["counts"].values()), manifest["image_px"]
    if images.shape != (n, px, px) or images.dtype != np.uint8:
        raise ValueError(f"{IMAGES}: {images.dtype} {images.shape}, expected uint8 {(n, px, px)}")
    if labels.shape != (n,) or labels.dtype != np.int64:
        raise ValueError(f"{LABELS}: {labels.dtype} {labels.shape}, expected int64 {(n,)}")
    if counts_by_name(labels, manifest["classes"]) != manifest["counts"]:
        raise ValueError(f"{LABELS}: not the counts of the manifest")


# --- writing -------------------------------------------------------------------------------------


def write(
    root: Path, images: np.ndarray, labels: np.ndarray, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Write a small set in one go and return its manifest.

    images: [N, H, H] uint8; labels: [N] int64 in the order of `CLASSES`; facts: what the manifest
    shall say besides format, classes, counts, size and hash. An older set at `root` is replaced.
    """
    with SetWriter(root, len(images), images.shape[1], resume=False) as writer:
        writer.append(images)
        return writer.finish(labels, facts)


class SetWriter:
    """A set under way: images.npy, filled from its first image to its last.

    The disk's room for all images is taken at once, where the file system can. Where an earlier
    writer of the same size was stopped, `resume` goes on behind the last image that its
    progress.json vouches for.
    Raises OSError if the room is not there; nothing is left behind then.
    """

    def __init__(self, root: Path, n: int, image_px: int, *, resume: bool) -> None:
        self.root, self.shape = root, (n, image_px, image_px)
        root.mkdir(parents=True, exist_ok=True)
        self.done = _images_done(root, self.shape) if resume else 0
        if self.done == 0:
            _begin(root, self.shape)
        self._start = np.load(root / IMAGES, mmap_mode="r").offset  # behind the header
        self._file = (root / IMAGES).open("r+b")

    def __enter__(self) -> SetWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, images: np.ndarray) -> None:
        """Write [n, H, H] uint8 behind the images so far."""
        assert images.shape[1:] == self.shape[1:] and images.dtype == np.uint8
        assert self.done + len(images) <= self.shape[0]
        self._file.seek(self._start + self.done * self.shape[1] * self.shape[2])
        self._file.write(np.ascontiguousarray(images).data)
        self.done += len(images)

    def save_progress(self) -> None:
        """Make the images so far safe: a killed process can be followed by one that goes on."""
        self._file.flush()
        os.fsync(self._file.fileno())
        save_json(self.root / PROGRESS, {"images": self.done, "shape": self.shape})

    def finish(
        self, labels: np.ndarray, facts: Mapping[str, Any], classes: Sequence[str] = CLASSES
    ) -> dict[str, Any]:
        """Write labels and manifest, and return the manifest.

        classes: what the labels mean; `read` refuses a set of other classes than ours, which is
        for looking at and for export.
        """
        assert self.done == len(labels) == self.shape[0] and labels.dtype == np.int64
        self._file.flush()
        os.fsync(self._file.fileno())
        save_array(self.root / LABELS, labels)
        digest = _hash((images for _, images, _ in blocks(self.root)), labels)
        manifest = {"format": FORMAT, "kind": KIND, "classes": list(classes)}
        manifest |= {"image_px": self.shape[1], "counts": counts_by_name(labels, classes)}
        manifest |= {"hash": digest, **facts}
        save_json(self.root / MANIFEST, manifest)
        (self.root / PROGRESS).unlink(missing_ok=True)
        return manifest


def bytes_needed(root: Path, n: int, image_px: int) -> int:
    """Bytes that a set at `root` will take on the disk beyond what it has taken already."""
    taken = sum((root / name).stat().st_size for name in (IMAGES, LABELS) if (root / name).exists())
    return max(n * (image_px**2 + np.dtype(np.int64).itemsize) - taken, 0)


def content_hash(images: np.ndarray, labels: np.ndarray) -> str:
    """Hex SHA-256 of the images, then of the labels as little-endian int64."""
    starts = range(0, len(images), BLOCK_ROWS)
    return _hash((images[start : start + BLOCK_ROWS] for start in starts), labels)


def _hash(images: Iterable[np.ndarray], labels: np.ndarray) -> str:
    digest = hashlib.sha256()
    for block in images:
        digest.update(np.ascontiguousarray(block).data)
    digest.update(labels.astype("<i8").tobytes())
    return digest.hexdigest()


def _images_done(root: Path, shape: tuple[int, int, int]) -> int:
    """How many images an earlier writer of this shape left; 0 where there is nothing to use."""
    try:
        progress = json.loads((root / PROGRESS).read_text(encoding="utf-8"))
        done, shape_then = int(progress["images"]), tuple(progress["shape"])
        images = np.load(root / IMAGES, mmap_mode="r")
    except (OSError, ValueError, LookupError, TypeError):
        return 0
    same = shape_then == shape == images.shape and images.dtype == np.uint8
    return done if same and 0 <= done <= shape[0] else 0


def _begin(root: Path, shape: tuple[int, int, int]) -> None:
    """A new images.npy with all its blocks, and nothing else of a set."""
    for name in (MANIFEST, PROGRESS, LABELS):
        (root / name).unlink(missing_ok=True)
    path = root / IMAGES
    try:
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        _reserve(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _reserve(path: Path) -> None:
    """Take a file's room on the disk, where system and file system can."""
    if hasattr(os, "posix_fallocate"):
        try:
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise
