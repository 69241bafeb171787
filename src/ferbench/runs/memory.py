"""How much memory a training will take, estimated before it begins, and how much there is.

The kernel's killer gives no error to catch, so what surely does not fit is refused before it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ferbench.errors import UserError

TOLERANCE = 1.5  # estimates and measured peaks are within this factor (docs/performance.md)
Compute = Callable[..., Tensor]
CGROUPS = (  # limit, usage, statistics with its part that can be given back, of both versions
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)
LIBRARIES = 300 << 20  # what torch's libraries take when they are first used
_ROOT = Path("/")  # another one in tests


def available(device: torch.device) -> int | None:
    """Bytes that are free on a device, None where nobody says."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    found = [one for one in (_of_machine(), _of_group()) if one is not None]
    return min(found, default=None)


def check(needed: float, device: torch.device, key: str) -> None:
    """Refuse a training that surely takes more memory than there is; say so where it may.

    needed: bytes by the estimate. key: `train.batch=512`, which is to be smaller.
    """
    free = available(device)
    if free is None or needed <= free:
        return
    sizes = f"about {needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free"
    if needed > free * TOLERANCE:
        where = "GPU" if device.type == "cuda" else "machine"
        raise UserError(
            f"{key}: the training needs {sizes}; expected a smaller batch, or a {where} with more"
        )
    print(f"note: {key}: the training may need {sizes}; a smaller batch needs less")


def of_weights(parameters: Iterable[Tensor], copies: int) -> int:
    """Bytes of parameters and of so many things of their size: gradients, averages, ..."""
    return (1 + copies) * sum(one.numel() * one.element_size() for one in parameters)


def of_step(
    modules: Sequence[nn.Module], compute: Compute, *, probe: int, images: int, work: float
) -> float:
    """Bytes of a step of so many images beside weights and their like.

    work: how many times what autograd keeps a step takes, with the gradients of activations and
    copies of kernels.

    compute: given copies of the modules and a number of images, gives the loss of that many. It
    is called with `probe` and twice as many, and what autograd keeps of each is counted. So
    neither the modules nor torch's random generators change.
    """
    few, more = (_kept(modules, compute, count) for count in (probe, 2 * probe))
    by_image = (more - few) / probe
    return LIBRARIES + work * (few + by_image * (images - probe))


def _kept(modules: Sequence[nn.Module], compute: Compute, images: int) -> int:
    """Bytes that autograd keeps of a computation for its gradients."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with (
        torch.random.fork_rng(),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        compute(images, *(copy.deepcopy(module) for module in modules))
    return sum(one.untyped_storage().nbytes() for one in kept.values())


def _of_machine() -> int | None:
    try:
        lines = (_ROOT / "proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(facts["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in facts else None


def _of_group() -> int | None:
    """What the limit of a container leaves; files that it has read are given back."""
    for limit, usage, statistics in CGROUPS:
        folder = _ROOT / "sys/fs/cgroup"
        try:
            most, used = (int((folder / name).read_text("ascii")) for name in (limit, usage))
            stat = (folder / statistics).read_text("ascii")
        except (OSError, ValueError):  # no such version, or no limit ("max")
            continue
        facts = dict(line.split() for line in stat.splitlines() if line.count(" ") == 1)
        return most - used + int(facts.get("inactive_file", 0))
    return None
