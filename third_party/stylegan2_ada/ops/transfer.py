"""Values between the CPU and a GPU, without making the host wait for the GPU."""

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


class LateReading:
    """A tensor's values on the CPU, read one call after they were asked for.

    By then a GPU has long written them, so that asking for them does not empty its queue.
    """

    def __init__(self) -> None:
        self._copy: Tensor | None = None
        self._written: torch.cuda.Event | None = None

    def swap(self, tensor: Tensor) -> Tensor | None:
        """Ask for `tensor`, of any shape; returns what the last call asked for, None at first."""
        last = self.pending()
        if tensor.device.type == "cuda":
            self._copy = torch.empty_like(tensor, device="cpu", pin_memory=True)
            self._copy.copy_(tensor, non_blocking=True)
            self._written = torch.cuda.Event()
            self._written.record()
        else:
            self._copy = tensor.clone()
        return last

    def pending(self) -> Tensor | None:
        """What was asked for and not returned yet; waits until a GPU has written it."""
        if self._written is not None:
            self._written.synchronize()
        return self._copy

    def set_pending(self, values: Tensor | None) -> None:
        """Go on from what `pending` returned."""
        self._copy, self._written = values, None
