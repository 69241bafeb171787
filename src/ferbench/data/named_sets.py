"""The face sets that commands name: FER2013 as prepared, and toy faces made when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classes import SPLITS
from ferbench.data import duplicates, face_set
from ferbench.data.duplicates import DuplicateReport
from ferbench.data.face_set import Faces, FaceSet
from ferbench.errors import UserError

HOW_TO_GET_FER2013 = (
    "FER2013 is a free download at https://www.kaggle.com/datasets/msambare/fer2013 (with a "
    "Kaggle account); then run `ferbench prepare source=THE_ZIP`"
)
TOY_RENDERER = 1  # to be raised when the same seed gives other pixels: old sets are made again
TEST_SPLITS: dict[str, tuple[str, ...]] = {
    "private": ("private",),
    "public": ("public",),
    "kaggle": ("public", "private"),
}


@dataclass(frozen=True)
class ToySize:
    """How many toy faces of each split, and the seed of all of them."""

    train: int
    public: int
    private: int
    seed: int


def open_real(folder: Path) -> FaceSet:
    """The prepared FER2013; UserError with the way to it if it is not there."""
    require_real(folder)
    return face_set.read(folder)


def require_real(folder: Path) -> None:
    """UserError, with the way to it, if no prepared FER2013 is there."""
    face_set.restore(folder)
    if not (folder / face_set.MANIFEST).exists():
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise UserError(f"data.folder={folder}: this {face_set.what_is(folder)}")
        raise UserError(
            f"data=real: FER2013 is not prepared ({folder} is missing); {HOW_TO_GET_FER2013}; "
            "data=toy works without it"
        )


def open_toy(folder: Path, size: ToySize, *, workers: int, anew: bool = False) -> FaceSet:
    """The toy set of this size and seed, rendered unless it is there.

    Where `folder` holds toy faces of another size or seed, they stay, and this set has a folder
    beside it. Processes that ask at the same time wait for the one that renders. anew: render it
    in any case. Raises UserError if something else than toy faces is there.
    """
    root = _toy_folder(folder, size)
    wanted = {"name": "toy", "size": vars(size), "renderer": TOY_RENDERER}
    if not anew and _holds(root, wanted):  # needs no lock, which a read-only disk would refuse
        return face_set.read(root)
    with face_set.at_work(root):
        if anew or not _holds(root, wanted):
            from ferbench.data.toy import faces as toy_faces

            print(f"rendering {size.train + size.public + size.private:,} toy faces to {root}")
            splits = toy_faces.toy_splits(
                size.train, size.public, size.private, seed=size.seed, workers=workers
            )
            store(root, splits, wanted, near_correlation=None)
        return face_set.read(root)


def _toy_folder(folder: Path, size: ToySize) -> Path:
    """`folder`, or one beside it that is named by the size if it holds another one."""
    face_set.restore(folder)
    face_set.check_replaceable(folder)
    of_this_size = {"name": "toy", "size": vars(size)}
    if not (folder / face_set.MANIFEST).exists() or _holds(folder, of_this_size):
        return folder
    named = f"{folder.name}_{size.train}_{size.public}_{size.private}_s{size.seed}"
    beside = folder.with_name(named)
    face_set.restore(beside)
    face_set.check_replaceable(beside)
    return beside


def store(
    folder: Path,
    splits: Mapping[str, Faces],
    facts: Mapping[str, Any],
    *,
    near_correlation: float | None,
    on_progress: Callable[[int, int], None] | None = None,
) -> DuplicateReport:
    """Find the copies, then write the set with its duplicate table and its masks of clean images.

    facts: what the manifest shall say besides classes, counts and hashes. near_correlation: from
    which images count as near copies (see `near_copies`); None looks for identical ones alone.
    on_progress: called with the images compared and their number, while near copies are sought.
    """
    report = duplicates.find(splits, near_correlation=near_correlation, on_progress=on_progress)
    masks = {
        f"{kind}_{split}": getattr(report, kind)(split)
        for kind in ("clean", "near_clean")
        for split in SPLITS
    }
    manifest = {**facts, "duplicates": report.summary()}
    face_set.write(
        folder, splits, manifest, extras=masks, texts={"duplicates.csv": report.to_csv()}
    )
    return report


def test_faces(faces: FaceSet, split: str) -> tuple[Faces, np.ndarray, str]:
    """The faces of a test split, the mask [N] of those without an earlier copy, and their hash.

    split: private, public or kaggle (public, then private). The mask is False for an image whose
    pixels are those of an image of train, or of an earlier one of public or private.
    """
    parts = TEST_SPLITS[split]
    merged = Faces(
        np.concatenate([faces.splits[part].images for part in parts]),
        np.concatenate([faces.splits[part].labels for part in parts]),
        np.concatenate([faces.splits[part].names for part in parts]),
    )
    clean = np.concatenate([faces.extras[f"clean_{part}"] for part in parts])
    return merged, clean, "+".join(faces.manifest["hashes"][part][:16] for part in parts)


def _holds(folder: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether a folder holds toy faces that fit; UserError if it holds others."""
    if not (folder / face_set.MANIFEST).exists():
        return False
    manifest = face_set.read_manifest(folder)
    if manifest.get("name") != wanted["name"]:
        raise UserError(
            f"data.folder={folder}: holds the faces {manifest.get('name')}, which are left alone; "
            "expected another folder for toy faces"
        )
    return all(manifest.get(key) == value for key, value in wanted.items())
