"""Mixing a batch with itself: mixup and CutMix."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
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


def numbers(mixings: list[Mixing]) -> Tensor:
    """[N, 7] float32, what `mix` and the loss take of each: on a device it needs no host.

    Own and partner's share in the loss; both where the images are blended; top, left and side of
    the square.
    """
    rows = []
    for one in mixings:
        blended = 1.0 if one.cut_px else one.share
        shares = (one.share, 1 - one.share, blended, 1 - blended)
        rows.append((*shares, one.top, one.left, one.cut_px))
    return torch.tensor(rows, dtype=torch.float32)


def mix(images: Tensor, mixing: Tensor | None) -> Tensor:
    """Images [N, 1, H, W] mixed with the same images in reverse order.

    mixing: [7], a row of `numbers` on the images' device; None: unmixed.
    """
    if mixing is None:
        return images
    own, partners, top, left, cut_px = mixing[2:].unbind()
    reverse = images.flip(0)
    places = torch.arange(images.shape[-1], device=images.device)
    rows, columns = ((places >= start) & (places < start + cut_px) for start in (top, left))
    blended = images * own + reverse * partners
    return torch.where(rows[:, None] & columns, reverse, blended)
