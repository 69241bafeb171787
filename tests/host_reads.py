"""A watch over code that is to be captured as a CUDA graph, for a CPU too."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# They hand a value of the device to the host, or give a tensor whose shape depends on values.
OPERATIONS = {
    "_local_scalar_dense",
    "_unique2",
    "allclose",
    "equal",
    "is_nonzero",
    "item",
    "masked_select",
    "nonzero",
    "nonzero_numpy",
    "unique_consecutive",
    "unique_dim",
}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
COPIES = {"_to_copy", "copy_", "copy"}
METHODS = {"tolist", "numpy", "cpu", "__array__"}  # of a CPU tensor they are no operation


class HostReadError(AssertionError):
    """The code under test did what a captured step must not do."""


@contextlib.contextmanager
def no_host_reads(*, constants: bool = True) -> Iterator[None]:
    """Inside, reading a value or making a shape that depends on one raises HostReadError.

    constants: whether `torch.tensor(number)` may be called, which copies from the host to a GPU.

    So do copies from one device to another, and indexing by a mask. Backward passes are watched
    as forward ones are.
    """
    with _Methods(), _Operations(OPERATIONS if constants else OPERATIONS | {"lift_fresh"}):
        yield


class _Methods(TorchFunctionMode):
    """Refuses what Python does with a tensor beside the dispatcher."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if getattr(func, "__name__", "") in METHODS:
            raise HostReadError(func.__name__)
        return func(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):
    """Refuses operations."""

    def __init__(self, refused: set[str]) -> None:
        super().__init__()
        self.refused = refused

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[1]
        if name in self.refused:
            raise HostReadError(name)
        if name == "repeat_interleave" and kwargs.get("output_size") is None:
            raise HostReadError(f"{name} without an output_size")
        if name in INDEXING and any(
            one.dtype in (torch.bool, torch.uint8) for one in _tensors(args[1])
        ):
            raise HostReadError(f"{name} by a mask")
        result = func(*args, **kwargs)
        if name in COPIES and len({one.device for one in _tensors((*args, result))}) > 1:
            raise HostReadError(f"{name} from one device to another")
        return result


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    return [value for value in values if isinstance(value, Tensor)]
