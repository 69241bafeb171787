"""Between the face frame and the image: the head's turn as a shift of its curved surface."""

import numpy as np

from ferbench.classes import IMAGE_PX
from ferbench.data.toy.parameters import Identity, View

HEAD_DEPTH = 15.0  # how far the face's center stands before the head's rim, in pixels
_AXIS = np.arange(IMAGE_PX) - (IMAGE_PX - 1) / 2
PIXEL_X, PIXEL_Y = np.meshgrid(_AXIS, _AXIS)  # [48, 48], from the image's center


def project(points: np.ndarray, lift: np.ndarray, face: Identity, view: View) -> np.ndarray:
    """Face frame [K, 2] to the image [K, 2], in pixels from its upper left corner.

    lift: [K] height above the head's curve. Orthographic: x cos(yaw) + z sin(yaw), likewise y.
    """
    x, y = points[:, 0], points[:, 1]
    z = _depth(x, y, face) + lift
    turned_x = x * np.cos(view.yaw) + z * np.sin(view.yaw)
    turned_y = y * np.cos(view.pitch) + z * np.sin(view.pitch)
    cos, sin = view.scale * np.cos(view.roll), view.scale * np.sin(view.roll)
    out = np.empty_like(points)
    out[:, 0] = cos * turned_x - sin * turned_y + view.shift_x + IMAGE_PX / 2
    out[:, 1] = sin * turned_x + cos * turned_y + view.shift_y + IMAGE_PX / 2
    return out


def unproject(face: Identity, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Face-frame x and y of every pixel's center, [48, 48] float32 each.

    Inverts `project` at lift 0 by three fixed-point steps, to within 0.1 pixels on the face.
    """
    dx, dy = PIXEL_X - view.shift_x, PIXEL_Y - view.shift_y
    cos, sin = np.cos(view.roll) / view.scale, np.sin(view.roll) / view.scale
    turned_x, turned_y = cos * dx + sin * dy, cos * dy - sin * dx
    x, y = turned_x, turned_y
    for _ in range(3):
        z = _depth(x, y, face)
        x = (turned_x - z * np.sin(view.yaw)) / np.cos(view.yaw)
        y = (turned_y - z * np.sin(view.pitch)) / np.cos(view.pitch)
    return x.astype(np.float32), y.astype(np.float32)


def _depth(x: np.ndarray, y: np.ndarray, face: Identity) -> np.ndarray:
    """Height of the head's curve above its rim: a paraboloid, 0 outside."""
    squared = (x / (1.05 * face.head_half_width)) ** 2 + (y / 27.0) ** 2
    depth: np.ndarray = HEAD_DEPTH * np.maximum(1.0 - squared, 0.0)
    return depth
