"""Rows of sets on disk, read block by block: what a training set is made of."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferbench.classes import IMAGE_PX
from ferbench.data import label_counts
from ferbench.data.label_counts import by_class
from ferbench.errors import UserError

BLOCK = 4096  # images that are in memory at once while a set is read


@dataclass(frozen=True)
class Part:
    """Rows of one set; their images stay on disk until `blocks` reads them.

    images: [M, 48, 48] uint8, memory-mapped as a rule; labels: [M] int64; rows: [N] int64, where a
    row that stands twice counts twice; levels: [256] uint8, what becomes of each gray level.
    """

    images: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    levels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def row_labels(self) -> np.ndarray:
        """[N] int64."""
        found: np.ndarray = self.labels[self.rows]
        return found

    def blocks(self) -> Iterator[np.ndarray]:
        """The images in order, as arrays [at most BLOCK, 48, 48] uint8 in memory."""
        for start in range(0, len(self.rows), BLOCK):
            block = _mapped_anew(self.images)[self.rows[start : start + BLOCK]]
            yield block if self.levels is None else self.levels[block]


@dataclass(frozen=True)
class Endless:
    """A generator in the place of a set: it has as many images of every class as are wanted.

    root: its run or file; manifest: `generator` with its facts, as in the manifest of a set.
    """

    root: str
    manifest: dict[str, Any]

    def part(self, counts: np.ndarray) -> Part:
        """counts[k] images of class k, the classes spread evenly.

        They are blank, and take no memory, until others are drawn in their place.
        """
        labels = label_counts.interleaved(counts.tolist())
        blank = np.broadcast_to(np.zeros((), np.uint8), (len(labels), IMAGE_PX, IMAGE_PX))
        return Part(blank, labels, np.arange(len(labels)))


@dataclass(frozen=True)
class TrainingSet:
    """The real rows, then the synthetic ones; either may be none.

    sha256: the content hash that a set has which is used whole and unchanged, else None.
    """

    real: Part
    synthetic: Part
    sha256: str | None = None

    def __len__(self) -> int:
        return len(self.real) + len(self.synthetic)

    @property
    def labels(self) -> np.ndarray:
        """[N] int64."""
        return np.concatenate([self.real.row_labels, self.synthetic.row_labels])

    def blocks(self) -> Iterator[np.ndarray]:
        """All images in order, as arrays [at most BLOCK, 48, 48] uint8."""
        yield from self.real.blocks()
        yield from self.synthetic.blocks()

    def counts(self) -> dict[str, dict[str, int]]:
        """How many images of each class come from where."""
        parts = {"real": self.real, "synthetic": self.synthetic}
        return {name: by_class(part.row_labels) for name, part in parts.items()}

    def content_hash(self) -> str:
        """Hex SHA-256 of all images, then all labels, as the sets on disk have it.

        Raises UserError if a set that is used whole is not what its manifest says.
        """
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(np.ascontiguousarray(block).data)
        digest.update(self.labels.astype("<i8").tobytes())
        found = digest.hexdigest()
        if self.sha256 not in (None, found):
            raise UserError(
                "data: the training images are not those of the set's manifest "
                f"(hash {found[:12]}, expected {self.sha256:.12}); make the set again"
            )
        return found


def gray_statistics(part: Part) -> tuple[float, float]:
    """Mean and standard deviation of all pixels of a part, in gray levels."""
    counts = sum(np.bincount(block.ravel(), minlength=256) for block in part.blocks())
    levels = np.arange(256)
    mean = float(np.average(levels, weights=counts))
    return mean, float(np.sqrt(np.average((levels - mean) ** 2, weights=counts)))


def _mapped_anew(images: np.ndarray) -> np.ndarray:
    """The same images by a mapping of their own: its pages leave the process together with it.

    Read through one mapping, a set of a million images would stay in memory besides its copy.
    """
    if not (isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap)):
        return images
    return np.memmap(str(images.filename), images.dtype, "r", images.offset, images.shape)
