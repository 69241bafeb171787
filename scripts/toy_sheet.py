"""Write a contact sheet of toy faces: one row per class, enlarged for people to look at.

python scripts/toy_sheet.py toy.png [--columns 12] [--seed 0] [--zoom 3] [--units]

With --units every row is one person of the studio instead: at rest, then each action unit alone.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from ferbench.classes import CLASSES
from ferbench.data.toy.action_units import ACTION_UNITS, vector
from ferbench.data.toy.faces import sample_faces
from ferbench.data.toy.parameters import STUDIO, FaceParameters, sample_identity
from ferbench.data.toy.render import draw


def class_sheet(columns: int, seed: int) -> np.ndarray:
    """[7 * 48, columns * 48] uint8, rows in the order of CLASSES."""
    faces = sample_faces(columns * len(CLASSES), seed)
    rows = [np.hstack(list(faces.images[i :: len(CLASSES)])) for i in range(len(CLASSES))]
    return np.vstack(rows)


def unit_sheet(people: int, seed: int) -> np.ndarray:
    """[people * 48, 14 * 48] uint8: at rest, then every action unit alone at full intensity."""
    rng = np.random.default_rng(seed)
    poses = [vector({})] + [vector({unit: 1.0}) for unit in ACTION_UNITS]
    rows = []
    for _ in range(people):
        who = sample_identity(rng)
        faces = [FaceParameters(who, STUDIO, tuple(pose.tolist())) for pose in poses]
        rows.append(np.hstack([draw(face) for face in faces]))
    return np.vstack(rows)


def main() -> None:
    """Draw and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--columns", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--zoom", type=int, default=3)
    parser.add_argument("--units", action="store_true")
    options = parser.parse_args()
    make = unit_sheet if options.units else class_sheet
    sheet = Image.fromarray(make(options.columns, options.seed))
    size = (sheet.width * options.zoom, sheet.height * options.zoom)
    sheet.resize(size, Image.Resampling.BICUBIC).save(options.path)


if __name__ == "__main__":
    main()
