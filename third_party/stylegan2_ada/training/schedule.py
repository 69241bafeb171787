"""Values that change while a run goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Schedules:
    """Factors of three settings over the run, each as points (images, factor).

    Between two points the factor follows a straight line, before the first and after the last it
    stays. () leaves a setting as it is.
    """

    lr: Points = ()  # of both networks
    penalty: Points = ()  # weights of R1 and R2
    augment_p: Points = ()  # probability of the augmentation pipeline

    def __post_init__(self) -> None:
        """Raise ValueError for points out of order, or factors below zero."""
        for name in ("lr", "penalty", "augment_p"):
            points = getattr(self, name)
            images = [at for at, _ in points]
            if images != sorted(set(images)) or any(factor < 0 for _, factor in points):
                raise ValueError(f"{name}={points}: the images must rise, no factor may be below 0")


def factor_at(points: Sequence[tuple[float, float]], images: float) -> float:
    """The factor after `images` images, 1 without points."""
    if not points:
        return 1.0
    if images <= points[0][0]:
        return points[0][1]
    for (before, low), (after, high) in pairwise(points):
        if images <= after:
            return low + (high - low) * (images - before) / (after - before)
    return points[-1][1]
