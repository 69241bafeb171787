"""Batches of homogeneous matrices, [N, D + 1, D + 1], from numbers or [N] tensors."""

from collections.abc import Sequence

import torch
from torch import Tensor

Number = float | Tensor


def matrix(rows: Sequence[Sequence[Number]]) -> Tensor:
    """Stack numbers and [N] tensors into [N, R, C]; at least one entry is a tensor."""
    like = next(x for row in rows for x in row if isinstance(x, Tensor))
    flat = [x if isinstance(x, Tensor) else torch.full_like(like, x) for row in rows for x in row]
    return torch.stack(flat, -1).reshape(-1, len(rows), len(rows[0]))


def shift2d(x: Number, y: Number) -> Tensor:
    """Translation in the plane."""
    return matrix([[1, 0, x], [0, 1, y], [0, 0, 1]])


def scale2d(x: Number, y: Number) -> Tensor:
    """Scaling of both axes."""
    return matrix([[x, 0, 0], [0, y, 0], [0, 0, 1]])


def turn2d(angle: Tensor) -> Tensor:
    """Rotation by `angle` radians, from the first axis toward the second."""
    cos, sin = angle.cos(), angle.sin()
    return matrix([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def turn_about_gray(angle: Tensor) -> Tensor:
    """Rotation of RGB space about the gray axis (1, 1, 1) / sqrt(3), Rodrigues' formula."""
    cos, sin = angle.cos(), angle.sin() / 3**0.5
    same, third = cos + (1 - cos) / 3, (1 - cos) / 3
    return matrix(
        [
            [same, third - sin, third + sin, 0],
            [third + sin, same, third - sin, 0],
            [third - sin, third + sin, same, 0],
            [0, 0, 0, 1],
        ]
    )


def gray_projection(device: torch.device) -> Tensor:
    """[4, 4]: projection of RGB on the gray axis, zero in the homogeneous row and column."""
    axis = torch.tensor([1.0, 1.0, 1.0, 0.0], device=device) / 3**0.5
    return torch.outer(axis, axis)
