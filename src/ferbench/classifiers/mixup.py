"""Mixing a batch with itself: mixup and CutMix."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class Mixing:
    """How a batch is mixed with itself reversed.

    share: the own face's part of an image, in [0, 1]; 1: unmixed. cut_px: side of the square that
    shows the partner from (top, left) on (CutMix); 0: the two are blended (mixup).
    """

    share: float = 1.0
    cut_px: int = 0
    top: int = 0
    left: int = 0


def draw_mixing(mixup: float, cutmix: float, *, side_px: int, rng: np.random.Generator) -> Mixing:
    """Draw how one batch is mixed: mixup (Zhang et al. 2018) or CutMix (Yun et al. 2019).

    mixup, cutmix: alpha of the Beta law of the share, 0 is off; with both on, a coin decides. The
    cut is a square inside the image, and the share is what it leaves of the own face.
    """
    if not (mixup or cutmix):
        return Mixing()
    use_cutmix = bool(cutmix) and (not mixup or rng.random() < 0.5)
    alpha = cutmix if use_cutmix else mixup
    share = float(rng.beta(alpha, alpha))
    if not use_cutmix:
        return Mixing(share)
    cut_px = round(side_px * math.sqrt(1 - share))
    top, left = rng.integers(0, side_px - cut_px + 1, 2).tolist()
    return Mixing(1 - (cut_px / side_px) ** 2, cut_px, top, left)


def mix(images: Tensor, mixing: Mixing) -> Tensor:
    """Images [N, 1, H, W] mixed with the same images in reverse order."""
    if mixing.share == 1:
        return images
    partners = images.flip(0)
    if not mixing.cut_px:
        return images * mixing.share + partners * (1 - mixing.share)
    rows = slice(mixing.top, mixing.top + mixing.cut_px)
    columns = slice(mixing.left, mixing.left + mixing.cut_px)
    mixed = images.clone()
    mixed[..., rows, columns] = partners[..., rows, columns]
    return mixed
