"""What tells the FER2013 release from other faces: the content of its three splits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

NAME = "fer2013"
# `face_set.content_hash` of each split of the Kaggle archive (msambare/fer2013), computed once by
# {split: content_hash(faces) for split, faces in
#  read_source(Path("fer2013.zip"), allow_other_counts=False)[0].items()}
HASHES = {
    "train": "77bb5a19d50bcb353ca905ce1b6953016a7c6c12257656e79d480fcd9dafa67b",
    "public": "df9e2f35ab3385f9ea90a5dc21e87b1a0779ee66f1c95e67f019798be909763a",
    "private": "a4b569fe44e2b12f2484464a4d5543f0caf824898d8880f1bdbf32af44975d69",
}
_RESERVED = (NAME, "toy")  # names of sets that other content must not bear
_MAX_CHARS = 60


def set_name(source: Path, hashes: Mapping[str, str]) -> str:
    """The name of a set with these content hashes by split: "fer2013" for the release alone.

    Other content is named after its folder or file, in letters, digits and "._-"; if that is a
    name of ours, its kind is added: fer2013_csv, fer2013_folder.
    """
    if dict(hashes) == HASHES:
        return NAME
    source = source.resolve()
    suffix = "" if source.is_dir() else source.suffix
    stem = source.name.removesuffix(suffix)
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._-")[:_MAX_CHARS] or "faces"
    if name.lower() in _RESERVED:
        return f"{name}_{suffix[1:].lower() or 'folder'}"
    return name
