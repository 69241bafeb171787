"""The machine around a computation: device, seeds, memory, software."""

from __future__ import annotations

import ctypes
import platform
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ferbench.errors import UserError
from ferbench.recipes.switch import switch
from ferbench.version import __version__

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def resolve_device(wanted: str) -> torch.device:
    """The device for device=`wanted`; auto takes CUDA, then Apple's MPS, then the CPU.

    Raises UserError if torch does not know the name or has no such device.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device={wanted}: {reason}; expected auto, cpu, cuda or cuda:N") from None
    return device


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's global generators (initial weights, dropout)."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next tensors instead of giving it back.

    Activations of some MB otherwise come as fresh pages that the kernel clears, step after step:
    12 % of the time of training on a CPU. Works with glibc (see mallopt(3)), else does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the largest value that glibc takes
        mallopt(M_TRIM_THRESHOLD, 1 << 30)


@contextmanager
def fastest_kernels(device: torch.device, *, tf32: bool = False) -> Iterator[None]:
    """Context in which cuDNN tries its convolutions on a GPU and takes the fastest for each shape.

    It costs time at the first call of a shape. Where deterministic kernels are asked for, and off
    CUDA, nothing changes. tf32: products of float32 numbers are rounded to 10 bits, too, which is
    finer than the half precision beside them.
    """
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, products.allow_tf32
    if device.type == "cuda" and not (
        cudnn.deterministic or torch.are_deterministic_algorithms_enabled()
    ):
        cudnn.benchmark = True
        products.allow_tf32 = tf32 or products.allow_tf32
    try:
        yield
    finally:
        cudnn.benchmark, products.allow_tf32 = before


def graphs_wanted(key: str, value: str, device: torch.device) -> bool:
    """Whether `key`=`value` (auto, true or false) means CUDA graphs on this device.

    Raises UserError for true off CUDA.
    """
    wanted = switch(key, value)
    if wanted and device.type != "cuda":
        raise UserError(f"{key}=true: needs a CUDA device; expected auto or false on {device.type}")
    return wanted is not False and device.type == "cuda"


@lru_cache(maxsize=1)
def code_version() -> str:
    """The package's version, with the commit (and `-dirty`) when it runs from a checkout.

    A checkout need not be installed.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return __version__
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return __version__
    return f"{__version__}+{done.stdout.strip()}"


def hardware(device: torch.device) -> str:
    """Name of the processor that computes, with the number of threads or the GPU's memory."""
    if device.type == "cuda":
        facts = torch.cuda.get_device_properties(device)
        return f"{facts.name} {facts.total_memory / 2**30:.0f} GiB"
    return f"{_cpu_name()}, {torch.get_num_threads()} threads"


def environment(device: torch.device) -> dict[str, Any]:
    """What a result depends on besides config and data: versions, processor, code."""
    names = ("numpy", "torch", "torchvision", "timm", "scikit-learn", "hydra-core", "omegaconf")
    return {
        "code_version": code_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": str(device),
        "hardware": hardware(device),
        "packages": {name: metadata.version(name) for name in names},
    }


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
