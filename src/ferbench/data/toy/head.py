"""Head, neck, ears, hair and beard of a toy face."""

import numpy as np

from ferbench.data.toy.action_units import Units, jaw_drop
from ferbench.data.toy.parameters import Identity
from ferbench.data.toy.shapes import SIDES, Patch, Point, curve, disc, mirrored

BALD_BELOW, LONG_ABOVE = 0.15, 0.65  # of Identity.hair_length
BEARD_ABOVE = 0.7  # of Identity.beard


def head(face: Identity, units: Units) -> Patch:
    """The head's outline; AU26 lengthens it, AUs 6 and 12 fill the cheeks."""
    w, drop = face.head_half_width, 0.8 * jaw_drop(units)
    cheek = 1.0 + 0.03 * units[6] + 0.03 * units[12]
    right = [
        (0.35 * w, -26.0),
        (0.80 * w, -21.0),
        (0.98 * w, -12.0),
        (w, -3.0),
        (0.96 * w * cheek, 5.0 + 0.2 * drop),
        *_jaw(face, drop),
    ]
    return Patch(curve(mirrored(right), closed=True), face.skin_tone)


def _jaw(face: Identity, drop: float) -> list[Point]:
    """From the jaw's corner to the chin, right half."""
    chin = face.chin * face.head_half_width
    return [
        (face.jaw * face.head_half_width, 13.0 + 0.6 * drop),
        (chin, face.chin_y - 2.5 + drop),
        (0.4 * chin, face.chin_y + drop),
    ]


def behind(face: Identity, units: Units) -> list[Patch]:
    """What the head covers in part: hair, shoulders, neck, ears."""
    w, skin = face.head_half_width, face.skin_tone
    out = []
    if face.hair_length > BALD_BELOW:
        v = face.hair_volume
        end = (w + 0.8 * v, 34.0) if face.hair_length > LONG_ABOVE else (w + 0.2 * v, -1.0)
        right = [(0.5 * w, -27.0 - v), (w + 0.6 * v, -20.0), (w + v, -8.0), end]
        out.append(Patch(curve(mirrored(right), closed=True), 0.8 * face.hair_tone))
    clothes = 0.25 + face.age / 3
    out.append(Patch(np.array([(-32, 40), (-13, 24), (13, 24), (32, 40)]), clothes))
    half, end_y = 0.62 * w, 27 + 0.5 * jaw_drop(units)
    neck = np.array([(-half, 12), (half, 12), (half, end_y), (-half, end_y)])
    out.append(Patch(neck, 0.6 * skin))
    for side in SIDES:
        out.append(Patch(disc(side * (w + 0.6), face.eye_y + 4.5, 2.2, 4.6), 0.8 * skin))
        out.append(Patch(disc(side * (w + 0.9), face.eye_y + 4.5, 1.0, 3.0), 0.6 * skin))
    return out


def hair(face: Identity) -> list[Patch]:
    """The hair over the forehead, parted, with lighter and darker strands."""
    if face.hair_length <= BALD_BELOW:
        return []
    w, line, v, part = face.head_half_width, face.hairline_y, face.hair_volume, face.hair_parting_x
    burns = face.eye_y + (16.0 if face.hair_length > LONG_ABOVE else 3.0)
    right = [
        (w + 0.2 * v, burns),
        (w + 0.7 * v, -9.0),
        (0.85 * w + v, -22.0),
        (0.3 * w, -28.5 - v),
    ]
    under = [
        (-0.99 * w, face.eye_y - 1.0),
        (-0.90 * w, face.eye_y - 7.0),
        (0.5 * (part - 0.9 * w), line + 2.5),
        (part, line - 1.0),
        (0.5 * (part + 0.9 * w), line + 2.5),
        (0.90 * w, face.eye_y - 7.0),
        (0.99 * w, face.eye_y - 1.0),
    ]
    outline = curve(mirrored(right) + under, closed=True)
    strands = tuple(_strand(face, place) for place in range(-6, 7))
    return [Patch(outline, face.hair_tone, inside=strands)]


def _strand(face: Identity, place: int) -> Patch:
    """One strand from the parting over the top of the head; place -6 is left-most, 6 right-most."""
    share, part = place / 6, face.hair_parting_x
    width = face.head_half_width + 0.5 * face.hair_volume
    middle = (0.6 * share * face.head_half_width + 0.4 * part, -24.0)
    end = (share * width, -11.0 - 6.0 * (1 - share * share))
    tone = face.hair_tone * (1.25 if place % 2 else 0.85)
    return Patch(curve([(part, face.hairline_y - 1.5), middle, end]), tone, width=0.7)


def beard(face: Identity, units: Units) -> list[Patch]:
    """A beard from ear to ear with a moustache; the lips are painted over it."""
    density = max(0.0, face.beard - BEARD_ABOVE) / (1 - BEARD_ABOVE)
    if density == 0.0:
        return []
    right = [
        (1.2, face.mouth_y - 3.2),
        (face.mouth_half_width + 1.5, face.mouth_y - 1.0),
        (0.85 * face.head_half_width, 5.0),
        (0.97 * face.head_half_width, 4.0),
        *_jaw(face, 0.8 * jaw_drop(units)),
    ]
    tone = face.skin_tone + 0.6 * density * (face.hair_tone - face.skin_tone)
    return [Patch(curve(mirrored(right), closed=True), tone)]
