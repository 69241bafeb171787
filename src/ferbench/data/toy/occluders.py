"""What may hide a part of a toy face: glasses, hair, a caption, a hand."""

import numpy as np
from PIL import Image, ImageDraw

from ferbench.data.toy.parameters import FaceParameters
from ferbench.data.toy.pose import project

PAINT_SCALE = 8  # everything is painted at 8 times the image's size and averaged down


def paint_occluder(sheet: Image.Image, face: FaceParameters, rng: np.random.Generator) -> None:
    """Paint the view's occluder on `sheet`, the lit face at PAINT_SCALE."""
    paint = {"glasses": _glasses, "strands": _strands, "caption": _caption, "hand": _hand}
    paint[face.view.occluder](sheet, face, rng)


def gray(tone: float) -> int:
    """A tone in [0, 1] as a gray level in [0, 255]."""
    return min(max(round(255 * tone), 0), 255)


def _on_sheet(points: np.ndarray, face: FaceParameters, lift: float) -> list[float]:
    """Face-frame points [K, 2] as x0, y0, x1, ... on the sheet."""
    image = project(points, np.full(len(points), lift), face.identity, face.view)
    flat: list[float] = (image * PAINT_SCALE).ravel().tolist()
    return flat


def _glasses(sheet: Image.Image, face: FaceParameters, rng: np.random.Generator) -> None:
    """Rims, temples and bridge; round or squarish."""
    who, pen = face.identity, ImageDraw.Draw(sheet)
    fill, width = gray(rng.uniform(0.02, 0.35)), int(rng.integers(5, 10))
    power = rng.uniform(0.45, 1.0)  # of a superellipse: 1 is round, less is squarish
    angle = np.linspace(0, 2 * np.pi, 25)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ring = np.sign(ring) * np.abs(ring) ** power
    ring *= (who.eye_half_width + 1.6, rng.uniform(3.6, 5.0))
    for side in (-1, 1):
        rim = ring + np.array([side * (who.eye_x + 0.2), who.eye_y + 0.8])
        pen.line(_on_sheet(rim, face, 2.0), fill=fill, width=width)
        start, end = who.eye_x + who.eye_half_width + 1.8, who.head_half_width
        temple = np.array([(side * start, who.eye_y), (side * end, who.eye_y)])
        pen.line(_on_sheet(temple, face, 0.0), fill=fill, width=width)
    inner = who.eye_x - who.eye_half_width - 1.4
    bridge = np.array([(-inner, who.eye_y), (0, who.eye_y - 0.8), (inner, who.eye_y)])
    pen.line(_on_sheet(bridge, face, 3.0), fill=fill, width=width)


def _strands(sheet: Image.Image, face: FaceParameters, rng: np.random.Generator) -> None:
    """Locks of hair over one side of the face."""
    who, pen = face.identity, ImageDraw.Draw(sheet)
    side = rng.choice((-1, 1))
    for _ in range(rng.integers(3, 8)):
        top = np.array([rng.uniform(-4, 8) * side, who.hairline_y - 2.0])
        end = np.array([rng.uniform(8, 18) * side, rng.uniform(-6, 10)])
        middle = 0.5 * (top + end) + (side * rng.uniform(0, 3), -rng.uniform(0, 3))
        lock = _on_sheet(np.stack([top, middle, end]), face, 1.0)
        fill = gray(who.hair_tone * rng.uniform(0.7, 1.3))
        pen.line(lock, fill=fill, width=int(rng.integers(4, 9)), joint="curve")


def _caption(sheet: Image.Image, face: FaceParameters, rng: np.random.Generator) -> None:
    """A bar with marks like letters at the top or the bottom, as picture agencies print it."""
    del face
    pen, size = ImageDraw.Draw(sheet), sheet.size[0]
    height = rng.uniform(0.08, 0.14) * size
    top = 0.0 if rng.random() < 0.5 else size - height
    paper, ink = (20, 235) if rng.random() < 0.5 else (235, 25)
    pen.rectangle((0, top, size, top + height), fill=paper)
    x = rng.uniform(0, 0.1) * size
    while x < size:
        w = rng.uniform(0.02, 0.04) * size
        if rng.random() < 0.8:  # else a space between words
            letter_top = top + rng.uniform(0.2, 0.45) * height
            pen.rectangle((x, letter_top, x + w, top + 0.85 * height), fill=ink)
            pen.rectangle((x + 0.3 * w, top + 0.5 * height, x + w, top + 0.65 * height), fill=paper)
        x += 1.4 * w


def _hand(sheet: Image.Image, face: FaceParameters, rng: np.random.Generator) -> None:
    """Four fingers that reach up from below over one cheek and the jaw."""
    who, pen = face.identity, ImageDraw.Draw(sheet)
    side, tip_y = rng.choice((-1, 1)), rng.uniform(6, 13)
    width = int(rng.uniform(3.0, 3.8) * PAINT_SCALE)
    for finger, shorter in enumerate((1.5, 0.0, 0.8, 3.0)):
        x = side * (10.0 + 3.4 * finger)
        line = _on_sheet(np.array([(x - side, tip_y + shorter), (x + side, 34.0)]), face, 2.0)
        for edge, tone in ((4, 0.45 * who.skin_tone), (0, 0.8 * who.skin_tone)):
            pen.line(line, fill=gray(tone), width=width + edge)
            pen.circle(line[:2], (width + edge) / 2, fill=gray(tone))
