"""Exponential moving average of a network's weights."""

import torch
from torch import Tensor, nn

from ..networks import BatchNorm


def ema_decay(
    *, batch: int, half_life_images: float, images_seen: int, rampup: float | None
) -> float:
    """Share that the average keeps in one step of `batch` images.

    half_life_images: after so many images half the average is new.
    rampup: the half-life never exceeds this share of `images_seen` (None: no such bound), so that
    the first average is not made of the initial weights.
    """
    if rampup is not None:
        half_life_images = min(half_life_images, images_seen * rampup)
    return 0.5 ** (batch / half_life_images) if half_life_images > 0 else 0.0


@torch.no_grad()
def ema_update(average: nn.Module, network: nn.Module, *, renewed: Tensor) -> None:
    """average = (1 - renewed) * average + renewed * network for parameters; buffers are copied.

    renewed: scalar tensor on the networks' device, 1 - `ema_decay`; it is not read here.
    The statistics of `BatchNorm` are averaged, too: those of the latest weights do not fit averaged
    ones.
    """
    averages: list[Tensor] = list(average.parameters())
    weights: list[Tensor] = list(network.parameters())
    torch._foreach_mul_(averages, 1 - renewed)
    torch._foreach_add_(averages, list(torch._foreach_mul(weights, renewed)))
    for mine, theirs in zip(average.modules(), network.modules(), strict=True):
        averaged = isinstance(mine, BatchNorm)
        for a, b in zip(mine.buffers(recurse=False), theirs.buffers(recurse=False), strict=True):
            a.lerp_(b, renewed.to(a.dtype)) if averaged else a.copy_(b)
