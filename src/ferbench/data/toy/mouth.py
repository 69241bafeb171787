"""The lower toy face: nose, mouth and their folds (AUs 9, 12, 15, 16, 20, 23 and 26)."""

from typing import NamedTuple

import numpy as np

from ferbench.data.toy.action_units import Units, jaw_drop
from ferbench.data.toy.parameters import Identity
from ferbench.data.toy.shapes import SIDES, Patch, Point, crease, curve, disc


def nose_y(face: Identity, units: Units) -> float:
    """Height of the nose's base; AU9 pulls it up."""
    return face.nose_y - 1.3 * units[9]


def nose(face: Identity, units: Units) -> list[Patch]:
    """Nostrils, wings, the shadow beneath, and the wrinkles that AU9 lays across the root."""
    w = face.nose_half_width * (1 + 0.22 * units[9] + 0.08 * units[12])
    y, eye_y, skin = nose_y(face, units), face.eye_y, face.skin_tone
    shadow = [
        (-w, y - 0.4),
        (-w / 2, y + 1.3),
        (0, y + 1.6),
        (w / 2, y + 1.3),
        (w, y - 0.4),
        (0, y + 0.4),
    ]
    out = [Patch(curve(shadow, closed=True), 0.7 * skin, lift=2.5)]
    for side in SIDES:
        out.append(Patch(disc(side * 0.48 * w, y + 0.5, 0.27 * w, 0.6), 0.25 * skin, lift=2.5))
        wing = [(side * 0.85 * w, y - 2.2), (side * 1.08 * w, y - 0.8), (side * 0.9 * w, y + 0.6)]
        out.append(Patch(curve(wing), (0.72 - 0.2 * units[9]) * skin, width=0.6, lift=1.5))
        flank = [(side * 1.6, eye_y + 1.0), (side * 2.6, eye_y + 2.6), (side * 3.4, eye_y + 5.0)]
        out += crease(flank, skin, 0.65 * units[9], width=0.9)
    for top in (eye_y - 0.8, eye_y + 0.9, eye_y + 2.6):
        across = [(-2.4, top + 0.7), (0.0, top - 0.2), (2.4, top + 0.7)]
        out += crease(across, skin, 0.7 * units[9], width=0.9)
    return out


