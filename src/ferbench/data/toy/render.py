"""Draw a toy face: paint it, light it, photograph it.

Flat shapes are painted at 8 times the size and averaged down; the light is computed at 48 x 48
from the relief's normals (Lambert's law), which is smooth enough there.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ferbench.classes import IMAGE_PX
from ferbench.data.toy.anatomy import Anatomy, build
from ferbench.data.toy.occluders import PAINT_SCALE, gray, paint_occluder
from ferbench.data.toy.parameters import FaceParameters, Identity, View
from ferbench.data.toy.pose import HEAD_DEPTH, PIXEL_X, PIXEL_Y, project, unproject
from ferbench.data.toy.shapes import Bump, Patch

SHEET_PX = IMAGE_PX * PAINT_SCALE


def draw(face: FaceParameters) -> np.ndarray:
    """[48, 48] uint8 image of one face; the same bytes for the same parameters."""
    rng = np.random.default_rng(face.view.detail_seed)
    anatomy = build(face.identity, np.asarray(face.action_units, np.float64))
    albedo, head = _paint(anatomy, face.identity, face.view, rng)
    image = albedo * _light(anatomy.bumps, face.identity, face.view, head)
    if face.view.occluder != "none":
        sheet = Image.fromarray(np.clip(image * 255, 0, 255).astype(np.uint8))
        sheet = sheet.resize((SHEET_PX, SHEET_PX), Image.Resampling.NEAREST)
        paint_occluder(sheet, face, rng)
        image = _reduced(sheet)
    return _photograph(image, face.view, rng)


# ---- paint


def _paint(
    anatomy: Anatomy, face: Identity, view: View, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Albedo and the head's coverage, both [48, 48] float32 in [0, 1]."""
    canvas = Image.new("L", (SHEET_PX, SHEET_PX), gray(view.background))
    coverage = Image.new("L", canvas.size, 0)
    pen = ImageDraw.Draw(canvas)
    _paint_background(pen, view, rng)
    patches = [*anatomy.back, anatomy.head, *anatomy.front]
    outlines = iter(_outlines(patches, face, view))
    for patch in patches:
        outline = next(outlines)
        _fill(pen, patch, outline, view)
        if patch is anatomy.head:
            ImageDraw.Draw(coverage).polygon(outline.ravel().tolist(), fill=255)
        if patch.inside:
            _fill_inside(canvas, patch, outline, [next(outlines) for _ in patch.inside], view)
    return _reduced(canvas), _reduced(coverage)


def _outlines(patches: list[Patch], face: Identity, view: View) -> list[np.ndarray]:
    """Canvas coordinates [K, 2] of every patch, each followed by those inside it.

    All points are projected at once: it is the calls that cost time, not the points.
    """
    flat = [each for patch in patches for each in (patch, *patch.inside)]
    counts = [len(patch.points) for patch in flat]
    lift = np.repeat([patch.lift for patch in flat], counts)
    points = project(np.concatenate([patch.points for patch in flat]), lift, face, view)
    points *= PAINT_SCALE
    ends = np.cumsum(counts).tolist()
    return [points[end - count : end] for end, count in zip(ends, counts, strict=True)]


def _fill(pen: ImageDraw.ImageDraw, patch: Patch, outline: np.ndarray, view: View) -> None:
    xy, tone = outline.ravel().tolist(), gray(patch.tone)
    if patch.width:
        pen.line(xy, fill=tone, width=max(1, round(patch.width * view.scale * PAINT_SCALE)))
    else:
        pen.polygon(xy, fill=tone)


