"""One face on its way from an archive to the arrays of its split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Record:
    """One labeled face as a source holds it.

    image: [48, 48] uint8; label: index into `CLASSES`; name: unique in the source, as people can
    look it up there ("train/happy/Training_1.jpg", "fer2013.csv:2" for the file's second row);
    converted: what the file held if not 48 x 48 gray ("RGB", "96x96", "RGB 96x96").
    """

    split: str
    label: int
    name: str
    image: np.ndarray
    converted: str | None = None
