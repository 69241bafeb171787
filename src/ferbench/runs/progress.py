"""How far a long command is: a bar on a terminal, and lines where stdout is a file or a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

LINE_SECONDS = 10.0  # lines that count images come at most so often, and one a percent


def say(line: str) -> None:
    """Print above the progress bar, at once where stdout is a file too."""
    tqdm.write(line)
    sys.stdout.flush()


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, as 1:02:03."""
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def epoch_line(history: Sequence[dict[str, float]], epochs: int, score: str = "accuracy") -> str:
    """The numbers of the latest epoch and the time left, if none of the epochs is left out.

    history: of every epoch so far, as metrics.jsonl has it. score: the one of the held-out faces
    that is shown; epochs that are not scored show none.
    """
    row, key = history[-1], f"public_{score}"
    done = int(row["epoch"])
    text = f"epoch {done}/{epochs}: loss {row['train_loss']:.3f}"
    text += f", accuracy in training {row['train_accuracy']:.3f}"
    if key in row:
        text += f", {score} on held-out faces {row[key]:.3f}"
    left = (epochs - done) * row["seconds"] / done
    return f"{text}, {row['images_per_second']:.0f} images/s, left {clock(left)}"


class Counter:
    """Counts up to `total` of a unit: a bar that is gone at the end, or a line a percent.

    done: how many were done before; the time left is worked out from the others.
    """

    def __init__(self, total: int, what: str, *, unit: str = "img", done: int = 0) -> None:
        self.total, self.what, self.unit, self.first, self.done = total, what, unit, done, done
        self.began = self.last_line = time.monotonic()
        self.bar: tqdm[Any] = tqdm(
            total=total, initial=done, desc=what, unit=unit, disable=None, leave=False
        )

    def __enter__(self) -> Counter:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def update(self, number: int) -> None:
        """Say that so many more are done."""
        before, self.done = self.done, self.done + number
        self.bar.update(number)
        now = time.monotonic()
        new_percent = self._percent(before) != self._percent(self.done)
        if _in_lines(self.bar) and new_percent and now - self.last_line >= LINE_SECONDS:
            self.last_line = now
            print(self._line(now - self.began), flush=True)

    def _percent(self, done: int) -> int:
        return 100 * done // max(self.total, 1)

    def _line(self, seconds: float) -> str:
        speed = (self.done - self.first) / max(seconds, 1e-9)
        left = clock((self.total - self.done) / max(speed, 1e-9))
        return (
            f"{self.what}: {self.done:,} of {self.total:,} {self.unit} "
            f"({self._percent(self.done)} %), {speed:,.0f} {self.unit}/s, left {left}"
        )


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Context that gives what to call with the name of each step before it begins.

    A terminal shows the step and its time; elsewhere each step is a line with the time so far.
    """
    began = time.monotonic()
    with tqdm(disable=None, leave=False, bar_format="{desc} ({elapsed})") as bar:

        def begin(step: str) -> None:
            bar.set_description_str(step)
            if _in_lines(bar):
                print(f"{clock(time.monotonic() - began)} {step}", flush=True)

        yield begin


def _in_lines(bar: tqdm[Any]) -> bool:
    """Whether nobody sees the bar, or stdout goes to a file that must show progress too."""
    return bool(bar.disable) or not sys.stdout.isatty()
