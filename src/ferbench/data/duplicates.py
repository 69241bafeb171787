"""Copies within a set of faces: identical, near and mirrored ones, and what they touch.

FER2013 was gathered by web search, so that many photographs came in twice, often on both sides
of a split (see Barz and Denzler 2020, "Do we train on test data?", for CIFAR). A copy of a
training image in a test split rewards memory. Everything here rests on one order of all images:
train, public, private, and within a split as stored. An image is

- clean, if no earlier image has the same pixels;
- near clean, if it is clean and no earlier image is a near or mirrored copy of it (`near_copies`).

So a private image is clean if it is in neither train nor public nor earlier in private, and a
split keeps one image of every group that is not in an earlier split.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferbench.classes import CLASSES, IMAGE_PX, SPLITS
from ferbench.data.face_set import Faces
from ferbench.similarity import near_copies
from ferbench.similarity.groups import components

# An image whose gray levels (0 to 255) have a smaller standard deviation is blank: 13 in FER2013,
# 12 of them black, one gray. The next have 4.0 (a dark room) and 9.1 (a face in the dark).
BLANK_LEVELS = 2.0
COLUMNS = ("name", "split", "index", "label", "group", "kind")


@dataclass(frozen=True)
class DuplicateReport:
    """Copies among all N images, in the order train, public, private.

    splits, names: [N] str; labels: [N] int64; index: [N] int64, the row within the split.
    first: [N] int64, the first image with the same pixels (the image itself if there is none).
    near_pairs: [P, 2] int64, pairs of images that are first of their pixels, earlier one first;
    mirrored, correlation: [P], of these pairs. blank: [N] bool; blank images have no near pairs.
    near_correlation: the threshold of near pairs, None if they were not sought.
    """

    splits: np.ndarray
    names: np.ndarray
    labels: np.ndarray
    index: np.ndarray
    first: np.ndarray
    near_pairs: np.ndarray
    mirrored: np.ndarray
    correlation: np.ndarray
    blank: np.ndarray
    near_correlation: float | None

    def clean(self, split: str) -> np.ndarray:
        """[n] bool over the images of a split: no earlier image has the same pixels."""
        mask: np.ndarray = self._is_first()[self.splits == split]
        return mask

    def near_clean(self, split: str) -> np.ndarray:
        """[n] bool over the images of a split: clean, and no earlier near or mirrored copy."""
        mask = self._is_first()
        mask[self.near_pairs[:, 1]] = False
        chosen: np.ndarray = mask[self.splits == split]
        return chosen

    def summary(self) -> dict[str, Any]:
        """The counts, as plain values for a manifest.

        identical: groups of images with the same pixels, redundant_copies (all but one of each
        group), groups that lie in several splits, and those with several labels. near: pairs and
        mirrored pairs, of these the ones across splits and with two labels. blank_images.
        splits: images, the clean and near clean ones, and those identical to an earlier split's.
        """
        groups = _groups(self.first)
        return {
            "identical": self._identical_counts(groups),
            "near": self._near_counts(),
            "blank_images": int(self.blank.sum()),
            "splits": {split: self._split_counts(split) for split in self._present()},
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row (of COLUMNS) for each image and each kind of group that it is in.

        kind: "identical"; "near" and "mirrored" (groups are chains of such pairs, with the
        identical copies of their images); "blank", one group. Groups count from 1 by kind.
        """
        kinds = {
            "identical": _groups(self.first),
            "near": self._chains(~self.mirrored),
            "mirrored": self._chains(self.mirrored),
            "blank": [np.flatnonzero(self.blank)],
        }
        return [
            self._row(image, group, kind)
            for kind, groups in kinds.items()
            for group, members in enumerate(groups, start=1)
            for image in members
        ]

    def to_csv(self) -> str:
        """`rows` as the text of a CSV file."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        return text.getvalue()

    def _is_first(self) -> np.ndarray:
        is_first: np.ndarray = self.first == np.arange(len(self.first))
        return is_first

    def _present(self) -> list[str]:
        return [split for split in SPLITS if (self.splits == split).any()]

    def _row(self, image: int, group: int, kind: str) -> dict[str, Any]:
        label = CLASSES[self.labels[image]]
        values = (str(self.names[image]), str(self.splits[image]), int(self.index[image]), label)
        return dict(zip(COLUMNS, (*values, group, kind), strict=True))

    def _chains(self, chosen: np.ndarray) -> list[np.ndarray]:
        """Groups of images that the chosen pairs and identity link, the linked ones only."""
        pairs = self.near_pairs[chosen]
        group = components(len(self.first), pairs)[self.first]
        linked = np.isin(group, group[pairs[:, 0]])
        return _groups(np.where(linked, group, -1 - np.arange(len(group))))

    def _identical_counts(self, groups: list[np.ndarray]) -> dict[str, int]:
        crossing = sum(len(set(self.splits[group])) > 1 for group in groups)
        conflicting = sum(len(set(self.labels[group])) > 1 for group in groups)
        return {
            "groups": len(groups),
            "redundant_copies": int((~self._is_first()).sum()),
            "groups_across_splits": crossing,
            "groups_with_conflicting_labels": conflicting,
        }

    def _near_counts(self) -> dict[str, int | float | None]:
        left, right = self.near_pairs.T
        return {
            "correlation": self.near_correlation,
            "pairs": int((~self.mirrored).sum()),
            "mirrored_pairs": int(self.mirrored.sum()),
            "pairs_across_splits": int((self.splits[left] != self.splits[right]).sum()),
            "pairs_with_conflicting_labels": int((self.labels[left] != self.labels[right]).sum()),
        }

    def _split_counts(self, split: str) -> dict[str, int]:
        inside = self.splits == split
        earlier = self._present()[: self._present().index(split)]
        shared = {
            f"identical_to_{other}": int(np.isin(self.first[inside], self._firsts(other)).sum())
            for other in earlier
        }
        return {
            "images": int(inside.sum()),
            "clean": int(self.clean(split).sum()),
            "near_clean": int(self.near_clean(split).sum()),
            **shared,
        }

    def _firsts(self, split: str) -> np.ndarray:
        firsts: np.ndarray = self.first[self.splits == split]
        return firsts


def find(
    splits: Mapping[str, Faces],
    *,
    near_correlation: float | None,
    on_progress: Callable[[int, int], None] | None = None,
) -> DuplicateReport:
    """All copies among the faces of `splits`.

    near_correlation: aligned correlation (0.9 to 1) from which images are near or mirrored
    copies, see `near_copies`; None does not look for them (that takes 10 s for FER2013), and near
    clean is then the same as clean. on_progress and errors as of `near_copies.find_pairs`.
    """
    present = [split for split in SPLITS if split in splits]
    images = np.concatenate([splits[split].images for split in present])
    first, blank = _first_identical(images), _is_blank(images)
    unique = np.flatnonzero((first == np.arange(len(first))) & ~blank)
    pairs, mirrored, correlation = _no_pairs()
    if near_correlation is not None:
        pairs, mirrored, correlation = near_copies.find_pairs(
            images[unique], near_correlation=near_correlation, on_progress=on_progress
        )
    sizes = [len(splits[split]) for split in present]
    return DuplicateReport(
        splits=np.repeat(np.array(present), sizes),
        names=np.concatenate([splits[split].names for split in present]),
        labels=np.concatenate([splits[split].labels for split in present]),
        index=np.concatenate([np.arange(size) for size in sizes]),
        first=first,
        near_pairs=unique[pairs],
        mirrored=mirrored,
        correlation=correlation,
        blank=blank,
        near_correlation=near_correlation,
    )


def _no_pairs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.empty((0, 2), np.int64), np.empty(0, bool), np.empty(0)


def _first_identical(images: np.ndarray) -> np.ndarray:
    """[N] int64: for each image the first one with the same pixels."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(img.tobytes(), i) for i, img in enumerate(images)], np.int64)


def _is_blank(images: np.ndarray) -> np.ndarray:
    """[N] bool: standard deviation under BLANK_LEVELS, exact from integer sums."""
    count = IMAGE_PX**2
    flat = images.reshape(len(images), count)
    total = flat.sum(axis=1, dtype=np.int64)
    squares = np.einsum("ij,ij->i", flat, flat, dtype=np.int64)
    blank: np.ndarray = count * squares - total**2 < (BLANK_LEVELS * count) ** 2
    return blank


def _groups(keys: np.ndarray) -> list[np.ndarray]:
    """Positions of equal keys, of those that occur twice or more, in order of first occurrence."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order])) + 1
    groups = [group for group in np.split(order, starts) if len(group) > 1]
    return sorted(groups, key=lambda group: int(group[0]))
