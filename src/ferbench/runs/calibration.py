"""How fast this very machine is at something: measured once, then read from a cache."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch

from ferbench.files import save_json
from ferbench.runs.compute import Compute
from ferbench.runs.machine import code_version, hardware
from ferbench.runs.record import hash_of

ENOUGH_SECONDS = 1.5  # of measured steps, after the first one
BUSY = 0.5  # programs that wait for a core, from which a speed is not worth keeping
SLOW_SECONDS = 5.0  # a first step that takes so long is measure enough


@dataclass(frozen=True)
class Calibration:
    """Seconds that this machine takes for things, in small files of `folder`.

    may_measure: whether what is not known yet is measured, which takes some seconds for each.
    measured: what was measured here, by the name of its file.
    """

    folder: Path
    compute: Compute
    may_measure: bool
    measured: dict[str, float] = field(default_factory=dict)

    def seconds(
        self, what: Mapping[str, Any], name: str, measure: Callable[[], float]
    ) -> float | None:
        """The seconds of `measure`, known by `what`, machine, number format and code version.

        name: what a line on the terminal calls it. None where it is unknown and not to be measured.
        What a busy machine takes is not kept.
        """
        key = {
            **what,
            "host": platform.node(),
            "hardware": hardware(self.compute.device),
            "device": str(self.compute.device),
            "precision": self.compute.precision.name,
            "torch": torch.__version__,
            "code_version": code_version(),
        }
        path = self.folder / f"{hash_of(key)[:16]}.json"
        if path.name in self.measured:
            return self.measured[path.name]
        with suppress(OSError, ValueError, KeyError, TypeError):
            known = float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
            if known > 0:
                return known
        if not self.may_measure:
            return None
        print(f"measuring the speed of {name} on this machine", flush=True)
        busy = is_busy()
        seconds = self.measured[path.name] = measure()
        if not busy:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_json(path, {"seconds": seconds, "of": key})
        return seconds


def seconds_a_step(
    step: Callable[[], object], device: torch.device, *, least: int, most: int, alike: bool = True
) -> float:
    """Seconds of a step that is repeated, without the first one, which prepares things.

    From `least` to `most` steps are measured, no more than it takes to be sure enough; of a slow
    one the first alone. alike: the median, which other programs of a moment do not change; else
    the mean, for steps of which some do more.
    """
    first = _seconds(step, device)
    if first > SLOW_SECONDS:
        return first
    each: list[float] = []
    while len(each) < least or (len(each) < most and sum(each) < ENOUGH_SECONDS):
        each.append(_seconds(step, device))
    return median(each) if alike else fmean(each)


def _seconds(step: Callable[[], object], device: torch.device) -> float:
    began = time.perf_counter()
    step()
    _wait(device)
    return time.perf_counter() - began


def is_busy() -> bool:
    """Whether more programs want to compute than the machine has cores; never before this one."""
    cores = os.cpu_count() or 1
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > cores + BUSY


def _wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
