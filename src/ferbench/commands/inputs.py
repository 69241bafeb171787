"""From config sections to faces: what several commands unpack the same way."""

from __future__ import annotations

import os
from pathlib import Path

from ferbench.data import face_sets
from ferbench.data.face_set import FaceSet
from ferbench.data.face_sets import ToySize
from ferbench.schema import DataConfig

WEIGHTS = "model.safetensors"  # of a run: what classify writes and others read


def toy_size(data: DataConfig) -> ToySize:
    """The toy_ keys of the section as one value."""
    counts = (data.toy_train, data.toy_public, data.toy_private, data.toy_seed)
    train, public, private, seed = (count or 0 for count in counts)
    return ToySize(train, public, private, seed)


def open_faces(data: DataConfig) -> FaceSet:
    """The face set that the section names; toy faces are rendered if they are not there."""
    folder = Path(data.folder)
    if data.name == "toy":
        return face_sets.open_toy(folder, toy_size(data), workers=os.cpu_count() or 1)
    return face_sets.open_real(folder)
