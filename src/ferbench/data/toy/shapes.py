"""The shapes that a toy face is made of: flat patches, bumps of the relief, smooth curves.

Everything is in the face frame: pixels of a 48 x 48 image at scale 1, origin at the face's center,
x to the image's right, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

Point = tuple[float, float]
SIDES = (-1.0, 1.0)  # image left, image right
SAMPLES = 3  # points of a curve between two control points


class Patch(NamedTuple):
    """A filled shape, or a stroke where width > 0, of one tone in [0, 1]."""

    points: np.ndarray  # [K, 2] float64
    tone: float
    width: float = 0.0
    lift: float = 0.0  # height above the head's curve: how much it moves when the head turns
    inside: tuple[Patch, ...] = ()  # painted on it and clipped by its outline


class Bump(NamedTuple):
    """A hill of the relief, or a hollow: an ellipse of radii rx, ry turned by angle (radians)."""

    x: float
    y: float
    rx: float
    ry: float
    height: float
    angle: float = 0.0
    lift: float = 0.0


def curve(controls: Sequence[Point], *, closed: bool = False) -> np.ndarray:
    """[P, 2] points of a uniform Catmull-Rom spline through the control points."""
    points = np.array(controls)
    spline: np.ndarray = _spline_weights(len(points), closed) @ points
    return spline


def disc(x: float, y: float, rx: float, ry: float) -> np.ndarray:
    """[16, 2] points of an ellipse."""
    return np.array([x, y]) + _CIRCLE * (rx, ry)


def mirrored(right: list[Point]) -> list[Point]:
    """A right half, listed from top to bottom, closed by its mirror image."""
    return right + [(-x, y) for x, y in reversed(right)]


def crease(points: Sequence[Point], skin: float, depth: float, width: float = 0.75) -> list[Patch]:
    """A wrinkle in skin of that tone, darker the deeper it is; none below a depth of 0.04."""
    if depth < 0.04:
        return []
    return [Patch(curve(points), skin * (1 - 0.48 * min(depth, 1.0)), width=width)]


_ANGLES = np.linspace(0, 2 * np.pi, 16, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_CATMULL_ROM = 0.5 * np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]])


@lru_cache
def _spline_weights(controls: int, closed: bool) -> np.ndarray:
    """[P, controls] weights of the control points in every point of the curve."""
    t = np.linspace(0, 1, SAMPLES, endpoint=False)
    weights = np.stack([np.ones_like(t), t, t**2, t**3], axis=1) @ _CATMULL_ROM
    blocks = []
    for start in range(controls if closed else controls - 1):
        block = np.zeros((SAMPLES, controls))
        for offset in range(4):
            index = start + offset - 1
            index = index % controls if closed else min(max(index, 0), controls - 1)
            block[:, index] += weights[:, offset]
        blocks.append(block)
    last = [] if closed else [np.eye(controls)[-1:]]
    return np.vstack([*blocks, *last])
