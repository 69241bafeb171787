"""Numbers that a run keeps on its device: counting makes no device wait, reading does."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from . import distributed


class Meter:
    """Sums and counts of named values, on their device."""

    def __init__(self, names: tuple[str, ...], device: torch.device) -> None:
        self.names = names
        self.sums = torch.zeros(len(names), 2, dtype=torch.float64, device=device)

    def add(self, **values: Tensor) -> None:
        """Count every finite number of each name's values, all of one shape, in one go."""
        rows = [one.detach().reshape(-1) for one in values.values()]
        stacked = torch.stack(rows).double()  # [names, values]
        finite = stacked.isfinite()
        sums = torch.stack([stacked.where(finite, 0).sum(1), finite.double().sum(1)], 1)
        for row, name in zip(sums, values, strict=True):
            self.sums[self.names.index(name)] += row

    def take(self) -> dict[str, float]:
        """Means over all processes since the last call, nan for nothing; starts again."""
        sums = self.take_sums()
        means: list[float] = (sums[:, 0] / sums[:, 1]).tolist()
        return dict(zip(self.names, means, strict=True))

    def take_sums(self) -> Tensor:
        """Sums and counts over all processes since the last call, [names, 2]; starts again."""
        sums = distributed.sum_(self.sums.clone())
        self.sums.zero_()
        return sums


class Skips:
    """Updates that are left out because their gradients were not finite, counted by phase.

    The counts lie on the networks' device; reading them (`check`, `total`, `rows`) waits for it.
    """

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
