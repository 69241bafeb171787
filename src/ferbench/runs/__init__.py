"""What surrounds a computation: device, seeds, signals, number formats, and a run's record."""

from ferbench.runs.compute import Compute
from ferbench.runs.machine import (
    code_version,
    environment,
    fastest_kernels,
    graphs_wanted,
    hardware,
    keep_freed_memory,
    resolve_device,
    seed_everything,
)
from ferbench.runs.record import (
    Busy,
    Record,
    alone,
    free_folder,
    hash_of,
    is_busy,
    name_in,
    now,
    recorded,
    remove_left_parts,
    short,
    status_of,
)
from ferbench.stopping import Interrupted, StopSignal

__all__ = [
    "Busy",
    "Compute",
    "Interrupted",
    "Record",
    "StopSignal",
    "alone",
    "code_version",
    "environment",
    "fastest_kernels",
    "free_folder",
    "graphs_wanted",
    "hardware",
    "hash_of",
    "is_busy",
    "keep_freed_memory",
    "name_in",
    "now",
    "recorded",
    "remove_left_parts",
    "resolve_device",
    "seed_everything",
    "short",
    "status_of",
]
