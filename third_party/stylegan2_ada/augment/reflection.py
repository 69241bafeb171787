"""Pixels beyond an image's edges: reflected about the centres of the outer ones, for ever."""

import torch
from torch import Tensor


def reflected_index(at: Tensor, size: int) -> Tensor:
    """Pixel of an axis of `size` pixels that stands at each whole number (0 1 2 1 0 1 ...)."""
    at = at % max(2 * size - 2, 1)
    return torch.minimum(at, 2 * size - 2 - at)
