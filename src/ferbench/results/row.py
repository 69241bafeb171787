"""What every row of every table says of its run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from ferbench.results.columns import columns_of


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One run; docs/metrics.md defines every column.

    None is an empty cell: not known or not defined.
    Raises ValueError if a value has the wrong type, is not finite, or is not one line of text.
    """

    run: str  # its folder below outputs/, with forward slashes
    command: str
    finished: str  # ISO 8601 with the offset of UTC
    seed: int
    # what it takes to repeat it
    data: str
    data_hash: str
    config_hash: str
    cell: str
    code_version: str
    device: str
    hardware: str
    torch: str
    precision: str
    seconds: float
    warnings: str | None = None  # why its numbers may not be trusted

    def __post_init__(self) -> None:
        """Refuse what could not be read back."""
        for column in columns_of(type(self)).values():
            column.check(getattr(self, column.name))
        if moment(self.finished).utcoffset() != timedelta(0):
            raise ValueError(f"finished={self.finished}: not in UTC")


def moment(text: str) -> datetime:
    """An ISO 8601 time; Python 3.10 knows no Z for UTC, and fractions of 3 or 6 digits only."""
    text = re.sub(r"\.\d+", lambda fraction: f"{fraction[0]:0<7.7}", text)
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
