"""Real batches without end, and the conditions that generated images are asked for."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..ops import to_device
from . import distributed

ConditionSampler = Callable[[int, torch.Generator], Tensor]
"""Number of images and generator to conditions [n, c_dim] float32."""


def balanced_weights(labels: Tensor) -> Tensor:
    """Weight of each image, [N] float64, so that every class that occurs is drawn as often.

    labels: [N] int64 from 0.
    """
    return 1 / torch.bincount(labels).double()[labels]


def condition_sampler(rows: Tensor, weights: Tensor | None = None) -> ConditionSampler:
    """Draws rows of a table of conditions, with replacement.

    rows: [R, c_dim] float32, on the device where they are drawn: that of the generators.
    `torch.eye(classes)` gives balanced classes; the conditions of the real images give their
    natural distribution, whatever the numbers mean.
    weights: [R], how often each row is drawn; None: all alike.
    """
    total = _cumulative(torch.ones(len(rows)) if weights is None else weights, len(rows))
    total = total.to(rows.device)

    def draw(n: int, generator: torch.Generator) -> Tensor:
        return rows[_weighted(total, n, generator)]

    return draw


class RealBatches:
    """Endless batches (images, conditions) of a uint8 array, with a state to go on from.

    All processes draw the whole batch with equal generators and take their own part of it, in the
    order of ranks. So the images that are shown do not depend on the number of processes.
    """

    def __init__(
        self,
        images: np.ndarray,
        conditions: Tensor,
        *,
        batch: int,
        generator: torch.Generator,
        mirror: bool,
        weights: Tensor | None,
        device: torch.device | str,
    ) -> None:
        """Draw from images [N, H, W] or [N, C, H, W] uint8, in memory or mapped from a file.

        A GPU gets a copy of all of them, so that a batch is put together there.
        conditions: [N, c_dim] float32, c_dim may be 0. batch: images a step of all processes.
        generator: on the CPU. mirror: flip every other image on average, keeping its condition.
        weights: None shows every image once in an epoch; [N] draws with replacement
        (`balanced_weights`). Raises ValueError for arrays that do not fit.
        """
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or len(images) == 0:
            raise ValueError(
                f"images: {images.dtype} {images.shape}; expected uint8 [N, (C,) H, W]"
            )
        if conditions.ndim != 2 or len(conditions) != len(images):
            raise ValueError(f"conditions: {tuple(conditions.shape)} for {len(images)} images")
        if batch % distributed.world():
            raise ValueError(
                f"batch={batch}: must be a multiple of {distributed.world()} processes"
            )
        self.device = torch.device(device)
        self.images: np.ndarray | Tensor = images
        if self.device.type != "cpu":
            self.images = torch.from_numpy(np.array(images)).to(self.device)
        self.conditions = conditions.to(self.device)
        self.batch, self.generator, self.mirror = batch, generator, mirror
        self.total = None if weights is None else _cumulative(weights, len(images))
        self.order = torch.empty(0, dtype=torch.int64)  # what is left of the epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        """This process's images [n, C, H, W] uint8 and conditions [n, c_dim], on the device."""
        index = self._indices()
        flip = torch.rand(self.batch, generator=self.generator) < 0.5 * self.mirror
        own = self.batch // distributed.world()
        index, flip = (x.split(own)[distributed.rank()] for x in (index, flip))
        there, flip = to_device(index, self.device), to_device(flip, self.device)
        if isinstance(self.images, Tensor):
            images = self.images[there]
        else:
            images = torch.from_numpy(self.images[index.numpy()])
        images = images if images.ndim == 4 else images[:, None]  # [n, C, H, W]
        images = torch.where(flip[:, None, None, None], images.flip(3), images)
        return images, self.conditions[there]

    def _indices(self) -> Tensor:
        """[batch] images of the next batch; an epoch's rest is filled up from the next one."""
        if self.total is not None:
            return _weighted(self.total, self.batch, self.generator)
        while len(self.order) < self.batch:
            epoch = torch.randperm(len(self.images), generator=self.generator)
            self.order = torch.cat([self.order, epoch])
        index, self.order = self.order[: self.batch], self.order[self.batch :]
        return index

    def state_dict(self) -> dict[str, Any]:
        """Tensors only; the same in every process."""
        return {"generator": self.generator.get_state(), "order": self.order.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken. Raises ValueError for a state of other data."""
        if len(state["order"]) and int(state["order"].max()) >= len(self.images):
            raise ValueError(f"state of more images than the {len(self.images)} of these data")
        self.generator.set_state(state["generator"])
        self.order = state["order"].clone()


def _cumulative(weights: Tensor, rows: int) -> Tensor:
    """[N] float64 running sum. Raises ValueError for weights that cannot be drawn from."""
    total = weights.double().cumsum(0)
    if (
        total.shape != (rows,)
        or not total.isfinite().all()
        or (weights < 0).any()
        or total[-1] <= 0
    ):
        raise ValueError(
            f"weights: {tuple(weights.shape)} for {rows} rows; must be >= 0, not all 0"
        )
    return total


def _weighted(total: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """[n] int64 draws with replacement; rows of weight zero are never drawn.

    total: as `_cumulative` gives it, on the generator's device.
    """
    draws = torch.rand(n, generator=generator, device=total.device, dtype=torch.float64)
    index = torch.searchsorted(total, draws * total[-1], right=True)
    return index.clamp(max=len(total) - 1)
