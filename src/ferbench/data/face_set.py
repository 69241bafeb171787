"""A set of labeled faces on disk: memory-mapped arrays and a manifest, written all or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.data.label_counts import counts_by_name
from ferbench.errors import UserError
from ferbench.files import locked, sha256_of

FORMAT = 1
MANIFEST = "manifest.json"
ANEW = "move the folder away and prepare the faces again"


@dataclass(frozen=True)
class Faces:
    """Labeled faces of one split; row i of every array is the same face.

    images: [N, 48, 48] uint8; labels: [N] int64 in the order of `CLASSES`; names: [N] str;
    action_units: [N, A] float32 in [0, 1], or None where nobody knows them.
    """

    images: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    action_units: np.ndarray | None = None

    def __post_init__(self) -> None:
        n = len(self.images)
        assert self.images.shape == (n, IMAGE_PX, IMAGE_PX) and self.images.dtype == np.uint8
        assert self.labels.shape == (n,) and self.labels.dtype == np.int64
        assert self.names.shape == (n,) and self.names.dtype.kind == "U"
        units = self.action_units
        assert units is None or (units.shape == (n, units.shape[-1]) and units.dtype == np.float32)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> Faces:
        """The faces of `rows` (indices or a boolean mask), copied into memory."""
        units = None if self.action_units is None else self.action_units[rows]
        return Faces(self.images[rows], self.labels[rows], self.names[rows], units)


@dataclass(frozen=True)
class FaceSet:
    """A set as read from disk; `extras` holds the set's further arrays by file stem."""

    root: Path
    splits: dict[str, Faces]
    manifest: dict[str, Any]
    extras: dict[str, np.ndarray] = field(default_factory=dict)


def content_hash(faces: Faces) -> str:
    """Hex SHA-256 of images and labels, in order; names and files do not count."""
    digest = hashlib.sha256(np.ascontiguousarray(faces.images).data)
    digest.update(faces.labels.astype("<i8").tobytes())
    return digest.hexdigest()


