"""Read a published network pickle as data: nothing in the file is run or imported.

A pickle names functions and classes which its reader is to call. Here each of the few names that
such files need stands for a function of this module; every other name is refused.
"""

import io
import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor


class UnsafePickleError(ValueError):
    """The pickle asks for something that a file of network weights has no need of."""


@dataclass
class Record:
    """An object of the pickle that was not built: what it was called and what it held."""

    class_name: str
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def init_kwargs(self) -> dict[str, Any]:
        """Keyword arguments of its constructor."""
        return dict(self.state.get("_init_kwargs", {}))

    def __setstate__(self, state: object) -> None:
        raise UnsafePickleError("the pickle sets the state of an object that has none to set")


class _Kwargs(dict[str, Any]):
    """A dictionary with attribute access in the file; a plain one here."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise UnsafePickleError("the pickle sets the state of a dictionary")


class _DType:
    """A NumPy dtype of plain numbers, from its code ("f8") and byte order."""

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if code not in _NUMBER_CODES:
            raise UnsafePickleError(f"the pickle holds a NumPy value of type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise UnsafePickleError(f"the pickle holds a NumPy byte order {order!r}")
        self.dtype = self.dtype.newbyteorder(order)


_NUMBER_CODES = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}


def _record(meta: dict[str, Any]) -> Record:
    """A network or layer: its embedded source is left unread."""
    if meta.get("type") != "class":
        raise UnsafePickleError(f"the pickle holds a persistent {meta.get('type')!r}")
    return Record(str(meta["class_name"]), dict(meta["state"]))


def _storage(data: bytes) -> Any:
    """Numbers of a tensor: a pickle inside the pickle, read by PyTorch's own safe reader."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about a damaged protocol number
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsafePickleError(f"a tensor of the pickle is refused: {error}") from None


def _tensor(
    storage: Any, offset: int, size: Any, stride: Any, requires_grad: bool, *ignored: Any
) -> Tensor:
    """A tensor on its storage; as_strided checks the bounds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # typed storages are deprecated
        flat = torch.empty(0, dtype=storage.dtype).set_(storage)
    if prod(size) > flat.numel():  # strides of zero would make a small file fill the memory
        raise UnsafePickleError(f"the pickle holds a tensor of size {size} on a smaller storage")
    return flat.as_strided(tuple(size), tuple(stride), offset).clone()


def _parameter(data: Tensor, *ignored: Any) -> Tensor:
    return data


def _scalar(dtype: _DType, data: bytes) -> bool | int | float:
    value: bool | int | float = np.frombuffer(data, dtype.dtype).item()
    return value


class _Call:
    """A function that the pickle may call, but not change by setting its state."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def __setstate__(self, state: object) -> None:
        raise UnsafePickleError("the pickle sets the state of a function")


_STAND_INS = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _Call(_record),
    ("dnnlib.util", "EasyDict"): _Kwargs,
    ("collections", "OrderedDict"): _Kwargs,
    ("builtins", "set"): frozenset,  # pickle protocol 3; later ones have an opcode for it
    ("torch._utils", "_rebuild_tensor_v2"): _Call(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Call(_parameter),
    ("torch.storage", "_load_from_bytes"): _Call(_storage),
    ("numpy", "dtype"): _DType,
    ("numpy._core.multiarray", "scalar"): _Call(_scalar),
    ("numpy.core.multiarray", "scalar"): _Call(_scalar),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise UnsafePickleError(f"the pickle asks for {module}.{name}, which is refused")
        return _STAND_INS[module, name]

    def persistent_load(self, pid: object) -> Any:
        raise UnsafePickleError(f"the pickle asks for the persistent object {pid!r}")


def read_pickle(data: bytes) -> dict[str, Any]:
    """The dictionary that `data` holds, with a Record in place of each network and layer.

    Raises UnsafePickleError naming what is refused, and ValueError for data that is cut off,
    damaged or no dictionary.
    """
    try:
        content = _Unpickler(io.BytesIO(data)).load()
    except UnsafePickleError:
        raise
    except _DAMAGE as error:
        raise ValueError(f"not a readable network pickle: {error}") from None
    if not isinstance(content, dict):
        raise ValueError("not a network pickle: it holds no dictionary")
    return content


# What unpickling a damaged file may raise, by Python's own documentation, and what torch.load adds.
_DAMAGE = (
    pickle.UnpicklingError,
    ValueError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    TypeError,
    MemoryError,
    OverflowError,
    RuntimeError,
    AssertionError,
)
