"""A toy face as flat shapes and relief: where its parts are for an identity and action units.

The renderer turns, lights and photographs what is built here, in the face frame of `toy_shapes`.
Displacements follow the appearance changes of the FACS manual (Ekman, Friesen & Hager 2002).
"""

from typing import NamedTuple

import numpy as np

from ferbench.data.toy.action_units import ACTION_UNITS, Units, jaw_drop
from ferbench.data.toy.eyes import brow_line, upper_face
from ferbench.data.toy.head import beard, behind, hair, head
from ferbench.data.toy.mouth import Mouth, mouth, mouth_folds, mouth_lines, nose, nose_y
from ferbench.data.toy.parameters import Identity
from ferbench.data.toy.shapes import SIDES, Bump, Patch


class Anatomy(NamedTuple):
    """What the renderer needs of a face: patches in the order of painting, and the relief."""

    back: list[Patch]
    head: Patch
    front: list[Patch]
    bumps: list[Bump]


def build(face: Identity, action_units: np.ndarray) -> Anatomy:
    """Shapes and relief of one face. action_units: [13] in the order of ACTION_UNITS."""
    left, right = (
        dict(
            zip(
                ACTION_UNITS,
                np.clip(action_units * (1 + side * face.asymmetry), 0, 1).tolist(),
                strict=True,
            )
        )
        for side in SIDES
    )
    sides = (left, right)
    both = {unit: (left[unit] + right[unit]) / 2 for unit in ACTION_UNITS}
    lines = mouth_lines(face, sides, both)
    front = beard(face, both) + nose(face, both)
    for side, units in zip(SIDES, sides, strict=True):
        front += mouth_folds(face, side, units, lines)
    front += upper_face(face, sides, both) + mouth(face, both, lines) + hair(face)
    bumps = _middle_relief(face, both, lines)
    for side, units in zip(SIDES, sides, strict=True):
        bumps += _side_relief(face, side, units, lines)
    return Anatomy(behind(face, both), head(face, both), front, bumps)


def _middle_relief(face: Identity, units: Units, lines: Mouth) -> list[Bump]:
    """Nose, forehead, lips and chin."""
    eye_y, base_y, nose_height = face.eye_y, nose_y(face, units), face.nose_relief
    lip_y = lines.bottom - 0.8 * face.lip_thickness
    chin_y = face.chin_y - 3.5 + 0.8 * jaw_drop(units)
    return [
        Bump(0, eye_y + 1, 2.6, 8.5, 1.7 * nose_height, lift=1.0),
        Bump(0, base_y - 1.8, 3.6, 3.6, 2.4 * nose_height, lift=2.5),
        Bump(0, eye_y - 14, 15, 8, 1.5),  # forehead
        Bump(0, eye_y - 4.5, 4.5, 3.5, 0.5 + 0.8 * units[4] + 0.6 * units[9]),  # between the brows
        Bump(0, base_y + 3.2, 1.6, 3.0, -0.45),  # the groove above the upper lip
        Bump(0, lip_y, 6.0, 2.0, 0.9 * (1 - 0.5 * units[23])),
        Bump(0, lip_y + 3.0, 6.0, 1.8, -0.7 - 0.4 * units[15]),
        Bump(0, chin_y, 6.0, 4.0, 1.3 + 0.7 * units[15]),
    ]


def _side_relief(face: Identity, side: float, units: Units, lines: Mouth) -> list[Bump]:
    """Eye, brow, cheek and mouth corner of one side."""
    six, nine, twelve = units[6], units[9], units[12]
    x, y = side * face.eye_x, face.eye_y
    brow_y = brow_line(face, side, units)[2][1]
    wing_x, wing_y = side * face.nose_half_width, nose_y(face, units)
    cheek = face.cheek + 1.5 * six + 1.2 * twelve
    corner_x, corner_y = lines.corners[SIDES.index(side)]
    dimple = -0.5 - 0.7 * twelve - 0.4 * units[20]
    fold = -0.5 - 0.9 * twelve - 0.5 * nine
    hollow_y = 12.5 + 0.5 * jaw_drop(units)
    return [
        Bump(wing_x, wing_y - 0.7, 2.2, 2.4, 1.1 * face.nose_relief * (1 + 0.5 * nine), lift=1.5),
        Bump(0.95 * x, y - 0.5, 7.5, 4.5, -1.9),  # eye socket
        Bump(x, y, 4.5, 3.0, 1.0),  # eyeball
        Bump(x, brow_y + 0.3, 7.0, 2.6, 1.1 + 0.6 * units[4], 0.15 * side),
        Bump(x + 1.8 * side, 4.6 - 1.6 * six - 0.8 * twelve, 7.0, 5.0, cheek, -0.5 * side),
        Bump(x, y + 3.0, 5.0, 1.6, 0.3 + 0.8 * six + 0.4 * units[7]),  # below the lower lid
        Bump(corner_x + 1.6 * side, corner_y + 0.2, 2.2, 2.6, dimple),
        Bump(wing_x + 3.5 * side, 8.5, 2.2, 5.0, fold, -0.6 * side),  # nose to mouth
        Bump(11.0 * side, hollow_y, 4.5, 6.0, -0.5 - 1.0 * units[26]),  # hollow of the cheek
        Bump(2.4 * side, lines.top + 0.7, 3.2, 1.6, 0.5),  # upper lip
    ]