class Mouth(NamedTuple):
    """The lips' edges, [P, 2] each from the image's left to its right, corners and opening."""

    upper_outer: np.ndarray
    upper_inner: np.ndarray
    lower_inner: np.ndarray
    lower_outer: np.ndarray
    corners: list[Point]
    gap: float

    @property
    def top(self) -> float:
        """Height of the upper lip's edge in the middle."""
        return float(self.upper_outer[len(self.upper_outer) // 2, 1])

    @property
    def bottom(self) -> float:
        """Height of the lower lip's edge in the middle."""
        return float(self.lower_outer[len(self.lower_outer) // 2, 1])


def mouth_lines(face: Identity, sides: tuple[Units, Units], both: Units) -> Mouth:
    """Where the lips are.

    AU12 pulls the corners up and out, AU15 down, AU20 straight out; AU16 lowers the lower lip, AU9
    lifts the upper one, AU23 narrows and thins both, AU26 opens them.
    """
    drop, full = jaw_drop(both), face.lip_thickness
    smile, frown, depress, stretch, tight = (both[unit] for unit in (12, 15, 16, 20, 23))
    parting = face.lip_parting * (1.9 * smile + 1.2 * stretch) + 1.1 * stretch + 1.6 * depress
    gap = (parting + 1.15 * drop) * (1 - 0.85 * tight)
    thin = 1 - 0.62 * tight - 0.3 * smile - 0.3 * stretch - 0.15 * both[26]
    upper = face.mouth_y - 1.3 * both[9] - 0.15 * drop - 0.25 * parting + 0.3 * smile - 0.9 * frown
    lower = upper + gap + (0.6 * depress if gap > 0.3 else 0.0)
    corners = [_corner(face, side, units) for side, units in zip(SIDES, sides, strict=True)]
    bend, round_bend = 2.0 + 0.8 * frown, 2.0 + 0.8 * frown + 0.6 * both[26]
    return Mouth(
        _lip_edge(corners, upper, -1.5 * full * thin, bend, bow=0.45 * full),
        _lip_edge(corners, upper, 0.0, bend),
        _lip_edge(corners, lower, 0.0, round_bend),
        _lip_edge(corners, lower, 2.0 * full * (thin + 0.25 * depress), round_bend),
        corners,
        gap,
    )


def _corner(face: Identity, side: float, units: Units) -> Point:
    out = 2.3 * units[12] + 2.6 * units[20] - 1.7 * units[23] - 0.9 * units[26]
    down = -3.3 * units[12] + 2.8 * units[15] + 0.7 * units[20] + 0.3 * jaw_drop(units)
    return side * (face.mouth_half_width + out), face.mouth_y + down


def _lip_edge(
    corners: list[Point], middle_y: float, offset: float, power: float, bow: float = 0.0
) -> np.ndarray:
    """[P, 2] from corner to corner through the middle.

    offset: distance of the edge from the lips' line, 0 at the corners; power: how late the edge
    bends towards the corners; bow: the dip in the middle of the upper lip.
    """
    points = []
    for t in (-1.0, -0.8, -0.5, -0.22, 0.0, 0.22, 0.5, 0.8, 1.0):
        x, y = corners[0] if t < 0 else corners[1]
        line_y = middle_y + (y - middle_y) * abs(t) ** power
        taper = 1 - abs(t) ** 2.2
        points.append((abs(t) * x, line_y + offset * taper + (bow if t == 0 else 0.0)))
    return curve(points)


def mouth(face: Identity, units: Units, lines: Mouth) -> list[Patch]:
    """Lips, the line between them, and teeth and tongue where they part."""
    tone = face.lip_tone * face.skin_tone
    lower = np.vstack([lines.lower_inner, lines.lower_outer[::-1]])
    upper = np.vstack([lines.upper_outer, lines.upper_inner[::-1]])
    out = [Patch(lower, 1.06 * tone), Patch(upper, 0.9 * tone)]
    if lines.gap > 0.25:
        opening = np.vstack([lines.upper_inner, lines.lower_inner[::-1]])
        out.append(Patch(opening, 0.07, inside=_teeth_and_tongue(face, jaw_drop(units))))
    out.append(Patch(lines.upper_inner, 0.3 * tone, width=0.65))
    return out


def _teeth_and_tongue(face: Identity, drop: float) -> tuple[Patch, ...]:
    """The upper teeth stay with the head, the lower ones and the tongue go with the jaw."""
    w, y = 0.95 * face.mouth_half_width, face.mouth_y
    low = y + 1.3 + 1.05 * drop
    upper = [(-w, y - 6), (w, y - 6), (0.9 * w, y + 0.8), (0, y + 1.3), (-0.9 * w, y + 0.8)]
    lower = [
        (-0.8 * w, low + 0.3),
        (0, low),
        (0.8 * w, low + 0.3),
        (0.8 * w, low + 3),
        (-0.8 * w, low + 3),
    ]
    return (
        Patch(disc(0, low + 1.3, 0.6 * w, 2.0), 0.3),
        Patch(np.array(upper), 0.9),
        Patch(np.array(lower), 0.8),
    )


def mouth_folds(face: Identity, side: float, units: Units, lines: Mouth) -> list[Patch]:
    """Folds of one side: nose to mouth (AU12, AU9), corner (AU15), cheek (AU20), lips (AU23)."""
    x, y = abs(lines.corners[SIDES.index(side)][0]), lines.corners[SIDES.index(side)][1]
    wing_x, wing_y = face.nose_half_width + 0.4, nose_y(face, units) - 0.8
    middle = (0.5 * (wing_x + x) + 1.4, 0.5 * (wing_y + y) - 1.2)
    smile = [(wing_x, wing_y), middle, (x + 1.9, y - 0.6)]
    corner = [(x + 0.5, y - 0.2), (x + 1.2, y + 1.2), (x + 1.1, y + 2.7)]
    below = [
        (0.0, lines.bottom + 1.0),
        (2.2, lines.bottom + 1.1),
        (4.0, lines.bottom + 2.0 + 0.8 * units[15]),
    ]
    folds = [
        (smile, 0.3 * face.age + 0.6 * units[12] + 0.5 * units[9] + 0.1 * units[20], 0.9),
        (corner, 0.1 * face.age + 0.65 * units[15], 0.9),
        (below, 0.22 + 0.35 * units[15] + 0.3 * units[23] + 0.4 * units[16], 0.8),
    ]
    for step in (1.2, 2.4):
        stretch = [(x + step, y - 1.8), (x + step + 0.5, y), (x + step, y + 1.8)]
        folds.append((stretch, 0.6 * units[20], 0.7))
    for at in (1.5, 3.5):
        folds.append(([(at, lines.top - 1.8), (at, lines.top - 0.5)], 0.3 * units[23], 0.6))
        folds.append(([(at, lines.bottom + 0.5), (at, lines.bottom + 1.6)], 0.3 * units[23], 0.6))
    return [
        patch
        for points, depth, width in folds
        for patch in crease([(side * px, py) for px, py in points], face.skin_tone, depth, width)
    ]