def write(
    root: Path,
    splits: Mapping[str, Faces],
    manifest: Mapping[str, Any],
    *,
    extras: Mapping[str, np.ndarray] | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write a set at `root`, or nothing: it is made in a folder beside it and renamed.

    To be called inside `at_work` where other processes may ask for the set.
    manifest: what the caller knows (name, source, ...); class order, counts and hashes are added.
    extras: further arrays, `<stem>.npy`; texts: further files by name.
    Raises OSError (a full disk, say) with nothing left behind, UserError as `check_replaceable`.
    """
    check_replaceable(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{root.name}.new-", dir=root.parent))
    try:
        for split, faces in splits.items():
            _write_split(made, split, faces)
        for stem, array in (extras or {}).items():
            np.save(made / f"{stem}.npy", array, allow_pickle=False)
        for name, text in (texts or {}).items():
            (made / name).write_text(text, encoding="utf-8")
        files = {path.name: sha256_of(path) for path in sorted(made.glob("*.npy"))}
        facts = _facts(splits) | {"extras": sorted(extras or {}), "sha256": files}
        text = json.dumps({**manifest, **facts}, indent=2, ensure_ascii=False)
        (made / MANIFEST).write_text(text + "\n", encoding="utf-8")
        made.chmod(0o755)
        _replace_folder(made, root)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


@contextmanager
def at_work(root: Path) -> Iterator[None]:
    """For one process at a time that writes the set at `root`; others wait.

    What killed processes left is put right first: an old set that was moved aside comes back if
    the new one does not stand, and half-written copies are removed.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    with locked(root.with_name(f".{root.name}.lock")):
        _tidy(root)
        yield


def restore(root: Path) -> None:
    """Bring back the set at `root` if a process was killed, or is, while it replaced it."""
    if _aside(root).is_dir() and not (root / MANIFEST).exists():
        with at_work(root):
            pass


def _tidy(root: Path) -> None:
    """No other process may be writing there."""
    old = _aside(root)
    if (root / MANIFEST).exists():
        shutil.rmtree(old, ignore_errors=True)
    elif old.is_dir() and (not root.exists() or not any(root.iterdir())):
        os.rename(old, root)
    for left in root.parent.glob(f".{root.name}.new-*"):
        shutil.rmtree(left, ignore_errors=True)


def _aside(root: Path) -> Path:
    """Where the old set waits until the new one stands."""
    return root.with_name(f".{root.name}.old")


def read(root: Path) -> FaceSet:
    """The set at `root`, memory-mapped; its files are compared with their hashes: 0.2 s for 100 MB.

    Raises UserError if the set is absent, damaged or of another class order.
    """
    manifest = read_manifest(root)
    try:
        _check_files(root, manifest)
        splits = {split: _read_split(root, split, manifest) for split in manifest["counts"]}
        extras = {stem: _load(root / f"{stem}.npy") for stem in manifest["extras"]}
    except (OSError, ValueError, EOFError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{root}: the set is damaged ({reason}); {ANEW}") from error
    return FaceSet(root, splits, manifest, extras)


def _check_files(root: Path, manifest: dict[str, Any]) -> None:
    """ValueError if an array is not what was written; sets of before there were hashes pass."""
    for name, wanted in manifest.get("sha256", {}).items():
        if sha256_of(root / name) != wanted:
            raise ValueError(f"{name}: not what was written")


def read_manifest(root: Path) -> dict[str, Any]:
    """The manifest of the set at `root`, its format and class order checked (UserError)."""
    try:
        manifest = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{root}: no face set here ({MANIFEST} is missing)") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{root}: the manifest is damaged ({error}); {ANEW}") from None
    if isinstance(manifest, dict) and manifest.get("kind") == "synthetic":
        raise UserError(f"data.folder={root}: this {what_is(root)}")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise UserError(f"{root}: not a face set of format {FORMAT}; prepare it again")
    if tuple(manifest.get("classes", ())) != CLASSES:
        raise UserError(f"{root}: classes are {manifest.get('classes')}; expected {list(CLASSES)}")
    return manifest


def check_replaceable(root: Path) -> None:
    """UserError if something else than a face set is at `root`: it is never replaced."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return
    if not ((root / MANIFEST).is_file() and any(root.glob("*_images.npy"))):
        raise UserError(
            f"{root}: a face set belongs here, but this {what_is(root)}; it is left alone; "
            "expected another folder (outputs=, data.folder=)"
        )


def what_is(root: Path) -> str:
    """What a file or folder is that should be a face set and is none, and which key takes it."""
    if not root.is_dir():
        return "is a file"
    if (root / "images.npy").exists():  # `synthetic_set` writes it
        return (
            "is a synthetic set; use data.synthetic=FOLDER (data=synthetic, data=mixed) or "
            "set=FOLDER (fidelity, audit, bias, curate)"
        )
    if (root / "run.json").exists():
        return "is the folder of a run; expected a folder that `ferbench prepare` wrote"
    return "holds no prepared faces; `ferbench prepare source=FOLDER` reads images and CSV files"


def _facts(splits: Mapping[str, Faces]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "classes": list(CLASSES),
        "image_px": IMAGE_PX,
        "counts": {split: counts_by_name(faces.labels) for split, faces in splits.items()},
        "hashes": {split: content_hash(faces) for split, faces in splits.items()},
        "action_units": [s for s, faces in splits.items() if faces.action_units is not None],
    }


def _write_split(folder: Path, split: str, faces: Faces) -> None:
    arrays = {"images": faces.images, "labels": faces.labels, "names": faces.names}
    if faces.action_units is not None:
        arrays["action_units"] = faces.action_units
    for kind, array in arrays.items():
        np.save(folder / f"{split}_{kind}.npy", array, allow_pickle=False)


def _read_split(root: Path, split: str, manifest: dict[str, Any]) -> Faces:
    """One split; ValueError if its arrays are not what the manifest says."""
    kinds = ["images", "labels", "names"]
    if split in manifest["action_units"]:
        kinds.append("action_units")
    arrays = {kind: _load(root / f"{split}_{kind}.npy") for kind in kinds}
    n = sum(manifest["counts"][split].values())
    for kind, array in arrays.items():
        if not _has_layout(kind, array, n):
            raise ValueError(f"{split}_{kind}.npy: {array.dtype} {array.shape} for {n} faces")
    faces = Faces(**arrays)
    if counts_by_name(faces.labels) != manifest["counts"][split]:
        raise ValueError(f"{split}: labels do not match the manifest's counts")
    return faces


def _has_layout(kind: str, array: np.ndarray, n: int) -> bool:
    """True if an array is what `Faces` says of n faces."""
    layouts: dict[str, tuple[type, tuple[int, ...]]] = {
        "images": (np.uint8, (n, IMAGE_PX, IMAGE_PX)),
        "labels": (np.int64, (n,)),
        "names": (np.str_, (n,)),
        "action_units": (np.float32, (n, array.shape[-1])),
    }
    dtype, shape = layouts[kind]
    return array.shape == shape and np.issubdtype(array.dtype, dtype)


def _load(path: Path) -> np.ndarray:
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _replace_folder(made: Path, root: Path) -> None:
    """Put `made` in the place of `root`; an older set moves aside first and is then deleted."""
    old = _aside(root)
    shutil.rmtree(old, ignore_errors=True)
    try:
        if root.exists():
            os.rename(root, old)
        os.rename(made, root)
    except BaseException:
        if old.exists() and not root.exists():
            os.rename(old, root)
        raise
    shutil.rmtree(old, ignore_errors=True)
