"""The upper toy face: eyes, brows and the forehead's wrinkles (AUs 1, 2, 4, 5, 6 and 7)."""

import numpy as np

from ferbench.data.toy.action_units import Units
from ferbench.data.toy.parameters import Identity
from ferbench.data.toy.shapes import SIDES, Patch, Point, crease, curve, disc


def brow_line(face: Identity, side: float, units: Units) -> list[Point]:
    """The brow's center line from its inner to its outer end, 4 points.

    AU1 lifts the inner end, AU2 the outer half; AU4 lowers the whole and draws the inner ends
    together; AU9 lowers the inner end. Where AU1 pulls too, AU4 draws together more than down.
    """
    one, two, four, nine = units[1], units[2], units[4], units[9]
    down = four * (1.0 - 0.55 * one)
    y = face.eye_y - face.brow_gap
    inner_x = face.eye_x - 1.1 * face.eye_half_width
    arch = face.brow_arch
    xs = (inner_x - 1.5 * four, inner_x + 2.8 - 0.9 * four, face.eye_x + 1.8, face.eye_x + 5.4)
    ys = (
        y + 0.1 - 3.6 * one + 2.9 * down + 1.5 * nine,
        y - 0.45 - 2.2 * one - 1.0 * two + 2.2 * down + 0.7 * nine,
        y - arch - 0.4 * one - 3.0 * two + 1.4 * four,
        y + 1.0 - 0.3 * arch - 2.8 * two + 0.7 * four,
    )
    return [(side * x, y) for x, y in zip(xs, ys, strict=True)]


def brow(face: Identity, side: float, units: Units) -> list[Patch]:
    """One brow: a band that thins out, with a paler edge."""
    line = brow_line(face, side, units)
    thick = (0.8, 1.0, 0.85, 0.25)
    tone = face.skin_tone + (face.hair_tone * 0.8 - face.skin_tone) * face.brow_density

    def band(half: float) -> np.ndarray:
        upper = [(x, y - half * t) for (x, y), t in zip(line, thick, strict=True)]
        lower = [(x, y + half * t) for (x, y), t in zip(line, thick, strict=True)]
        return np.vstack([curve(upper), curve(lower)[::-1]])

    edge = 0.5 * (tone + face.skin_tone)
    return [Patch(band(face.brow_thickness), edge), Patch(band(0.7 * face.brow_thickness), tone)]


def lid_openings(face: Identity, units: Units) -> Point:
    """How far the upper lid stands above and the lower lid below the eye's center line.

    AU5 raises the upper lid; AU7 narrows both, AU6 pushes the lower one up, AU9 presses both.
    """
    five, six, seven, nine = units[5], units[6], units[7], units[9]
    upper = 2.0 + 1.5 * five - 0.75 * seven * (1 - 0.4 * five) - 0.3 * six - 0.35 * nine
    lower = 1.15 + 0.25 * five - 0.75 * seven - 0.75 * six
    return face.eye_opening * max(upper, 0.6), face.eye_opening * max(lower, 0.15)


def eye(face: Identity, side: float, units: Units) -> list[Patch]:
    """The eyeball between the lids, the lid's fold and the lashes."""
    upper, lower = _lids(face, side, units)
    x, y, r, skin = side * face.eye_x, face.eye_y - 0.35, face.iris_radius, face.skin_tone
    ball = (
        Patch(disc(x, y, r, r), 0.5 * face.iris_tone),
        Patch(disc(x, y, 0.82 * r, 0.82 * r), face.iris_tone),
        Patch(disc(x, y, 0.42 * r, 0.42 * r), 0.03),  # pupil
        Patch(upper + np.array([0.0, 0.35]), 0.35, width=0.6),  # the lid's shadow
        Patch(disc(x - 0.3 * r, y - 0.35 * r, 0.3 * r, 0.3 * r), 1.0),  # catchlight
    )
    white = 0.55 + 0.4 * min(skin + 0.3, 1.0)
    fold = upper - (0.0, 1.3)
    return [
        Patch(np.vstack([fold, upper[::-1]]), 0.9 * skin),
        Patch(fold, 0.68 * skin, width=0.5),
        Patch(np.vstack([upper, lower[::-1]]), white, inside=ball),
        Patch(lower + np.array([0.0, 0.15]), 0.6 * skin, width=0.4),
        Patch(upper - (0.0, 0.2), 0.16 * skin, width=0.75),
    ]


