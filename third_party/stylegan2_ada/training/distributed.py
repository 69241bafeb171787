"""Several processes of one run: thin functions that do nothing where there is only one."""

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def world() -> int:
    """Processes of this run; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, 0 to world() - 1."""
    return dist.get_rank() if world() > 1 else 0


def sum_(tensor: Tensor) -> Tensor:
    """Replace `tensor` by its sum over all processes; returns it."""
    if world() > 1:
        dist.all_reduce(tensor)
    return tensor


def gather(own: Tensor) -> Tensor:
    """[world * n] from every process's [n], in the order of ranks; the own part keeps its graph."""
    if world() == 1:
        return own
    parts = [torch.empty_like(own) for _ in range(world())]
    dist.all_gather(parts, own.detach().contiguous())
    parts[rank()] = own
    return torch.cat(parts)


def gather_lists(own: list[Any]) -> list[Any]:
    """Every process's list joined in the order of ranks."""
    if world() == 1:
        return own
    lists: list[list[Any]] = [[] for _ in range(world())]
    dist.all_gather_object(lists, own)
    return [item for one in lists for item in one]


def any_true(flag: bool) -> bool:
    """True if `flag` is true in any process, so that all of them stop at the same step.

    The processes ask one another on the CPU (the group needs a backend for it), past any GPU.
    """
    return bool(sum_(torch.tensor(float(flag))) > 0) if world() > 1 else flag


def share(modules: Iterable[nn.Module]) -> None:
    """Give every process the parameters and buffers of the first."""
    if world() == 1:
        return
    for module in modules:
        for tensor in (*module.parameters(), *module.buffers()):
            dist.broadcast(tensor.data, 0)


def sum_gradients(parameters: list[nn.Parameter]) -> Tensor:
    """Sum every gradient over all processes, in one transfer; returns their norm, a scalar.

    Parameters that the loss does not reach get zeros: the processes' lists then agree, and Adam's
    second moments decay as they do for the others.
    """
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if world() > 1:
        flat = sum_(torch.cat([grad.reshape(-1) for grad in grads]))
        for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
            grad.copy_(part.view_as(grad))
    return torch.stack(torch._foreach_norm(grads)).norm()
