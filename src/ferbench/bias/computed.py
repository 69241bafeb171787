"""Attributes that any image has: no label of a person, only numbers computed from its pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BLOCK = 2048  # images at a time; no result depends on it
BLANK = 2.0  # standard deviation in gray levels, below which an image shows nothing
BAND = 8  # pixels of each side that are searched for text
DARK, BRIGHT = 15, 240  # gray levels up to and from which a pixel is saturated
EDGE = 96  # gray levels to a neighbor, from which a saturated pixel may be of a letter


def compute(images: np.ndarray) -> dict[str, np.ndarray]:
    """Every attribute of images [N, 48, 48] uint8, N > 0: [N] float64, NaN for blank images.

    An image is blank if the standard deviation of its gray levels is below 2.
    """
    starts = range(0, len(images), BLOCK)
    parts = [_block(np.asarray(images[start : start + BLOCK])) for start in starts]
    return {name: np.concatenate([part[name] for part in parts]) for name in ATTRIBUTES}


def _block(images: np.ndarray) -> dict[str, np.ndarray]:
    gray = images.astype(np.float32)
    blank = contrast(gray) < BLANK
    return {name: np.where(blank, np.nan, of(gray)) for name, of in ATTRIBUTES.items()}


def brightness(gray: np.ndarray) -> np.ndarray:
    """Mean gray level, 0 to 255, of gray levels [N, H, W] float32; [N] float64."""
    return gray.mean(axis=(1, 2), dtype=np.float64)


def contrast(gray: np.ndarray) -> np.ndarray:
    """Standard deviation of the gray levels (over n), 0 to 127.5; [N] float64."""
    return gray.std(axis=(1, 2), dtype=np.float64)


def sharpness(gray: np.ndarray) -> np.ndarray:
    """log10(1 + variance of the Laplacian) (Pech-Pacheco et al. 2000), as a measure of focus.

    The Laplacian is the sum of the four neighbors minus four times the pixel, at the inner pixels.
    The logarithm keeps a few very sharp images from deciding everything. It grows with contrast,
    noise and compression blocks, too.
    """
    around = gray[:, :-2, 1:-1] + gray[:, 2:, 1:-1] + gray[:, 1:-1, :-2] + gray[:, 1:-1, 2:]
    laplacian = around - 4 * gray[:, 1:-1, 1:-1]
    return np.log10(1 + laplacian.var(axis=(1, 2), dtype=np.float64))


def symmetry(gray: np.ndarray) -> np.ndarray:
    """Pearson correlation of the image and its mirror image, in [-1, 1].

    Low for turned or tilted heads, and for light from one side.
    """
    centered = gray - gray.mean(axis=(1, 2), keepdims=True)
    product = (centered * centered[:, :, ::-1]).sum(axis=(1, 2), dtype=np.float64)
    energy = (centered**2).sum(axis=(1, 2), dtype=np.float64)
    return np.divide(product, energy, out=np.zeros_like(product), where=energy > 0)


def face_scale(gray: np.ndarray) -> np.ndarray:
    """How widely the edges are spread: a proxy of how much of the frame the face fills.

    The root of the mean squared distance of the inner pixels from their center of mass, each
    weighted by its squared gradient (central differences), as a share of the image's side. A small
    face before a plain ground has its edges near one point; so has a face of which only eyes and
    mouth have contrast, and a busy background looks like a large face. Equal edges everywhere give
    sqrt((h^2 + w^2 - 2) / 12) / W for h x w inner pixels: 0.391 at 48 pixels.
    """
    across = (gray[:, 1:-1, 2:] - gray[:, 1:-1, :-2]) / 2
    down = (gray[:, 2:, 1:-1] - gray[:, :-2, 1:-1]) / 2
    energy = (across**2 + down**2).astype(np.float64)
    total = energy.sum(axis=(1, 2))
    safe = np.where(total > 0, total, 1.0)
    spread = np.zeros(len(gray))
    for axis in (1, 2):
        place = np.arange(energy.shape[axis], dtype=np.float64)
        mass = energy.sum(axis=3 - axis)  # [N, length of the axis]
        middle = mass @ place / safe
        spread += np.maximum(mass @ place**2 / safe - middle**2, 0)
    return np.sqrt(spread) / gray.shape[2]


def border_text(gray: np.ndarray) -> np.ndarray:
    """Share of the border's pixels that may be letters: a proxy of watermarks over the face.

    Pixels at most 8 from a side that are nearly white or black (from 240 or up to 15) and differ
    from one of their four neighbors by 96 gray levels or more. Stock photographs carry such
    letters; but glints, teeth, hair before a white wall and black frames count as well.
    """
    saturated = (gray <= DARK) | (gray >= BRIGHT)
    edge = np.zeros(gray.shape, bool)
    down = np.abs(np.diff(gray, axis=1)) >= EDGE
    across = np.abs(np.diff(gray, axis=2)) >= EDGE
    edge[:, :-1] |= down
    edge[:, 1:] |= down
    edge[:, :, :-1] |= across
    edge[:, :, 1:] |= across
    border = np.ones(gray.shape[1:], bool)
    border[BAND:-BAND, BAND:-BAND] = False
    return (saturated & edge)[:, border].mean(axis=1)


# By name: what each is, for tables.
ATTRIBUTES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "brightness": brightness,
    "contrast": contrast,
    "sharpness": sharpness,
    "symmetry": symmetry,
    "face_scale": face_scale,
    "border_text": border_text,
}
MEANING = {
    "brightness": "mean gray level",
    "contrast": "standard deviation of the gray levels",
    "sharpness": "log10(1 + variance of the Laplacian)",
    "symmetry": "correlation with the mirror image",
    "face_scale": "spread of the edges over the frame, a proxy of how much the face fills",
    "border_text": "letter-like pixels along the border, a proxy of watermarks",
}
