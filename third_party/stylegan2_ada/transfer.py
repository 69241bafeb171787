"""Draws made on the CPU, brought to where the networks lie."""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """The same values on `device`. From the CPU to a GPU, the host does not wait for the GPU.

    An ordinary copy waits for everything that the GPU was told before; one from pinned memory is
    queued behind it.
    """
    device = torch.device(device)
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
