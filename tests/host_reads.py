"""A mode in which reading a value on the host is an error: what a CUDA graph cannot hold."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# What gives the host a value, makes a shape depend on values, or copies a constant to the device.
READS = {
    "_local_scalar_dense",
    "item",
    "is_nonzero",
    "equal",
    "nonzero",
    "masked_select",
    "_unique2",
    "unique_dim",
    "lift_fresh",
}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}


class HostRead(AssertionError):
    """A step did what only the host can do."""


class NoHostReads(TorchDispatchMode):
    """Context in which the operators above raise HostRead, and indexing by masks does too."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().partition("::")[2].partition(".")[0]
        if name in READS:
            raise HostRead(f"{func.name()} reads a value, or copies one from the host")
        if name in INDEXING and any(is_mask(one) for one in args[1]):
            raise HostRead(f"{func.name()} by a mask: its shape depends on values")
        if name in ("_to_copy", "copy_"):
            self.check_copy(name, args, kwargs or {})
        return func(*args, **(kwargs or {}))

    def check_copy(self, name, args, kwargs):
        """Refuse copies between devices; of a copy to a new tensor the device is a keyword."""
        source = args[1] if name == "copy_" else args[0]
        target = args[0].device if name == "copy_" else kwargs.get("device") or source.device
        if torch.device(target).type != source.device.type:
            raise HostRead(f"{name} from {source.device} to {target}")


def is_mask(index):
    return index is not None and index.dtype in (torch.bool, torch.uint8)
