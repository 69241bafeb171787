"""Records of a source, gathered to the arrays of each split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ferbench.classes import CLASSES, IMAGE_PX, SPLITS
from ferbench.data.face_set import Faces
from ferbench.data.fer2013.archive import Record, refusal

HELD_OUT = ("public", "private")


@dataclass
class _Part:
    """The faces of one split so far; pixels as bytes, one copy in memory."""

    pixels: bytearray = field(default_factory=bytearray)
    labels: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def faces(self) -> Faces:
        images = np.frombuffer(self.pixels, np.uint8).reshape(-1, IMAGE_PX, IMAGE_PX)
        return Faces(images, np.array(self.labels, np.int64), np.array(self.names, np.str_))


class Gathered:
    """What the records of a source add up to.

    converted: number of images by what they were before; numbered: how many images bear which
    number as their label; messages: other sentences for the user.
    """

    def __init__(self, source: Path) -> None:
        self.source = source
        self.converted: Counter[str] = Counter()
        self.numbered: Counter[int] = Counter()
        self.messages: tuple[str, ...] = ()
        self._parts = {split: _Part() for split in SPLITS}

    def add(self, record: Record) -> None:
        """One more face, behind the others of its split."""
        part = self._parts[record.split]
        part.pixels += record.image.tobytes()
        part.labels.append(record.label)
        part.names.append(record.name)
        if record.converted:
            self.converted[record.converted] += 1
        if record.numbered:
            self.numbered[record.label] += 1

    def faces(
        self, expected: Mapping[str, Sequence[int]], *, split_held_out: bool
    ) -> dict[str, Faces]:
        """The faces of each split of `SPLITS`.

        expected: the release's images by split and class, for messages. split_held_out: divide
        the one held-out split that has images, as `halves` does.
        Raises UserError if a split or one of its classes is empty, or if there is nothing to
        divide.
        """
        has = [split for split in HELD_OUT if self._parts[split].labels]
        splits = {split: self._parts[split].faces() for split in SPLITS}
        if split_held_out and len(has) == 2:
            text = "split_held_out=true: public and private images are there already"
            raise refusal(self.source, f"{text}; expected one held-out folder, or false")
        if split_held_out and has:
            whole = splits[has[0]]
            splits |= dict(zip(HELD_OUT, halves(whole), strict=True))
            self.messages += (
                f"split_held_out=true: of each class of the {len(whole):,} held-out images, the "
                "first half is the public split, the rest the private one",
            )
        way_out = f"; split_held_out=true divides the {has[0]} images in two" if has else ""
        for split, faces in splits.items():
            if not len(faces):
                text = f"the {split} split has no images; expected {sum(expected[split]):,}"
                raise refusal(self.source, text + (way_out if split in HELD_OUT else ""))
            self._check_classes(split, faces)
        return splits

    def _check_classes(self, split: str, faces: Faces) -> None:
        missing = [name for label, name in enumerate(CLASSES) if label not in faces.labels]
        if missing:
            text = f"the {split} split has no images of {', '.join(missing)}"
            raise refusal(self.source, f"{text}; expected all of {', '.join(CLASSES)}")


def halves(faces: Faces) -> tuple[Faces, Faces]:
    """The faces in two: of each class the first half in their order (rounded up), and the rest.

    Neighbors, which often are pictures of one person, mostly stay together.
    """
    is_first = np.zeros(len(faces), bool)
    for label in range(len(CLASSES)):
        rows = np.flatnonzero(faces.labels == label)
        is_first[rows[: (len(rows) + 1) // 2]] = True
    return faces.take(is_first), faces.take(~is_first)