def _lids(face: Identity, side: float, units: Units) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the upper and the lower lid, [P, 2] each, from the inner to the outer corner."""
    x, y, w = face.eye_x, face.eye_y, face.eye_half_width
    up, low = lid_openings(face, units)
    inner, outer = (x - w, y + 0.5), (x + w, y - face.eye_tilt)
    upper = [(x - 0.55 * w, y - 0.75 * up), (x, y - up), (x + 0.55 * w, y - 0.85 * up)]
    lower = [(x - 0.5 * w, y + 0.8 * low), (x + 0.1 * w, y + low), (x + 0.6 * w, y + 0.7 * low)]
    flip = (side, 1.0)
    return curve([inner, *upper, outer]) * flip, curve([inner, *lower, outer]) * flip


def eye_folds(face: Identity, side: float, units: Units) -> list[Patch]:
    """Crow's feet (AU6) and the fold below the lower lid (AU6, AU7)."""
    x, y, w, skin = face.eye_x, face.eye_y, face.eye_half_width, face.skin_tone
    low = y + lid_openings(face, units)[1]
    bag = [
        (side * (x - 0.8 * w), low + 1.3),
        (side * x, low + 2.1),
        (side * (x + 0.8 * w), low + 1.1),
    ]
    out = crease(bag, skin, 0.3 * face.age + 0.7 * units[6] + 0.4 * units[7])
    for slope in (-1.3, 0.1, 1.5):
        start, end = side * (x + w + 0.7), side * (x + w + 3.3)
        foot = [(start, y + 0.4 * slope), (end, y + 1.1 * slope)]
        out += crease(foot, skin, 0.15 * face.age + 0.8 * units[6], width=0.6)
    return out


def forehead_folds(face: Identity, units: Units) -> list[Patch]:
    """Wrinkles across the middle of the forehead (AU1)."""
    out = []
    y = face.eye_y - face.brow_gap - 3.6 - 0.6 * units[1]
    for rise, share in ((y, 0.75), (y - 2.6, 0.6)):
        line = [(-5.5, rise + 0.6), (-2.0, rise), (2.0, rise), (5.5, rise + 0.6)]
        out += crease(line, face.skin_tone, share * (0.32 * face.age + 0.75 * units[1]))
    return out


def brow_folds(face: Identity, side: float, units: Units) -> list[Patch]:
    """Wrinkles above one brow (AU2) and the frown line beside the nose's root (AU4)."""
    out = []
    y, skin = face.eye_y - face.brow_gap, face.skin_tone
    for rise, share in ((y - 3.6, 0.75), (y - 6.2, 0.6)):
        arch = [(side * 6.5, rise - 0.2), (side * 9.0, rise - 1.6), (side * 12.0, rise - 0.4)]
        out += crease(arch, skin, share * (0.1 * face.age + 0.8 * units[2]))
    frown = [(side * 1.3, y + 2.6), (side * 1.5, y + 0.8), (side * 2.0, y - 1.4)]
    return out + crease(frown, skin, 0.1 * face.age + 0.9 * units[4], width=0.8)


def upper_face(face: Identity, sides: tuple[Units, Units], both: Units) -> list[Patch]:
    """Everything above the nose, in the order of painting."""
    out = forehead_folds(face, both)
    for side, units in zip(SIDES, sides, strict=True):
        out += brow_folds(face, side, units) + eye_folds(face, side, units)
        out += eye(face, side, units) + brow(face, side, units)
    return out
