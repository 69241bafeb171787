"""Updates that are left out because their gradients were not finite."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from . import distributed


class Skips:
    """Counts by phase, on the networks' device: counting makes no device wait, reading does."""

    def __init__(self, phases: Sequence[str], device: torch.device) -> None:
        self.phases = list(phases)
        self.in_all = torch.zeros(len(phases), dtype=torch.int64, device=device)
        self.in_a_row = torch.zeros_like(self.in_all)
        self.latest = torch.zeros(len(phases), 2, device=device)  # loss and gradient norm

    def count(self, phase: str, loss: Tensor, norm: Tensor) -> Tensor:
        """Note an update of `phase`; returns whether it is to be left out, a bool scalar.

        loss: this process's part of the loss, a scalar. norm: that of the gradients, a scalar, the
        same in every process.
        """
        at, bad = self.phases.index(phase), norm.isfinite().logical_not()
        self.in_all[at] += bad
        self.in_a_row[at] = torch.where(bad, self.in_a_row[at] + 1, 0)
        self.latest[at] = torch.where(bad, torch.stack([loss, norm]), self.latest[at])
        return bad

    def check(self, limit: int, images: int) -> None:
        """Raise FloatingPointError if a phase was left out `limit` times in a row or more.

        To be called by all processes. The message names phase, `images`, loss and norm.
        """
        in_a_row = self.in_a_row.tolist()
        if max(in_a_row) < limit:
            return
        losses = distributed.sum_(self.latest[:, 0].clone()).tolist()
        norms = self.latest[:, 1].tolist()
        for phase, times, loss, norm in zip(self.phases, in_a_row, losses, norms, strict=True):
            if times >= limit:
                raise FloatingPointError(
                    f"{phase} after {images} images: gradients not finite {times} times in a row"
                    f" (loss {loss}, gradient norm {norm})"
                )

    def total(self) -> int:
        """Updates left out since the run began."""
        return int(self.in_all.sum())

    def rows(self) -> dict[str, int]:
        """How many were left out in a row, by phase, up to now."""
        return dict(zip(self.phases, self.in_a_row.tolist(), strict=True))

    def set(self, total: int, rows: Mapping[str, int]) -> None:
        """Go on from what `total` and `rows` returned."""
        self.in_all.zero_()
        self.in_all[0] = total
        self.in_a_row.copy_(torch.tensor([rows[phase] for phase in self.phases]))
