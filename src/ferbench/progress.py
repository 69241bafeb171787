"""How far a long command is: a bar on a terminal, and lines where stdout is a file or a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

LINE_SECONDS = 10.0  # lines that count images come at most so often, and one a percent
NUMBERS = "{desc}: {percentage:3.0f} % {rate_fmt}, left {remaining}{postfix}"  # fits 80 columns
MINUTE = 60.0  # so often come those of work that has lines of its own, an epoch or a tick


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


class Pulse:
    """Says when it is time for a line again, where stdout is a file or a pipe."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.last = seconds, time.monotonic()

    def due(self) -> bool:
        """Whether the last line is so long ago."""
        return time.monotonic() - self.last >= self.seconds

    def reset(self) -> None:
        """A line was printed just now."""
        self.last = time.monotonic()


class Counter:
    """Counts up to `total` of a unit: a bar that is gone at the end, or a line a percent.

    done: how many were done before; the time left is worked out from the others. own_lines: the
    work prints lines of its own, so that one a minute is enough between them.
    """

    def __init__(
        self, total: int, what: str, *, unit: str = "img", done: int = 0, own_lines: bool = False
    ) -> None:
        self.total, self.what, self.unit, self.first, self.done = total, what, unit, done, done
        self.note, self.own_lines = "", own_lines
        self.began = time.monotonic()
        self.pulse = Pulse(MINUTE if own_lines else LINE_SECONDS)
        self.bar: tqdm[Any] = tqdm(
            total=total,
            initial=done,
            desc=what,
            unit=unit,
            disable=None,
            leave=False,
            bar_format=NUMBERS if own_lines else None,
        )

    def __enter__(self) -> Counter:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def update(self, number: int) -> None:
        """Say that so many more are done."""
        before, self.done = self.done, self.done + number
        self.bar.update(number)
        new_percent = self._percent(before) != self._percent(self.done)
        if in_lines(self.bar) and (new_percent or self.own_lines) and self.pulse.due():
            self.pulse.reset()
            say(self._line(time.monotonic() - self.began))

    def describe(self, what: str, note: str) -> None:
        """Name what is done now, and the numbers that matter."""
        self.what, self.note = what, note
        self.bar.set_description_str(what if self.own_lines else f"{what}: ", refresh=False)
        self.bar.set_postfix_str(note, refresh=False)

    def _percent(self, done: int) -> int:
        return 100 * done // max(self.total, 1)

    def _line(self, seconds: float) -> str:
        speed = (self.done - self.first) / max(seconds, 1e-9)
        left = clock((self.total - self.done) / max(speed, 1e-9))
        return (
            f"{self.what}: {self.done:,} of {self.total:,} {self.unit} "
            f"({self._percent(self.done)} %), {f'{self.note}, ' if self.note else ''}"
            f"{speed:,.0f} {self.unit}/s, left {left}"
        )


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Context that gives what to call with (done, total); as a `Counter` of images."""
    with Counter(0, what) as counter:

        def show(done: int, total: int) -> None:
            counter.total = counter.bar.total = total
            counter.update(done - counter.done)

        yield show


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Context that gives what to call with the name of each step before it begins.

    A terminal shows the step and its time; elsewhere each step is a line with the time so far.
    """
    began = time.monotonic()
    with tqdm(disable=None, leave=False, bar_format="{desc} ({elapsed})") as bar:

        def begin(step: str) -> None:
            bar.set_description_str(step)
            if in_lines(bar):
                print(f"{clock(time.monotonic() - began)} {step}", flush=True)

        yield begin


def in_lines(bar: tqdm[Any]) -> bool:
    """Whether nobody sees the bar, or stdout goes to a file that is to tell it too."""
    return bool(bar.disable) or not sys.stdout.isatty()
