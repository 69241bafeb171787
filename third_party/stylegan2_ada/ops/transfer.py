"""Copies from the CPU to a GPU that do not make the host wait for the GPU."""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """The same values on `device`. From the CPU to a GPU, the host does not wait for the GPU.

    An ordinary copy waits for all work that the GPU has queued; one from pinned memory
    is queued behind it.
    """
    device = torch.device(device)
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
