"""Several processes of one run, as torchrun starts them."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")


def count() -> int:
    """Processes that torchrun started for this run; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """True in the process that prints and writes."""
    return int(os.environ.get("RANK", "0")) == 0


def own_device(device: torch.device) -> torch.device:
    """The device of this process: of several GPUs, the one of its number on this machine."""
    if device.type == "cuda" and device.index is None and count() > 1:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device


def own_part(parts: int) -> range:
    """The parts of this process, of `parts` that all share alike."""
    each = parts // count()
    rank = int(os.environ.get("RANK", "0"))
    return range(rank * each, (rank + 1) * each)


@contextmanager
def group(device: torch.device) -> Iterator[None]:
    """Context in which the processes can talk, between GPUs too; one process needs nothing."""
    if count() == 1:
        yield
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield
        dist.barrier()  # nobody leaves while another still talks
    finally:
        dist.destroy_process_group()
        gc.collect()  # gloo's threads end with the last reference to the group


def from_first(compute: Callable[[], T]) -> T:
    """What `compute` gives in the first process, in all of them; the others do not call it."""
    if count() == 1:
        return compute()
    box: list[T | None] = [compute() if is_first() else None]
    dist.broadcast_object_list(box)
    return box[0]  # type: ignore[return-value]
