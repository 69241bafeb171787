"""Where a command computes, and in which number format."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ferbench.runs import precision
from ferbench.runs.machine import hardware, resolve_device
from ferbench.runs.precision import Precision


@dataclass(frozen=True)
class Compute:
    """A device, and the number format of the networks on it."""

    device: torch.device
    precision: Precision

    @staticmethod
    def choose(device: str, precision_name: str) -> Compute:
        """What device= and precision= stand for here; UserError for what this machine lacks."""
        found = resolve_device(device)
        return Compute(found, precision.choose(precision_name, found))

    @property
    def in_words(self) -> str:
        """The processor and the number format, for a line on the terminal."""
        return f"{hardware(self.device)}, {self.precision.name}"
