"""The numbers of a GAN run: one row for each tick, on the terminal, in a file and in a logger."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

import stylegan2_ada as sg
from ferbench.files import write_whole
from ferbench.gan.lines import tick_line
from ferbench.gan.setup import Training
from ferbench.progress import MINUTE, Pulse, in_lines, say
from ferbench.runs.loggers import Logger

HISTORY = "metrics.jsonl"


class Numbers:
    """Keeps the rows of all ticks, shows them and writes them; moves the progress bar.

    history: the rows of a run that goes on.
    """

    def __init__(
        self, folder: Path, training: Training, logger: Logger, history: Sequence[dict[str, Any]]
    ) -> None:
        self.folder, self.training, self.logger = folder, training, logger
        self.history = list(history)
        self.names = training.faces.names
        self.pulse = Pulse(MINUTE)
        self.bar = tqdm(
            total=round(training.recipe.total_kimg, 1),
            initial=training.kimg,
            unit="kimg",
            disable=None,
            leave=False,
            bar_format="{l_bar}{bar}| {n:.1f}/{total:.1f} kimg [{elapsed}<{remaining}{postfix}]",
        )

    def row_of(self, tick: sg.Tick) -> dict[str, Any]:
        """The numbers of a tick as metrics.jsonl has them; what was not counted is left out."""
        numbers = asdict(tick)
        diversity = dict(zip(self.names, numbers.pop("diversity"), strict=True))
        earlier = self.history[-1]["total_seconds"] if self.history else 0.0
        row = {
            "tick": len(self.history) + 1,
            "kimg": numbers.pop("images") / 1000,
            **numbers,
            "seconds_per_kimg": 1000 / tick.images_per_second,
            "total_seconds": earlier + tick.seconds,
            **{f"diversity_{name}": value for name, value in diversity.items()},
        }
        return {k: v for k, v in row.items() if not isinstance(v, float) or math.isfinite(v)}

    def add(self, row: dict[str, Any]) -> None:
        """Put the row of a tick behind the others, and print it."""
        self.history.append(row)
        self.progress()
        self.bar.set_postfix_str(f"{row['images_per_second']:.0f} img/s", refresh=False)
        say(tick_line(row, self.training.recipe.total_kimg, self.names))
        self.pulse.reset()

    def write(self, row: Mapping[str, Any]) -> None:
        """metrics.jsonl, whole, so that a resumed run leaves no line twice, and the logger."""
        text = "".join(json.dumps(one) + "\n" for one in self.history)
        write_whole(self.folder / HISTORY, lambda beside: beside.write_text(text, "utf-8"))
        numbers = {k: float(v) for k, v in row.items() if k not in ("tick", "kimg")}
        self.logger.log(int(row["tick"]), {"kimg": float(row["kimg"]), **numbers})

    def progress(self) -> None:
        """Move the progress bar to the trainer's count of images; a line a minute without one."""
        self.bar.update(self.training.kimg - self.bar.n)
        if in_lines(self.bar) and self.pulse.due():
            self.pulse.reset()
            say(f"{self.training.kimg:8.1f} of {self.training.recipe.total_kimg:g} kimg")

    def close(self) -> None:
        """End the bar and the logger."""
        self.bar.close()
        self.logger.close()
