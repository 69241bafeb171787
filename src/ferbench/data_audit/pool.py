"""All images of a set in one row, with the groups of copies that `prepare` wrote down."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classes import CLASSES, SPLITS
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError
from ferbench.similarity.groups import components

TABLE = "duplicates.csv"
KINDS = ("identical", "near", "mirrored", "blank")


@dataclass(frozen=True)
class Pool:
    """N images in the order train, public, private, and within a split as stored.

    images: [N, 48, 48] uint8; labels: [N] int64; names: [N] str; split: [N] int64, a position in
    SPLITS. groups: of each kind in KINDS, arrays of rows that are copies of each other.
    """

    images: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    split: np.ndarray
    groups: Mapping[str, Sequence[np.ndarray]]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def blank(self) -> np.ndarray:
        """[N] bool: images with nothing on them."""
        mask = np.zeros(len(self), bool)
        for rows in self.groups["blank"]:
            mask[rows] = True
        return mask

    def photographs(self) -> np.ndarray:
        """[N] int64: images with one number are copies of each other, of any kind."""
        chains = [rows for kind in KINDS if kind != "blank" for rows in self.groups[kind]]
        pairs = [np.stack([rows[:-1], rows[1:]], axis=1) for rows in chains]
        return components(len(self), np.concatenate([np.empty((0, 2), np.int64), *pairs]))


def read(faces: FaceSet) -> Pool:
    """The set as a pool; its table of copies is read, no pixel is compared.

    Raises UserError if the table is absent, or does not fit the set and its manifest.
    """
    parts = [faces.splits[split] for split in SPLITS]
    pool = Pool(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        names=np.concatenate([part.names for part in parts]),
        split=np.repeat(np.arange(len(SPLITS)), [len(part) for part in parts]),
        groups={},
    )
    path = faces.root / TABLE
    try:
        groups = _groups(path, pool)
        _check_counts(groups, faces.manifest["duplicates"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `ferbench prepare force=true` makes it") from None
    except (OSError, ValueError, LookupError, TypeError, csv.Error) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"{path}: not the copies of this set ({reason}); "
            "`ferbench prepare force=true` makes it again"
        ) from None
    return replace(pool, groups=groups)


def _groups(path: Path, pool: Pool) -> dict[str, list[np.ndarray]]:
    first = {name: int(np.searchsorted(pool.split, i)) for i, name in enumerate(SPLITS)}
    members: dict[tuple[str, int], list[int]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            row = first[line["split"]] + int(line["index"])
            known = (str(pool.names[row]), CLASSES[pool.labels[row]])
            if known != (line["name"], line["label"]):
                raise ValueError(f"{line['name']} is not image {line['index']} of {line['split']}")
            members.setdefault((line["kind"], int(line["group"])), []).append(row)
    return {
        kind: [np.array(rows) for (one, _), rows in members.items() if one == kind]
        for kind in KINDS
    }


def _check_counts(groups: Mapping[str, Sequence[np.ndarray]], summary: Mapping[str, Any]) -> None:
    """Raise ValueError if the table holds other copies than the manifest counts."""
    identical = [len(rows) for rows in groups["identical"]]
    counts = (len(identical), sum(identical) - len(identical), sum(map(len, groups["blank"])))
    written = summary["identical"]
    expected = (written["groups"], written["redundant_copies"], summary["blank_images"])
    if counts != expected:
        raise ValueError(f"groups, copies and blank images {counts}, in the manifest {expected}")