def _fill_inside(
    canvas: Image.Image, patch: Patch, outline: np.ndarray, inner: list[np.ndarray], view: View
) -> None:
    """Paint the patches inside `patch`, clipped by its outline."""
    left, top = np.floor(outline.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(outline.max(axis=0)).astype(int).tolist()
    size = (right - left + 1, bottom - top + 1)
    mask, sheet = Image.new("L", size, 0), Image.new("L", size, gray(patch.tone))
    ImageDraw.Draw(mask).polygon((outline - (left, top)).ravel().tolist(), fill=255)
    pen = ImageDraw.Draw(sheet)
    for each, points in zip(patch.inside, inner, strict=True):
        _fill(pen, each, points - (left, top), view)
    canvas.paste(sheet, (left, top), mask)


def _paint_background(pen: ImageDraw.ImageDraw, view: View, rng: np.random.Generator) -> None:
    """Up to three large shapes of other tones."""
    for _ in range(rng.integers(0, 4)):
        x, y = rng.uniform(-0.2, 0.9, 2) * SHEET_PX
        w, h = rng.uniform(0.15, 0.7, 2) * SHEET_PX
        tone = gray(view.background + rng.uniform(-0.25, 0.25))
        (pen.rectangle if rng.random() < 0.6 else pen.ellipse)((x, y, x + w, y + h), fill=tone)


def _reduced(sheet: Image.Image) -> np.ndarray:
    return np.asarray(sheet.reduce(PAINT_SCALE), np.float32) / 255


# ---- light


def _light(bumps: list[Bump], face: Identity, view: View, head: np.ndarray) -> np.ndarray:
    """Factor [48, 48] on the albedo: Lambert's law and some gloss on the head, a slope elsewhere.

    Hills are also a little brighter and hollows darker whatever the light, as under an open sky.
    """
    x, y = unproject(face, view)
    hills = _hills(bumps, x, y, view)
    slope_y, slope_x = np.gradient(_head_curve(x, y, face) + hills)
    azimuth, elevation = view.light_azimuth, view.light_elevation
    light_x = float(np.sin(azimuth) * np.cos(elevation))
    light_y = float(-np.sin(elevation))
    light_z = float(np.cos(azimuth) * np.cos(elevation))
    normal_length = np.sqrt(1 + slope_x**2 + slope_y**2)
    lit = np.maximum((light_z - slope_x * light_x - slope_y * light_y) / normal_length, 0)
    on_head = view.ambient + (1.15 - view.ambient) * lit + 0.12 * lit**16 + 0.035 * hills
    elsewhere = 1 + 0.25 * (light_x * PIXEL_X + light_y * PIXEL_Y) / IMAGE_PX
    elsewhere *= 0.6 + 0.4 * view.ambient
    light: np.ndarray = head * on_head + (1 - head) * elsewhere
    return light


def _head_curve(x: np.ndarray, y: np.ndarray, face: Identity) -> np.ndarray:
    """Relief of the bare head [48, 48]: an ellipsoid, cut before it grows too steep."""
    squared = (x / (1.12 * face.head_half_width)) ** 2 + ((y + 1) / 29.0) ** 2
    relief: np.ndarray = HEAD_DEPTH * np.sqrt(np.maximum(1 - squared, 0.06))
    return relief


def _hills(bumps: list[Bump], x: np.ndarray, y: np.ndarray, view: View) -> np.ndarray:
    """Sum of the bumps [48, 48]: height * max(1 - q / 4, 0)**3, q the squared distance in radii.

    Close to Gaussians, but of sums and products alone: the same bits on every processor. q is
    expanded into its six monomials, which takes the fewest passes over [bumps, 48, 48].
    """
    table = np.array(bumps)
    x0 = table[:, 0] + table[:, 6] * np.tan(view.yaw)
    y0 = table[:, 1] + table[:, 6] * np.tan(view.pitch)
    cos, sin = np.cos(table[:, 5]), np.sin(table[:, 5])
    along, across = -1 / (4 * table[:, 2] ** 2), -1 / (4 * table[:, 3] ** 2)
    xx, yy = cos**2 * along + sin**2 * across, sin**2 * along + cos**2 * across
    xy = 2 * cos * sin * (along - across)
    to_x, to_y = -2 * xx * x0 - xy * y0, -2 * yy * y0 - xy * x0
    rest = np.empty((len(bumps), *x.shape), np.float32)
    term = np.empty_like(rest)
    rest[:] = _column(1 + xx * x0**2 + yy * y0**2 + xy * x0 * y0)
    for weight, monomial in ((xx, x * x), (yy, y * y), (xy, x * y), (to_x, x), (to_y, y)):
        rest += np.multiply(_column(weight), monomial, out=term)
    np.maximum(rest, 0, out=rest)
    np.multiply(rest, rest, out=term)
    term *= rest
    term *= _column(table[:, 4])
    hills: np.ndarray = term.sum(axis=0)
    return hills


def _column(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)[:, None, None]


# ---- photograph


def _photograph(image: np.ndarray, view: View, rng: np.random.Generator) -> np.ndarray:
    """Metering, contrast, blur and noise; [48, 48] uint8.

    The meter takes the image half of the way to a spread of 0.2 and a mean of about 0.5.
    """
    mean, spread = float(image.mean()), max(float(image.std()), 0.02)
    metered = (image - mean) * (0.5 + 0.5 * 0.2 / spread) + 0.6 * mean + 0.4 * 0.48
    exposed = (metered - 0.5) * view.contrast + 0.5 + view.brightness
    shot = np.clip(exposed * 255, 0, 255).astype(np.uint8)
    if view.blur > 0:
        shot = np.asarray(Image.fromarray(shot).filter(ImageFilter.GaussianBlur(view.blur)))
    noise = view.noise * rng.standard_normal(shot.shape, np.float32)
    return np.clip(np.rint(shot + noise), 0, 255).astype(np.uint8)
